"""Files of a longitudinal result."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np

from .. import __version__
from ..imaging.staging import staged_output
from ..imaging.writing import write_volume
from ..report.statements import RESEARCH_USE, SYNTHETIC_TRAINING
from ..report.tables import write_json, write_tsv
from .result import LongitudinalResult

CHANGES = "longitudinal.tsv"
VALUES = "longitudinal_visits.tsv"
ABOUT = "longitudinal.json"
TEMPLATE = "longitudinal_template_T1w.nii.gz"
LABELS = "longitudinal_template_dseg.nii.gz"
NAMES = (CHANGES, VALUES, ABOUT, TEMPLATE, LABELS)

CHANGE_COLUMNS = (
    "structure",
    "measure",
    "unit",
    "change_per_year",
    "se",
    "low",
    "high",
    "beyond_error",
    "mean",
    "visits",
    "years",
)
VALUE_COLUMNS = ("visit", "months", "structure", "measure", "value")


def write_longitudinal(
    result: LongitudinalResult, folder: Path, overwrite: bool = False, simulated: bool = False
) -> list[Path]:
    """Write tables, findings and template; all files or none.

    Parameters
    ----------
    result : LongitudinalResult
    folder : Path
        Made where it does not exist; gets the files ``NAMES``. Visits are numbered from 1 there.
    overwrite : bool
        Replace an earlier result.
    simulated : bool
        The person is simulated, which the JSON file says.

    Raises
    ------
    BrainstemALSError
        OUTPUT_REFUSED: there is a result, or the folder cannot be written to.
    """
    folder = Path(folder)
    with staged_output(folder, NAMES, overwrite) as staged:
        write_tsv(staged / CHANGES, CHANGE_COLUMNS, change_rows(result))
        write_tsv(staged / VALUES, VALUE_COLUMNS, value_rows(result))
        write_json(staged / ABOUT, _about(result, simulated))
        write_volume(result.template, staged / TEMPLATE)
        write_volume(result.segmentation.labels, staged / LABELS, np.uint8)
    return [folder / name for name in NAMES]


def change_rows(result: LongitudinalResult) -> list[dict[str, object]]:
    """Return the rows of ``longitudinal.tsv``, figures to six significant digits."""
    words = {True: "yes", False: "no", None: None}
    rows = []
    for change in result.changes:
        row = {name: _rounded(getattr(change, name)) for name in CHANGE_COLUMNS}
        rows.append({**row, "beyond_error": words[change.beyond_error]})
    return rows


def value_rows(result: LongitudinalResult) -> list[dict[str, object]]:
    """Return the rows of ``longitudinal_visits.tsv``; visits are numbered from 1."""
    return [
        {
            "visit": value.visit + 1,
            "months": value.months,
            "structure": value.structure,
            "measure": value.measure,
            "value": _rounded(value.value),
        }
        for value in result.values
    ]


def _rounded(value: object) -> object:
    # As text: the tables round to four decimals, which is nothing of a change of MD.
    return f"{value:.6g}" if isinstance(value, float) else value


def _about(result: LongitudinalResult, simulated: bool) -> dict[str, object]:
    facts = {
        name: {str(key + 1): each for key, each in fact.items()} if _by_visit(fact) else fact
        for name, fact in result.facts.items()
    }
    return {
        "statement": f"{RESEARCH_USE} {SYNTHETIC_TRAINING}",
        "version": __version__,
        "simulated": simulated,
        "visits_left_out": [number + 1 for number in result.left_out],
        "findings": [asdict(finding) for finding in result.findings],
        **facts,
    }


def _by_visit(fact: object) -> bool:
    return isinstance(fact, dict) and all(isinstance(key, int) for key in fact)
