"""Left/right asymmetry of paired structures."""

from __future__ import annotations

from dataclasses import dataclass

from .volumes import StructureVolume, volume_by_key

MINIMUM_MEAN_MM3 = 10.0
"""Pairs smaller than this on average get no index (our choice): ten voxels at 1 mm, where moving
the outline by half a voxel on one side already changes the index by tens of per cent."""


@dataclass(frozen=True)
class Asymmetry:
    """Asymmetry of one pair.

    Attributes
    ----------
    key, name : str
        Of the pair, without a side.
    kind : str
        ``structure`` or ``composite``.
    left_mm3, right_mm3 : float or None
        Soft volumes of the patient's own left and right.
    index_percent : float or None
        ``100 (L - R) / ((L + R) / 2)``, from -200 to 200: positive when the left is larger,
        negative when the right is. None when a side is missing or the pair is too small.
    remark : str
        Why there is no index; empty when there is one.
    """

    key: str
    name: str
    kind: str
    left_mm3: float | None
    right_mm3: float | None
    index_percent: float | None
    remark: str = ""


def asymmetry_index(left: float, right: float) -> float:
    """Return ``100 (L - R) / ((L + R) / 2)``; positive when the left is larger.

    Examples
    --------
    >>> asymmetry_index(110.0, 90.0)
    20.0
    """
    return 100.0 * (left - right) / ((left + right) / 2.0)


def asymmetries(volumes: tuple[StructureVolume, ...]) -> tuple[Asymmetry, ...]:
    """Compare the two sides of every pair among the volumes, composites included.

    Parameters
    ----------
    volumes : tuple of StructureVolume
        As ``structure_volumes`` returns them.

    Returns
    -------
    tuple of Asymmetry
        One per stem that has a left or a right, in the order of the volumes.
    """
    rows = volume_by_key(volumes)
    stems: dict[str, StructureVolume] = {}
    for row in volumes:
        if row.side in ("left", "right"):
            stems.setdefault(row.key.removesuffix(f"_{row.side}"), row)
    return tuple(
        _pair(stem, either, rows.get(f"{stem}_left"), rows.get(f"{stem}_right"))
        for stem, either in stems.items()
    )


def _pair(
    stem: str,
    either: StructureVolume,
    left: StructureVolume | None,
    right: StructureVolume | None,
) -> Asymmetry:
    left_mm3 = left.volume_soft_mm3 if left else None
    right_mm3 = right.volume_soft_mm3 if right else None
    index, remark = None, ""
    if left_mm3 is None or right_mm3 is None:
        remark = "no volume on one side or both"
    elif not left.volume_label_mm3 or not right.volume_label_mm3:
        remark = "nothing labelled on one side or both"
    elif (left_mm3 + right_mm3) / 2 < MINIMUM_MEAN_MM3:
        remark = f"smaller than {MINIMUM_MEAN_MM3:g} mm3 on average"
    else:
        index = asymmetry_index(left_mm3, right_mm3)
    name = either.name.removesuffix(f", {either.side}")
    return Asymmetry(stem, name, either.kind, left_mm3, right_mm3, index, remark)
