"""Fits one location-scale model to controls.

Mean and ln spread are found in turn until both stand still. The mean: weighted least squares with a
Gaussian (ridge) prior. The spread: Fisher scoring of the restricted likelihood, with leverages in
the place of lost degrees of freedom (Smyth 2002, J Comput Graph Stat 11:836, memory), and a
Gaussian prior. How much sites differ: empirical Bayes (expectation-maximisation), with a prior
worth ``SITE_PRIOR_WEIGHT`` sites, since cohorts have few of them. Covariances are the inverse
Fisher information with the prior. Everything is in units of the measure's SD."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .model import Model, design_matrices, needs_icv, one_hot, transform_of

MINIMUM_CONTROLS = 20
"""Fewer give no model (own choice)."""
KNOTS = ((150, 5), (60, 4), (0, 3))
"""Controls from which on so many knots are used (own choice)."""
LEAST_YEARS = 5.0
"""Narrower age ranges give no model (own choice)."""

# Priors, all own choices: standard deviations in units of the measure's SD.
LEVEL_SD = 10.0  # of the mean at a knot: as good as none
BEND_SD = 0.5  # how far the mean at a knot lies off the straight line between its neighbours
SEX_SD = HEAD_SD = 1.0  # difference of the sexes; change per SD of ln intracranial volume
LOG_SD_SD = 10.0  # as good as none
LOG_SD_PER_DECADE_SD = 0.1
# Sites: such a spread as if seen in SITE_PRIOR_WEIGHT of them; chosen for intervals at unseen sites
# on simulated seeds other than those of docs/results/norms.md.
SITE_SD, SITE_LOG_SD, SITE_PRIOR_WEIGHT = 0.4, 0.1, 2.0

_TURNS, _STILL, _LONGEST_STEP = 500, 1e-7, 0.5


@dataclass(frozen=True, eq=False)
class Sample:
    """Controls of one model, one value each.

    Attributes
    ----------
    value : numpy.ndarray, shape (n,)
        Finite; above 0 for volumes.
    age : numpy.ndarray, shape (n,)
        Years.
    male : numpy.ndarray of bool, shape (n,)
    icv : numpy.ndarray, shape (n,)
        mm3; NaN where the measure needs none.
    site : numpy.ndarray of str, shape (n,)
        "" where it is not known: taken for an average site.
    """

    value: np.ndarray
    age: np.ndarray
    male: np.ndarray
    icv: np.ndarray
    site: np.ndarray


def why_not(sample: Sample) -> str:
    """Return why no model can be fitted, as a clause; empty where one can."""
    if len(sample.value) < MINIMUM_CONTROLS:
        return f"{len(sample.value)} controls with all that is needed, {MINIMUM_CONTROLS} wanted"
    if np.ptp(sample.age) < LEAST_YEARS:
        return f"the controls' ages span less than {LEAST_YEARS:g} years"
    if np.std(sample.value) <= 1e-9 * abs(np.mean(sample.value)) or np.std(sample.value) == 0:
        return "all controls have the same value"
    return ""


def fit_model(structure: str, measure: str, unit: str, sample: Sample) -> Model | None:
    """Fit a model.

    Parameters
    ----------
    structure, measure, unit : str
    sample : Sample
        ``why_not`` says nothing against it.

    Returns
    -------
    Model or None
        None: the fit did not come to rest.
    """
    transform = transform_of(measure)
    y = np.log(sample.value) if transform == "log" else sample.value
    centre, scale = float(np.mean(y)), float(np.std(y))
    knots = choose_knots(sample.age)
    sites = tuple(sorted(set(sample.site.tolist()) - {""}))
    head, icv = None, (None, None, None)
    if needs_icv(measure):
        log_icv = np.log(sample.icv)
        # Equal heads say nothing of head size; a scale of 1 leaves that to the prior.
        icv_scale = float(np.std(log_icv)) or 1.0
        icv = float(np.mean(log_icv)), icv_scale, (float(sample.icv.min()), float(sample.icv.max()))
        head = (log_icv - icv[0]) / icv[1]
    X, W = design_matrices(knots, sample.age, sample.male, head, one_hot(sites, sample.site))
    fit = _fit((y - centre) / scale, X, W, len(knots), len(sites), knots)
    if fit is None:
        return None
    z = ((y - centre) / scale - X @ fit.mean) / np.exp(W @ fit.log_sd)
    moments = [np.mean(((z - z.mean()) / z.std()) ** power) for power in (3, 4)]
    return Model(
        structure=structure,
        measure=measure,
        unit=unit,
        transform=transform,
        centre=centre,
        scale=scale,
        knots=knots,
        sexes=tuple(s for s, found in (("F", ~sample.male), ("M", sample.male)) if found.any()),
        icv_centre=icv[0],
        icv_scale=icv[1],
        icv_range=icv[2],
        sites=sites,
        site_counts=tuple(int((sample.site == name).sum()) for name in sites),
        mean=_rounded(fit.mean, 7),
        mean_covariance=_rounded(fit.mean_covariance, 5),
        log_sd=_rounded(fit.log_sd, 7),
        log_sd_covariance=_rounded(fit.log_sd_covariance, 5),
        site_sd=fit.site_sd,
        site_log_sd=fit.site_log_sd,
        # One is lost to the mean of the sites.
        site_df=SITE_PRIOR_WEIGHT + max(len(sites) - 1, 0),
        n=len(y),
        skewness=float(moments[0]),
        kurtosis=float(moments[1]) - 3.0,
    )


def choose_knots(age: np.ndarray) -> np.ndarray:
    """Return knots at equal shares of the controls, the youngest and the oldest included."""
    number = next(k for least, k in KNOTS if len(age) >= least)
    knots = np.quantile(age, np.linspace(0.0, 1.0, number))
    # Many controls of one age would make two knots one.
    apart = np.diff(knots) >= np.ptp(age) / 100.0
    inner = [k for k, far in zip(knots[1:-1], apart[:-1], strict=True) if far]
    inner = [k for k in inner if knots[-1] - k >= np.ptp(age) / 100.0]
    return np.array([knots[0], *inner, knots[-1]])


@dataclass(frozen=True, eq=False)
class _Fit:
    mean: np.ndarray
    mean_covariance: np.ndarray
    log_sd: np.ndarray
    log_sd_covariance: np.ndarray
    site_sd: float
    site_log_sd: float


def _fit(
    y: np.ndarray, X: np.ndarray, W: np.ndarray, k: int, sites: int, knots: np.ndarray
) -> _Fit | None:
    """Alternate between mean, spread and site variances."""
    p, q = X.shape[1], W.shape[1]
    of_mean, of_log_sd = _fixed_prior(k, p, q, sites, knots)
    places, stretches = np.arange(p - sites, p), np.arange(q - sites, q)
    log_sd, tau, omega = np.zeros(q), SITE_SD, SITE_LOG_SD
    before = np.full(p + q + 2, np.inf)
    for _ in range(_TURNS):
        of_mean[places, places] = tau**-2
        of_log_sd[stretches, stretches] = omega**-2
        weight = np.exp(-2.0 * (W @ log_sd))
        covariance = np.linalg.inv((X.T * weight) @ X + of_mean)
        mean = covariance @ (X.T @ (weight * y))
        leverage = weight * np.einsum("ni,ij,nj->n", X, covariance, X)
        squares = weight * (y - X @ mean) ** 2
        information = 2.0 * (W.T * (1.0 - leverage)) @ W + of_log_sd
        spread = np.linalg.inv(information)
        step = spread @ (W.T @ (squares - (1.0 - leverage)) - of_log_sd @ log_sd)
        log_sd = log_sd + np.clip(step, -_LONGEST_STEP, _LONGEST_STEP)
        tau = _between_sites(mean[places], np.diag(covariance)[places], SITE_SD)
        omega = _between_sites(log_sd[stretches], np.diag(spread)[stretches], SITE_LOG_SD)
        now = np.concatenate([mean, log_sd, [tau, omega]])
        if np.abs(now - before).max() < _STILL:
            return _Fit(mean, covariance, log_sd, spread, tau, omega)
        before = now
    return None


def _fixed_prior(
    k: int, p: int, q: int, sites: int, knots: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return prior precisions of mean and ln spread; the sites' places are filled in later."""
    of_mean, of_log_sd = np.zeros((p, p)), np.zeros((q, q))
    of_mean[range(k), range(k)] = LEVEL_SD**-2
    for i in range(1, k - 1):
        left = (knots[i + 1] - knots[i]) / (knots[i + 1] - knots[i - 1])
        bend = np.zeros(p)
        bend[i - 1 : i + 2] = -left, 1.0, left - 1.0
        of_mean += np.outer(bend, bend) / BEND_SD**2
    of_mean[k, k] = SEX_SD**-2
    if p - sites > k + 1:
        of_mean[k + 1, k + 1] = HEAD_SD**-2
    of_log_sd[0, 0], of_log_sd[1, 1] = LOG_SD_SD**-2, LOG_SD_PER_DECADE_SD**-2
    return of_mean, of_log_sd


def _between_sites(effects: np.ndarray, variances: np.ndarray, expected: float) -> float:
    total = (effects**2 + variances).sum() + SITE_PRIOR_WEIGHT * expected**2
    return float(np.sqrt(total / (len(effects) + SITE_PRIOR_WEIGHT)))


def _rounded(array: np.ndarray, digits: int) -> np.ndarray:
    """Round to significant digits, which shortens the file; covariances stay symmetric."""
    array = (array + array.T) / 2.0 if array.ndim == 2 else array
    return np.array([float(f"{v:.{digits}g}") for v in array.ravel()]).reshape(array.shape)
