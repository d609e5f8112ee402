"""The three tables of a cohort, in memory and on disk.

``participants``, ``visits`` and ``measures`` are what an analysis may read; what a simulation knows
besides never lies among them. Missing values are ``n/a`` in TSV (BIDS) and NaN in memory.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from ..durability import write_whole
from ..errors import BrainstemALSError, ExitCode
from ..prognosis.alsfrs import ITEMS

if TYPE_CHECKING:
    import pandas as pd

MISSING = "n/a"
PARTICIPANTS = (
    "participant_id", "group", "age", "sex", "site", "onset", "onset_age", "months_since_onset",
    "diagnostic_delay", "ftd", "c9orf72", "riluzole", "definite_ee", "survival_months", "event",
)  # fmt: skip
ALSFRS_COLUMNS = tuple(f"alsfrs_{number:02d}" for number in range(1, len(ITEMS) + 1))
VISITS = (
    "participant_id", "session_id", "months", *ALSFRS_COLUMNS, "gastrostomy", "alsfrs_total", "fvc",
    "kings", "mitos", "niv",
)  # fmt: skip
MEASURES = (
    "participant_id", "session_id", "structure", "measure", "value", "unit", "uncertainty",
    "quality",
)  # fmt: skip
NUMBERS = frozenset(
    {
        "age", "onset_age", "months_since_onset", "diagnostic_delay", "survival_months", "months",
        *ALSFRS_COLUMNS, "alsfrs_total", "fvc", "mitos", "value", "uncertainty",
    }
)  # fmt: skip
"""Columns that hold numbers; all others hold text."""
UNITS = {
    "volume": "mm3", "fa": "1", "md": "1e-3 mm2/s", "volume_asymmetry": "%", "fa_asymmetry": "%",
    "md_asymmetry": "%",
}  # fmt: skip
_NEEDED = frozenset(
    {
        "participant_id", "session_id", "group", "age", "sex", "months", "structure", "measure",
        "value",
    }
)  # fmt: skip
"""What no analysis can do without; of the other columns every value may be missing."""
QUALITIES = ("good", "warning", "bad")
FILES = {"participants": PARTICIPANTS, "visits": VISITS, "measures": MEASURES}
DESCRIPTION = "dataset_description.json"


@dataclass(frozen=True, eq=False)
class Cohort:
    """A cohort.

    Attributes
    ----------
    participants : pandas.DataFrame
        One row per person, ``PARTICIPANTS``.
    visits : pandas.DataFrame
        One row per visit, ``VISITS``; months count from the first visit.
    measures : pandas.DataFrame
        One row per visit, structure and measure, ``MEASURES``; units as ``UNITS``.
    simulated : bool
        People were simulated; every table, plot and report made from it says so.
    """

    participants: pd.DataFrame
    visits: pd.DataFrame
    measures: pd.DataFrame
    simulated: bool = False


def read_cohort(folder: Path) -> Cohort:
    """Read the tables of a folder.

    Parameters
    ----------
    folder : Path
        With participants.tsv, visits.tsv and measures.tsv; columns that are not known are kept.

    Raises
    ------
    BrainstemALSError
        UNREADABLE_IMAGE: a table is missing or damaged, or a number in it is none.
    """
    folder = Path(folder)
    tables = {name: _read(folder / f"{name}.tsv", columns) for name, columns in FILES.items()}
    return Cohort(**tables, simulated=is_simulated(folder))


def holds_tables(folder: Path) -> bool:
    """Whether the three tables of a cohort lie in a folder."""
    return all((folder / f"{name}.tsv").is_file() for name in FILES)


def read_foreign(folder: Path) -> Cohort:
    """Read tables that anybody may have written: columns that may be empty may be absent too.

    Raises
    ------
    BrainstemALSError
        As ``read_cohort``.
    """
    import pandas as pd

    cohort = read_cohort(folder)
    for name, columns in FILES.items():
        table = getattr(cohort, name)
        for column in columns:
            if column not in table and column not in _NEEDED:
                kind = float if column in NUMBERS else object
                table[column] = pd.Series(float("nan"), table.index, dtype=kind)
    return cohort


def write_cohort(cohort: Cohort, folder: Path) -> list[Path]:
    """Write the tables, each whole; measures as Parquet too where pyarrow is installed.

    Raises
    ------
    BrainstemALSError
        OUTPUT_REFUSED: the folder cannot be written to.
    """
    folder = Path(folder)
    written = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, columns in FILES.items():
            table = ordered(getattr(cohort, name), columns)
            path = folder / f"{name}.tsv"
            text = table.to_csv(
                sep="\t", index=False, na_rep=MISSING, lineterminator="\n", float_format="%.8g"
            )
            write_whole(path, text.encode())
            written.append(path)
        if find_spec("pyarrow") is not None:
            path = folder / "measures.parquet"
            write_whole(path, ordered(cohort.measures, MEASURES).to_parquet(index=False))
            written.append(path)
    except OSError as error:
        raise BrainstemALSError(
            folder,
            "the tables of the cohort cannot be written here",
            "Free some space, or name a folder that you may write to.",
            ExitCode.OUTPUT_REFUSED,
        ) from error
    return written


def ordered(table: pd.DataFrame, columns: tuple[str, ...]) -> pd.DataFrame:
    """Return a table with the known columns first, in their order, and the others after them."""
    known = [name for name in columns if name in table]
    return table[[*known, *(name for name in table.columns if name not in columns)]]


def is_simulated(folder: Path) -> bool:
    """Return whether the description of a folder says that its people were simulated."""
    try:
        content = json.loads((Path(folder) / DESCRIPTION).read_bytes())
        return str(content.get("source", "")) == "simulated"
    except (OSError, ValueError, AttributeError):
        return False


def _read(path: Path, columns: tuple[str, ...]) -> pd.DataFrame:
    import pandas as pd

    try:
        table = pd.read_csv(
            path, sep="\t", dtype=str, keep_default_na=False, na_values=[MISSING, ""],
            encoding="utf-8-sig",
        )  # fmt: skip
    except FileNotFoundError as error:
        raise _refused(path, "it is not there", "Name the folder that holds it.") from error
    except (OSError, ValueError) as error:
        raise _refused(path, "it cannot be read as a table", "Write it again.") from error
    needed = [name for name in columns[:2] if name not in table]
    if needed:
        raise _refused(path, f"the column {needed[0]} is missing", "Add it to the table.")
    for name in table.columns:
        if name in NUMBERS:
            numbers = pd.to_numeric(table[name], errors="coerce")
            wrong = numbers.isna() & table[name].notna()
            if wrong.any():
                row = int(wrong.idxmax())
                problem = f"{name} in row {row + 2} is no number"
                raise _refused(path, problem, "Write numbers with a point, or n/a.")
            table[name] = numbers
    return table


def _refused(path: Path, problem: str, remedy: str) -> BrainstemALSError:
    return BrainstemALSError(path.name, problem, remedy, ExitCode.UNREADABLE_IMAGE)
