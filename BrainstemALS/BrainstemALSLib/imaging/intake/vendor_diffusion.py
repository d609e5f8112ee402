"""b-value and direction of a DICOM image, where each vendor writes them.

Used to tell diffusion series from others and to find volumes that lack slices; the values that are
fitted come from dcm2niix, which knows every frame the vendors have used. Tags: the vendors' DICOM
conformance statements, as collected in NA-MIC's "DTI:DICOM for DWI and DTI" and in dcm2niix.
"""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

# DiffusionBValue and DiffusionGradientOrientation of the standard, then those of the vendors. The
# first that is there is taken: GE's come last, because other vendors use these groups otherwise.
B_TAGS = (0x00189087, 0x0019100C, 0x20011003, 0x00651009, 0x00431039)
VECTOR_TAGS = (0x00189089, 0x0019100E, 0x00651037)
SPLIT_VECTOR_TAGS = ((0x200510B0, 0x200510B1, 0x200510B2), (0x001910BB, 0x001910BC, 0x001910BD))
CSA_TAG = 0x00291010
# Private creators: without them a value in implicit encoding has no type.
CREATOR_TAGS = (0x00190010, 0x00290010, 0x00430010, 0x00650010, 0x20010010, 0x20050010)
TAGS = (
    *B_TAGS,
    *VECTOR_TAGS,
    *(tag for tags in SPLIT_VECTOR_TAGS for tag in tags),
    *CREATOR_TAGS,
    CSA_TAG,
)
# GE adds multiples of this to the b-value of some releases.
_GE_OFFSET = 1_000_000_000
_HIGHEST_B = 100_000.0
_CSA_B = re.compile(rb"B_value\x00")
_NUMBER = re.compile(rb"\d+(?:\.\d+)?")


def b_value(ds: Dataset) -> float | None:
    """Return the b-value in s/mm2 of an image or of the diffusion item of a frame, if any."""
    for tag in B_TAGS:
        values = _numbers(ds, tag)
        if values:
            value = values[0] % _GE_OFFSET if tag == 0x00431039 else values[0]
            if 0 <= value < _HIGHEST_B:
                return value
    return _b_of_csa(ds)


def direction(ds: Dataset) -> tuple[float, ...] | None:
    """Return the direction as it is written, in whichever frame the vendor has, if any.

    Good for telling one direction from another, and for nothing else.
    """
    for tag in VECTOR_TAGS:
        values = _numbers(ds, tag)
        if len(values) == 3:
            return tuple(values)
    for tags in SPLIT_VECTOR_TAGS:
        values = [number for tag in tags for number in _numbers(ds, tag)[:1]]
        if len(values) == 3:
            return tuple(values)
    return None


def _numbers(ds: Dataset, tag: int) -> list[float]:
    """Return the numbers of an element, decoded by its length where its type is not known."""
    if tag not in ds:
        return []
    value = ds[tag].value
    if isinstance(value, bytes):
        return _decoded(value)
    try:
        values = [value] if isinstance(value, (str, int, float)) else list(value or [])
        return [float(number) for number in values]
    except (TypeError, ValueError):
        return []


def _decoded(value: bytes) -> list[float]:
    text = value.strip(b" \0")
    if text and re.fullmatch(rb"[-+0-9.eE\\ ]+", text):
        return [float(part) for part in _split(text)]
    for size, letter in ((8, "d"), (4, "f")):
        if value and len(value) % size == 0 and len(value) // size in (1, 3):
            return list(struct.unpack(f"<{len(value) // size}{letter}", value))
    return []


def _split(text: bytes) -> list[str]:
    parts = text.decode("ascii").split("\\")
    return [part for part in parts if re.fullmatch(r"\s*[-+]?\d*\.?\d+(?:[eE][-+]?\d+)?\s*", part)]


def _b_of_csa(ds: Dataset) -> float | None:
    """Return the b-value in a Siemens CSA image header: the first number after its name."""
    value = ds[CSA_TAG].value if CSA_TAG in ds else None
    if not isinstance(value, bytes):
        return None
    found = _CSA_B.search(value)
    if not found:
        return None
    # The name takes 64 bytes, type and counts 20, the lengths of the first item 16; then its text.
    start = found.start() + 64 + 20 + 16
    number = _NUMBER.match(value[start : start + 16])
    return float(number[0]) if number else None
