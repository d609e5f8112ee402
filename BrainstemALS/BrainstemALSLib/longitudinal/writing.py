"""Files of a longitudinal result."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np

from .. import __version__
from ..imaging.staging import staged_output
from ..imaging.writing import write_volume
from ..report.naming import derivative_name
from ..report.statements import RESEARCH_USE, SYNTHETIC_TRAINING
from ..report.tables import write_json, write_tsv
from .result import LongitudinalResult

CHANGES = "longitudinal.tsv"
VALUES = "longitudinal_visits.tsv"
ABOUT = "longitudinal.json"
TEMPLATE = "longitudinal_template_T1w.nii.gz"
LABELS = "longitudinal_template_dseg.nii.gz"
NAMES = (CHANGES, VALUES, ABOUT, TEMPLATE, LABELS)
_DERIVATIVES = {
    CHANGES: ("changes", ".tsv"),
    VALUES: ("changevalues", ".tsv"),
    ABOUT: ("changes", ".json"),
    TEMPLATE: ("T1w", ".nii.gz"),
    LABELS: ("dseg", ".nii.gz"),
}

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


def names_of(stem: str | None) -> dict[str, str]:
    """Return the names of the files, in the order of ``NAMES``: as there, or of BIDS derivatives.

    Examples
    --------
    >>> names_of("sub-01_ses-longitudinal")["longitudinal.tsv"]
    'sub-01_ses-longitudinal_desc-brainstem_changes.tsv'
    """
    if stem is None:
        return {name: name for name in NAMES}
    return {name: derivative_name(stem, *_DERIVATIVES[name]) for name in NAMES}


def write_longitudinal(
    result: LongitudinalResult,
    folder: Path,
    overwrite: bool = False,
    simulated: bool = False,
    stem: str | None = None,
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
    stem : str, optional
        Name the files as BIDS derivatives (``names_of``).

    Raises
    ------
    BrainstemALSError
        OUTPUT_REFUSED: there is a result, or the folder cannot be written to.
    """
    folder = Path(folder)
    names = names_of(stem)
    with staged_output(folder, names.values(), overwrite) as staged:
        write_tsv(staged / names[CHANGES], CHANGE_COLUMNS, change_rows(result))
        write_tsv(staged / names[VALUES], VALUE_COLUMNS, value_rows(result))
        write_json(staged / names[ABOUT], _about(result, simulated))
        write_volume(result.template, staged / names[TEMPLATE])
        write_volume(result.segmentation.labels, staged / names[LABELS], np.uint8)
    return [folder / name for name in names.values()]


def change_rows(result: LongitudinalResult) -> list[dict[str, object]]:
    """Return the rows of ``longitudinal.tsv``, figures to six significant digits."""
    words = {True: "yes", False: "no", None: None}
    rows = []
    for change in result.changes:
        row = {name: _rounded(getattr(change, name)) for name in CHANGE_COLUMNS}
        rows.append({**row, "beyond_error": words[change.beyond_error]})
    return rows


def value_rows(result: LongitudinalResult) -> list[dict[str, object]]:
    """Return the rows of ``longitudinal_visits.tsv``; visits are numbered from 1.

    Values are missing where scanners differ: a change that is not given would follow from them.
    """
    return [
        {
            "visit": value.visit + 1,
            "months": value.months,
            "structure": value.structure,
            "measure": value.measure,
            "value": _rounded(value.value) if result.one_scanner else None,
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
        "one_scanner": result.one_scanner,
        "visits_left_out": [number + 1 for number in result.left_out],
        "findings": [asdict(finding) for finding in result.findings],
        **facts,
    }


def _by_visit(fact: object) -> bool:
    return isinstance(fact, dict) and all(isinstance(key, int) for key in fact)
