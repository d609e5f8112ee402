"""Brings rows and folders together: duplicates, people without images, images without people."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from .discovery import Visit
from .remarks import Remark

Row = dict[str, float | str | None]
"""A row of a table that is being read; None for what is missing."""
_PARTICIPANTS = "participants.tsv"
MONTH_DAYS = 365.25 / 12


def merged(
    rows: list[tuple[int, Row]], visits: Iterable[Visit], read: bool, remarks: list[Remark]
) -> list[Row]:
    """Return one row per participant, of the table or on disk, in the order of their ids.

    Of several rows of one participant, what they agree on counts; what they contradict each other
    on does not.
    """
    found: dict[str, Row] = {}
    first: dict[str, int] = {}
    for number, row in rows:
        participant = str(row["participant_id"])
        if participant in found:
            _join(found[participant], row, _PARTICIPANTS, number, first[participant], remarks)
        else:
            found[participant], first[participant] = dict(row), number
    on_disk = {visit.participant for visit in visits}
    for participant in sorted(on_disk - found.keys()):
        found[participant] = {"participant_id": participant}
        if read:
            remarks.append(
                Remark(
                    _PARTICIPANTS, "there are images of the participant, but no row",
                    "Add a row; without it there is no group.", "missing", 0, "participant_id",
                    participant,
                )
            )  # fmt: skip
    for participant in sorted(found.keys() - on_disk):
        remarks.append(
            Remark(
                _PARTICIPANTS, "there is a row of the participant, but no image",
                "Check the spelling of the id against the folders, or add the images.", "kept",
                first[participant], "participant_id", participant,
            )
        )  # fmt: skip
    return [found[participant] for participant in sorted(found)]


def merged_visits(
    rows: list[tuple[str, int, Row]], visits: Iterable[Visit], remarks: list[Remark]
) -> list[Row]:
    """Return one row per visit, of the tables or on disk, with months since the first visit."""
    found: dict[tuple[str, str], Row] = {}
    first: dict[tuple[str, str], tuple[str, int]] = {}
    for file, number, row in rows:
        key = str(row["participant_id"]), str(row["session_id"])
        if key not in found:
            found[key], first[key] = dict(row), (file, number)
        elif first[key][0] == file:
            _join(found[key], row, file, number, first[key][1], remarks)
        else:
            _join(found[key], row, file, number, 0, remarks)
    on_disk = {(visit.participant, visit.session): visit for visit in visits}
    for key in sorted(on_disk.keys() - found.keys()):
        found[key] = {"participant_id": key[0], "session_id": key[1]}
    for key in sorted(found.keys() - on_disk.keys()):
        remarks.append(
            Remark(
                first[key][0], "a table names the visit, but there are no images of it",
                "Nothing where it was not scanned; else check the name of the folder.", "kept",
                first[key][1], "session_id", *key,
            )
        )  # fmt: skip
    _months(found, remarks)
    order = sorted(found, key=lambda key: (key[0], _last(found[key].get("months")), key[1]))
    return [found[key] for key in order]


def _join(into: Row, row: Row, file: str, number: int, before: int, remarks: list[Remark]) -> None:
    """Add a row to an earlier one of the same participant or visit."""
    who = str(row["participant_id"]), str(row.get("session_id") or "")
    against = f"row {before}" if before else "another table"
    contradicted = []
    for name, value in row.items():
        if value is None or name == "_contradicted":
            continue
        old = into.get(name)
        if old is None and name not in str(into.get("_contradicted", "")).split():
            into[name] = value
        elif old is not None and old != value:
            contradicted.append(name)
            into[name] = None
            remarks.append(
                Remark(
                    file, f"the value contradicts {against}", "Leave one row, the right one.",
                    "set to n/a", number, "acq_time" if name == "_date" else name, *who,
                )
            )  # fmt: skip
    # A third row must not bring back what two others disagree on.
    into["_contradicted"] = " ".join([str(into.get("_contradicted") or ""), *contradicted]).strip()
    if before:
        what = "there are several rows of one " + ("visit" if who[1] else "participant")
        said = "what they agree on was kept" if contradicted else "they say the same"
        remarks.append(
            Remark(
                file, f"{what}; {said}", "Leave one row of each.",
                "left out" if contradicted else "kept", number,
                "session_id" if who[1] else "participant_id", *who,
            )
        )  # fmt: skip


def _months(found: dict[tuple[str, str], Row], remarks: list[Remark]) -> None:
    """Fill in months from dates; a single visit is the first; drop what is not for the tables."""
    of_person: dict[str, list[Row]] = {}
    for (participant, _), row in found.items():
        row.pop("_contradicted", None)
        of_person.setdefault(participant, []).append(row)
    for participant, rows in of_person.items():
        dates = [date_of(row.pop("_date", None)) for row in rows]
        known = [date for date in dates if date is not None]
        for row, date in zip(rows, dates, strict=True):
            if row.get("months") is None and date is not None and len(known) == len(rows):
                row["months"] = _between(min(known), date)
        lacking = [row for row in rows if row.get("months") is None]
        if lacking and len(rows) == 1:
            rows[0]["months"] = 0.0
        elif lacking:
            for row in lacking:
                remarks.append(
                    Remark(
                        f"{participant}_sessions.tsv",
                        "the time since the first visit is not known",
                        "Add the column months, or acq_time to every visit.", "missing", 0,
                        "months", participant, str(row["session_id"]),
                    )
                )  # fmt: skip
        elif all(row["months"] for row in rows):
            remarks.append(
                Remark(
                    f"{participant}_sessions.tsv", "no visit is the first one (months 0)",
                    "Count months from the first visit.", "kept", 0, "months", participant,
                )
            )  # fmt: skip


def date_of(text: object) -> datetime | None:
    """Return the moment that an ISO 8601 text names, without its time zone; None for any other."""
    try:
        return datetime.fromisoformat(str(text or "").strip()).replace(tzinfo=None)
    except ValueError:
        return None


def _between(first: datetime, then: datetime) -> float:
    return round((then.date() - first.date()).days / MONTH_DAYS, 2)


def _last(months: object) -> float:
    return float(months) if isinstance(months, int | float) else float("inf")
