"""The survival model: a Royston-Parmar model on the odds scale, with what ends a follow-up.

The log odds of the event by month t since symptom onset are a natural cubic spline of ln t plus a
sum over predictors (Royston and Parmar 2002, Stat Med 21:2175, doi:10.1002/sim.1203), the form of
the ENCALS model (``prognosis.encals``). The event is the first of death, non-invasive ventilation
for more than 23 h a day (NIV) and tracheostomy. Which of them it is, given that one happens at
month t, is a multinomial logistic model ("vertical modelling", Nicolaie 2010, Stat Med 29:1190,
doi:10.1002/sim.3756): total hazard times share is the hazard of each cause, so that the cumulative
incidences add up to the risk.

Predictors are those of the last visit, and time counts from it: the model is fitted to every visit
of every patient, each with delayed entry ("landmark super-model", van Houwelingen 2007, Scand J
Stat 34:70, doi:10.1111/j.1467-9469.2006.00529.x). One set of coefficients says too much from later
visits: offset and slope of the log odds there are learned from others (``recalibration``).

What the form cannot do: given life until month t, the risk by month u is at most 1 - exp(s(t) -
s(u)), where s is the spline, however bad the findings (``most``). The later after onset, the lower
it is. Answers near it are too low where the true hazard is not bound in this way.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import BrainstemALSError, ExitCode
from .model_files import Training, bundled, read_model, write_model

KIND = "survival"
CAUSES = ("death", "niv", "tracheostomy")
RESPIRATORY = ("niv", "tracheostomy")
"""Respiratory failure."""
VISITS = 3
"""From one, two, and this many or more visits the model differs."""
WIDENED = (6.0, 12.0, 24.0)
"""Months after the visit at which ``SurvivalModel.widening`` is learned."""


@dataclass(frozen=True, eq=False)
class SurvivalModel:
    """A fitted model with p predictors and a spline of q coefficients.

    Attributes
    ----------
    training : Training
    names : tuple of str
        Predictors, in the order of every axis of p; see ``survival_predictors``.
    centre, scale : numpy.ndarray, shape (p,)
        Mean and standard deviation of the (transformed) predictors of the training patients;
        everything below is of predictors less the one, divided by the other: 0 is the average.
    knots : numpy.ndarray, shape (q,)
        ln(months): of the spline, the first and the last at its borders.
    gamma, beta : numpy.ndarray, shapes (q,) and (p,)
        Log odds.
    covariance : numpy.ndarray, shape (q + p, q + p)
        Of gamma and beta.
    mean, spread : numpy.ndarray, shapes (p,) and (p, p)
        Mean and covariance of the predictors of the training patients: what a missing one is
        expected to be, given the others.
    low, high : numpy.ndarray, shape (p,)
        Range of the predictors in which the model speaks, in their own units.
    horizon : float
        Months after a visit until which training patients were followed.
    cause : numpy.ndarray, shape (2, 2 + m)
        Log odds of NIV and of tracheostomy against death: intercept, ln(months) less the mean of
        the knots, and the predictors ``cause_names``.
    cause_covariance : numpy.ndarray, shape (2 * (2 + m), 2 * (2 + m))
    cause_names : tuple of str
    outcomes : str
        What a reader must know of the outcomes that it was learned from; empty for real ones.
    widening : numpy.ndarray, shape (3, h, 2)
        By how much intervals of risks are wider than coefficients, measurement and missing
        predictors make them (log odds): from one, two, and three or more visits, at each of
        ``WIDENED`` months, at 80 % and 95 %; 1 where nothing is known of it.
    recalibration : numpy.ndarray, shape (3, 2)
        From one, two, and three or more visits: what is added to the log odds, and what the sum
        over predictors is multiplied by; 0 and 1 where nothing is known of it.
    domain : dict of str to (float, float)
        Range of the training visits, of ``survival_predictors.changes`` and of ``log_odds`` (the
        sum over predictors, recalibrated); what is absent is not limited.
    """

    training: Training
    names: tuple[str, ...]
    centre: np.ndarray
    scale: np.ndarray
    knots: np.ndarray
    gamma: np.ndarray
    beta: np.ndarray
    covariance: np.ndarray
    mean: np.ndarray
    spread: np.ndarray
    low: np.ndarray
    high: np.ndarray
    horizon: float
    cause: np.ndarray
    cause_covariance: np.ndarray
    cause_names: tuple[str, ...]
    outcomes: str = ""
    widening: np.ndarray = field(default_factory=lambda: np.ones((VISITS, len(WIDENED), 2)))
    recalibration: np.ndarray = field(default_factory=lambda: np.array([[0.0, 1.0]] * VISITS))
    domain: dict[str, tuple[float, float]] = field(default_factory=dict)

    @property
    def statement(self) -> str:
        """Whom the model was learned from, in one phrase."""
        return ", ".join(filter(None, (self.training.statement, self.outcomes)))

    def at(self, visits: int) -> tuple[np.ndarray, np.ndarray]:
        """Return ``widening`` (h, 2) and ``recalibration`` (2,) after some number of visits."""
        place = min(visits, VISITS) - 1
        return self.widening[place], self.recalibration[place]

    def standardised(self, values: np.ndarray) -> np.ndarray:
        """Return predictors (..., p) less the mean, in standard deviations."""
        return (values - self.centre) / self.scale

    def log_odds(self, months: np.ndarray, gamma: np.ndarray | None = None) -> np.ndarray:
        """Return the log odds of the average patient's event by these months since onset.

        Parameters
        ----------
        months : numpy.ndarray, shape (k,)
            Above 0.
        gamma : numpy.ndarray, shape (d, q), optional
            Draws instead of the estimate; the result is then (d, k), else (k,).
        """
        rows = basis(np.log(months), self.knots)
        return rows @ self.gamma if gamma is None else gamma @ rows.T

    def conditional_risk(
        self,
        x: np.ndarray,
        alive_at: np.ndarray,
        after: np.ndarray,
        visits: np.ndarray | int = 1,
    ):
        """Return the risk of the event within some months after it had not happened yet.

        Parameters
        ----------
        x : numpy.ndarray, shape (n, p)
            Standardised predictors, none missing.
        alive_at, after : numpy.ndarray, shapes (n,) and (k,)
            Months since onset, and after that.
        visits : int or numpy.ndarray of int, shape (n,)
            Their number until then.

        Returns
        -------
        numpy.ndarray, shape (n, k)
        """
        offset, slope = self.recalibration[np.minimum(visits, VISITS) - 1].T
        lp = (offset + slope * (x @ self.beta))[:, None]
        months = alive_at[:, None] + after
        at = self.log_odds(months.ravel()).reshape(months.shape)
        start = self.log_odds(alive_at)[:, None]
        return -np.expm1(np.logaddexp(0.0, start + lp) - np.logaddexp(0.0, at + lp))

    def most(self, alive_at: float, after: float) -> float:
        """Return the highest risk that the form allows within some months after a day."""
        early, late = self.log_odds(np.array([alive_at, alive_at + after]))
        return float(-np.expm1(early - late))

    def shares(self, x: np.ndarray, months: np.ndarray, draws: np.ndarray | None = None):
        """Return the shares of ``CAUSES`` among events.

        Parameters
        ----------
        x : numpy.ndarray, shape (n, p)
            Standardised predictors.
        months : numpy.ndarray, shape (k,) or (n, k)
            Since onset, when the event happens.
        draws : numpy.ndarray, shape (n, 2, 2 + m), optional
            Coefficients instead of the estimates, one set for each row of ``x``.

        Returns
        -------
        numpy.ndarray, shape (n, k, 3)
        """
        rows = np.broadcast_to(months, (len(x), np.shape(months)[-1]))
        chosen = x[:, [self.names.index(name) for name in self.cause_names]]
        design = cause_design(np.log(rows), self.knots, chosen)
        coefficients = np.broadcast_to(self.cause, (len(x), *self.cause.shape))
        coefficients = coefficients if draws is None else draws
        odds = np.exp(np.einsum("nkm,ncm->nkc", design, coefficients))
        whole = np.concatenate([np.ones((*odds.shape[:2], 1)), odds], axis=-1)
        return whole / whole.sum(axis=-1, keepdims=True)

    def expected(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return what missing predictors are expected to be, given the others.

        Parameters
        ----------
        x : numpy.ndarray, shape (p,)
            Standardised; NaN where missing.

        Returns
        -------
        mean : numpy.ndarray, shape (p,)
            ``x`` with the conditional means.
        root : numpy.ndarray, shape (p, m)
            Of their covariance: ``root @ standard normals (m,)`` are draws around the mean.
        """
        missing = np.isnan(x)
        full = np.where(missing, self.mean, x)
        if not missing.any():
            return full, np.zeros((len(x), 0))
        known = ~missing
        inner = self.spread[np.ix_(known, known)]
        link = np.linalg.solve(inner, self.spread[np.ix_(known, missing)]).T
        full[missing] += link @ (x[known] - self.mean[known])
        left = self.spread[np.ix_(missing, missing)]
        left = left - link @ self.spread[np.ix_(known, missing)]
        root = np.zeros((len(x), int(missing.sum())))
        root[missing] = square_root(left)
        return full, root


def basis(log_months: np.ndarray, knots: np.ndarray) -> np.ndarray:
    """Return the natural cubic spline's basis, shape (k, q), without its least knots' two cubes.

    Columns: 1, ln t, and one for each inner knot, as Royston and Parmar 2002 define them.
    """
    x = np.asarray(log_months, dtype=float)
    first, last = knots[0], knots[-1]
    columns = [np.ones_like(x), x]
    for knot in knots[1:-1]:
        weight = (last - knot) / (last - first)
        columns.append(
            np.maximum(x - knot, 0) ** 3
            - weight * np.maximum(x - first, 0) ** 3
            - (1 - weight) * np.maximum(x - last, 0) ** 3
        )
    return np.stack(columns, axis=-1)


def basis_slope(log_months: np.ndarray, knots: np.ndarray) -> np.ndarray:
    """Return the derivative of ``basis`` by ln t, shape (k, q)."""
    x = np.asarray(log_months, dtype=float)
    first, last = knots[0], knots[-1]
    columns = [np.zeros_like(x), np.ones_like(x)]
    for knot in knots[1:-1]:
        weight = (last - knot) / (last - first)
        columns.append(
            3 * np.maximum(x - knot, 0) ** 2
            - 3 * weight * np.maximum(x - first, 0) ** 2
            - 3 * (1 - weight) * np.maximum(x - last, 0) ** 2
        )
    return np.stack(columns, axis=-1)


def cause_design(log_months: np.ndarray, knots: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Return the design of the causes, shape (n, k, 2 + m), of times (n, k) and x (n, m)."""
    time = log_months - knots.mean()
    rest = np.broadcast_to(x[:, None, :], (*time.shape, x.shape[-1]))
    return np.concatenate([np.ones((*time.shape, 1)), time[..., None], rest], axis=-1)


def square_root(covariance: np.ndarray) -> np.ndarray:
    """Return a root of a covariance matrix that may be singular, rounding errors cut off."""
    values, vectors = np.linalg.eigh((covariance + covariance.T) / 2)
    return vectors * np.sqrt(np.maximum(values, 0.0))


_ARRAYS = ("centre", "scale", "knots", "gamma", "beta", "covariance", "mean", "spread",
           "low", "high", "cause", "cause_covariance", "widening", "recalibration")  # fmt: skip


def write_survival(path: Path, model: SurvivalModel) -> None:
    """Write a model as JSON; see ``model_files.write_model``."""
    content: dict[str, Any] = {name: getattr(model, name) for name in _ARRAYS}
    content |= {"names": model.names, "cause_names": model.cause_names, "horizon": model.horizon}
    content |= {"outcomes": model.outcomes}
    content |= {"domain": {name: list(ends) for name, ends in model.domain.items()}}
    write_model(path, KIND, model.training, content)


def read_survival(path: Path | None = None) -> SurvivalModel:
    """Read a model; without a path the one that comes along.

    Raises
    ------
    BrainstemALSError
        MODEL_UNAVAILABLE: missing, damaged, or not of this kind.
    """
    path = path or bundled(KIND)
    training, content = read_model(path, KIND)
    try:
        arrays = {name: np.array(content[name], dtype=float) for name in _ARRAYS}
        model = SurvivalModel(
            training=training,
            names=tuple(content["names"]),
            cause_names=tuple(content["cause_names"]),
            horizon=float(content["horizon"]),
            outcomes=str(content["outcomes"]),
            domain={str(k): (float(a), float(b)) for k, (a, b) in content["domain"].items()},
            **arrays,
        )
        p, q, m = len(model.names), len(model.knots), 2 * (2 + len(model.cause_names))
        wanted = {
            "centre": (p,), "scale": (p,), "gamma": (q,), "beta": (p,), "mean": (p,),
            "covariance": (q + p, q + p), "spread": (p, p), "low": (p,), "high": (p,),
            "cause": (2, m // 2), "cause_covariance": (m, m), "recalibration": (VISITS, 2),
            "widening": (VISITS, len(WIDENED), 2),
        }  # fmt: skip
        fits = all(getattr(model, name).shape == shape for name, shape in wanted.items())
        fits = fits and model.widening.min() > 0 and model.recalibration[:, 1].min() > 0
        fits = fits and set(model.cause_names) <= set(model.names)
    except (KeyError, TypeError, ValueError):
        fits = False
    if not fits:
        raise BrainstemALSError(
            path, "its tables do not fit one another",
            "Install it again, or fit it with python -m training.prediction.survival.",
            ExitCode.MODEL_UNAVAILABLE,
        )  # fmt: skip
    return model
