"""How far an exam lies from those that the structure network learned from.

A description of the exam (contrast, texture, shape of what was found, certainty, diffusion) is
compared with the same description of simulated exams of training anatomies: Mahalanobis distance to
their mean under a shrunk covariance, part by part, as Lee et al. 2018 (NeurIPS, arXiv:1807.03888)
do with the features of a network. Spots within the brainstem have limits of their own. The numbers
lie in the model's sidecar, written by ``python -m training.familiarity``.

A model that was tuned from another one inherits its description and temperature (``inheritance``).
Neither is fitted again: limits of certainty and shape are those of the other model's answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import BrainstemALSError, ExitCode
from ..imaging.exam import Exam
from ..imaging.finding import Finding
from ..imaging.volume import Volume
from . import familiarity_properties, familiarity_spots
from .familiarity_properties import PARTS
from .familiarity_spots import Spot
from .familiarity_window import window_of
from .result import Familiarity

KEY = "familiarity"
"""Entry of the sidecar."""
FORMAT = 1
T1, DIFFUSION = "t1", "t1_diffusion"
"""Sets of inputs, each with a reference of its own: certainty and shape depend on them."""
INHERITED = "inherited_from"
"""Part of an entry: SHA-256 of the model that it was measured on; missing where it is this one."""
NOT_FITTED, NOT_KNOWN = "familiarity_inherited", "familiarity_unknown"
"""Codes of findings about a model."""


@dataclass(frozen=True, eq=False)
class Part:
    """Reference of one part: mean (n,), precision (n, n) and largest familiar distance."""

    mean: np.ndarray
    precision: np.ndarray
    limit: float

    def deviations(self, name: str, values: np.ndarray) -> np.ndarray:
        """Differences from the mean, shape (n,); 0 where unknown, or better than usual."""
        away = np.nan_to_num(np.asarray(values, float) - self.mean, nan=0.0)
        one_sided = np.array([bool(side) for side in PARTS[name].values()])
        return np.where(one_sided, np.maximum(away, 0.0), away)

    def distance(self, name: str, values: np.ndarray) -> float:
        """Mahalanobis distance of a description."""
        away = self.deviations(name, values)
        return float(np.sqrt(max(away @ self.precision @ away, 0.0)))

    def worst(self, name: str, values: np.ndarray) -> str:
        """Name of the property whose own share of the distance is largest."""
        away = self.deviations(name, values)
        return list(PARTS[name])[int(np.argmax(away * (self.precision @ away)))]


@dataclass(frozen=True, eq=False)
class Reference:
    """What familiar exams of one set of inputs look like."""

    parts: dict[str, Part]
    spots: dict[str, float]


@dataclass(frozen=True, eq=False)
class Description:
    """What is compared: properties by part, and the most conspicuous spots."""

    parts: dict[str, np.ndarray]
    spots: dict[str, Spot]


def inputs_of(modalities: tuple[str, ...]) -> str:
    """Name of the set of inputs."""
    return T1 if tuple(modalities) == ("t1",) else DIFFUSION


def describe(
    exam: Exam, box: Volume, keys: tuple[str, ...], modalities: tuple[str, ...]
) -> Description | None:
    """Describe a segmented exam; None where there is too little of a brainstem to describe.

    Parameters
    ----------
    exam : Exam
        T1 and maps on their own grids.
    box : Volume
        Class probabilities on the window, as ``inference.infer_box`` returns them.
    keys, modalities : tuple of str
        Structures of the probabilities from the second on; channels in use.
    """
    window = window_of(exam, box, keys, modalities)
    if window is None:
        return None
    return Description(familiarity_properties.describe(window), familiarity_spots.spots(window))


def reference(card: Mapping[str, Any], inputs: str, path: Path | str = "model") -> Reference | None:
    """Read the reference for one set of inputs from a sidecar.

    Returns
    -------
    Reference or None
        None where the sidecar has none, or one of other weights or of other properties than today's
        (a model that was exported again, an older version): what does not belong is not trusted.

    Raises
    ------
    BrainstemALSError
        MODEL_UNAVAILABLE: the entry is damaged.
    """
    entry = card.get(KEY)
    if entry is None:
        return None
    try:
        if (entry["format"], entry["weights"]) != (FORMAT, card["sha256"]):
            return None
        if entry["temperature"] != card.get("temperature", 1.0):
            return None
        written = entry["sets"].get(inputs)
        if written is None:
            return None
        if any(part["properties"] != list(PARTS[name]) for name, part in written["parts"].items()):
            return None
        parts = {name: _part(part) for name, part in written["parts"].items()}
        spots = {kind: float(written["spots"][kind]) for kind in familiarity_spots.KINDS}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BrainstemALSError(
            path,
            "the model's description of familiar exams is damaged",
            "Copy the model and its .json again.",
            ExitCode.MODEL_UNAVAILABLE,
        ) from error
    return Reference(parts, spots)


def references(card: Mapping[str, Any], path: Path | str = "model") -> dict[str, Reference | None]:
    """Read the references for both sets of inputs; raises what ``reference`` raises."""
    return {inputs: reference(card, inputs, path) for inputs in (T1, DIFFUSION)}


def inheritance(parent: Mapping[str, Any], weights: str) -> dict[str, Any]:
    """Return what a model that was tuned from another one takes over of its sidecar.

    Parameters
    ----------
    parent : mapping
        Sidecar of the model that the tuning began with.
    weights : str
        SHA-256 of the new model's weights.

    Returns
    -------
    dict
        ``temperature`` with a ``calibration`` that says whose it is, and ``familiarity``; each only
        where the parent has it, and the description only where it belongs to the parent's weights.
        In a line of tuned models each names the one it was measured on, not the last.

    Raises
    ------
    BrainstemALSError
        MODEL_UNAVAILABLE: the parent's description is damaged.
    """
    facts: dict[str, Any] = {}
    if "temperature" in parent:
        calibration = parent.get("calibration")
        earlier = calibration.get(INHERITED) if isinstance(calibration, Mapping) else None
        facts["temperature"] = parent["temperature"]
        facts["calibration"] = {
            "temperature": parent["temperature"],
            INHERITED: earlier or parent["sha256"],
        }
    if any(references(parent).values()):
        entry = parent[KEY]
        earlier = entry.get(INHERITED) or parent["sha256"]
        facts[KEY] = {**entry, "weights": weights, INHERITED: earlier}
    return facts


def about_model(
    card: Mapping[str, Any], known: Mapping[str, Reference | None]
) -> tuple[Finding, ...]:
    """Return what limits a model's warning of unfamiliar exams.

    Parameters
    ----------
    card : mapping
        Sidecar of the structure network.
    known : mapping
        Its ``references``.

    Returns
    -------
    tuple of Finding
        A warning where there is no description, a note where it is inherited; empty otherwise.
    """
    if not all(known.values()):
        return (
            Finding(
                NOT_KNOWN,
                "warning",
                "This model cannot tell whether an exam is unlike those it learned from.",
                "Check every outline on the images; with training anatomies, run `python -m "
                "training.familiarity --again --model-dir FOLDER`.",
            ),
        )
    if card[KEY].get(INHERITED):
        return (
            Finding(
                NOT_FITTED,
                "info",
                "The warning of unfamiliar exams was fitted to the model that this one was tuned "
                "from, and not fitted again.",
                "Check the outlines on the images, also where nothing is said of the exam.",
            ),
        )
    return ()


def _part(written: Mapping[str, Any]) -> Part:
    mean = np.asarray(written["mean"], float)
    precision = np.asarray(written["precision"], float)
    size, limit = len(written["properties"]), float(written["limit"])
    if mean.shape != (size,) or precision.shape != (size, size) or not limit > 0:
        raise ValueError("sizes do not agree")
    return Part(mean, precision, limit)


def compare(description: Description, known: Reference) -> Familiarity:
    """Compare a description with the familiar ones."""
    ratios, worst = {}, {}
    for name, values in description.parts.items():
        part = known.parts.get(name)
        if part is None:
            continue
        ratios[name] = part.distance(name, values) / part.limit
        worst[name] = part.worst(name, values)
    for kind, spot in description.spots.items():
        if np.isfinite(spot.size):
            ratios[kind] = max(spot.size, 0.0) / known.spots[kind]
            worst[kind] = spot.structure
    beyond = sorted((n for n in ratios if ratios[n] > 1), key=lambda n: -ratios[n])
    return Familiarity(
        ratio=max(ratios.values()),
        parts=ratios,
        properties={name: worst[name] for name in beyond},
    )


def familiarity(
    exam: Exam,
    box: Volume,
    keys: tuple[str, ...],
    modalities: tuple[str, ...],
    known: Mapping[str, Reference | None],
) -> Familiarity | None:
    """Say how familiar a segmented exam is; None where that is not known.

    Parameters
    ----------
    exam, box, keys, modalities
        As for ``describe``.
    known : mapping
        As ``references`` reads it from the sidecar of the structure network.
    """
    found = known[inputs_of(modalities)]
    description = describe(exam, box, keys, modalities) if found else None
    return compare(description, found) if description else None
