"""The finding that an exam is unlike those that the model learned from, in a reader's words."""

from __future__ import annotations

from collections.abc import Iterator

from ..anatomy import by_key
from ..imaging.finding import Finding
from ..segmentation.result import Segmentation

CODE = "unfamiliar_exam"
ERROR_RATIO = 2.0
"""Multiple of the limit from which no number should be used (our choice)."""
NAMED = 2
"""So many deviations are named, the largest first."""

WORDS = {
    "fluid_contrast": "the fourth ventricle is not darker than the brainstem as on a T1",
    "fluid_around": "the fluid around the brainstem is not as dark as on a T1",
    "bright_around": "the tissue around the brainstem is not as bright as on a T1",
    "rank": "the brainstem is not as bright beside its surroundings as on a T1",
    "white_grey": "white and grey matter do not differ as on a T1",
    "spread": "the brainstem is very uneven",
    "noise": "the image is very noisy",
    "mottle": "the brainstem is mottled, as ghosts and motion make it",
    "blur": "the brainstem's outline is blurred",
    "stripes": "there are stripes across the brainstem, as motion makes them",
    "streaks": "the image is much rougher along one axis, as after motion",
    "volume": "what was found is unusually small or large",
    "midbrain_share": "midbrain and pons have an unusual proportion",
    "medulla_share": "medulla and pons have an unusual proportion",
    "elongation": "what was found has not the form of a brainstem",
    "flatness": "what was found has not the form of a brainstem",
    "nodding": "what was found is tilted far forwards or backwards",
    "tilt": "what was found is tilted far to one side",
    "turn": "what was found is turned far to one side",
    "roughness": "the outline found is ragged",
    "sides": "left and right differ much in size",
    "missing": "many structures were not found",
    "entropy": "the model is unsure which structure is which",
    "doubt": "the model is unsure what is brainstem",
    "soft_outline": "the model is unsure of the outline",
    "fa_tissue": "FA in the brainstem is unusual",
    "fa_white_grey": "FA does not tell white from grey matter, as where the map lies off the T1",
    "fa_around": "FA in and around the brainstem is unusual, as where the map lies off the T1",
    "md_tissue": "MD in the brainstem is unusual",
    "md_spread": "MD in the brainstem is very uneven, as where the map lies off the T1",
    "md_around": "MD around the brainstem is unusual",
}
"""What each property of ``segmentation.familiarity_properties`` means when it deviates."""

ACTIONS = {
    "contrast": "Check that the image is a T1-weighted MRI of a head without contrast agent.",
    "texture": "Look for motion, ghosts and noise on the T1; scan again where they cross the "
    "brainstem.",
    "shape": "Check the outlines on the overview and the voxel size of the T1.",
    "pose": "Check the orientation in the header of the T1.",
    "certainty": "Check the outlines on the images and correct them before using any number.",
    "fa": "Check that the FA map lies on the T1 and is of this person.",
    "md": "Check that the MD map lies on the T1, is of this person and in its unit.",
    "dark": "Look at this place for a lesion; check the outlines around it before using them.",
    "bright": "Look at this place for a lesion; check the outlines around it before using them.",
}
"""What to do about each part of the description."""


def unfamiliar(segmentation: Segmentation) -> Iterator[Finding]:
    """Yield the finding where the exam lies beyond the limit; nothing where that is unknown."""
    known = segmentation.familiarity
    if known is None or known.ratio <= 1:
        return
    parts = list(known.properties.items())[:NAMED]
    told = dict.fromkeys(_words(part, name) for part, name in parts)
    do = dict.fromkeys(ACTIONS[part] for part, _ in parts)
    far = known.ratio > ERROR_RATIO
    yield Finding(
        CODE,
        "error" if far else "warning",
        f"The exam is {'very ' if far else ''}unlike those that the model learned from "
        f"({known.ratio:.1f} times the limit): {' and '.join(told)}.",
        " ".join(do) + (" Do not use the numbers before that." if far else ""),
    )


def _words(part: str, name: str) -> str:
    if part in ("dark", "bright"):
        return f"there is a {part} spot at or in the {_short_name(name)}"
    return WORDS[name]


def _short_name(key: str) -> str:
    """Name of a structure without what it consists of, its side first: ``left basis pontis``."""
    structure = by_key()[key]
    short = structure.name.split(":")[0].split(",")[0]
    side = "" if structure.side == "midline" else f"{structure.side} "
    return side + short[:1].lower() + short[1:]
