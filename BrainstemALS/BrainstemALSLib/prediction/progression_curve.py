"""The joint latent-time model of ALSFRS-R, FVC and imaging: its parameters, curves and posterior.

A patient has a disease time ``u = t / D50``: months since onset by months from onset to 24 points,
as in the D50 model (Steinbach et al. 2020, doi:10.1016/j.nicl.2019.102094). With ``x = ln u`` ::

    ALSFRS-R = 48 / (1 + exp(k e^b (x + h (sqrt(1 + x^2) - 1)) + w(u)))
    FVC      = (mu + f) (1 - g softplus(u - s e^l)), levelling off near ``FVC_FLOOR``
    z_j      = q_j + d_j (ln t - ln t_first)

so that ALSFRS-R is 48 and FVC that of before the disease at onset: the anchor. What differs between
patients, ``r = (-ln D50, f, l, q_1 ..., b, w)``, is normal around a mean that is linear in
covariates, and the spread of the first log-linear in two. ``w`` is a smooth personal walk, a sum
of steps along u of normal heights: what visits told of the past holds less for what is to come.
``b`` and ``w`` are independent of all else; the others share one full covariance: through it
imaging and FVC tell of the course (joint random effects: Henderson 2000,
doi:10.1093/biostatistics/1.4.465; latent time: Li 2019, doi:10.1177/0962280217737566; both memory).
The form is ours: few parameters, and near linear in t.

Ratings deviate from that curve in two ways: by the noise of a day, and by what lasts, such as the
staircase of twelve items and who rates low on which. The latter is an Ornstein-Uhlenbeck process
along u, as large relative to the noise of a day at every level, and is integrated out in closed
form: visits close in u share it, so that more of them do not average it away, and what it will be
is open again far ahead (Diggle 1988, doi:10.2307/2531860, memory). The price: a recent fall counts
for little beside what was lost since onset.

The personal posterior is normal around its mode (Laplace), found by a few Gauss-Newton steps.
Every function works on n rows at once: rows are patients, draws of parameters, or both.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..prognosis.alsfrs import HIGHEST_TOTAL
from .progression_parameters import (
    COVARIATES,
    EFFECTS,
    LAG,
    LEVEL,
    RATE,
    SHAPE,
    STEP_WIDTH,
    STEPS,
    Parameters,
    Rows,
)

FVC_FLOOR, FVC_BEND = 12.0, 4.0
"""Where a falling FVC levels off and how gradually, % predicted: our choice; few can blow less and
still be measured."""
KNEE = 0.05
"""How gradually FVC begins to fall, in units of D50: our choice."""
ROUNDING = 1.0 / 12.0
"""Variance of rounding to whole points."""
ERROR_FLOOR = 0.05
"""Least standard deviation of a z-score from visit to visit: our choice."""
SHAPE_LIMIT, TIME_LIMITS = 1.5, (-7.0, 2.0)
"""Beyond these the curves are held: no patient is there, a first step may be."""


def prior(parameters: Parameters, rows: Rows) -> tuple[np.ndarray, np.ndarray]:
    """Return mean (n, d) and covariance (n, d, d) of the effects before any visit."""
    mean = np.einsum("ndp,np->nd", _rows(parameters.means, len(rows.months)), rows.covariates)
    filled = np.einsum("ndp,np->nd", _rows(parameters.means**2, len(rows.months)), rows.unsure)
    scale = np.ones_like(mean)
    on = [parameters.scalars[f"spread on {name}"][:, 0] for name in ("log_delay", "log_first")]
    delay, first = (rows.covariates[:, COVARIATES.index(n)] for n in ("log_delay", "log_first"))
    scale[:, RATE] = np.exp(np.clip(on[0] * delay + on[1] * first, -1.5, 1.5))
    covariance = parameters.covariance * scale[:, :, None] * scale[:, None]
    return mean, covariance + filled[:, :, None] * np.eye(mean.shape[1])


def alsfrs(parameters: Parameters, months: np.ndarray, r: np.ndarray) -> np.ndarray:
    """Return the expected ALSFRS-R (n, v) at months since onset (n, v) for effects (n, d)."""
    from scipy.special import expit

    x, shape, _ = _time(parameters, months, r)
    heights, _ = _steps(np.exp(x))
    walk = (heights * r[:, None, -len(STEPS) :]).sum(axis=-1)
    return HIGHEST_TOTAL * expit(-_steep(parameters, r) * shape - walk)


def alsfrs_variance(parameters: Parameters, expected: np.ndarray) -> np.ndarray:
    """Return the variance of one rating around an expected ALSFRS-R (n, v)."""
    return np.exp(2 * parameters.scalars["log_noise"]) * _spread(parameters, expected) + ROUNDING


def lasting(
    parameters: Parameters, months: np.ndarray, r: np.ndarray, total: np.ndarray
) -> np.ndarray:
    """Return the covariance (n, v, v) of what lasts of ALSFRS-R.

    Parameters
    ----------
    parameters : Parameters
    months : numpy.ndarray, shape (n, v)
        Since onset.
    r : numpy.ndarray, shape (n, d)
    total : numpy.ndarray, shape (n, v)
        Expected ALSFRS-R.
    """
    s = parameters.scalars
    u = np.exp(_time(parameters, months, r)[0])
    apart = np.abs(u[:, :, None] - u[:, None]) / np.exp(s["log_lasting_length"])[..., None]
    size = np.exp(s["log_lasting"]) * np.sqrt(_spread(parameters, total))
    return size[:, :, None] * size[:, None] * np.exp(-apart)


def fvc(parameters: Parameters, months: np.ndarray, r: np.ndarray) -> np.ndarray:
    """Return the expected FVC (n, v), % predicted."""
    x, _, _ = _time(parameters, months, r)
    fallen, _ = _fallen(parameters, np.exp(x), r)
    level = parameters.scalars["fvc_onset"] + r[:, LEVEL, None]
    return _levelled(level * (1 - np.exp(parameters.scalars["log_fvc_loss"]) * fallen))[0]


def expectation(parameters: Parameters, rows: Rows, r: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return what is expected (n, v, m) of effects (n, d), and the variance of a day around it."""
    p, shape = parameters, rows.values.shape
    expected, variance = np.empty(shape), np.empty(shape)
    expected[..., 0] = alsfrs(p, rows.months, r)
    expected[..., 1] = fvc(p, rows.months, r)
    variance[..., 0] = alsfrs_variance(p, expected[..., 0]) + rows.extra[..., 0]
    variance[..., 1] = np.exp(2 * p.scalars["log_fvc_sd"])
    if shape[-1] > 2:
        since = np.log(rows.months) - np.log(rows.months[:, :1])
        own = r[:, None, len(EFFECTS) : SHAPE]
        expected[..., 2:] = own + since[..., None] * p.change[:, None]
        variance[..., 2:] = ERROR_FLOOR**2 + p.error[:, None] ** 2 * rows.extra[..., 2:]
    return expected, variance


def derivative(
    parameters: Parameters, rows: Rows, r: np.ndarray, expected: np.ndarray
) -> np.ndarray:
    """Return the derivative by r (n, v, m, d) of what is expected (n, v, m)."""
    p, s = parameters, parameters.scalars
    by = np.zeros((*expected.shape, r.shape[1]))
    x, shape, by_x = _time(p, rows.months, r)
    u, steep, total = np.exp(x), _steep(p, r), expected[..., 0]
    heights, slopes = _steps(u)
    walk = (slopes * r[:, None, -len(STEPS) :]).sum(axis=-1)
    by_eta = -total * (1 - total / HIGHEST_TOTAL)
    by[..., 0, RATE] = by_eta * (steep * by_x + u * walk)
    by[..., 0, SHAPE] = by_eta * steep * shape
    by[..., 0, -len(STEPS) :] = by_eta[..., None] * heights
    fallen, rising = _fallen(p, u, r)
    level, loss = s["fvc_onset"] + r[:, LEVEL, None], np.exp(s["log_fvc_loss"])
    _, kept = _levelled(level * (1 - loss * fallen))
    by[..., 1, RATE] = -kept * level * loss * rising * u
    by[..., 1, LEVEL] = kept * (1 - loss * fallen)
    by[..., 1, LAG] = kept * level * loss * rising * _start(p, r)
    for place in range(expected.shape[-1] - 2):
        by[..., 2 + place, len(EFFECTS) + place] = 1.0
    return by


@dataclass(frozen=True, eq=False)
class Weights:
    """Inverse covariance of values around what is expected; 0 where a value is missing.

    Attributes
    ----------
    joint : numpy.ndarray, shape (n, v, v)
        Of ALSFRS-R between visits.
    single : numpy.ndarray, shape (n, v, m - 1)
        Of all else.
    log_variance : numpy.ndarray, shape (n,)
        Logarithm of the determinant of the covariance.
    """

    joint: np.ndarray
    single: np.ndarray
    log_variance: np.ndarray

    def of(self, left: np.ndarray) -> np.ndarray:
        """Return weighted values (n, v, m)."""
        rated = self.joint @ left[..., :1]
        return np.concatenate([rated, self.single * left[..., 1:]], axis=-1)


def weights(
    parameters: Parameters, rows: Rows, r: np.ndarray, expected: np.ndarray, variance: np.ndarray
) -> Weights:
    """Return the weights of rows around what ``expectation`` gave for effects r."""
    there = np.isfinite(rows.values)
    rated, rest = there[..., 0], there[..., 1:]
    both = rated[:, :, None] & rated[:, None]
    whole = np.where(both, lasting(parameters, rows.months, r, expected[..., 0]), 0.0)
    # A missing rating is a visit of its own with variance 1: it adds nothing to the determinant.
    whole = whole + np.eye(rated.shape[1]) * np.where(rated, variance[..., 0], 1.0)[:, None]
    logs = np.linalg.slogdet(whole)[1] + (rest * np.log(variance[..., 1:])).sum(axis=(1, 2))
    return Weights(np.linalg.inv(whole) * both, rest / variance[..., 1:], logs)


@dataclass(frozen=True, eq=False)
class Posterior:
    """What visits tell of the effects of n patients.

    Attributes
    ----------
    mode : numpy.ndarray, shape (n, d)
    information : numpy.ndarray, shape (n, d, d)
        Inverse of the covariance.
    log_evidence : numpy.ndarray, shape (n,)
        Laplace's approximation of the log density of the visits.
    misfit : numpy.ndarray, shape (n,)
        Squared standardised distance of visits and effects from the population: near a chi square
        with as many degrees as there are values.
    """

    mode: np.ndarray
    information: np.ndarray
    log_evidence: np.ndarray
    misfit: np.ndarray

    @property
    def root(self) -> np.ndarray:
        """Return (n, d, d) A with ``A A'`` the covariance."""
        lower = np.linalg.cholesky(self.information)
        return np.swapaxes(np.linalg.inv(lower), 1, 2)


def posterior(
    parameters: Parameters, rows: Rows, start: np.ndarray | None = None, steps: int = 12
) -> Posterior:
    """Return the personal posterior.

    Parameters
    ----------
    parameters : Parameters
    rows : Rows
    start : numpy.ndarray, shape (n, d), optional
        Where to begin; the prior's mean when left out.
    steps : int
        Gauss-Newton steps; the variance of ALSFRS-R is that of the step before.
    """
    mean, covariance = prior(parameters, rows)
    precision = np.linalg.inv(covariance)
    there = np.isfinite(rows.values)
    values = np.where(there, rows.values, 0.0)
    r = mean if start is None else start
    for _ in range(steps):
        expected, variance = expectation(parameters, rows, r)
        by = derivative(parameters, rows, r, expected)
        weight = weights(parameters, rows, r, expected, variance)
        information = _information(by, weight) + precision
        pull = np.einsum("nvmd,nvm->nd", by, weight.of(values - expected))
        pull -= np.einsum("nde,ne->nd", precision, r - mean)
        step = np.linalg.solve(information, pull[..., None])[..., 0]
        # Rate and shape live on a log scale: a longer step leaves where the curves are near linear.
        longest = np.abs(step[:, [RATE, SHAPE, LAG]]).max(axis=1, keepdims=True)
        r = r + step * np.minimum(1.0, 0.7 / np.maximum(longest, 1e-12))
    expected, variance = expectation(parameters, rows, r)
    by = derivative(parameters, rows, r, expected)
    weight = weights(parameters, rows, r, expected, variance)
    information = _information(by, weight) + precision
    off, left = r - mean, values - expected
    misfit = (weight.of(left) * left).sum(axis=(1, 2))
    misfit = misfit + np.einsum("nd,nde,ne->n", off, precision, off)
    logs = there.sum(axis=(1, 2)) * np.log(2 * np.pi) + weight.log_variance
    logs = logs + np.linalg.slogdet(covariance)[1] + np.linalg.slogdet(information)[1]
    return Posterior(r, information, -0.5 * (misfit + logs), misfit)


def log_target(parameters: Parameters, rows: Rows, r: np.ndarray) -> np.ndarray:
    """Return the log density (n, s) of visits and s draws of effects (n, s, d), but for a constant.

    The constant is one for all draws of a row.
    """
    n, draws, _ = r.shape
    mean, covariance = prior(parameters, rows)
    off = r - mean[:, None]
    precision = np.linalg.inv(covariance)
    many = np.repeat(np.arange(n), draws)
    seen = rows.take(many)
    own = parameters.of_curves(many if len(parameters.change) > 1 else np.zeros(len(many), int))
    expected, variance = expectation(own, seen, r.reshape(len(many), -1))
    there = np.isfinite(seen.values)
    left = np.where(there, seen.values, 0.0) - expected
    weight = weights(own, seen, r.reshape(len(many), -1), expected, variance)
    fit = (weight.of(left) * left).sum(axis=(1, 2)) + weight.log_variance
    return -0.5 * (fit.reshape(n, draws) + ((off @ precision) * off).sum(axis=-1))


def _rows(array: np.ndarray, n: int) -> np.ndarray:
    return np.broadcast_to(array, (n, *array.shape[1:]))


def _information(by: np.ndarray, weight: Weights) -> np.ndarray:
    n, d = len(by), by.shape[-1]
    rated, rest = by[:, :, 0], by[:, :, 1:].reshape(n, -1, d)
    found = np.swapaxes(rest, 1, 2) @ (rest * weight.single.reshape(n, -1, 1))
    return found + np.swapaxes(rated, 1, 2) @ weight.joint @ rated


def _time(
    p: Parameters, months: np.ndarray, r: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    x = np.clip(np.log(np.maximum(months, 0.05)) + r[:, RATE, None], *TIME_LIMITS)
    bend, root = np.tanh(p.scalars["bend"]), np.sqrt(1 + x**2)
    return x, x + bend * (root - 1), 1 + bend * x / root


def _spread(p: Parameters, expected: np.ndarray) -> np.ndarray:
    """How much ratings vary at an expected ALSFRS-R, 1 at half of the points."""
    share = np.clip(expected / HIGHEST_TOTAL, 1e-4, 1 - 1e-4)
    return (4 * share * (1 - share)) ** p.scalars["noise_power"]


def _steep(p: Parameters, r: np.ndarray) -> np.ndarray:
    return np.exp(
        p.scalars["log_steepness"] + np.clip(r[:, SHAPE, None], -SHAPE_LIMIT, SHAPE_LIMIT)
    )


def _levelled(percent: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    from scipy.special import expit

    z = (percent - FVC_FLOOR) / FVC_BEND
    return FVC_FLOOR + FVC_BEND * np.logaddexp(0.0, z), expit(z)


def _steps(u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Height of each smooth step (n, v, heights) and its derivative by u; the first is 1 always."""
    away = (u[..., None] - STEPS) / STEP_WIDTH
    height = np.exp(-0.5 * (away**2 - (away**2).min(axis=-1, keepdims=True)))
    share = height / height.sum(axis=-1, keepdims=True)
    slope = share * ((share * away).sum(axis=-1, keepdims=True) - away) / STEP_WIDTH
    return tuple(np.cumsum(part[..., ::-1], axis=-1)[..., ::-1] for part in (share, slope))


def _start(p: Parameters, r: np.ndarray) -> np.ndarray:
    return np.exp(p.scalars["log_fvc_start"] + np.clip(r[:, LAG, None], -6.0, 3.0))


def _fallen(p: Parameters, u: np.ndarray, r: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    from scipy.special import expit

    z = (u - _start(p, r)) / KNEE
    return KNEE * np.logaddexp(0.0, z), expit(z)
