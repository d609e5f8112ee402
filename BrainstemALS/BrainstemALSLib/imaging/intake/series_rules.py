"""Sorts the series of an MR examination into T1, diffusion and others, by rules in one table.

The first rule that fits decides. Measured facts come first (what was computed, how it was excited
and read out, its times, its voxels); the text of descriptions comes last, because hospitals write
what they like there, names of patients among it, and nothing of it is ever repeated. The choice can
be overridden by the number of a series.

Times are those of clinical protocols at 1.5 and 3 T (Bernstein, King and Zhou, Handbook of MRI
Pulse Sequences, Elsevier 2004; for MPRAGE Mugler and Brookeman, Magn Reson Med 1990;15:152,
doi:10.1002/mrm.1910150117); the limits leave room around them and are our own.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from ..checks import SMALLEST_FIELD_MM, SPACING_RANGE_MM
from .dicom_scan import MAP_WORDS, PHASE_WORDS, PROJECTION_WORDS, Series

T1, DWI, OTHER = "t1", "dwi", "other"

# Inversion recovery with gradient echo, MPRAGE: TI 600-1400 ms, TR to 3500 ms with most vendors.
_IR_TI_MS = (300.0, 1400.0)
# T2* contrast sets in at echo times beyond; susceptibility-weighted images have 20 ms.
_LONGEST_GRADIENT_TE_MS = 12.0
# Spoiled gradient echo, also where the vendor gives the time between echoes of an MPRAGE. Below 4
# degrees the contrast is that of proton density; from 40 on it is a balanced steady state, as in
# CISS and FIESTA, which are common at the brainstem.
_SPOILED_TR_MS, _SPOILED_FLIP = 60.0, (4.0, 40.0)
# Spin echo: T1 up to these; T2 and FLAIR lie far beyond.
_SPIN_TR_MS, _SPIN_TE_MS = (200.0, 1200.0), 35.0
_FEWEST_SLICES = 10
_T1_WORDS = re.compile(
    r"(?<![a-z0-9])(t1w?|mp2?rage|spgr|fspgr|bravo|tfl|tfe|vibe|ir-?fspgr|gre_fsp|mprage)(?![a-z0-9])"
    r"|(?<![a-z])t1"
)
_NOT_T1_WORDS = re.compile(r"t2|flair|swi|tof|angio|mra|fiesta|ciss|(?<![a-z])pd|dwi|dti|diff|loc")


@dataclass(frozen=True)
class Rule:
    """One row of the table.

    Attributes
    ----------
    key : str
        Stable name.
    kind : str
        ``t1``, ``dwi`` or ``other``.
    rank : int
        Of T1 rules: lower is better.
    reason : str
        Why, for a reader.
    fits : callable
        Whether a series is meant.
    """

    key: str
    kind: str
    rank: int
    reason: str
    fits: Callable[[Series], bool]


def _is_inversion(series: Series) -> bool:
    first = series.first
    inverted = first.ti is not None and _IR_TI_MS[0] <= first.ti <= _IR_TI_MS[1]
    return _is_gradient_3d(series) and inverted


def _is_spoiled(series: Series) -> bool:
    first = series.first
    return (
        _is_gradient_3d(series)
        and first.tr is not None
        and first.tr <= _SPOILED_TR_MS
        and first.flip is not None
        and _SPOILED_FLIP[0] <= first.flip < _SPOILED_FLIP[1]
        and not (first.ti or 0.0) > _IR_TI_MS[1]
    )


def _is_gradient_3d(series: Series) -> bool:
    first = series.first
    return (
        first.is_3d
        and "GR" in first.scanning
        and "SE" not in first.scanning
        and not first.is_epi
        and first.te is not None
        and first.te <= _LONGEST_GRADIENT_TE_MS
    )


def _is_spin(series: Series) -> bool:
    first = series.first
    return (
        "SE" in first.scanning
        and not first.is_epi
        and "IR" not in first.scanning
        and first.tr is not None
        and _SPIN_TR_MS[0] <= first.tr <= _SPIN_TR_MS[1]
        and first.te is not None
        and first.te <= _SPIN_TE_MS
    )


def _is_small(series: Series) -> bool:
    low, high = SPACING_RANGE_MM
    fine = all(low * 0.995 <= step <= high * 1.005 for step in series.voxel)
    n = len(series.slices.places)
    return n < _FEWEST_SLICES or not fine or min(series.extent) < SMALLEST_FIELD_MM


def _says_nothing(series: Series) -> bool:
    """Whether times and sequence are missing, as in files that a research program wrote."""
    first = series.first
    return first.te is None or (first.tr is None and first.ti is None) or not first.scanning


RULES = (
    Rule(
        "no_geometry",
        OTHER,
        0,
        "it does not say how its images lie",
        lambda s: (
            s.first.orientation is None
            or s.first.spacing is None
            or any(frame.position is None for header in s.headers for frame in header.frames)
        ),
    ),
    Rule(
        "localizer",
        OTHER,
        0,
        "it is a localizer",
        lambda s: "LOCALIZER" in s.first.image_type,
    ),
    Rule(
        "computed",
        OTHER,
        0,
        "its images were computed from others (a map, a projection)",
        lambda s: bool(s.first.image_type & (MAP_WORDS | PROJECTION_WORDS)),
    ),
    Rule(
        "phase",
        OTHER,
        0,
        "it holds phase, not magnitude",
        lambda s: bool(s.first.image_type & PHASE_WORDS) and "M" not in s.first.image_type,
    ),
    Rule("weighted", DWI, 0, "its images have b-values", lambda s: s.is_weighted),
    Rule(
        "echo_planar",
        OTHER,
        0,
        "it is echo-planar without b-values",
        lambda s: s.first.is_epi or s.first.contrast in ("DIFFUSION", "PERFUSION"),
    ),
    Rule("angiogram", OTHER, 0, "it is an angiogram", lambda s: s.first.is_angio),
    Rule(
        "small",
        OTHER,
        0,
        "it has too few slices, or too small a field of view or coarse voxels",
        _is_small,
    ),
    Rule(
        "other_contrast",
        OTHER,
        0,
        "the scanner says that its contrast is not T1",
        lambda s: s.first.contrast not in ("", "T1", "UNKNOWN", "MIXED", "FLOW_ENCODED"),
    ),
    Rule(
        "named_other",
        OTHER,
        0,
        "its description names another contrast, where its times allow two",
        lambda s: not _is_inversion(s) and _names_other(s.first.text),
    ),
    Rule("inversion_3d", T1, 0, "3D gradient echo after an inversion", _is_inversion),
    Rule("spoiled_3d", T1, 0, "3D spoiled gradient echo with short times", _is_spoiled),
    Rule("spin_echo", T1, 1, "spin echo with short times", _is_spin),
    Rule(
        "said_t1",
        T1,
        1,
        "the scanner says that its contrast is T1",
        lambda s: s.first.contrast == "T1",
    ),
    Rule(
        "named_t1",
        T1,
        2,
        "it says nothing of its sequence, and its description means T1",
        lambda s: _says_nothing(s) and bool(_T1_WORDS.search(s.first.text)),
    ),
    Rule("unknown", OTHER, 0, "nothing makes it a T1 or a diffusion series", lambda s: True),
)


def _names_other(text: str) -> bool:
    return bool(_NOT_T1_WORDS.search(text)) and not _T1_WORDS.search(text)


def rule_for(series: Series) -> Rule:
    """Return the rule that decides what a series is."""
    return next(rule for rule in RULES if rule.fits(series))


def order_t1(series: Series) -> tuple:
    """Sort key of T1 series, the best first.

    Kind of sequence; complete before incomplete; without contrast agent; measured before
    reformatted; the finest coarsest edge of a voxel, then the smallest voxel, then more slices;
    corrected for the coil; the latest, because what is repeated was better the second time.
    """
    first, voxel = series.first, series.voxel
    return (
        rule_for(series).rank,
        not series.slices.even or series.slices.n_between > 0,
        first.has_contrast,
        "DERIVED" in first.image_type or "MPR" in first.image_type,
        round(max(voxel), 1),
        round(voxel[0] * voxel[1] * voxel[2], 2),
        -len(series.slices.places),
        "NORM" not in first.image_type,
        -series.number,
    )


def order_dwi(series: Series) -> tuple:
    """Sort key of diffusion series, the best first: directions, measured, complete, the latest."""
    first = series.first
    return (
        -series.n_directions,
        "MOCO" in first.image_type or "DERIVED" in first.image_type,
        not series.slices.complete,
        -series.number,
    )
