"""One person as JSON: what ``brainstem-als predict`` reads and the panel writes.

::

    {"age": 61, "sex": "F", "onset": "bulbar", "onset_age": 60, "months_since_onset": 14,
     "diagnostic_delay": 9, "ftd": "no", "c9orf72": null, "riluzole": "yes", "definite_ee": "no",
     "visits": [
       {"session": "ses-01", "months": 0, "alsfrs": [3, 4, 3, 4, 4, 4, 4, 3, 3, 4, 4, 4],
        "gastrostomy": "no", "fvc": 84, "niv": "no", "exam": "results/sub-01/ses-01/anat"}]}

Everything but the age, the sex and one visit may be left out or null; ``exam`` is a folder of
results of ``brainstem-als segment``, relative to the file. Months count from the first visit. Where
an exam does not show the whole head, ``intracranial_mm3`` of the person is taken, with
``intracranial_sd_mm3`` where it is known; ``intracranial_wins`` takes it for all exams. What
contradicts itself is refused (``person_checks.refuse_contradictions``). A key that is not known is
refused, so that a misspelt one is not passed over.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import pairwise
from math import inf
from pathlib import Path
from typing import Any

from ..cohort.exam_measures import exam_rows
from ..errors import BrainstemALSError, ExitCode
from ..prognosis import alsfrs, fvc, kings, mitos
from .head_size import EnteredVolume, entered_volume, with_entered
from .person_checks import refuse_contradictions
from .records import Measure, PersonRecord, VisitRecord

OLDEST = 120.0
LONGEST_MONTHS = 600.0
"""What can be a time in the course of the disease; our choice, wide."""
SEXES, ONSETS = ("F", "M"), ("spinal", "bulbar", "respiratory")
GROUPS = ("ALS", "HC", "MIMIC")
STAGES = ("0", "1", "2", "3", "4", "4A", "4B", "5")
_FLAGS = ("ftd", "c9orf72", "riluzole", "definite_ee")
_NUMBERS = {
    "age": (0.0, OLDEST),
    "onset_age": (0.0, OLDEST),
    "months_since_onset": (0.0, LONGEST_MONTHS),
    "diagnostic_delay": (0.0, LONGEST_MONTHS),
}
_WORDS = {"sex": SEXES, "onset": ONSETS, "group": GROUPS, "site": None}
LEAST_FVC = 10.0
"""Per cent of the predicted; own choice: litres are below 9, and no model has learned from less
than 12."""
_HEAD = ("intracranial_mm3", "intracranial_sd_mm3", "intracranial_wins")
_PERSON = (*_NUMBERS, *_WORDS, *_FLAGS, *_HEAD, "participant", "visits", "simulated")
_VISIT = (
    "session", "months", "alsfrs", "alsfrs_total", "gastrostomy", "fvc", "niv", "kings", "mitos",
    "exam",
)  # fmt: skip
NEEDED = ("age", "sex")
WORDS = {
    "onset": "place of onset",
    "onset_age": "age at onset",
    "months_since_onset": "number of months from onset to the first visit",
    "diagnostic_delay": "number of months from onset to diagnosis",
    "ftd": "frontotemporal dementia (ftd)",
    "c9orf72": "C9orf72",
    "riluzole": "riluzole",
    "definite_ee": "definite ALS by El Escorial (definite_ee)",
    "participant": "participant's code",
    "intracranial_mm3": "intracranial volume in mm3",
    "intracranial_sd_mm3": "standard deviation of the intracranial volume in mm3",
    "intracranial_wins": "choice of the intracranial volume (intracranial_wins)",
    "months": "number of months since the first visit",
    "alsfrs": "ALSFRS-R",
    "alsfrs_total": "total of the ALSFRS-R",
    "fvc": "FVC",
    "niv": "non-invasive ventilation (niv)",
    "kings": "King's stage",
    "mitos": "MiToS stage",
}
"""What keys of a file are called in sentences; those that are words already stand as they are."""


def read_person(path: Path) -> PersonRecord:
    """Read a person and the measures of the exams that the file names.

    Raises
    ------
    BrainstemALSError
        USAGE: no such JSON, a key that is not known or a value that cannot be. UNREADABLE_IMAGE:
        an exam's results are missing or damaged.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError:
        raise _refuse(path.name, "it cannot be read", "Name a JSON file.") from None
    except (ValueError, RecursionError):
        raise _refuse(path.name, "it is no JSON", "See the user guide for an example.") from None
    return person_of(content, path.parent, path.name)


def person_of(content: object, folder: Path, subject: str = "patient record") -> PersonRecord:
    """Return a person from JSON values, raising as ``read_person``; exams lie in ``folder``."""
    given = _known(content, _PERSON, subject)
    for name in NEEDED:
        if given.get(name) is None:
            raise _refuse(subject, f"the {name} is missing", f"Add the {name}.")
    visits = given.get("visits")
    if not isinstance(visits, list) or not visits:
        raise _refuse(subject, "there is no visit", "Add a list of visits, one at least.")
    head, wins = _head(given, subject)
    read = [
        _visit(visit, folder, f"{subject}, visit {n}", head, wins)
        for n, visit in enumerate(visits, 1)
    ]
    _in_order(read, subject)
    person = PersonRecord(
        _text(given.get("participant"), "participant", None, subject) or "patient",
        **{
            name: _text(given.get(name), name, allowed, subject) for name, allowed in _WORDS.items()
        },
        **{name: _number(given.get(name), name, *ends, subject) for name, ends in _NUMBERS.items()},
        **{name: _flag(given.get(name), name, subject) for name in _FLAGS},
        visits=tuple(read),
        simulated=_boolean(given.get("simulated"), "simulated", subject),
    )
    refuse_contradictions(person, subject)
    return person


def exam_measures(folder: Path) -> dict[tuple[str, str], Measure]:
    """Return the measures of one exam from the folder of its results.

    Raises
    ------
    BrainstemALSError
        UNREADABLE_IMAGE: no results, those of several exams, or damaged ones.
    """
    ending = "_desc-brainstem_volumes.tsv"
    found = sorted(folder.glob(f"*{ending}")) if folder.is_dir() else []
    if len(found) != 1:
        raise BrainstemALSError(
            folder.name or "exam",
            "it holds no results of one exam" if not found else "it holds several exams",
            "Name the folder that brainstem-als segment has written for one exam.",
            ExitCode.UNREADABLE_IMAGE,
        )
    try:
        rows = exam_rows(folder, found[0].name.removesuffix(ending), "", "")
    except (OSError, ValueError, KeyError) as error:
        raise BrainstemALSError(
            folder.name, "its results are damaged", "Segment the exam again.",
            ExitCode.UNREADABLE_IMAGE,
        ) from error  # fmt: skip
    return {
        (row["structure"], row["measure"]): Measure(
            float(row["value"]),
            None if row["uncertainty"] != row["uncertainty"] else float(row["uncertainty"]),
            row["quality"],
        )
        for row in rows
        if row["value"] == row["value"]
    }


def _head(given: Mapping[str, Any], subject: str) -> tuple[EnteredVolume | None, bool]:
    """Return the intracranial volume that was entered, and whether it wins over that of an exam."""
    volume, sd = (_number(given.get(name), name, -inf, inf, subject) for name in _HEAD[:2])
    wins = bool(_flag(given.get("intracranial_wins"), "intracranial_wins", subject))
    if volume is None:
        if sd is not None or wins:
            raise _refuse(
                subject,
                "the intracranial volume of which something is said is missing",
                "Give intracranial_mm3, or leave out what is said of it.",
            )
        return None, False
    return entered_volume(volume, sd, subject), wins


def _visit(
    content: object, folder: Path, subject: str, head: EnteredVolume | None, wins: bool
) -> VisitRecord:
    given = _known(content, _VISIT, subject)
    months = _number(given.get("months"), "months", 0.0, LONGEST_MONTHS, subject)
    ratings = given.get("alsfrs")
    fed, niv = (_flag(given.get(name), name, subject) for name in ("gastrostomy", "niv"))
    total = _number(given.get("alsfrs_total"), "alsfrs_total", 0, alsfrs.HIGHEST_TOTAL, subject)
    stage, score = given.get("kings"), given.get("mitos")
    if ratings is not None:
        if not isinstance(ratings, list):
            raise _refuse(
                subject, "the ALSFRS-R is no list", "Give twelve ratings, null if missing."
            )
        missing = [alsfrs.NOT_RATED if rating is None else rating for rating in ratings]
        ratings = _rated(missing, subject)
        sum_of_items = alsfrs.total(ratings)
        if None not in (total, sum_of_items) and total != sum_of_items:
            raise _refuse(
                subject, "the total of the ALSFRS-R is not the sum of the ratings", "Leave it out."
            )
        total = sum_of_items if sum_of_items is not None else total
        stage = kings.stage(ratings, fed, niv) if stage is None else stage
        score = mitos.stage(ratings) if score is None else score
    percent = _number(given.get("fvc"), "fvc", -inf, inf, subject)
    if percent is not None:
        fvc.checked(percent)
        if percent < LEAST_FVC:
            raise _refuse(
                subject, f"FVC is {percent:g} % of the predicted, which looks like litres",
                "Give per cent of the predicted, or leave it out.",
            )  # fmt: skip
    exam = _text(given.get("exam"), "exam", None, subject)
    return VisitRecord(
        _text(given.get("session"), "session", None, subject) or "",
        months,
        ratings,
        None if total is None else float(total),
        fed,
        niv,
        percent,
        _text(stage, "kings", STAGES, subject, {"4A": "4", "4B": "4"}),
        None if score is None else int(_number(score, "mitos", 0, 5, subject) or 0),
        {} if exam is None else with_entered(exam_measures(folder / exam), head, wins),
    )


def _rated(ratings: list[object], subject: str) -> tuple[int, ...]:
    try:
        return tuple(int(rating) for rating in alsfrs.checked(ratings)[0])
    except BrainstemALSError as refusal:
        remedy = refusal.remedy.replace("-1", "null")  # as the file has it
        raise _refuse(subject, refusal.problem, remedy) from None


def _in_order(visits: list[VisitRecord], subject: str) -> None:
    """Dates are needed as soon as there are two visits; they are never sorted in silence."""
    if len(visits) < 2:
        return
    months = [visit.months for visit in visits]
    for number, (before, after) in enumerate(pairwise(months), 2):
        if before is None or after is None:
            raise _refuse(
                subject, "a visit has no months", "Give the months since the first visit."
            )
        if after == before:
            raise _refuse(subject, f"visits {number - 1} and {number} are on one date", "Keep one.")
        if after < before:
            raise _refuse(subject, f"visit {number} is before visit {number - 1}", "Sort them.")


def _known(content: object, names: tuple[str, ...], subject: str) -> Mapping[str, Any]:
    if not isinstance(content, dict):
        raise _refuse(subject, "it is no JSON object", "See the user guide for an example.")
    for name in content:
        if name not in names:
            raise _refuse(subject, f"{name!r:.40} is not known", f"Known are {', '.join(names)}.")
    return content


def _number(value: object, name: str, low: float, high: float, subject: str) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        raise _refuse(
            subject, f"the {_named(name)} is no number", f"Give a number{_or_none(name)}."
        )
    try:
        value = float(value)
    except OverflowError:
        value = inf
    if not low <= value <= high:
        raise _refuse(
            subject,
            f"the {_named(name)} is {value:g}",
            f"Give {low:g} to {high:g}{_or_none(name)}.",
        )
    return value


def _text(
    value: object,
    name: str,
    allowed: tuple[str, ...] | None,
    subject: str,
    same: Mapping[str, str] | None = None,
) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str):
        raise _refuse(subject, f"the {_named(name)} is no text", f"Give text{_or_none(name)}.")
    if allowed is not None and value not in allowed:
        choice = f"{', '.join(allowed[:-1])} or {allowed[-1]}"
        raise _refuse(
            subject, f"the {_named(name)} is {value!r:.40}", f"Give {choice}{_or_none(name)}."
        )
    return (same or {}).get(value, value)


def _named(name: str) -> str:
    return WORDS.get(name, name)


def _or_none(name: str) -> str:
    return "" if name in NEEDED else ", or leave it out"


def _boolean(value: object, name: str, subject: str) -> bool:
    if value is None or isinstance(value, bool):
        return value is True
    raise _refuse(subject, f"{name} is {value!r:.40}", "Give true or false.")


def _flag(value: object, name: str, subject: str) -> bool | None:
    if value is None or isinstance(value, bool):
        return value
    if value in ("yes", "no"):
        return value == "yes"
    problem = f"the {_named(name)} is {value!r:.40}"
    raise _refuse(subject, problem, "Give yes or no, or leave it out.")


def _refuse(subject: str, problem: str, remedy: str) -> BrainstemALSError:
    return BrainstemALSError(subject, problem, remedy, ExitCode.USAGE)
