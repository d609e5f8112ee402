"""Maximum likelihood for the joint latent-time model, by scoring on each patient's contribution.

The likelihood of a patient is Laplace's approximation around the personal mode, as in nonlinear
mixed models (Pinheiro and Bates 1995, doi:10.1080/10618600.1995.10474663). The Hessian is the sum
of the outer products of the patients' scores (Berndt, Hall, Hall and Hausman 1974); its inverse is
the covariance of the parameters. Scores are forward differences.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from BrainstemALSLib.prediction.progression_curve import posterior
from BrainstemALSLib.prediction.progression_parameters import (
    EFFECTS,
    STEPS,
    Rows,
    names_of,
    unpack,
)

STEP = 1e-4
PRIOR_SD, SPREAD_PRIOR_SD = 3.0, 1.0
"""Of a weak normal prior around the start, for each parameter and for each logarithm of a spread:
our choice; a spread that no patient shows stays finite, all else is left as it is."""
DAY_PRIOR_SD = 0.1
"""Of the logarithm of the noise of a day: visits months apart hardly tell it from what lasts, so it
is held near published repeats of the form (SD of a total 1.3-1.7 points, memory, as in
training/cohort/parameters.toml)."""
_START = {
    "log_steepness": 0.65, "bend": 0.4, "log_noise": np.log(1.45), "noise_power": 0.9,
    "log_lasting": np.log(0.8), "log_lasting_length": np.log(0.15),
    **{f"log_walk at {u:g}": np.log(0.12) for u in STEPS},
    "fvc_onset": 92.0, "log_fvc_loss": np.log(0.7), "log_fvc_start": np.log(0.4),
    "log_fvc_sd": np.log(4.0), "log_shape": np.log(0.08),
    "log_rate on one": -np.log(33.0), "log_rate on log_delay": -0.4, "log_rate on log_first": -0.4,
    "fvc_lag on respiratory": -0.8,
    "root log_rate log_rate": np.log(0.55),
    "root fvc_level fvc_level": np.log(13.0), "root fvc_lag fvc_lag": np.log(0.25),
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Fit:
    """Parameters with their covariance.

    Attributes
    ----------
    flat : numpy.ndarray, shape (p,)
    covariance : numpy.ndarray, shape (p, p)
    log_likelihood : float
    steps : int
    gain : float
        By how much the last step raised the log likelihood: near 0 when it has converged.
    """

    flat: np.ndarray
    covariance: np.ndarray
    log_likelihood: float
    steps: int
    gain: float


def start_of(imaging: tuple[str, ...]) -> np.ndarray:
    """Return where a fit begins."""
    return np.array([_START.get(name, 0.0) for name in names_of(imaging)])


def fit(
    rows: Rows,
    imaging: tuple[str, ...],
    start: np.ndarray | None = None,
    steps: int = 40,
    tolerance: float = 0.05,
) -> Fit:
    """Fit the population.

    Parameters
    ----------
    rows : Rows
        One patient a row.
    imaging : tuple of str
        Names of the z-scores in ``rows``.
    start : numpy.ndarray, shape (p,), optional
    steps : int
        At most.
    tolerance : float
        Gain of log likelihood at which it ends.
    """
    first = start_of(imaging) if start is None else start
    groups = _groups(rows)
    flat, prior_sd = first.copy(), _prior_sd(imaging)
    found = _all(flat, groups, imaging, None, 12)
    value = found.log_evidence.sum() - _penalty(flat, first, prior_sd)
    gain, done = np.inf, 0
    while done < steps and gain > tolerance:
        done += 1
        scores = _scores(flat, groups, imaging, found.mode)
        hessian = scores.T @ scores + np.diag(1 / prior_sd**2)
        direction = scores.sum(axis=0) - (flat - first) / prior_sd**2
        step = np.linalg.solve(hessian, direction)
        gain, length = 0.0, 1.0
        while length > 1e-3:
            tried = flat + length * step
            there = _all(tried, groups, imaging, found.mode, 8)
            new = there.log_evidence.sum() - _penalty(tried, first, prior_sd)
            if np.isfinite(new) and new > value:
                gain, flat, value, found = new - value, tried, new, there
                break
            length /= 2
    scores = _scores(flat, groups, imaging, found.mode)
    covariance = np.linalg.inv(scores.T @ scores + np.diag(1 / prior_sd**2))
    return Fit(flat, covariance, float(found.log_evidence.sum()), done, float(gain))


@dataclass(frozen=True, eq=False)
class _Modes:
    mode: np.ndarray
    log_evidence: np.ndarray


def _groups(rows: Rows) -> list[tuple[np.ndarray, Rows]]:
    """Split patients by how many visits they have: no time is spent on visits that never were."""
    last = np.isfinite(rows.values).any(axis=-1)
    count = last.shape[1] - np.argmax(last[:, ::-1], axis=1)
    out = []
    for least, most in ((0, 1), (2, 2), (3, 4), (5, last.shape[1])):
        places = np.flatnonzero((count >= least) & (count <= most))
        if len(places):
            some, kept = rows.take(places), slice(0, max(most, 1))
            cut = (some.months[:, kept], some.values[:, kept], some.extra[:, kept])
            out.append((places, Rows(*cut, some.covariates, some.unsure)))
    return out


def _all(
    flat: np.ndarray,
    groups: list[tuple[np.ndarray, Rows]],
    imaging: tuple[str, ...],
    start: np.ndarray | None,
    steps: int,
) -> _Modes:
    parameters = unpack(flat, imaging)
    n, d = sum(len(places) for places, _ in groups), parameters.means.shape[1]
    mode, evidence = np.empty((n, d)), np.empty(n)
    for places, rows in groups:
        found = posterior(parameters, rows, None if start is None else start[places], steps)
        mode[places], evidence[places] = found.mode, found.log_evidence
    return _Modes(mode, evidence)


def _scores(
    flat: np.ndarray,
    groups: list[tuple[np.ndarray, Rows]],
    imaging: tuple[str, ...],
    mode: np.ndarray,
) -> np.ndarray:
    steps = STEP * _scales(imaging)
    scores = np.empty((len(mode), len(flat)))
    # The reference is refined as much as what it is compared with: both stand at the same mode.
    base = _all(flat, groups, imaging, mode, 2).log_evidence
    for place, step in enumerate(steps):
        moved = flat.copy()
        moved[place] += step
        scores[:, place] = (_all(moved, groups, imaging, mode, 2).log_evidence - base) / step
    return scores


def _scales(imaging: tuple[str, ...]) -> np.ndarray:
    """Size of a unit of each parameter: FVC counts in tens of per cent."""
    names = names_of(imaging)
    big = [n == "fvc_onset" or (n.startswith("root fvc_level") and n != _LEVEL) for n in names]
    return np.where(big, 10.0, 1.0)


_LEVEL = f"root {EFFECTS[1]} {EFFECTS[1]}"


def _prior_sd(imaging: tuple[str, ...]) -> np.ndarray:
    names = names_of(imaging)
    spreads = {f"root {effect} {effect}" for effect in (*EFFECTS, *imaging)}
    spreads |= {"log_shape", "log_lasting", "log_lasting_length"}
    spreads |= {f"log_walk at {u:g}" for u in STEPS}
    chosen = [SPREAD_PRIOR_SD if name in spreads else PRIOR_SD for name in names]
    chosen[names.index("log_noise")] = DAY_PRIOR_SD
    return np.array(chosen) * _scales(imaging)


def _penalty(flat: np.ndarray, first: np.ndarray, prior_sd: np.ndarray) -> float:
    return 0.5 * float((((flat - first) / prior_sd) ** 2).sum())
