"""The reference patients that are nearest to a person, and what became of them.

They are few, come from one cohort, and are told one by one so that nobody takes them for a rate:
the risk is that of the survival model.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..imaging.finding import Finding
from .features import NAMES, features_of
from .measurement import MeasurementError
from .model_files import Training, bundled, read_model, row_of, row_text
from .records import PersonRecord, VisitRecord, age_at

if TYPE_CHECKING:
    from .norms_once import NormsOnce

KIND = "reference"
NEAREST = 5
DRAWS, SEED = 100, 82
CLINICAL = ("age", "bulbar_onset", "log_months", "alsfrs", "fvc")
"""What is compared beside the imaging predictors; age in years, time since onset as a logarithm."""
COLUMNS = (*NAMES, *CLINICAL)
LEAST_KNOWN = 3
"""Values that two people must share to be compared; own choice."""
AGES = (18.0, 100.0)
"""Years at the visit outside of which nobody is compared; own choice."""
FAR = 1.25
"""Distance beyond which nobody is called near; own choice: two reference patients who have nothing
to do with one another are about 1.4 apart."""


@dataclass(frozen=True, eq=False)
class References:
    """Reference patients, each at one visit.

    Attributes
    ----------
    names : tuple of str
        Pseudonyms.
    values : numpy.ndarray, shape (n, q)
        As ``COLUMNS``; NaN where missing.
    scale : numpy.ndarray, shape (q,)
        Standard deviations of them, which distances are told in.
    stages : tuple of str
        King's stage at the visit; empty where not known.
    months_to_end : numpy.ndarray, shape (n,)
        From the visit to the event or the end of follow-up.
    events : tuple of str
        ``death``, ``niv``, ``tracheostomy`` or ``censored``.
    training : Training
        Whom they come from.
    outcomes : str
        How the outcomes of simulated ones came about, where not from the simulator itself.
    """

    names: tuple[str, ...]
    values: np.ndarray
    scale: np.ndarray
    stages: tuple[str, ...]
    months_to_end: np.ndarray
    events: tuple[str, ...]
    training: Training
    outcomes: str = ""

    @property
    def statement(self) -> str:
        """Whom they come from, for people."""
        said = self.training.statement.replace("trained on", "from", 1)
        return f"{said}, {self.outcomes}" if self.outcomes else said


@dataclass(frozen=True)
class Neighbour:
    """A reference patient near a person.

    Attributes
    ----------
    name : str
    distance : float
        Root mean square difference of the values that both have, in standard deviations of the
        reference patients.
    low, high : float or None
        95 % of the draws of the person's measurement, about the distance as it came out; None
        without images.
    stays : float or None
        Share of these draws in which the patient is among the nearest.
    shared : int
        Values that both have.
    age, months_since_onset : float or None
    onset : str
        ``bulbar``, ``other`` or empty.
    stage : str
    alsfrs, fvc : float or None
    months_to_end : float
        From the visit that was compared.
    event : str
    """

    name: str
    distance: float
    low: float | None
    high: float | None
    stays: float | None
    shared: int
    age: float | None
    months_since_onset: float | None
    onset: str
    stage: str
    alsfrs: float | None
    fvc: float | None
    months_to_end: float
    event: str


def values_of(person: PersonRecord, visit: VisitRecord) -> np.ndarray:
    """Return the values ``CLINICAL`` of a visit, NaN where not known."""
    months = person.months_since_onset
    since = None if months is None else months + (visit.months or 0.0)
    known = {
        "age": age_at(person, visit),
        "bulbar_onset": None if person.onset is None else float(person.onset == "bulbar"),
        "log_months": None if since is None or since <= 0 else float(np.log(since)),
        "alsfrs": visit.total,
        "fvc": visit.fvc,
    }
    return np.array([np.nan if known[name] is None else known[name] for name in CLINICAL])


def nearest(
    person: PersonRecord, visit: VisitRecord, norms: NormsOnce | None, references: References,
    measurement: MeasurementError,
) -> tuple[tuple[Neighbour, ...], tuple[Finding, ...]]:  # fmt: skip
    """Return the nearest reference patients, the nearest first, or none and why."""
    if person.group not in (None, "ALS"):
        return _nobody("not-als", "Reference patients have ALS; this person has none",
                       "Set the group to ALS where it is one.")  # fmt: skip
    beside = values_of(person, visit)
    age = beside[CLINICAL.index("age")]
    if age < AGES[0] or age > AGES[1]:
        return _nobody("age", f"The age of {age:.1f} years is outside that of reference patients",
                       f"They are compared from {AGES[0]:g} to {AGES[1]:g} years.")  # fmt: skip
    z = np.full((DRAWS + 1, len(NAMES)), np.nan)
    if norms is not None and visit.has_images:
        found = features_of([person], [visit], norms)
        z[0] = found.z[0]
        z[1:] = measurement.drawn(found, DRAWS, np.random.default_rng(SEED))[:, 0]
    rows = np.column_stack([z, np.broadcast_to(beside, (len(z), len(beside)))])
    # (draws, references): the square of a difference is 0 where one of the two is not known.
    scaled, theirs = rows / references.scale, references.values / references.scale
    both = np.isfinite(scaled[0]) & np.isfinite(theirs)
    shared = both.sum(axis=1)
    squares = np.zeros((len(rows), len(theirs)))
    for column in range(len(COLUMNS)):
        known = both[:, column]
        squares[:, known] += (scaled[:, column, None] - theirs[known, column]) ** 2
    # Who shares less of what is known is no nearer for it.
    most = int(np.isfinite(scaled[0]).sum())
    usable = shared >= max(LEAST_KNOWN, int(np.ceil(0.8 * most)))
    if not usable.any():
        return _nobody("unknown", "Too little is known to look for patients who are alike",
                       "Enter age, onset, ALSFRS-R and FVC, or segment an exam.")  # fmt: skip
    distance = np.where(usable, np.sqrt(squares / np.maximum(shared, 1)), np.inf)
    order = np.argsort(distance, axis=1, kind="stable")[:, :NEAREST]
    chosen = [int(k) for k in order[0] if np.isfinite(distance[0, k])]
    if distance[0, chosen[0]] > FAR:
        away = f"the nearest is {distance[0, chosen[0]]:.1f} standard deviations away"
        return _nobody("far", f"No reference patient is near: {away}",
                       "Check age, dates and ratings.")  # fmt: skip
    # Only images are drawn: without them nothing would seem unsure.
    drawn_too = bool(np.isfinite(z[0]).any())
    # Noise on noise only lengthens squares; what it adds on average is taken out again.
    again = distance[1:, chosen] ** 2
    again -= again.mean(axis=0) - distance[0, chosen] ** 2
    ends = np.sqrt(np.maximum(np.quantile(again, [0.025, 0.975], axis=0), 0.0))
    stays = (order[1:, :, None] == np.array(chosen)).any(axis=1).mean(axis=0)
    found = tuple(
        _neighbour(
            references, k, float(distance[0, k]), int(shared[k]),
            (float(ends[0, n]), float(ends[1, n]), float(stays[n])) if drawn_too else None,
        )
        for n, k in enumerate(chosen)
    )  # fmt: skip
    return found, ()


def _nobody(code: str, message: str, action: str) -> tuple[tuple[()], tuple[Finding]]:
    return (), (Finding(f"reference-{code}", "error", message, action),)


def _neighbour(
    references: References, k: int, distance: float, shared: int,
    unsure: tuple[float, float, float] | None,
) -> Neighbour:  # fmt: skip
    clinical = dict(zip(CLINICAL, references.values[k, len(NAMES) :].tolist(), strict=True))

    def known(name: str) -> float | None:
        value = clinical[name]
        return None if value != value else value

    low = high = stays = None
    if unsure is not None:
        low, high, stays = min(unsure[0], distance), max(unsure[1], distance), unsure[2]
    months, bulbar = known("log_months"), known("bulbar_onset")
    return Neighbour(
        references.names[k], distance, low, high, stays, shared, known("age"),
        None if months is None else float(np.exp(months)),
        "" if bulbar is None else "bulbar" if bulbar else "other",
        references.stages[k], known("alsfrs"), known("fvc"),
        float(references.months_to_end[k]), references.events[k],
    )  # fmt: skip


def content_of(references: References) -> dict[str, Any]:
    """Return the JSON content of ``read_references``: a patient a line."""
    return {
        "columns": list(COLUMNS),
        "outcomes": references.outcomes,
        "scale": row_text(references.scale, 4),
        "patients": [
            " ".join([name, stage or "-", event, f"{months:.1f}", *(_short(v) for v in values)])
            for name, stage, event, months, values in zip(
                references.names,
                references.stages,
                references.events,
                references.months_to_end,
                references.values,
                strict=True,
            )
        ],
    }


def read_references(path: Path | None = None) -> References:
    """Read reference patients; the bundled ones by default.

    Raises
    ------
    BrainstemALSError
        MODEL_UNAVAILABLE: as ``model_files.read_model``.
    ValueError
        They have other values than ``COLUMNS``.
    """
    training, content = read_model(path or bundled(KIND), KIND)
    if tuple(content["columns"]) != COLUMNS:
        raise ValueError("reference patients have other values")
    rows = [line.split() for line in content["patients"]]
    return References(
        tuple(row[0] for row in rows),
        np.array([[np.nan if v == "-" else float(v) for v in row[4:]] for row in rows]),
        row_of(content["scale"]),
        tuple("" if row[1] == "-" else row[1] for row in rows),
        np.array([float(row[3]) for row in rows]),
        tuple(row[2] for row in rows),
        training,
        content.get("outcomes", ""),
    )


def _short(value: float) -> str:
    return "-" if value != value else f"{value:.3g}"
