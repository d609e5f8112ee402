"""The list of exams that should be corrected next, as training writes it and the panel shows it.

``next_cases.json`` names files of this machine, so it stays on it: it goes into no report and no
export. It holds no name of a patient but what the file names hold.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..anatomy import load_structures
from ..errors import BrainstemALSError, ExitCode
from .codes import check_exam_key
from .durability import write_whole

FILE = "next_cases.json"
FORMAT = 1
_REMEDY = "Write the list again with `python -m training.active.next_cases`."


@dataclass(frozen=True)
class NextPlace:
    """A place in an exam where a correction is worth most.

    Attributes
    ----------
    centre_ras : tuple of 3 float
        Middle of the box, RAS mm of the exam's T1.
    size_mm : float
        Side of the box.
    keys : tuple of str
        Structures it is about.
    reason : str
        One sentence.
    """

    centre_ras: tuple[float, float, float]
    size_mm: float
    keys: tuple[str, ...]
    reason: str


@dataclass(frozen=True)
class NextCase:
    """One exam of the list.

    Attributes
    ----------
    rank : int
        1 for the first.
    exam : str
        What to open on this machine: a T1, or the folder of a BIDS subject or of DICOM files.
    session : str or None
        Of a BIDS subject that has several.
    exam_key : str
        As ``codes.exam_key`` returns it for the T1.
    score : float
        What the strategy went by.
    reason : str
        One sentence.
    places : tuple of NextPlace
        The best first; empty where the whole exam is asked for.
    """

    rank: int
    exam: str
    session: str | None
    exam_key: str
    score: float
    reason: str
    places: tuple[NextPlace, ...] = ()


@dataclass(frozen=True)
class NextCases:
    """The whole list.

    Attributes
    ----------
    strategy : str
        What it was ranked by.
    seed : int
    made_utc : str
        As 2026-03-31T12:00:00Z.
    model : mapping
        Role to name, version and checksum of the models that were asked.
    cases : tuple of NextCase
        The most wanted first.
    skipped : int
        Exams of the pool that could not be read or segmented.
    """

    strategy: str
    seed: int
    made_utc: str
    model: Mapping[str, Mapping[str, str]]
    cases: tuple[NextCase, ...]
    skipped: int = 0

    def open_cases(self, approved: Collection[str]) -> tuple[NextCase, ...]:
        """Return the cases that nobody has approved since.

        Parameters
        ----------
        approved : collection of str
            Exam keys of the annotation store.
        """
        return tuple(case for case in self.cases if case.exam_key not in approved)

    def is_of(self, model: Mapping[str, Mapping[str, str]]) -> bool:
        """Return whether these models made the list; another model doubts other things."""
        return _checksums(self.model) == _checksums(model)


def write_next_cases(path: str | Path, content: NextCases) -> None:
    """Write the list; it is there whole or as it was before.

    Raises
    ------
    BrainstemALSError
        OUTPUT_REFUSED: the file system does not take it.
    ValueError
        It could not be read again.
    """
    path = Path(path)
    record = {"format": FORMAT, **asdict(content)}
    # What is written must be what can be read: the same checks, on the same JSON.
    text = json.dumps(record, indent=1, allow_nan=False)
    _content(json.loads(text))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, (text + "\n").encode())
    except OSError as error:
        raise BrainstemALSError(
            path,
            "the list could not be written here",
            "Name a folder that you may write to.",
            ExitCode.OUTPUT_REFUSED,
        ) from error


def read_next_cases(path: str | Path) -> NextCases:
    """Read a list and check every part of it.

    Raises
    ------
    BrainstemALSError
        UNREADABLE_IMAGE: not there, no such list, or of a newer version.
    """
    path = Path(path)
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise _refusal(path, "there is no list of next cases here") from error
    except ValueError as error:
        raise _refusal(path, "this list of next cases is damaged") from error
    try:
        if int(record["format"]) > FORMAT:
            raise BrainstemALSError(
                path,
                "a newer version of BrainstemALS wrote this list",
                "Update BrainstemALS to read it.",
                ExitCode.UNREADABLE_IMAGE,
            )
        return _content(record)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _refusal(path, "this list of next cases is damaged") from error


def _content(record: Any) -> NextCases:
    """Return the list of a record; KeyError, TypeError or ValueError for what is none."""
    if record["format"] != FORMAT:
        raise ValueError("another format")
    cases = tuple(_case(one) for one in record["cases"])
    if [case.rank for case in cases] != list(range(1, len(cases) + 1)):
        raise ValueError("the ranks are not 1, 2, 3 ...")
    if len({case.exam_key for case in cases}) != len(cases):
        raise ValueError("an exam is listed twice")
    model = {
        str(role): {str(name): str(value) for name, value in facts.items()}
        for role, facts in record["model"].items()
    }
    return NextCases(
        strategy=_text(record["strategy"]),
        seed=_whole(record["seed"]),
        made_utc=_text(record["made_utc"]),
        model=model,
        cases=cases,
        skipped=_whole(record["skipped"]),
    )


def _case(one: Any) -> NextCase:
    check_exam_key(_text(one["exam_key"]))
    session = one["session"]
    return NextCase(
        rank=_whole(one["rank"]),
        exam=_text(one["exam"]),
        session=None if session is None else _text(session),
        exam_key=one["exam_key"],
        score=_number(one["score"]),
        reason=_text(one["reason"]),
        places=tuple(_place(place) for place in one["places"]),
    )


def _place(one: Any) -> NextPlace:
    centre = tuple(_number(value) for value in one["centre_ras"])
    keys = tuple(_text(key) for key in one["keys"])
    size = _number(one["size_mm"])
    known = {structure.key for structure in load_structures()}
    if len(centre) != 3 or size <= 0 or not set(keys) <= known:
        raise ValueError("a place is no box of ours, or names an unknown structure")
    return NextPlace(centre, size, keys, _text(one["reason"]))


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise TypeError("a text is missing")
    return value


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise TypeError("a number is missing")
    return float(value)


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise TypeError("a whole number is missing")
    return value


def _checksums(model: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    return {role: str(facts.get("sha256", "")) for role, facts in model.items()}


def _refusal(path: Path, problem: str) -> BrainstemALSError:
    return BrainstemALSError(path, problem, _REMEDY, ExitCode.UNREADABLE_IMAGE)
