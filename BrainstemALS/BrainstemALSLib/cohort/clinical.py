"""Reads the clinical tables of a BIDS dataset: every odd cell is named, none dropped in silence."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from .cells import Number, Read
from .columns import PARTICIPANT_COLUMNS, VISIT_COLUMNS, column_of, looks_personal
from .discovery import Visit, is_participant
from .people import Row, merged, merged_visits
from .raw_table import RawTable, read_raw
from .remarks import Remark
from .stages import completed

PARTICIPANTS_FILE = "participants.tsv"
_LABEL = re.compile(r"[A-Za-z0-9+]+")
_NOT_READ = ("acq_time", "acq_date", "date", "comment", "comments", "notes", "n_sessions")


def read_clinical(
    root: Path, visits: Iterable[Visit], remarks: list[Remark]
) -> tuple[list[Row], list[Row]]:
    """Read participants.tsv, visits.tsv, phenotype/*.tsv and the sub-*_sessions.tsv.

    Parameters
    ----------
    root : Path
        BIDS dataset.
    visits : iterable of Visit
        What lies on disk: each gets a row, whatever the tables say.
    remarks : list of Remark
        Gets what was found.

    Returns
    -------
    (participants, visits)
        Rows in the order of their ids, as ``tables.PARTICIPANTS`` and ``tables.VISITS``; None for
        what is missing. Dates become months and are not kept.
    """
    visits = list(visits)
    people: list[tuple[int, Row]] = []
    raw = read_raw(root / PARTICIPANTS_FILE, PARTICIPANTS_FILE, remarks)
    if raw is None:
        what = (
            "nothing could be read" if (root / PARTICIPANTS_FILE).is_file() else "it is not there"
        )
        remarks.append(
            Remark(
                PARTICIPANTS_FILE, f"{what}, so there are no groups, ages and sexes",
                "Write it: participant_id, group (HC, ALS, MIMIC), age (years), sex (M, F), site.",
                "missing",
            )
        )  # fmt: skip
    else:
        people = _read(raw, PARTICIPANT_COLUMNS, "participant_id", remarks)
        _missing_columns(raw, remarks)
    found: list[tuple[str, int, Row]] = []
    for path, name in _visit_tables(root):
        table = read_raw(path, name, remarks)
        if table is None:
            continue
        owner = path.parent.name if name.endswith("_sessions.tsv") else None
        rows = _read(table, VISIT_COLUMNS, "session_id", remarks, owner)
        found += [(name, number, row) for number, row in rows]
    rows = merged_visits(found, visits, remarks)
    participants = merged(people, visits, raw is not None, remarks)
    known = {row["participant_id"] for row in participants}
    # Whom only a table of visits names: remarked there, and in every table like the others.
    lacking = dict.fromkeys(str(row["participant_id"]) for row in rows)
    participants += [{"participant_id": name} for name in lacking if name not in known]
    participants.sort(key=lambda row: str(row["participant_id"]))
    groups = {str(row["participant_id"]): row.get("group") for row in participants}
    completed(rows, groups, remarks)
    _ages(participants, rows)
    return participants, rows


def _visit_tables(root: Path) -> list[tuple[Path, str]]:
    own = [root / "visits.tsv", *sorted((root / "phenotype").glob("*.tsv"))]
    sessions = sorted(
        path for path in root.glob("sub-*/sub-*_sessions.tsv") if is_participant(path.parent.name)
    )
    found = [path for path in (*own, *sessions) if path.is_file() or path.is_symlink()]
    return [(path, path.relative_to(root).as_posix()) for path in found]


def _missing_columns(raw: RawTable, remarks: list[Remark]) -> None:
    there = {column_of(name, PARTICIPANT_COLUMNS)[0] for name in raw.columns}
    for name in ("group", "age", "sex", "site"):
        if name not in there:
            remarks.append(
                Remark(
                    raw.file, f"the column {name} is missing",
                    "Add it; analyses adjust for it or compare by it.", "missing", 1, name,
                )
            )  # fmt: skip


def _read(
    raw: RawTable,
    known: Mapping[str, object],
    key: str,
    remarks: list[Remark],
    owner: str | None = None,
) -> list[tuple[int, Row]]:
    """Rows of a table with our columns; those without an id are left out and named."""
    ours = {name: column_of(name, dict(known)) for name in dict.fromkeys(raw.columns) if name}
    _say_unused(raw, ours, known, remarks)
    rows = []
    for number, cells in raw.rows:
        # Of two columns of one meaning the first counts, as is remarked.
        ids = {ours[name][0]: cell for name, cell in reversed(cells.items()) if ours[name][0]}
        participant = owner or _labelled("sub", ids.get("participant_id"), raw, number, remarks)
        if participant is None:
            continue
        row: Row = {"participant_id": participant}
        if key == "session_id":
            row["session_id"] = _labelled("ses", ids.get("session_id"), raw, number, remarks)
            if row["session_id"] is None:
                continue
            row["_date"] = cells.get("acq_time")
        for name, cell in cells.items():
            column, unit = ours[name]
            if column in ("", "participant_id", "session_id"):
                continue
            read = _cell(known[column], cell, raw.units.get(name, unit), raw.levels.get(name))
            if read.action:
                session = str(row.get("session_id") or "")
                remarks.append(
                    Remark(
                        raw.file, read.problem, read.remedy, read.action, number, name,
                        participant, session,
                    )
                )  # fmt: skip
            if row.get(column) is None:
                row[column] = read.value
        rows.append((number, row))
    return rows


def _cell(kind: object, text: str, unit: str, levels: dict[str, str] | None) -> Read:
    if isinstance(kind, Number):
        return kind.read(text, unit if unit not in ("n/a", "1", "points") else "")
    return kind.read(text, levels) if hasattr(kind, "names") else kind.read(text)


def _say_unused(
    raw: RawTable,
    ours: dict[str, tuple[str, str]],
    known: Mapping[str, object],
    remarks: list[Remark],
) -> None:
    taken: dict[str, str] = {}
    for name, (column, _) in ours.items():
        if not column and looks_personal(name):
            remarks.append(
                Remark(
                    raw.file, "the column may hold what tells who somebody is; it was not read",
                    "Remove it from the dataset.", "left out", 1, name,
                )
            )  # fmt: skip
        elif not column and name not in _NOT_READ:
            elsewhere = known is PARTICIPANT_COLUMNS and column_of(name, dict(VISIT_COLUMNS))[0]
            problem, remedy = (
                ("the column is one of visits and was not read",
                 "Put it in sub-*_sessions.tsv or visits.tsv, beside the session it is of.")
                if elsewhere
                else ("the column is not known and was not read",
                      "Nothing, or call it as docs/cohort.md does.")
            )  # fmt: skip
            remarks.append(Remark(raw.file, problem, remedy, "left out", 1, name))
        elif column in taken:
            remarks.append(
                Remark(
                    raw.file, f"the column means the same as {taken[column]}, which counts first",
                    "Leave one of them.", "left out", 1, name,
                )
            )  # fmt: skip
        elif column:
            taken[column] = name


def _labelled(
    prefix: str, text: str | None, raw: RawTable, row: int, remarks: list[Remark]
) -> str | None:
    """Return ``sub-01`` for ``sub-01`` and ``01``; None for what is no label."""
    column = "participant_id" if prefix == "sub" else "session_id"
    label = (text or "").removeprefix(f"{prefix}-")
    if not _LABEL.fullmatch(label):
        remarks.append(
            Remark(
                raw.file, f"there is no {column}, or none that BIDS allows",
                f"Write {prefix}- and letters or digits.", "left out", row, column,
            )
        )  # fmt: skip
        return None
    if text == label:
        remarks.append(
            Remark(
                raw.file, f"the id lacks {prefix}-", f"Write {prefix}- in front.", "converted",
                row, column, *([f"sub-{label}"] if prefix == "sub" else []),
            )
        )  # fmt: skip
    return f"{prefix}-{label}"


def _ages(participants: list[Row], visits: list[Row]) -> None:
    """Take the age at the first visit where the participant's own is missing."""
    first: dict[object, Row] = {}
    for row in visits:
        first.setdefault(row["participant_id"], row)
    for row in participants:
        earliest = first.get(row["participant_id"], {})
        if row.get("age") is None and earliest.get("months") == 0:
            row["age"] = earliest.get("age")
    for row in visits:
        row.pop("age", None)
