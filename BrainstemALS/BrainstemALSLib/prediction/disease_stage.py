"""A stage that the images define: how many of the events of the disease a brainstem has behind it.

The event-based model (Fonteijn et al. 2012, doi:10.1016/j.neuroimage.2012.01.062) on the imaging
predictors: each is normal or abnormal, the order in which they turn was learned from a cohort, and
a person's stage is a distribution over "the first k events are past". It is no clinical stage.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import norm

from ..cohort_analysis.event_model import Mixtures
from ..imaging.finding import Finding
from ..norms.score import Norms
from .features import FEATURES, NAMES, FeatureValues, features_of
from .measurement import MeasurementError, read_measurement
from .model_files import Training, bundled, read_model, row_of, row_text
from .parts import Estimate
from .records import PersonRecord, VisitRecord
from .stage_model import LEVELS

KIND = "disease_stage"
WORSE = {
    "medulla_volume": -1, "pons_volume": -1, "pyramid_volume": -1, "dorsal_medulla_volume": -1,
    "cst_fa": -1, "cst_md": 1, "pyramid_fa": -1,
}  # fmt: skip
"""What can be an event, and to which side it gets worse."""
DRAWS, SEED = 300, 0
LEVEL = LEVELS[0]
"""Of the interval that is shown, and that decides whether there is an answer."""
WIDEST = 6 / 7
"""Share of all events from which on that interval tells nothing, so that no stage is given; own
choice."""
LEAST_EVENTS = 3
"""Events that one person's images have to show; own choice."""
FARTHEST = 6.0
"""Size of a z-score of anything in ``WORSE`` beyond which it is an error or another disease; own
choice."""


class Margin(NamedTuple):
    """How an interval of numbers of events is made.

    Attributes
    ----------
    tail : float
        Least probability that a number leaves on either side, to be inside by the model itself.
    fewer, more : int
        Events by which it is then widened: the model's own order may be wrong for a person.
    """

    tail: float
    fewer: int
    more: int


@dataclass(frozen=True, eq=False)
class DiseaseStageModel:
    """Fits on people drawn again; the first is that on all.

    Attributes
    ----------
    events : tuple of str
        In the order of the fit on all.
    mixtures : tuple of Mixtures
    orders : tuple of numpy.ndarray of int, shape (e,)
        Places in ``events``, first event first.
    priors : tuple of numpy.ndarray, shape (e + 1,)
        How many of the patients of the training were at each stage.
    agreement : float
        Mean Kendall's tau of the refits' orders with that on all.
    training : Training
    margins : mapping of float to Margin, or None
        Level of ``LEVELS`` to how intervals are made: so that those of new people who get a stage
        held how many events were past. Only a simulation knows that; None where it was not learned,
        and the level itself says it.
    """

    events: tuple[str, ...]
    mixtures: tuple[Mixtures, ...]
    orders: tuple[np.ndarray, ...]
    priors: tuple[np.ndarray, ...]
    agreement: float
    training: Training
    margins: Mapping[float, Margin] | None = None

    def margin(self, level: float) -> Margin:
        """Return how the interval of a level is made."""
        return self.margins[level] if self.margins else Margin((1 - level) / 2, 0, 0)

    @property
    def places(self) -> np.ndarray:
        """Place of each event in the order of each fit, (fits, e), 0 is first."""
        return np.argsort(self.orders, axis=1)

    @property
    def usual_order(self) -> np.ndarray:
        """Places in ``events`` (e,) by the mean place over all fits: one fit's may be a chance."""
        return np.argsort(self.places.mean(axis=0), kind="stable")


@dataclass(frozen=True)
class DiseaseStage:
    """The data-driven stage of one visit.

    Attributes
    ----------
    stage : Estimate or None
        Mean number of events that are past; the ends of the intervals are whole numbers. None too
        where the interval of ``LEVEL`` would tell nothing (``WIDEST``).
    probabilities : tuple of float
        Of 0, 1, ... e events past.
    events : tuple of (str, str, float)
        In their usual order: name, label, and the probability that it is past. What measurement
        and order leave open is in it: it has no interval of its own.
    findings : tuple of Finding
    statement : str
    simulated : bool
    """

    stage: Estimate | None
    probabilities: tuple[float, ...]
    events: tuple[tuple[str, str, float], ...]
    findings: tuple[Finding, ...]
    statement: str
    simulated: bool


def evidence(mixtures: Mixtures, values: np.ndarray) -> np.ndarray:
    """Return log p(value | abnormal) - log p(value | normal), (n, e), that never falls with it.

    A wide abnormal component wins far on the healthy side too; a value there counts as the one
    with the least evidence. Missing values have none, 0.
    """
    (m0, s0), (m1, s1) = mixtures.normal.T, mixtures.abnormal.T
    wider = s1 > s0
    with np.errstate(divide="ignore", invalid="ignore"):
        turn = (m1 * s0**2 - m0 * s1**2) / (s0**2 - s1**2)
    low = np.where(wider, turn, -np.inf)
    high = np.where(s1 < s0, turn, np.inf)
    seen = np.clip(values, low, high)
    ratio = norm.logpdf(seen, m1, s1) - norm.logpdf(seen, m0, s0)
    return np.where(np.isfinite(values), ratio, 0.0)


def staged(ratios: np.ndarray, order: np.ndarray, prior: np.ndarray) -> np.ndarray:
    """Return how likely each person (n) is at each stage, (n, e + 1)."""
    behind = np.cumsum(ratios[:, order], axis=1)
    log = np.log(prior) + np.concatenate([np.zeros((len(ratios), 1)), behind], axis=1)
    log -= log.max(axis=1, keepdims=True)
    share = np.exp(log)
    return share / share.sum(axis=1, keepdims=True)


def tails_of(shares: np.ndarray) -> np.ndarray:
    """Return at which tail probability each number of events leaves the interval, (n, e + 1).

    It is the smaller one of the probabilities of so many or fewer, and of so many or more. What
    lies between median and mean is in every interval, so 0.5.

    Parameters
    ----------
    shares : numpy.ndarray, shape (n, e + 1)
        Probabilities of 0, 1, ... e events.
    """
    number = np.arange(shares.shape[1])
    up = np.cumsum(shares, axis=1)
    down = 1.0 - up + shares
    mean = (shares @ number)[:, None]
    middle = np.argmax(up >= 0.5, axis=1)[:, None]
    inside = (number >= np.minimum(np.floor(mean), middle)) & (
        number <= np.maximum(np.ceil(mean), middle)
    )
    return np.where(inside, 0.5, np.minimum(np.minimum(up, down), 0.5))


def ends_of(shares: np.ndarray, margin: Margin) -> tuple[np.ndarray, np.ndarray]:
    """Return the first and last number of events (n,) of intervals of probabilities (n, e + 1)."""
    inside = tails_of(shares) >= margin.tail
    last = shares.shape[1] - 1
    low = np.argmax(inside, axis=1) - margin.fewer
    high = last - np.argmax(inside[:, ::-1], axis=1) + margin.more
    return np.maximum(low, 0), np.minimum(high, last)


def too_wide(low: np.ndarray, high: np.ndarray, events: int) -> np.ndarray:
    """Return whether intervals of ``LEVEL`` tell nothing of so many events."""
    return high - low >= WIDEST * events - 1e-9


def estimate_of(share: np.ndarray, model: DiseaseStageModel) -> Estimate:
    """Return the number of events by the probabilities (e + 1,) of each."""
    ends = [ends_of(share[None], model.margin(level)) for level in LEVELS]
    (low80, high80), (low95, high95) = ((float(a[0]), float(b[0])) for a, b in ends)
    wide = min(low80, low95), max(high80, high95)
    return Estimate(float(share @ np.arange(len(share))), low80, high80, *wide)


@dataclass(frozen=True, eq=False)
class Posterior:
    """What the model says of one visit, before it is asked whether that is an answer.

    Attributes
    ----------
    share : numpy.ndarray, shape (e + 1,)
        Probabilities of 0, 1, ... e events past.
    past : numpy.ndarray, shape (e,)
        Probability that each event is past, in the order of ``DiseaseStageModel.events``.
    seen : int
        Events that were measured.
    """

    share: np.ndarray
    past: np.ndarray
    seen: int


def predict_disease_stage(
    person: PersonRecord,
    visit: VisitRecord,
    norms: Norms,
    model: DiseaseStageModel,
    measurement: MeasurementError | None = None,
) -> DiseaseStage:
    """Return the data-driven stage of a visit.

    There is none of a person who is said to have no ALS, is outside the ages of the norms, has
    fewer than ``LEAST_EVENTS`` events measured, or a value of ``WORSE`` beyond ``FARTHEST``; nor
    where its interval would tell nothing. Errors of measurement are those that come along by
    default.
    """
    return answer_of(posterior_of(person, visit, norms, model, measurement), model)


def posterior_of(
    person: PersonRecord,
    visit: VisitRecord,
    norms: Norms,
    model: DiseaseStageModel,
    measurement: MeasurementError | None = None,
) -> Posterior | Finding:
    """Return what the model says of a visit, or why it says nothing.

    What measurement and norms leave open is drawn; each draw is staged by one of the refits.
    """
    values = features_of([person], [visit], norms)
    places = [NAMES.index(name) for name in model.events]
    seen = int(np.isfinite(values.z[0, places]).sum())
    against = _outside(person, model, values, seen)
    if against is not None:
        return against
    rng = np.random.default_rng(SEED)
    signs = np.array([WORSE[name] for name in model.events])
    again = (measurement or read_measurement()).drawn(values, DRAWS, rng)[:, 0, places] * signs
    refit = rng.integers(len(model.orders), size=DRAWS)
    found = np.zeros((DRAWS, len(model.events) + 1))
    past = np.zeros((DRAWS, len(model.events)))
    fits = zip(model.mixtures, model.orders, model.priors, strict=True)
    for number, (mixtures, order, prior) in enumerate(fits):
        rows = refit == number
        if not rows.any():
            continue
        found[rows] = staged(evidence(mixtures, again[rows]), order, prior)
        # An event is past where the stage has reached its place in this refit's order.
        reached = np.cumsum(found[rows][:, ::-1], axis=1)[:, ::-1][:, 1:]
        past[np.ix_(rows, order)] = reached
    return Posterior(found.mean(axis=0), past.mean(axis=0), seen)


def answer_of(found: Posterior | Finding, model: DiseaseStageModel) -> DiseaseStage:
    """Return the answer that a person gets."""
    said = model.training.statement, model.training.source == "simulated"
    if isinstance(found, Finding):
        return DiseaseStage(None, (), (), (found,), *said)
    stage, events = estimate_of(found.share, model), len(model.events)
    if too_wide(stage.low80, stage.high80, events):
        against = _no(
            "wide", f"the images do not tell it, {stage.low80:.0f} to {stage.high80:.0f} of "
            f"{events} events would be in its {100 * LEVEL:.0f} % interval",
            "Add diffusion images." if found.seen < events else "Better images may tell more.",
        )  # fmt: skip
        return DiseaseStage(None, (), (), (against,), *said)
    labels = {feature.name: feature.label for feature in FEATURES}
    past = [
        (name, labels[name], float(p)) for name, p in zip(model.events, found.past, strict=True)
    ]
    usual, shares = tuple(past[k] for k in model.usual_order), tuple(found.share.tolist())
    return DiseaseStage(stage, shares, usual, tuple(_limits(model, found.seen)), *said)


def _outside(
    person: PersonRecord, model: DiseaseStageModel, values: FeatureValues, seen: int
) -> Finding | None:
    """Return why there can be no stage."""
    if person.group not in (None, "ALS"):
        return _no("not-als", "this person is not said to have ALS", "The stages are those of ALS.")
    if any(values.reasons[0].get(name) == "norms-age" for name in model.events):
        return _no(
            "age", "the age is outside that of the norms",
            "Do not compare this person with these norms.",
        )  # fmt: skip
    if seen < LEAST_EVENTS:
        return _no(
            "few-events",
            f"the images show {seen} of {len(model.events)} events, {LEAST_EVENTS} are needed",
            "Add diffusion images, or see the findings of the norms.",
        )
    labels = {feature.name: feature.label for feature in FEATURES}
    z = {name: values.z[0, NAMES.index(name)] for name in WORSE}
    far = [f"{labels[name]} ({at:+.1f})" for name, at in z.items() if abs(at) > FARTHEST]
    if far:
        return _no(
            "outside", f"z-scores beyond {FARTHEST:g} are not those of ALS: {', '.join(far)}",
            "Look at the segmentation and at the units of the values.",
        )  # fmt: skip
    return None


def _no(code: str, why: str, action: str) -> Finding:
    return Finding(f"disease-stage-{code}", "error", f"No data-driven stage: {why}", action)


def _limits(model: DiseaseStageModel, seen: int):
    if seen < len(model.events):
        yield Finding(
            "disease-stage-events-missing", "info",
            f"The data-driven stage rests on {seen} of {len(model.events)} events",
            "Add diffusion images.",
        )  # fmt: skip
    if model.agreement < 0.7:
        yield Finding(
            "disease-stage-order-unsure", "warning",
            f"The order of events is not well known (agreement {model.agreement:.2f} of 1)",
            "Read how far the disease has come, not which event was when.",
        )  # fmt: skip
    if model.margins is None:
        yield Finding(
            "disease-stage-unchecked", "info",
            "How often the interval holds was not checked: only a simulation knows the truth",
            "Read the interval as the model's own.",
        )  # fmt: skip


def content_of(model: DiseaseStageModel) -> dict[str, Any]:
    """Return the JSON content of ``read_disease_stage``."""
    return {
        "events": list(model.events),
        "agreement": model.agreement,
        "margins": None if model.margins is None else [list(model.margin(k)) for k in LEVELS],
        "fits": [
            {
                "order": " ".join(str(int(k)) for k in order),
                "normal": row_text(mixtures.normal, 5),
                "abnormal": row_text(mixtures.abnormal, 5),
                "share": row_text(mixtures.share, 5),
                "prior": row_text(prior, 5),
            }
            for mixtures, order, prior in zip(
                model.mixtures, model.orders, model.priors, strict=True
            )
        ],
    }


def read_disease_stage(path: Path | None = None) -> DiseaseStageModel:
    """Read a model; the bundled one by default.

    Raises
    ------
    BrainstemALSError
        MODEL_UNAVAILABLE: as ``model_files.read_model``.
    """
    training, content = read_model(path or bundled(KIND), KIND)
    fits = content["fits"]
    return DiseaseStageModel(
        tuple(content["events"]),
        tuple(_mixtures(fit) for fit in fits),
        tuple(np.array([int(k) for k in fit["order"].split()]) for fit in fits),
        tuple(row_of(fit["prior"]) for fit in fits),
        content["agreement"],
        training,
        _margins(content.get("margins")),
    )


def _margins(rows: list[list[float]] | None) -> dict[float, Margin] | None:
    return rows and {level: Margin(*row) for level, row in zip(LEVELS, rows, strict=True)}


def _mixtures(fit: Mapping[str, str]) -> Mixtures:
    normal, abnormal = (row_of(fit[name]).reshape(-1, 2) for name in ("normal", "abnormal"))
    return Mixtures(normal, abnormal, row_of(fit["share"]))
