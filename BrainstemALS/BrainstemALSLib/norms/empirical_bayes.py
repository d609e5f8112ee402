"""Empirical Bayes of ComBat: shift and stretch of one site, drawn to what its other features say.

Johnson et al. 2007, Biostatistics 8:118, doi:10.1093/biostatistics/kxj037, section 3.2.
"""

from __future__ import annotations

import numpy as np

from ..errors import BrainstemALSError, ExitCode
from ..imaging.finding import Finding

_STILL, _TURNS = 1e-8, 1000


def site_effect(name: str, apart: np.ndarray) -> tuple[np.ndarray, np.ndarray, list[Finding]]:
    """Return shift and stretch (f,) of one site by parametric empirical Bayes over its features.

    Parameters
    ----------
    name : str
        Of the site.
    apart : numpy.ndarray, shape (n, f)
        Distance of its people from what is expected of them, in standard deviations; NaN: missing.

    Notes
    -----
    Without a spread over people (one person) the mean alone is corrected; without a spread over
    features (one feature) there is nothing to borrow from, so the plain estimates stand.

    Raises
    ------
    BrainstemALSError
        USAGE: a feature has no value.
    """
    n = np.isfinite(apart).sum(axis=0)
    if not (n > 0).all():
        raise refuse(f"site {name} has no value of a feature", "Leave out the site or the feature.")
    plain = np.nanmean(apart, axis=0)
    one = not (n > 1).all()
    variance = np.ones_like(plain) if one else np.nanvar(apart, axis=0, ddof=1)
    variance[variance == 0] = 1.0  # equal values say nothing of a stretch, as in neuroCombat
    findings = []
    if one:
        text = f"site {name} has one person for some measure: its mean is corrected, its spread not"
        findings.append(weak_site("combat-one-person", text))
    if len(plain) < 2:
        return plain, np.sqrt(variance), findings
    among = plain.var(ddof=1)
    if one:
        # neuroCombat's mean-only rule takes a site for one observation; here its people count.
        return (among * n * plain + plain.mean()) / (among * n + 1.0), np.sqrt(variance), findings
    centre, spread = variance.mean(), variance.var(ddof=1)
    if not (among > 0 and spread > 0):
        return plain, np.sqrt(variance), findings
    a, b = 2.0 + centre**2 / spread, centre + centre**3 / spread
    shift, squared = plain, variance
    for _ in range(_TURNS):
        before = shift, squared
        shift = (among * n * plain + squared * plain.mean()) / (among * n + squared)
        squared = (0.5 * np.nansum((apart - shift) ** 2, axis=0) + b) / (n / 2.0 + a - 1.0)
        if max(np.abs(shift - before[0]).max(), np.abs(squared - before[1]).max()) < _STILL:
            break
    return shift, np.sqrt(squared), findings


def weak_site(code: str, message: str) -> Finding:
    """Return a finding about a site that teaches little."""
    return Finding(code, "warning", message, "Measure more controls there.")


def refuse(problem: str, remedy: str) -> BrainstemALSError:
    """Return a refusal to harmonise."""
    return BrainstemALSError("harmonisation", problem, remedy, ExitCode.USAGE)
