"""The table of changes over visits: ``changes.tsv``, built from what each participant has.

One row per participant, structure and measure. Whether people are simulated is said where the other
tables say it, in ``dataset_description.json``.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..durability import write_whole
from ..errors import BrainstemALSError, ExitCode
from ..imaging.staging import unwritable
from ..longitudinal.findings import OF_COMPARISON
from ..longitudinal.writing import ABOUT, CHANGE_COLUMNS, CHANGES, names_of
from .discovery import Visit
from .job import failure_path
from .longitudinal_level import (
    SESSION,
    Months,
    by_participant,
    comparable,
    comparison_path,
    read_comparison,
)
from .remarks import Remark
from .tables import MISSING, QUALITIES, Cohort, is_simulated

if TYPE_CHECKING:
    import pandas as pd

TABLE, PARQUET = "changes.tsv", "changes.parquet"
COLUMNS = ("participant_id", *CHANGE_COLUMNS, "quality")
NUMBERS = ("change_per_year", "se", "low", "high", "mean", "visits", "years")
_NO_CHANGE = "scanner_differs"
"""Finding with which no change is given; earlier results have figures all the same."""
_DOUBTFUL = ("visit_of_another_person", _NO_CHANGE)
"""Findings that make every row of a participant one to be used with care."""


def collect_changes(
    out: Path,
    visits: Sequence[Visit],
    cohort: Cohort,
    remarks: list[Remark],
    asked: bool = False,
) -> pd.DataFrame:
    """Build the table from the results on disk, and write it.

    Only results that compare the visits and dates which the dataset has now are taken; older ones
    are named. Quality is the worst that the structure and measure have at one of the visits that
    took part (``measures.tsv``), ``warning`` at least where scanners differ or a visit may be of
    another person. Where scanners differ a row has no change.

    Parameters
    ----------
    out : Path
    visits : sequence of Visit
        All of the dataset.
    cohort : Cohort
        Its tables, of the same state.
    remarks : list of Remark
        Gets what was left out, and why.
    asked : bool
        Whether comparisons were asked for in this run; else nothing is said of participants who
        have none.

    Returns
    -------
    pandas.DataFrame
        As ``read_changes``. No file is left where it is empty.
    """
    import pandas as pd

    table = cohort.visits
    ids = zip(table.participant_id, table.session_id, strict=True)
    months = dict(zip(ids, table.months, strict=True))
    people = by_participant(visits)
    there = {path.parents[2].name for path in comparisons_on_disk(out)}
    asked = asked or bool(there)
    quality = _qualities(cohort.measures)
    rows: list[dict[str, Any]] = []
    for participant in sorted(people.keys() | there):
        own = people.get(participant, [])
        rows += _rows_of(out, participant, own, months, quality, remarks if asked else [])
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    for name in NUMBERS:
        frame[name] = pd.to_numeric(frame[name])
    write_changes(frame, out)
    return frame


def read_changes(folder: Path) -> pd.DataFrame:
    """Read the changes of a cohort.

    Parameters
    ----------
    folder : Path
        Output folder of the participant level.

    Returns
    -------
    pandas.DataFrame
        One row per participant, structure and measure, ``COLUMNS``; volumes change in %/year of the
        participant's own mean, ``fa`` and ``md`` in their unit per year. Missing is NaN, as the
        change is where the participant's visits differ in scanner.
        ``attrs["simulated"]`` says whether the people are simulated. Empty where no participant has
        two visits that were compared.

    Raises
    ------
    BrainstemALSError
        UNREADABLE_IMAGE: the table is damaged.
    """
    import pandas as pd

    path = Path(folder) / TABLE
    try:
        if path.is_file():
            frame = pd.read_csv(
                path, sep="\t", dtype=str, keep_default_na=False, na_values=[MISSING]
            )
            frame = frame[list(COLUMNS)]
        else:
            frame = pd.DataFrame(columns=list(COLUMNS), dtype=object)
        for name in NUMBERS:
            frame[name] = pd.to_numeric(frame[name])
    except (OSError, ValueError, KeyError):
        raise BrainstemALSError(
            TABLE, "the table is damaged", "Run participant again: it writes the table anew.",
            ExitCode.UNREADABLE_IMAGE,
        ) from None  # fmt: skip
    frame.attrs["simulated"] = is_simulated(folder)
    return frame


def write_changes(frame: pd.DataFrame, folder: Path) -> None:
    """Write the table whole, as Parquet too where pyarrow is installed; no file for no rows.

    Raises
    ------
    BrainstemALSError
        OUTPUT_REFUSED: the folder cannot be written to.
    """
    try:
        # A Parquet file that cannot be written again here must not outlive the other.
        (folder / PARQUET).unlink(missing_ok=True)
        if frame.empty:
            (folder / TABLE).unlink(missing_ok=True)
            return
        text = frame.to_csv(
            sep="\t", index=False, na_rep=MISSING, lineterminator="\n", float_format="%.8g"
        )
        write_whole(folder / TABLE, text.encode())
        if find_spec("pyarrow") is not None:
            write_whole(folder / PARQUET, frame.to_parquet(index=False))
    except OSError:
        raise unwritable(folder) from None


def comparisons_on_disk(out: Path) -> list[Path]:
    """Return the records of all comparisons in an output folder, whole or not."""
    name = comparison_path(out, "*").name
    return sorted(out.glob(f"sub-*/{SESSION}/anat/{name}"))


def _rows_of(
    out: Path,
    participant: str,
    visits: Sequence[Visit],
    months: Months,
    quality: dict[tuple[str, str, str, str], str],
    remarks: list[Remark],
) -> list[dict[str, Any]]:
    """Rows of one participant; every reason why there are none, or fewer visits, is named."""

    def remark(problem: str, remedy: str, action: str) -> None:
        remarks.append(Remark(participant, problem, remedy, action, participant=participant))

    now = comparable(out, visits, months, remarks)
    record = read_comparison(out, participant)
    if record is not None and record["visits"] == [timed.record() for timed in now]:
        try:
            return _read(out, participant, record, quality, remarks)
        except (OSError, ValueError, KeyError):
            remark(
                "the changes over visits are damaged", "Run participant with --redo.", "left out"
            )
            return []
    if record is not None:
        remark(
            "the changes over visits are older than its visits or their dates; not taken",
            "Run participant again, or delete them with brainstem-als cohort-forget.", "left out",
        )  # fmt: skip
    elif now:
        problem, remedy = _failure(out, f"{participant}_{SESSION}")
        remark(f"its visits were not compared: {problem}", remedy, "left out")
    return []


def _failure(out: Path, key: str) -> tuple[str, str]:
    try:
        content = json.loads(failure_path(out, key).read_bytes())
        return str(content["problem"]), str(content["remedy"])
    except (OSError, ValueError, KeyError, TypeError):
        return "not done yet", "Run participant again with --longitudinal."


def _read(
    out: Path,
    participant: str,
    record: dict[str, Any],
    quality: dict[tuple[str, str, str, str], str],
    remarks: list[Remark],
) -> list[dict[str, Any]]:
    folder = comparison_path(out, participant).parent
    names = names_of(f"{participant}_{SESSION}")
    sessions = [str(visit["session_id"]) for visit in record["visits"]]
    found = json.loads((folder / names[ABOUT]).read_bytes())["findings"]
    noted = [finding for finding in found if finding["code"] in OF_COMPARISON]
    least = "good"
    for finding in noted:
        least = "warning" if finding["code"] in _DOUBTFUL else least
        remarks.append(
            Remark(
                participant, _clause(finding["message"], sessions), finding["action"],
                "left out" if finding["severity"] == "error" else "note", participant=participant,
            )
        )  # fmt: skip
    took_part = [session for session in sessions if session not in record["left_out"]]
    with (folder / names[CHANGES]).open(encoding="utf-8", newline="") as handle:
        lines = list(csv.DictReader(handle, delimiter="\t"))
    if any(finding["code"] == _NO_CHANGE for finding in noted):
        nothing = dict.fromkeys(("change_per_year", "se", "low", "high", "beyond_error"), MISSING)
        lines = [line | nothing for line in lines]
    return [
        {
            "participant_id": participant,
            **{name: None if line[name] == MISSING else line[name] for name in CHANGE_COLUMNS},
            "quality": _worst(
                [
                    least,
                    *(
                        quality.get((participant, used, line["structure"], line["measure"]), "good")
                        for used in took_part
                    ),
                ]
            ),
        }
        for line in lines
    ]


def _clause(message: str, sessions: Sequence[str]) -> str:
    """A sentence of a finding as a clause, its visits called by their sessions."""

    def named(match: re.Match[str]) -> str:
        number = int(match[1])
        return sessions[number - 1] if number <= len(sessions) else match[0]

    text = re.sub(r"\bVisit (\d+)\b", named, message.rstrip(". "))
    return text[:1].lower() + text[1:]


def _qualities(measures: pd.DataFrame) -> dict[tuple[str, str, str, str], str]:
    keys = ("participant_id", "session_id", "structure", "measure", "quality")
    columns = [measures[name].tolist() for name in keys]
    return {tuple(key): word for *key, word in zip(*columns, strict=True) if word != "good"}


def _worst(words: Iterable[str]) -> str:
    return max(words, key=QUALITIES.index, default="good")
