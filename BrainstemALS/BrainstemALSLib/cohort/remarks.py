"""What was found in a cohort's files that somebody has to know: where, what, and the way out.

Values are never repeated: a cell that holds what it should not may hold a name.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

ACTIONS = ("converted", "set to n/a", "left out", "kept", "missing", "note")
"""What was done: ``converted`` where the reading is certain, else the value or row does not count;
``kept`` where it counts all the same; ``missing`` where something was expected and is not there."""
COLUMNS = ("file", "row", "column", "participant_id", "session_id", "action", "problem", "remedy")
_MOST_ROWS, _MOST_NAMES = 5, 3
_OWN = ("sub-", "ses-")


@dataclass(frozen=True)
class Remark:
    """One thing to know.

    Attributes
    ----------
    file : str
        Name within the dataset (``participants.tsv``), without a folder outside it.
    problem, remedy : str
        A clause in lower case, and a sentence.
    action : str
        One of ``ACTIONS``.
    row : int
        Line of the file, the header is 1; 0 where it is not about a row.
    column : str
    participant, session : str
        ``sub-01``, ``ses-01``; empty where it is about nobody in particular.
    """

    file: str
    problem: str
    remedy: str
    action: str
    row: int = 0
    column: str = ""
    participant: str = ""
    session: str = ""

    def record(self) -> dict[str, str]:
        """Return the row of ``remarks.tsv``."""
        return {
            "file": self.file,
            "row": str(self.row) if self.row else "n/a",
            "column": self.column or "n/a",
            "participant_id": self.participant or "n/a",
            "session_id": self.session or "n/a",
            "action": self.action,
            "problem": self.problem,
            "remedy": self.remedy,
        }


def summary_lines(remarks: Iterable[Remark]) -> list[str]:
    """Return one line for each problem: what was done, where, to how many, why, and the way out.

    Examples
    --------
    >>> twice = [Remark("participants.tsv", "no number", "Correct it.", "set to n/a", row, "age")
    ...          for row in (3, 7)]
    >>> summary_lines(twice)
    ['set to n/a: participants.tsv, column age, rows 3, 7: no number. Correct it.']
    >>> many = [Remark("sub-x.json", "it is old", "Run it again.", "kept", participant=f"sub-{n}")
    ...         for n in range(26)]
    >>> summary_lines(many)
    ['kept: 26 participants (sub-0, sub-1, sub-2, ...): it is old. Run it again.']
    """
    kinds: dict[tuple[str, ...], list[Remark]] = {}
    for remark in remarks:
        # A table is named; files that each participant or visit has one of only say who it is.
        file = "" if remark.file.startswith(_OWN) else remark.file
        same = (remark.action, file, remark.column, remark.problem, remark.remedy)
        kinds.setdefault(same, []).append(remark)
    lines = []
    order = {action: place for place, action in enumerate(ACTIONS)}
    for (action, file, column, problem, remedy), found in sorted(
        kinds.items(), key=lambda kind: (order.get(kind[0][0], len(order)), *kind[0])
    ):
        rows = _rows(found) if file or len(found) == 1 else ""
        who = "" if file and rows else _who(found)
        where = [file, who, f"column {column}" if column else "", rows]
        lines.append(f"{action}: {', '.join(filter(None, where))}: {problem}. {remedy}")
    return lines


def _who(found: list[Remark]) -> str:
    """Name visits or participants; files, where no remark says whose they are."""
    visits = all(remark.session for remark in found)
    what = "visits" if visits else "participants"
    names = ["_".join(filter(None, (remark.participant, remark.session))) for remark in found]
    if not any(names):
        own = [remark.file for remark in found if remark.file.startswith(_OWN)]
        what, names = "files", own
    names = list(dict.fromkeys(filter(None, names)))
    if len(names) < 2:
        return "".join(names)
    dots = ", ..." if len(names) > _MOST_NAMES else ""
    return f"{len(names)} {what} ({', '.join(names[:_MOST_NAMES])}{dots})"


def _rows(found: list[Remark]) -> str:
    rows = [str(remark.row) for remark in found if remark.row]
    more = f" and {len(rows) - _MOST_ROWS} more" if len(rows) > _MOST_ROWS else ""
    return f"row{'s' if len(rows) > 1 else ''} {', '.join(rows[:_MOST_ROWS])}{more}" if rows else ""
