"""One location-scale model: the mean and the spread of one measure of one structure in health.

    t(value) = centre + scale * (spline(age) + sex + head size + site + spread * N(0, 1))
    ln spread = constant + age + site

- t is the natural logarithm for volumes, whose spread grows with their size, and the value itself
  for all else (own choice; the skewness that is left is stored, and named where it matters).
- The spline is a natural cubic one; its coefficients are the means at its knots.
- Head size enters by the residual method: volumes are moved along the controls' slope of ln volume
  on ln intracranial volume (Jack et al. 1989, Radiology 172:549, memory; preferred to the
  proportion by Opfer et al. 2022, PMC9474386). The slope is estimated together with age, sex and
  site: taken alone it would hold part of the difference between the sexes (own choice).
- Sites shift and stretch; both are drawn to zero as random effects. A site that taught nothing is
  another draw of them: its interval is that of a t distribution, for how much sites differ is known
  from few of them (Gelman et al. 2013, Bayesian Data Analysis, section 2.6, memory).

Numpy and SciPy only: the panel scores with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.interpolate import CubicSpline

LOG, IDENTITY = "log", "identity"
TRANSFORMS = (LOG, IDENTITY)
SEXES = ("F", "M")
DECADE = 10.0


def transform_of(measure: str) -> str:
    """Return how a measure is transformed: volumes by the logarithm, all else not at all."""
    return LOG if measure == "volume" else IDENTITY


def needs_icv(measure: str) -> bool:
    """Return whether a measure depends on head size: volumes do; ratios of them do not."""
    return measure == "volume"


def spline_basis(knots: np.ndarray, age: np.ndarray) -> np.ndarray:
    """Return the natural cubic spline that is 1 at one knot and 0 at the others.

    Parameters
    ----------
    knots : numpy.ndarray, shape (k,)
        Ages, rising; the first and the last are the range.
    age : numpy.ndarray, shape (n,)

    Returns
    -------
    numpy.ndarray, shape (n, k)
        Rows add up to 1.
    """
    return _spline(tuple(np.asarray(knots, float).tolist()))(age)


@lru_cache(maxsize=256)
def _spline(knots: tuple[float, ...]) -> CubicSpline:
    """Built once: an exam is scored by two hundred models with the same knots."""
    return CubicSpline(knots, np.eye(len(knots)), bc_type="natural")


@dataclass(frozen=True, eq=False)
class Model:
    """A fitted model.

    Attributes
    ----------
    structure, measure, unit : str
    transform : str
        Of ``TRANSFORMS``.
    centre, scale : float
        Mean and SD of the transformed values in training; coefficients are in units of ``scale``.
    knots : numpy.ndarray, shape (k,)
        Years; the first and the last are the age range.
    sexes : tuple of str
        Seen in training.
    icv_centre, icv_scale : float or None
        Mean and SD of ln(intracranial volume in mm3); None where head size takes no part.
    icv_range : tuple of float or None
        mm3, in training.
    sites : tuple of str
    site_counts : tuple of int
        Controls of each site.
    mean, mean_covariance : numpy.ndarray, shape (p,) and (p, p)
        Knots, sex (male - female), head size where it takes part, sites.
    log_sd, log_sd_covariance : numpy.ndarray, shape (q,) and (q, q)
        At the middle of the age range, per decade, sites.
    site_sd, site_log_sd : float
        Between sites, of the shift and of the logarithm of the stretch.
    site_df : float
        Degrees of freedom that both are known with.
    n : int
        Controls.
    skewness, kurtosis : float
        Of the training z-scores; 0 and 0 (excess) in a normal distribution.
    """

    structure: str
    measure: str
    unit: str
    transform: str
    centre: float
    scale: float
    knots: np.ndarray
    sexes: tuple[str, ...]
    icv_centre: float | None
    icv_scale: float | None
    icv_range: tuple[float, float] | None
    sites: tuple[str, ...]
    site_counts: tuple[int, ...]
    mean: np.ndarray
    mean_covariance: np.ndarray
    log_sd: np.ndarray
    log_sd_covariance: np.ndarray
    site_sd: float
    site_log_sd: float
    site_df: float
    n: int
    skewness: float
    kurtosis: float

    @property
    def key(self) -> tuple[str, str]:
        """Structure and measure."""
        return self.structure, self.measure

    @property
    def age_range(self) -> tuple[float, float]:
        """Youngest and oldest control, years."""
        return float(self.knots[0]), float(self.knots[-1])

    @property
    def uses_icv(self) -> bool:
        """Whether head size takes part."""
        return self.icv_centre is not None

    def standardised(self, value: np.ndarray) -> np.ndarray:
        """Return values (n,) in the units of the coefficients."""
        value = np.log(value) if self.transform == LOG else value
        return (value - self.centre) / self.scale

    def original(self, standardised: np.ndarray) -> np.ndarray:
        """Return values (n,) in ``unit``: the way back from ``standardised``."""
        value = self.centre + self.scale * standardised
        return np.exp(value) if self.transform == LOG else value

    def designs(
        self, age: np.ndarray, male: np.ndarray, icv: np.ndarray, site: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the design matrices (n, p) of the mean and (n, q) of ln spread.

        Parameters
        ----------
        age, male, icv : numpy.ndarray, shape (n,)
            Years, bool, mm3 (not looked at where head size takes no part).
        site : numpy.ndarray of str, shape (n,)
            A site that is not in ``sites`` is an average one.
        """
        head = (np.log(icv) - self.icv_centre) / self.icv_scale if self.uses_icv else None
        return design_matrices(self.knots, age, male, head, one_hot(self.sites, site))

    def predict(
        self, age: np.ndarray, male: np.ndarray, icv: np.ndarray, site: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return mean and SD (n,) in health, in units of ``scale``; arguments as ``designs``."""
        X, W = self.designs(age, male, icv, site)
        return X @ self.mean, np.exp(W @ self.log_sd)

    def z_scores(
        self,
        value: np.ndarray,
        age: np.ndarray,
        male: np.ndarray,
        icv: np.ndarray,
        site: np.ndarray,
        uncertainty: np.ndarray,
        icv_uncertainty: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return z-scores, their standard errors and the errors' degrees of freedom, all (n,).

        The error holds what the fit, this value and this intracranial volume leave open (delta
        method); at an unknown site also what sites differ by. Degrees of freedom are infinite where
        the site is known, else as Satterthwaite has them (1946, doi:10.2307/3002019).

        Parameters
        ----------
        value, uncertainty : numpy.ndarray, shape (n,)
            In ``unit``; ``uncertainty`` is a standard deviation.
        age, male, icv, site : numpy.ndarray, shape (n,)
            As ``designs``.
        icv_uncertainty : numpy.ndarray, shape (n,)
            Standard deviation in mm3.
        """
        X, W = self.designs(age, male, icv, site)
        mean, sd = X @ self.mean, np.exp(W @ self.log_sd)
        z = (self.standardised(value) - mean) / sd
        unknown = ~W[:, 2:].any(axis=1)
        of_site = unknown * ((self.site_sd / sd) ** 2 + z**2 * self.site_log_sd**2)
        measured = uncertainty / self.scale
        if self.transform == LOG:
            measured = measured / value
        if self.uses_icv:
            slope = self.mean[len(self.knots) + 1] / self.icv_scale
            # An intracranial volume that is too large makes the structure look too small.
            measured = np.hypot(measured, slope * icv_uncertainty / icv)
        of_mean = _quadratic(X, self.mean_covariance) + measured**2
        variance = of_mean / sd**2 + z**2 * _quadratic(W, self.log_sd_covariance) + of_site
        # What the average site is known by is as unsure as what sites differ by.
        unsure = of_site * (1.0 + 1.0 / max(len(self.sites), 1))
        degrees = np.full(len(z), np.inf)
        np.divide(self.site_df * variance**2, unsure**2, out=degrees, where=unsure > 0)
        return z, np.sqrt(variance), np.maximum(degrees, self.site_df)


def one_hot(sites: tuple[str, ...], site: np.ndarray) -> np.ndarray:
    """Return indicators (n, S) of known sites; a row of zeros where a site is unknown."""
    return (np.asarray(site)[:, None] == np.array(sites, dtype=object)[None, :]).astype(float)


def design_matrices(
    knots: np.ndarray,
    age: np.ndarray,
    male: np.ndarray,
    head: np.ndarray | None,
    sites: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the design matrices of the mean and of ln spread; see ``Model``."""
    columns = [spline_basis(knots, age), (np.asarray(male, float) - 0.5)[:, None]]
    if head is not None:
        columns.append(head[:, None])
    decades = (age - (knots[0] + knots[-1]) / 2.0) / DECADE
    constant = np.ones((len(age), 1))
    return np.hstack([*columns, sites]), np.hstack([constant, decades[:, None], sites])


def _quadratic(X: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    return np.maximum(((X @ covariance) * X).sum(axis=1), 0.0)
