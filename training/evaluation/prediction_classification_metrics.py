"""How well probabilities tell people apart, and whether they are what they say."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit
from scipy.stats import rankdata, t

from ..prediction.classification_fit import fit_calibration, log_loss

CENTRAL = 1.959963984540054
BINS = 10
BOOTSTRAPS = 300


@dataclass(frozen=True, eq=False)
class Areas:
    """Areas under the ROC curve of m methods on the same people.

    Attributes
    ----------
    auc : numpy.ndarray, shape (m,)
    covariance : numpy.ndarray, shape (m, m)
        DeLong et al. 1988 (doi:10.2307/2531595).
    """

    auc: np.ndarray
    covariance: np.ndarray

    def half(self, method: int = 0) -> float:
        """Return +- of a method's 95 % interval."""
        return CENTRAL * float(np.sqrt(max(self.covariance[method, method], 0.0)))

    def difference(self, method: int, other: int = 0) -> tuple[float, float]:
        """Return how much more a method has than another, and +- of 95 %."""
        c = self.covariance
        variance = c[method, method] + c[other, other] - 2.0 * c[method, other]
        gain = float(self.auc[method] - self.auc[other])
        return gain, CENTRAL * float(np.sqrt(max(variance, 0.0)))


def areas(scores: np.ndarray, y: np.ndarray) -> Areas:
    """Return the areas of scores (m, n), or (n,), of people y (n,) of bool."""
    scores = np.atleast_2d(scores)
    m, n = int(y.sum()), int((~y).sum())
    of_patients, of_others = [], []
    for row in scores:
        ranks = rankdata(row)
        of_patients.append((ranks[y] - rankdata(row[y])) / n)
        of_others.append(1.0 - (ranks[~y] - rankdata(row[~y])) / m)
    x, z = np.array(of_patients), np.array(of_others)
    covariance = np.atleast_2d(np.cov(x)) / m + np.atleast_2d(np.cov(z)) / n
    return Areas(x.mean(axis=1), covariance)


def calibration_error(p: np.ndarray, y: np.ndarray) -> float:
    """Return the expected calibration error of ``BINS`` bins with equally many people."""
    parts = np.array_split(np.argsort(p, kind="stable"), BINS)
    return float(sum(abs(p[k].mean() - y[k].mean()) * len(k) for k in parts) / len(p))


def chance_calibration_error(p: np.ndarray, seed: int) -> float:
    """Return the mean calibration error of probabilities that are exactly right."""
    rng = np.random.default_rng(seed)
    drawn = rng.random((100, len(p))) < p
    return float(np.mean([calibration_error(p, row) for row in drawn]))


def calibration_line(eta: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Return intercept and slope of the outcome on the log-odds: 0 and 1 where they are right."""
    return fit_calibration(eta, y)


def reliability(p: np.ndarray, y: np.ndarray) -> list[tuple[int, float, float]]:
    """Return people, mean probability and share of patients of each bin."""
    parts = np.array_split(np.argsort(p, kind="stable"), BINS)
    return [(len(k), float(p[k].mean()), float(y[k].mean())) for k in parts]


def sensitivity(scores: np.ndarray, y: np.ndarray, specificity: float) -> float:
    """Return the share of patients above the quantile of the others (n,)."""
    return float(np.mean(scores[y] > np.quantile(scores[~y], specificity)))


def sensitivity_interval(
    scores: np.ndarray, y: np.ndarray, specificity: float, seed: int
) -> tuple[float, float]:
    """Return the 95 % interval by drawing patients and others again."""
    rng = np.random.default_rng(seed)
    patients, others = scores[y], scores[~y]
    found = [
        np.mean(
            rng.choice(patients, len(patients))
            > np.quantile(rng.choice(others, len(others)), specificity)
        )
        for _ in range(BOOTSTRAPS)
    ]
    low, high = np.quantile(found, [0.025, 0.975])
    return float(low), float(high)


@dataclass(frozen=True)
class Figures:
    """Of one method on some people; all on probabilities at the prevalence of the training."""

    people: int
    auc: float
    half: float
    brier: float
    loss: float
    ece: float
    intercept: float
    slope: float
    at_90: float
    at_95: float

    @property
    def row(self) -> tuple[float, ...]:
        """In the order of ``COLUMNS``."""
        return tuple(vars(self).values())


COLUMNS = ("people", "AUC", "+- of 95 % (DeLong)", "Brier", "log loss", "ECE")
COLUMNS += ("calibration intercept", "calibration slope")
COLUMNS += ("sensitivity at 90 % specificity", "at 95 %")


def figures(eta: np.ndarray, y: np.ndarray) -> Figures:
    """Return the figures of log-odds (n,) of people y (n,) of bool."""
    p, found = expit(eta), areas(eta, y)
    return Figures(
        len(y),
        float(found.auc[0]),
        found.half(),
        float(np.mean((p - y) ** 2)),
        float(log_loss(eta, y).mean()),
        calibration_error(p, y),
        *calibration_line(eta, y),
        sensitivity(eta, y, 0.90),
        sensitivity(eta, y, 0.95),
    )


def mean_interval(values: np.ndarray) -> tuple[float, float]:
    """Return the mean of independent repetitions and +- of 95 % (t distribution)."""
    n = len(values)
    half = float(t.ppf(0.975, n - 1) * np.std(values, ddof=1) / np.sqrt(n))
    return float(np.mean(values)), half
