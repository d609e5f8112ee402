"""Quality findings: what limits the numbers of an exam, how badly, and what to do about it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

from ..anatomy import CONTEXT, REGIONS
from ..imaging.finding import SEVERITIES, Finding
from ..imaging.volume import Volume
from ..segmentation.result import Segmentation
from .asymmetry import Asymmetry
from .confidence import confidence_word
from .intracranial import Intracranial
from .plausibility import plausible_ranges
from .unfamiliar import unfamiliar
from .volumes import StructureVolume

# Thresholds below are the project's own unless a source is named.
SPACING_WARNING_MM = 1.5
"""Above this the small nuclei (2-4 mm across) are one or two voxels wide."""
SPACING_ERROR_MM = 2.5
"""Above this the pyramids and peduncles, about 5 mm across, are no longer resolved either."""
ANISOTROPY_RATIO = 2.0
"""Longest to shortest voxel side."""
ASYMMETRY_PERCENT = 40.0
"""Above this a failed segmentation, a tilted head or a lesion is likelier than normal variation."""

_CHANNEL_NAMES = {"v1": "V1 (direction)"}


def quality_findings(
    segmentation: Segmentation,
    t1: Volume,
    volumes: tuple[StructureVolume, ...],
    pairs: tuple[Asymmetry, ...],
    intracranial: Intracranial,
) -> tuple[Finding, ...]:
    """Return all findings of an exam, worst first.

    Parameters
    ----------
    segmentation : Segmentation
        As the segmenter returns it.
    t1 : Volume
        The T1; only its voxel size (mm) is looked at.
    volumes, pairs, intracranial
        What was measured.
    """
    found = [
        *_field_of_view(segmentation.touches_border),
        *_resolution(t1),
        *_empty(volumes),
        *_confidence(volumes),
        *_plausibility(volumes, intracranial),
        *_asymmetry(pairs),
        *_missing_input(segmentation, intracranial),
        *_other_grids(segmentation.resampled),
        *_labels_alone(segmentation),
        *unfamiliar(segmentation),
    ]
    return worst_first(found)


def worst_first(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return findings in the order in which they should be read."""
    return tuple(sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity)))


def _field_of_view(touches_border: dict[str, float]) -> Iterator[Finding]:
    for face, area in touches_border.items():
        if face == "inferior":
            yield Finding(
                "field_of_view_cut_inferior",
                "error",
                f"The field of view cuts the medulla off at its lower end ({area:.0f} mm2 on the "
                "inferior face).",
                "Do not use the volumes of the medulla and of the whole brainstem; acquire down to "
                "the second cervical vertebra.",
                "medulla",
            )
        else:
            yield Finding(
                f"field_of_view_cut_{face}",
                "error",
                f"The field of view cuts the brainstem off at its {face} face ({area:.0f} mm2).",
                "Do not use the volumes of the structures that reach this face; use an image that "
                "holds the whole brainstem.",
                "brainstem",
            )


def _resolution(t1: Volume) -> Iterator[Finding]:
    spacing = t1.spacing
    # Headers round: 1.5 mm is stored as 1.5000001.
    coarsest, finest = round(float(spacing.max()), 2), round(float(spacing.min()), 2)
    size = _size(spacing)
    if coarsest > SPACING_WARNING_MM:
        hopeless = coarsest > SPACING_ERROR_MM
        yield Finding(
            "resolution_coarse",
            "error" if hopeless else "warning",
            f"The voxels of the T1 are large ({size} mm).",
            "Use the volumes of whole regions only, with care; acquire at 1 mm."
            if hopeless
            else "Do not use the volumes of small nuclei; acquire at 1 mm.",
        )
    if coarsest / finest >= ANISOTROPY_RATIO:
        yield Finding(
            "resolution_anisotropic",
            "warning",
            f"The voxels of the T1 are {coarsest / finest:.1f} times longer along one axis than "
            f"along another ({size} mm).",
            "Compare only with exams of the same protocol; acquire isotropic voxels.",
        )


def _size(spacing: Iterable[float]) -> str:
    return " x ".join(f"{value:.3g}" for value in spacing)


def _empty(volumes: tuple[StructureVolume, ...]) -> Iterator[Finding]:
    for row in volumes:
        if row.volume_label_mm3 != 0:
            continue
        whole = row.key in REGIONS or row.key == "brainstem"
        if row.kind == "composite" and not whole:
            continue  # its members are reported
        severity = "error" if whole else "info" if row.parent == CONTEXT else "warning"
        yield Finding(
            "structure_empty",
            severity,
            f"{row.name}: nothing was labelled.",
            "Look at the overview: the structure is out of view, too small for these voxels, or "
            "was missed.",
            row.key,
        )


def _confidence(volumes: tuple[StructureVolume, ...]) -> Iterator[Finding]:
    for row in volumes:
        if confidence_word(row.confidence, row.tier) != "low":
            continue
        whole = row.key in REGIONS or row.key == "brainstem"
        if row.kind == "composite" and not whole:
            continue  # its members are reported
        yield Finding(
            "low_confidence",
            "error" if whole else "warning",
            f"{row.name}: the confidence is low ({row.confidence:.2f}).",
            "Check its outline on the images and correct it before using the volume.",
            row.key,
        )


def _plausibility(
    volumes: tuple[StructureVolume, ...], intracranial: Intracranial
) -> Iterator[Finding]:
    measured = {row.key: (row.name, row.volume_soft_mm3) for row in volumes}
    measured["intracranial"] = ("Intracranial volume (estimate)", intracranial.withheld_mm3)
    for region, bounds in plausible_ranges().items():
        name, volume = measured.get(region, ("", None))
        if volume is None or math.isnan(volume) or bounds.holds(volume):
            continue
        withheld = region == "intracranial"
        yield Finding(
            "volume_implausible",
            "warning" if withheld else "error",
            f"{name}: {volume / 1000:.1f} cm3 is outside the plausible range of "
            f"{bounds.low_mm3 / 1000:.1f} to {bounds.high_mm3 / 1000:.1f} cm3"
            + (" and is withheld." if withheld else "."),
            "Correct for head size by other means before comparing volumes between people."
            if withheld
            else "Look at the overview before using any number; check orientation, voxel size and "
            "field of view of the T1.",
            region,
        )


def _asymmetry(pairs: tuple[Asymmetry, ...]) -> Iterator[Finding]:
    for pair in pairs:
        if pair.index_percent is None or abs(pair.index_percent) <= ASYMMETRY_PERCENT:
            continue
        larger = "left" if pair.index_percent > 0 else "right"
        yield Finding(
            "asymmetry_large",
            "warning",
            f"{pair.name}: the {larger} is much larger "
            f"(asymmetry index {pair.index_percent:+.0f} %).",
            "Compare both outlines on the images; look for a lesion or a missed part.",
            pair.key,
        )


def _missing_input(segmentation: Segmentation, intracranial: Intracranial) -> Iterator[Finding]:
    if intracranial.volume_mm3 is None and intracranial.withheld_mm3 is None:
        yield Finding(
            "intracranial_unknown",
            "info",
            "The intracranial volume is unknown, because the head is not wholly in view.",
            "Correct for head size by other means before comparing volumes between people.",
        )
    for name in segmentation.unused:
        yield Finding(
            f"{name}_not_used",
            "warning",
            f"The {channel_name(name)} map was not used: it does not show the whole brainstem.",
            "Check that it is aligned with the T1 and reaches to below the medulla.",
        )
    if tuple(segmentation.modalities) == ("t1",):
        yield Finding(
            "t1_only",
            "info",
            "Only the T1 was used; tracts and nuclei of the brainstem have little contrast on it.",
            "Give the diffusion series or its FA and MD maps too, if diffusion was acquired.",
        )


def channel_name(channel: str) -> str:
    """Return what readers call a channel.

    Examples
    --------
    >>> channel_name("fa"), channel_name("v1")
    ('FA', 'V1 (direction)')
    """
    return _CHANNEL_NAMES.get(channel, channel.upper())


def _other_grids(resampled: dict[str, tuple[float, float, float]]) -> Iterator[Finding]:
    for name, spacing in resampled.items():
        yield Finding(
            f"{name}_resampled",
            "info",
            f"The {channel_name(name)} map lies on another grid ({_size(spacing)} mm) and was "
            "resampled.",
            "Nothing needs to be done where the map lies on the T1; look at both together.",
        )


def _labels_alone(segmentation: Segmentation) -> Iterator[Finding]:
    if segmentation.probabilities is None:
        yield Finding(
            "volumes_from_labels",
            "info",
            "The probabilities were not kept, so the volumes were measured on the labels alone.",
            "Segment again for volumes that count partial voxels, and for confidence.",
        )
