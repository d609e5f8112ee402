"""What the joint latent-time model is made of: its data, its parameters, their names."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

PRODUCTS = {
    "delay_delay": ("log_delay", "log_delay"),
    "first_first": ("log_first", "log_first"),
    "delay_first": ("log_delay", "log_first"),
}
"""When people are diagnosed and first seen tells of the rate, and not along a straight line."""
EFFECTS = ("log_rate", "fvc_level", "fvc_lag")
COVARIATES = ("one", "bulbar", "respiratory", "age", "log_delay", "log_first", *PRODUCTS)
RATE, LEVEL, LAG = range(len(EFFECTS))
_DEPENDS = {
    "log_rate": COVARIATES,
    "fvc_level": (),
    "fvc_lag": ("bulbar", "respiratory"),
    "shape": ("bulbar", "respiratory"),
}
"""Which covariates the mean of each effect has."""
_IMAGING_DEPENDS = ("one", "bulbar", "respiratory", "log_first")
STEPS = np.array([0.15, 0.45, 0.75, 1.05, 1.35])
STEP_WIDTH, LEVEL_STEP = 0.2, 0.15
"""Where the steps of ``w`` are and how wide, in units of D50 (the first is there from onset on),
and which has a mean of 0, for the mean of ``-ln D50`` stands in its place: our choice."""
SHAPE = -1 - len(STEPS)
"""Place of ``b`` among the effects: before the steps, which are last."""
LEAST_ROOT = 0.02
"""Keeps every variance above 0."""
SCALARS = (
    "log_steepness", "bend", "log_shape", "log_noise", "noise_power",
    "log_lasting", "log_lasting_length",
    "spread on log_delay", "spread on log_first",
    "fvc_onset", "log_fvc_loss", "log_fvc_start", "log_fvc_sd",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Rows:
    """What is known of n patients, v visits each; NaN where missing.

    Attributes
    ----------
    months : numpy.ndarray, shape (n, v)
        Since symptom onset.
    values : numpy.ndarray, shape (n, v, 2 + k)
        ALSFRS-R, FVC (% predicted) and k imaging z-scores.
    extra : numpy.ndarray, shape (n, v, 2 + k)
        Stated variance of a value: of items filled in, of segmentation and norms.
    covariates : numpy.ndarray, shape (n, len(COVARIATES))
    unsure : numpy.ndarray, shape (n, len(COVARIATES))
        Variance of covariates that were filled in.
    """

    months: np.ndarray
    values: np.ndarray
    extra: np.ndarray
    covariates: np.ndarray
    unsure: np.ndarray

    def take(self, places: np.ndarray) -> Rows:
        """Return these rows."""
        return Rows(*(getattr(self, name)[places] for name in self.__dataclass_fields__))


@dataclass(frozen=True, eq=False)
class Parameters:
    """The population, one set for all rows or one a row (first axis n or 1).

    Attributes
    ----------
    scalars : dict of str to numpy.ndarray, shape (n or 1, 1)
        ``SCALARS``.
    change, error : numpy.ndarray, shape (n or 1, k)
        Of each imaging z-score: change a unit of ln(months); how far it varies from visit to visit,
        in units of the standard deviation that segmentation and norms state.
    means : numpy.ndarray, shape (n or 1, d, len(COVARIATES))
        Of the effects.
    covariance : numpy.ndarray, shape (n or 1, d, d)
    """

    scalars: dict[str, np.ndarray]
    change: np.ndarray
    error: np.ndarray
    means: np.ndarray
    covariance: np.ndarray

    def take(self, places: np.ndarray) -> Parameters:
        """Return these rows."""
        scalars = {name: column[places] for name, column in self.scalars.items()}
        rest = (self.change, self.error, self.means, self.covariance)
        return Parameters(scalars, *(array[places] for array in rest))

    def of_curves(self, places: np.ndarray) -> Parameters:
        """Return these rows of what curves need, without the distribution of the effects."""
        scalars = {name: column[places] for name, column in self.scalars.items()}
        rest = (self.means[:0], self.covariance[:0])
        return Parameters(scalars, self.change[places], self.error[places], *rest)


def names_of(imaging: tuple[str, ...]) -> tuple[str, ...]:
    """Return the name of each number of a flat vector of parameters."""
    effects = (*EFFECTS, *imaging)
    names = [*SCALARS]
    names += [f"log_walk at {u:g}" for u in STEPS]
    names += [f"walk at {u:g}" for u in STEPS if u != LEVEL_STEP]
    names += [*(f"change {z}" for z in imaging), *(f"log_error {z}" for z in imaging)]
    for effect in (*effects, "shape"):
        names += [f"{effect} on {c}" for c in _DEPENDS.get(effect, _IMAGING_DEPENDS)]
    for row, effect in enumerate(effects):
        names += [f"root {effect} {effects[column]}" for column in range(row + 1)]
    return tuple(names)


def unpack(flat: np.ndarray, imaging: tuple[str, ...]) -> Parameters:
    """Return parameters from flat ones of shape (n, p), in the order of ``names_of``.

    The covariance is ``L L'``; the diagonal of L is flat as its logarithm.
    """
    flat = np.atleast_2d(flat)
    rows, k = len(flat), len(imaging)
    d = len(EFFECTS) + k
    columns = iter(flat.T)
    scalars = {name: next(columns)[:, None] for name in SCALARS}
    spread = np.exp([next(columns) for _ in STEPS]).T
    typical = np.zeros((rows, len(STEPS)))
    typical[:, STEPS != LEVEL_STEP] = np.stack([next(columns) for u in STEPS if u != LEVEL_STEP], 1)
    change = np.stack([next(columns) for _ in range(k)], 1) if k else np.zeros((rows, 0))
    error = np.exp([next(columns) for _ in range(k)]).T if k else np.zeros((rows, 0))
    means = np.zeros((rows, d + 1 + len(STEPS), len(COVARIATES)))
    for place, effect in enumerate((*EFFECTS, *imaging, "shape")):
        for name in _DEPENDS.get(effect, _IMAGING_DEPENDS):
            means[:, place, COVARIATES.index(name)] = next(columns)
    means[:, -len(STEPS) :, 0] = typical
    root = np.zeros((rows, d, d))
    for row in range(d):
        for column in range(row + 1):
            value = next(columns)
            root[:, row, column] = np.exp(value) + LEAST_ROOT if row == column else value
    shared = root @ np.swapaxes(root, 1, 2)
    whole = d + 1 + len(STEPS)
    covariance = np.zeros((rows, whole, whole))
    covariance[:, :d, :d] = shared
    covariance[:, d, d] = np.exp(2 * scalars["log_shape"][:, 0]) + LEAST_ROOT**2
    places = np.arange(d + 1, whole)
    covariance[:, places, places] = spread**2 + LEAST_ROOT**2
    return Parameters(scalars, change, error, means, covariance)
