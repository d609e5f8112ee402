"""Intracranial volume, and the brainstem's share of it."""

from __future__ import annotations

from dataclasses import dataclass

from ..segmentation.result import Segmentation
from .plausibility import plausible_ranges
from .volumes import StructureVolume, volume_by_key


@dataclass(frozen=True)
class Intracranial:
    """Size of the cranial cavity as a proxy of head size.

    The volume comes from the low-resolution network that also locates the brainstem, working on a
    coarse grid of the whole head. It is an estimate for scaling, not a measurement: it is not
    interchangeable with the intracranial volume of FreeSurfer, SPM or a manual tracing, and values
    of different methods must not be mixed in one study.

    Attributes
    ----------
    volume_mm3 : float or None
        Estimated intracranial volume; None when the head is not wholly in view, or the estimate is
        not a human volume.
    brainstem_fraction : float or None
        Soft volume of the whole brainstem divided by ``volume_mm3``, dimensionless.
    withheld_mm3 : float or None
        An estimate that is not a human volume, for the finding that says so.
    """

    volume_mm3: float | None
    brainstem_fraction: float | None
    withheld_mm3: float | None = None


def intracranial_volume(
    segmentation: Segmentation, volumes: tuple[StructureVolume, ...]
) -> Intracranial:
    """Return the estimate of the intracranial volume and the brainstem's fraction of it.

    Parameters
    ----------
    segmentation : Segmentation
        Its ``intracranial_mm3`` is the locator's estimate.
    volumes : tuple of StructureVolume
        As ``structure_volumes`` returns them.
    """
    estimate = segmentation.intracranial_mm3
    if estimate is None or not estimate > 0:
        return Intracranial(None, None)
    if not plausible_ranges()["intracranial"].holds(estimate):
        return Intracranial(None, None, float(estimate))
    brainstem = volume_by_key(volumes).get("brainstem")
    if brainstem is None or brainstem.volume_soft_mm3 is None:
        return Intracranial(float(estimate), None)
    return Intracranial(float(estimate), brainstem.volume_soft_mm3 / float(estimate))
