"""ComBat: takes out what scanners add and stretch, keeps what age, sex and disease do.

Johnson et al. 2007 (Biostatistics 8:118, doi:10.1093/biostatistics/kxj037) as Fortin et al. 2018
(NeuroImage 167:104, doi:10.1016/j.neuroimage.2017.11.024) use it on brain images. Learnt from some
people (``fit_combat``), applied to others (``Combat.apply``): who is evaluated must not teach it.

Why not a library: neuroHarmonize 2.5.2 has that split, but needs numpy < 2 and pandas < 3 and
stores pickles; neuroCombat 0.2.12, under it, learns from all it is given, and fails or answers NaN
for a site with one person. The tests hold this file against neuroCombat where it is installed.

Leakage: covariates that are preserved have to be known of everyone ``apply`` is given. With the
group among them, the group of a test patient would be used: for prediction, fit on the controls of
the training set with age, sex and head size only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from ..imaging.finding import Finding
from .empirical_bayes import refuse, site_effect, weak_site

FORMAT = 1


@dataclass(frozen=True, eq=False)
class Combat:
    """A fitted harmonisation of f features over S sites with c covariates.

    Attributes
    ----------
    features, covariates, sites : tuple of str
    mean, sd : numpy.ndarray, shape (f,)
        Over all sites, weighted by their people; within sites.
    slopes : numpy.ndarray, shape (c, f)
    shift, stretch : numpy.ndarray, shape (S, f)
        Of a site, in units of ``sd``: added, and times the standard deviation.
    counts : tuple of int
        People of each site.
    findings : tuple of Finding
    """

    features: tuple[str, ...]
    covariates: tuple[str, ...]
    sites: tuple[str, ...]
    mean: np.ndarray
    sd: np.ndarray
    slopes: np.ndarray
    shift: np.ndarray
    stretch: np.ndarray
    counts: tuple[int, ...]
    findings: tuple[Finding, ...] = ()

    def apply(self, values: np.ndarray, site: np.ndarray, covariates: np.ndarray) -> np.ndarray:
        """Return values (n, f) as an average site would have measured them; NaN stays NaN.

        Raises
        ------
        BrainstemALSError
            USAGE: a site it was not fitted on; see ``with_site``.
        """
        site = np.asarray(site, dtype=object)
        unseen = sorted({str(s) for s in site} - set(self.sites))
        if unseen:
            raise refuse(
                f"it was not fitted on site {', '.join(unseen)}",
                "Add the site with controls of its own, or leave its people out.",
            )
        place = np.array([self.sites.index(s) for s in site], dtype=int)
        covariates = _covariates(covariates, len(site), len(self.covariates))
        expected = self.mean + covariates @ self.slopes
        apart = (np.asarray(values, float) - expected) / self.sd
        return expected + self.sd * (apart - self.shift[place]) / self.stretch[place]

    def with_site(self, name: str, values: np.ndarray, covariates: np.ndarray) -> Combat:
        """Return the same with one more site, learnt from its controls only."""
        if name in self.sites:
            raise refuse(f"it knows site {name}", "Fit it again instead.")
        values = np.asarray(values, float)
        covariates = _covariates(covariates, len(values), len(self.covariates))
        if not len(values):
            raise refuse(f"site {name} has no controls", "Leave its people out.")
        apart = (values - self.mean - covariates @ self.slopes) / self.sd
        shift, stretch, findings = site_effect(name, apart)
        return replace(
            self,
            sites=(*self.sites, name),
            shift=np.vstack([self.shift, shift]),
            stretch=np.vstack([self.stretch, stretch]),
            counts=(*self.counts, len(values)),
            findings=(*self.findings, *findings),
        )

    def to_record(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        record: dict[str, Any] = {"kind": "BrainstemALS ComBat", "format": FORMAT}
        for field in fields(self):
            value = getattr(self, field.name)
            record[field.name] = value.tolist() if isinstance(value, np.ndarray) else list(value)
        return {**record, "findings": [vars(finding) for finding in self.findings]}

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Combat:
        """Return the harmonisation of ``to_record``.

        Raises
        ------
        BrainstemALSError
            USAGE: damaged, or of another format.
        """
        try:
            if (record["kind"], record["format"]) != ("BrainstemALS ComBat", FORMAT):
                raise ValueError
            values = {
                field.name: np.array(record[field.name], float)
                if field.name in ("mean", "sd", "slopes", "shift", "stretch")
                else tuple(record[field.name])
                for field in fields(cls)
            }
            values["findings"] = tuple(Finding(**part) for part in record["findings"])
            found = cls(**values)
            f, c, s = len(found.features), len(found.covariates), len(found.sites)
            found = replace(found, slopes=found.slopes.reshape(c, f))
            shapes = [(f,), (f,), (c, f), (s, f), (s, f)]
            arrays = [found.mean, found.sd, found.slopes, found.shift, found.stretch]
            if [a.shape for a in arrays] != shapes or not all(np.isfinite(a).all() for a in arrays):
                raise ValueError
        except (KeyError, TypeError, ValueError):
            raise refuse("its record is damaged", "Fit it again.") from None
        return found


def fit_combat(
    values: np.ndarray,
    site: np.ndarray,
    covariates: np.ndarray,
    features: tuple[str, ...],
    names: tuple[str, ...],
    group: np.ndarray | None = None,
    control: str = "HC",
) -> Combat:
    """Learn shift and stretch of every site.

    Parameters
    ----------
    values : numpy.ndarray, shape (n, f)
        NaN where missing. Volumes are best given as logarithms.
    site : numpy.ndarray of str, shape (n,)
    covariates : numpy.ndarray, shape (n, c)
        What is preserved: age, sex (0/1), head size, group (0/1).
    features, names : tuple of str
        Names of the columns of ``values`` and of ``covariates``.
    group : numpy.ndarray of str, shape (n,), optional
        With it, sites without a ``control`` are named among the findings: what is the scanner's and
        what is the disease's is told apart there by the other sites alone.

    Raises
    ------
    BrainstemALSError
        USAGE: fewer than two sites, covariates missing, or not to be told apart from sites.
    """
    values, site = np.asarray(values, float), np.asarray(site, dtype=object)
    covariates = _covariates(covariates, len(values), len(names))
    sites = tuple(sorted({str(s) for s in site}))
    if len(sites) < 2:
        raise refuse("there are fewer than two sites", "There is nothing to harmonise.")
    member = site[:, None] == np.array(sites, dtype=object)
    design = np.hstack([member, covariates])
    unstable, findings = [], []
    coefficients, sd = np.zeros((design.shape[1], values.shape[1])), np.zeros(values.shape[1])
    for j, column in enumerate(values.T):
        known = np.isfinite(column)
        X = design[known]
        # Columns on a common scale, or a covariate in mm3 would hide that another is redundant.
        size = np.maximum(np.abs(X).max(axis=0, initial=0.0), 1e-300)
        beta, _, rank, _ = np.linalg.lstsq(X / size, column[known], rcond=1e-9)
        if rank < design.shape[1]:
            unstable.append(features[j])
            continue
        coefficients[:, j] = beta / size
        sd[j] = np.sqrt(np.mean((column[known] - X @ coefficients[:, j]) ** 2))
    if unstable:
        raise refuse(
            f"sites and covariates cannot be told apart, or a site has no value ({unstable[0]})",
            "Leave out the site or the covariate: a group that is at one site only, for example.",
        )
    if not (sd > 0).all():
        raise refuse(f"{features[int(np.argmin(sd))]} does not vary", "Leave it out.")
    weights = member.mean(axis=0)
    mean, slopes = weights @ coefficients[: len(sites)], coefficients[len(sites) :]
    apart = (values - mean - covariates @ slopes) / sd
    parts = [site_effect(name, apart[member[:, s]]) for s, name in enumerate(sites)]
    for part in parts:
        findings += part[2]
    if group is not None:
        for s, name in enumerate(sites):
            if not (np.asarray(group)[member[:, s]] == control).any():
                findings.append(weak_site("combat-no-controls", f"site {name} has no controls"))
    return Combat(
        features=tuple(features),
        covariates=tuple(names),
        sites=sites,
        mean=mean,
        sd=sd,
        slopes=slopes,
        shift=np.array([part[0] for part in parts]),
        stretch=np.array([part[1] for part in parts]),
        counts=tuple(int(n) for n in member.sum(axis=0)),
        findings=tuple(findings),
    )


def _covariates(covariates: np.ndarray, n: int, c: int) -> np.ndarray:
    covariates = np.asarray(covariates, float).reshape(n, -1) if n else np.zeros((0, c))
    if covariates.shape[1] != c or not np.isfinite(covariates).all():
        raise refuse(
            "covariates are missing or not as many as it was fitted with", "Complete the table."
        )
    return covariates
