"""Tables and JSON of one exam: BIDS rules, ``n/a`` for what is missing, never NaN."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path

from ..anatomy import load_structures
from ..measurement.asymmetry import Asymmetry
from ..measurement.confidence import confidence_word
from ..measurement.diffusion_asymmetry import DiffusionAsymmetry
from ..measurement.diffusion_value import DiffusionValue
from ..measurement.volumes import StructureVolume

LABEL_COLUMNS = (
    "index",
    "name",
    "abbreviation",
    "color",
    "key",
    "side",
    "parent",
    "tissue",
    "tier",
    "snomed",
    "uberon",
)
VOLUME_COLUMNS = (
    "key",
    "name",
    "kind",
    "side",
    "parent",
    "tissue",
    "tier",
    "volume_soft_mm3",
    "volume_label_mm3",
    "half_range_mm3",
    "confidence",
    "confidence_word",
)
DIFFUSION_COLUMNS = (
    "key",
    "name",
    "kind",
    "side",
    "metric",
    "value",
    "sd",
    "n_effective",
    "standard_error",
    "outline_error",
    "uncertainty",
    "weight_mm3",
    "fluid_share",
    "fit_residual_mm",
    "remark",
)
DIFFUSION_ASYMMETRY_COLUMNS = (
    "key",
    "name",
    "kind",
    "metric",
    "left",
    "right",
    "index_percent",
    "uncertainty_percent",
    "remark",
)
ASYMMETRY_COLUMNS = ("key", "name", "kind", "left_mm3", "right_mm3", "index_percent", "remark")


def label_rows(keys: Iterable[str]) -> list[dict[str, object]]:
    """Return the rows of the ``dseg.tsv`` for the structures that a model can label."""
    wanted = set(keys)
    return [
        {column: getattr(structure, column) for column in LABEL_COLUMNS}
        for structure in load_structures()
        if structure.key in wanted
    ]


def volume_rows(volumes: Iterable[StructureVolume]) -> list[dict[str, object]]:
    """Return the rows of the ``volumes.tsv``, volumes in mm3."""
    return [
        {
            **{column: getattr(row, column) for column in VOLUME_COLUMNS[:-1]},
            "confidence_word": confidence_word(row.confidence, row.tier),
        }
        for row in volumes
    ]


def asymmetry_rows(pairs: Iterable[Asymmetry]) -> list[dict[str, object]]:
    """Return the rows of the ``asymmetry.tsv``, volumes in mm3, index in per cent."""
    return [{column: getattr(pair, column) for column in ASYMMETRY_COLUMNS} for pair in pairs]


def diffusion_rows(values: Iterable[DiffusionValue]) -> list[dict[str, object]]:
    """Return the rows of the ``diffusion.tsv``: FA 0-1, diffusivities in 1e-3 mm2/s."""
    return [{column: getattr(value, column) for column in DIFFUSION_COLUMNS} for value in values]


def diffusion_asymmetry_rows(pairs: Iterable[DiffusionAsymmetry]) -> list[dict[str, object]]:
    """Return the rows of the ``diffusionasymmetry.tsv``: values as measured, index in per cent."""
    columns = DIFFUSION_ASYMMETRY_COLUMNS
    return [{column: getattr(pair, column) for column in columns} for pair in pairs]


def write_tsv(path: Path, columns: tuple[str, ...], rows: Iterable[Mapping[str, object]]) -> None:
    """Write a BIDS table: tabs, a header, ``n/a`` for None, NaN and empty text.

    Parameters
    ----------
    path : pathlib.Path
        File to write.
    columns : tuple of str
        Header; every row must have them.
    rows : iterable of mapping
        Numbers are written with four significant decimals at most.
    """
    with path.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle, delimiter="\t", lineterminator="\n")
        writer.writerow(columns)
        writer.writerows([_cell(row[column]) for column in columns] for row in rows)


def write_json(path: Path, content: Mapping[str, object]) -> None:
    """Write strict JSON: NaN and infinity become null, which every reader understands."""
    text = json.dumps(_strict(content), indent=2, ensure_ascii=False, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8")


def _cell(value: object) -> str:
    if value is None or value == "":
        return "n/a"
    if isinstance(value, float):
        return f"{value:.4f}".rstrip("0").rstrip(".") if math.isfinite(value) else "n/a"
    return str(value)


def _strict(value: object) -> object:
    if isinstance(value, Mapping):
        return {str(key): _strict(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_strict(item) for item in value]
    if hasattr(value, "item") and getattr(value, "ndim", 1) == 0:
        value = value.item()  # a numpy number
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return str(value)
