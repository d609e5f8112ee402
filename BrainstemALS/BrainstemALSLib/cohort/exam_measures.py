"""The measures of one exam as rows of the tidy table, read from its derivatives."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from ..anatomy import REGIONS, composites
from ..report.naming import derivative_name
from .tables import UNITS

NORMAL_QUARTILE = 0.6744897501960817
"""Standard normal quantile of 0.75: half of a normal distribution lies within +- so many SD."""
OUTLINE_SHARE = 0.35
"""What is left of an outline's error in the volume, because it cancels along the outline. With it
no structure's error on simulated images is larger than what is stated (docs/results/
imaging_cohort_structures.tsv, last column at most 1); real images were not available, and their
errors will be larger."""
OF_DIFFUSION = (
    "diffusion_", "dwi_", "registration_", "distortion_", "phase_encoding", "gradients_", "high_b",
    "negative_eigenvalues", "lost_slices", "motion_not", "not_denoised", "few_directions",
    "bvec_", "fa_", "md_", "ad_", "rd_", "v1_",
)  # fmt: skip
"""How the codes of findings begin that say nothing against the volumes."""
_WORDS = {"error": "bad", "warning": "warning"}
_RANK = {"good": 0, "warning": 1, "bad": 2}

Row = dict[str, Any]


def exam_rows(folder: Path, stem: str, participant: str, session: str) -> list[Row]:
    """Return the rows of one exam, as ``tables.MEASURES``.

    Volumes are the soft ones. Their uncertainty is ``OUTLINE_SHARE * half_range / 0.674``: were the
    outline's place normally distributed and wrong everywhere alike, the outlines of probability
    0.25 and 0.75 would be its quartiles; most of that cancels along the outline. Of the
    intracranial volume none is known. What a structure of tier C has no volume of
    has no row. Quality: a finding of severity ``error`` makes ``bad``, a ``warning`` makes
    ``warning``; of a whole exam or a composite also for what belongs to it, and of a region, where
    it is an error, for the whole brainstem. Findings of the diffusion say nothing of volumes.

    Parameters
    ----------
    folder : Path
        Of the results.
    stem : str
        Beginning of their names.
    participant, session : str

    Raises
    ------
    OSError, ValueError, KeyError
        A file is missing or damaged.
    """

    def path(suffix: str, extension: str) -> Path:
        return folder / derivative_name(stem, suffix, extension)

    quality = json.loads(path("qc", ".json").read_text(encoding="utf-8"))
    rows = [*_volumes(path("volumes", ".tsv"))]
    rows += _volume_asymmetries(path("asymmetry", ".tsv"), {row["structure"]: row for row in rows})
    intracranial = quality["intracranial_volume_mm3_estimate"]
    if intracranial is not None:
        rows.append(_row("intracranial", "volume", float(intracranial), None))
    if path("diffusion", ".tsv").is_file():
        rows += _diffusion(path("diffusion", ".tsv"))
        rows += _diffusion_asymmetries(path("diffusionasymmetry", ".tsv"))
    findings = quality["findings"]
    return [
        {
            "participant_id": participant,
            "session_id": session,
            **row,
            "quality": quality_of(row["structure"], row["measure"], findings),
        }
        for row in rows
    ]


def quality_of(structure: str, measure: str, findings: Iterable[dict[str, Any]]) -> str:
    """Return ``good``, ``warning`` or ``bad`` for one value.

    Parameters
    ----------
    structure, measure : str
        As in the tidy table; of an asymmetry, the pair without its side.
    findings : iterable of dict
        As ``qc.json`` holds them.

    Examples
    --------
    >>> cut = {"code": "field_of_view_cut_inferior", "severity": "error", "structure": "medulla"}
    >>> [quality_of(name, "volume", [cut]) for name in ("pyramid_left", "brainstem", "pons")]
    ['bad', 'bad', 'good']
    """
    worst = "good"
    for finding in findings:
        word = _WORDS.get(finding["severity"])
        if word is None or _RANK[word] <= _RANK[worst]:
            continue
        if finding["code"].startswith(OF_DIFFUSION) and measure.startswith("volume"):
            continue
        about = finding["structure"]
        keys = [structure]
        if measure.endswith("_asymmetry"):
            keys += [f"{structure}_left", f"{structure}_right"]
        if about is None or any(key in _concerned(about, word == "bad") for key in keys):
            worst = word
    return worst


@cache
def _concerned(about: str, bad: bool) -> frozenset[str]:
    """Keys of all that a finding on one structure, composite or pair limits."""
    keys = {about}
    members = composites()
    keys.update(members.get(about, ()))
    for key, parts in members.items():
        # Tracts across regions share their members; what holds of all of them holds of the tract.
        if parts and set(parts) <= keys:
            keys.add(key)
    if bad and about in REGIONS:
        keys.add("brainstem")
    return frozenset(keys)


def _volumes(path: Path) -> Iterator[Row]:
    for line in _lines(path):
        value = _number(line["volume_soft_mm3"])
        if value is not None:
            half = _number(line["half_range_mm3"])
            spread = None if half is None else OUTLINE_SHARE * half / NORMAL_QUARTILE
            yield _row(line["key"], "volume", value, spread)


def _volume_asymmetries(path: Path, volumes: dict[str, Row]) -> Iterator[Row]:
    for line in _lines(path):
        value = _number(line["index_percent"])
        if value is None:
            continue
        sides = [volumes.get(f"{line['key']}_{side}") for side in ("left", "right")]
        spread = None
        if all(side and not math.isnan(side["uncertainty"]) for side in sides):
            left, right = sides
            # d index / dL = 400 R / (L + R)^2, and the same for R with L.
            spread = (400.0 / (left["value"] + right["value"]) ** 2) * math.hypot(
                right["value"] * left["uncertainty"], left["value"] * right["uncertainty"]
            )
        yield _row(line["key"], "volume_asymmetry", value, spread)


def _diffusion(path: Path) -> Iterator[Row]:
    for line in _lines(path):
        value = _number(line["value"])
        if line["metric"] in UNITS and value is not None:
            yield _row(line["key"], line["metric"], value, _number(line["uncertainty"]))


def _diffusion_asymmetries(path: Path) -> Iterator[Row]:
    for line in _lines(path):
        measure, value = f"{line['metric']}_asymmetry", _number(line["index_percent"])
        if measure in UNITS and value is not None:
            yield _row(line["key"], measure, value, _number(line["uncertainty_percent"]))


def _row(structure: str, measure: str, value: float, uncertainty: float | None) -> Row:
    return {
        "structure": structure,
        "measure": measure,
        "value": value,
        "unit": UNITS[measure],
        "uncertainty": math.nan if uncertainty is None else uncertainty,
    }


def _lines(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle, delimiter="\t"))


def _number(text: str) -> float | None:
    return None if text == "n/a" else float(text)
