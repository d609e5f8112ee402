"""What enhanced multi-frame files say of their frames, and what all of them share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from . import vendor_diffusion

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

# Attributes that classic files have at the top, by the functional group that holds them.
_GROUPS = {
    "PixelMeasuresSequence": ("PixelSpacing", "SliceThickness", "SpacingBetweenSlices"),
    "PlaneOrientationSequence": ("ImageOrientationPatient",),
    "MRTimingAndRelatedParametersSequence": ("RepetitionTime", "FlipAngle", "EchoTrainLength"),
    "MREchoSequence": ("EffectiveEchoTime",),
    "MRModifierSequence": ("InversionTimes",),
}
_CLASSIC_NAMES = {"EffectiveEchoTime": "EchoTime", "InversionTimes": "InversionTime"}


@dataclass(frozen=True, eq=False)
class Frame:
    """One image of a file.

    Attributes
    ----------
    position : numpy.ndarray, shape (3,), or None
        Centre of its first voxel, LPS mm.
    b : float or None
        s/mm2.
    direction : tuple of float or None
        As written, see ``vendor_diffusion.direction``.
    """

    position: np.ndarray | None
    b: float | None
    direction: tuple[float, ...] | None


def frames_of(ds: Dataset) -> tuple[Frame, ...]:
    """Return the frames of an enhanced multi-frame data set."""
    shared = _first(ds, "SharedFunctionalGroupsSequence")
    return tuple(_frame(groups, shared) for groups in ds.PerFrameFunctionalGroupsSequence)


def with_shared_groups(ds: Dataset) -> None:
    """Put what the frames share, or the first one has, where classic files have it."""
    sources = [_first(ds, "SharedFunctionalGroupsSequence")]
    sources += list(ds.PerFrameFunctionalGroupsSequence[:1])
    for group, names in _GROUPS.items():
        for source in sources:
            item = _first(source, group)
            for name in names if item is not None else ():
                value = item.get(name)
                target = _CLASSIC_NAMES.get(name, name)
                if value is not None and target not in ds:
                    if name == "InversionTimes" and not isinstance(value, (int, float)):
                        value = value[0]
                    setattr(ds, target, value)


def _frame(groups: Dataset, shared: Dataset | None) -> Frame:
    place = _first(groups, "PlanePositionSequence")
    position = None if place is None else place.get("ImagePositionPatient")
    diffusion = _first(groups, "MRDiffusionSequence") or _first(shared, "MRDiffusionSequence")
    b = direction = None
    if diffusion is not None:
        b = vendor_diffusion.b_value(diffusion)
        gradient = _first(diffusion, "DiffusionGradientDirectionSequence")
        direction = vendor_diffusion.direction(gradient) if gradient is not None else None
    return Frame(np.array(position, dtype=float) if position else None, b, direction)


def _first(ds: Dataset | None, name: str) -> Dataset | None:
    """Return the first item of a sequence, if it is there."""
    items = ds.get(name) if ds is not None else None
    return items[0] if items else None
