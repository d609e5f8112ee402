"""A stage that the images define: how many of the events of the disease a brainstem has behind it.

The event-based model (Fonteijn et al. 2012, doi:10.1016/j.neuroimage.2012.01.062) on the imaging
predictors: each is normal or abnormal, the order in which they turn was learned from a cohort, and
a person's stage is a distribution over "the first k events are past". It is no clinical stage.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import norm

from ..cohort_analysis.event_model import Mixtures
from ..imaging.finding import Finding
from ..norms.score import Norms
from .features import FEATURES, NAMES, FeatureValues, drawn, features_of
from .model_files import Training, bundled, read_model
from .records import PersonRecord, VisitRecord

KIND = "disease_stage"
WORSE = {
    "medulla_volume": -1, "pons_volume": -1, "pyramid_volume": -1, "dorsal_medulla_volume": -1,
    "cst_fa": -1, "cst_md": 1, "pyramid_fa": -1,
}  # fmt: skip
"""What can be an event, and to which side it gets worse."""
DRAWS, SEED, LEVEL = 300, 0, 0.9
LEAST_EVENTS = 3
"""Events that one person's images have to show; own choice."""
FARTHEST = 6.0
"""Size of a z-score of anything in ``WORSE`` beyond which it is an error or another disease; own
choice."""


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
    """

    events: tuple[str, ...]
    mixtures: tuple[Mixtures, ...]
    orders: tuple[np.ndarray, ...]
    priors: tuple[np.ndarray, ...]
    agreement: float
    training: Training


@dataclass(frozen=True)
class DiseaseStage:
    """The data-driven stage of one visit.

    Attributes
    ----------
    stage : tuple of float or None
        Mean number of events that are past, with the central 90 %.
    probabilities : tuple of float
        Of 0, 1, ... e events past.
    events : tuple of (str, str, float)
        In their order: name, label, and the probability that it is past.
    findings : tuple of Finding
    statement : str
    simulated : bool
    """

    stage: tuple[float, float, float] | None
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


def predict_disease_stage(
    person: PersonRecord, visit: VisitRecord, norms: Norms, model: DiseaseStageModel
) -> DiseaseStage:
    """Return the data-driven stage of a visit.

    What measurement and norms leave open is drawn; each draw is staged by one of the refits. There
    is no stage of a person who is said to have no ALS, is outside the ages of the norms, has fewer
    than ``LEAST_EVENTS`` events measured, or a value of ``WORSE`` beyond ``FARTHEST``.
    """
    simulated = model.training.source == "simulated"
    values = features_of([person], [visit], norms)
    places = [NAMES.index(name) for name in model.events]
    seen = int(np.isfinite(values.z[0, places]).sum())
    against = _outside(person, model, values, seen)
    if against is not None:
        return DiseaseStage(None, (), (), (against,), model.training.statement, simulated)
    rng = np.random.default_rng(SEED)
    signs = np.array([WORSE[name] for name in model.events])
    again = drawn(values, DRAWS, rng)[:, 0, places] * signs
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
    share = found.mean(axis=0)
    edges = np.cumsum(share)
    low, high = (int(np.searchsorted(edges, q)) for q in ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
    labels = {feature.name: feature.label for feature in FEATURES}
    first = model.orders[0]
    return DiseaseStage(
        (float(share @ np.arange(len(share))), float(low), float(high)),
        tuple(float(p) for p in share),
        tuple((model.events[k], labels[model.events[k]], float(past[:, k].mean())) for k in first),
        tuple(_limits(model, seen)),
        model.training.statement,
        simulated,
    )


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


def content_of(model: DiseaseStageModel) -> dict[str, Any]:
    """Return the JSON content of ``read_disease_stage``."""
    return {
        "events": list(model.events),
        "agreement": model.agreement,
        "fits": [
            {
                "order": " ".join(str(int(k)) for k in order),
                "normal": _short(mixtures.normal),
                "abnormal": _short(mixtures.abnormal),
                "share": _short(mixtures.share),
                "prior": _short(prior),
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
        tuple(_numbers(fit["prior"]) for fit in fits),
        content["agreement"],
        training,
    )


def _mixtures(fit: Mapping[str, str]) -> Mixtures:
    normal, abnormal = (_numbers(fit[name]).reshape(-1, 2) for name in ("normal", "abnormal"))
    return Mixtures(normal, abnormal, _numbers(fit["share"]))


def _short(values: np.ndarray) -> str:
    return " ".join(f"{v:.5g}" for v in values.ravel())


def _numbers(text: str) -> np.ndarray:
    return np.array([float(v) for v in text.split()])
