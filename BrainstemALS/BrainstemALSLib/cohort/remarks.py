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
_MOST_ROWS = 5


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
    """Return one line for each kind of remark: what was done, where, why, and the way out.

    Examples
    --------
    >>> twice = [Remark("participants.tsv", "no number", "Correct it.", "set to n/a", row, "age")
    ...          for row in (3, 7)]
    >>> summary_lines(twice)
    ['set to n/a: participants.tsv, column age, rows 3, 7: no number. Correct it.']
    """
    kinds: dict[tuple[str, ...], list[Remark]] = {}
    for remark in remarks:
        same = (remark.action, remark.file, remark.column, remark.problem, remark.remedy)
        kinds.setdefault(same, []).append(remark)
    lines = []
    order = {action: place for place, action in enumerate(ACTIONS)}
    for (action, file, column, problem, remedy), found in sorted(
        kinds.items(), key=lambda kind: (order.get(kind[0][0], len(order)), *kind[0])
    ):
        where = [file, *([f"column {column}"] if column else []), *_which(found)]
        lines.append(f"{action}: {', '.join(where)}: {problem}. {remedy}")
    return lines


def _which(found: list[Remark]) -> list[str]:
    rows = [str(remark.row) for remark in found if remark.row]
    if rows:
        return [_listed("row", rows)]
    who = ["_".join(filter(None, (r.participant, r.session))) for r in found]
    who = [name for name in dict.fromkeys(who) if name]
    return [_listed("", who)] if who else []


def _listed(what: str, items: list[str]) -> str:
    shown = ", ".join(items[:_MOST_ROWS])
    more = f" and {len(items) - _MOST_ROWS} more" if len(items) > _MOST_ROWS else ""
    plural = "s" if what and len(items) > 1 else ""
    return f"{what}{plural} {shown}{more}".strip()
