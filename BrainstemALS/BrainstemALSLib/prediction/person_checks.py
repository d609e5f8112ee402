"""What a reader should know of the record itself, whichever models there are, and what of it cannot
be true at once."""

from __future__ import annotations

from collections.abc import Iterator

from ..errors import BrainstemALSError, ExitCode
from ..imaging.finding import Finding
from ..prognosis import kings, mitos
from ..prognosis.alsfrs import ITEMS, NOT_RATED, total_range
from ..prognosis.slope import unlikely_rises
from .head_size import about_head
from .records import PersonRecord, VisitRecord

ONSET_YEARS = 2.0
"""By how much the age at onset may differ from age less time since onset (own choice: ages are
often whole years)."""
DELAY_MONTHS = 1.0
"""By how much the diagnosis may be later than the last visit (own choice: rounded dates)."""
DEATH = 5
RESPIRATORY_ITEM, NO_VENTILATION = 11, 4
"""Place of item 12, and its rating without ventilation."""


def is_death(visit: VisitRecord) -> bool:
    """Whether a visit was entered as death."""
    return visit.kings == str(DEATH) or visit.mitos == DEATH


def refuse_contradictions(person: PersonRecord, subject: str) -> None:
    """Refuse a record that contradicts itself; what is not known contradicts nothing.

    Raises
    ------
    BrainstemALSError
        USAGE: ages, times, months or stages that cannot be true at once.
    """
    for problem, remedy in _contradictions(person):
        raise BrainstemALSError(subject, problem, remedy, ExitCode.USAGE)


def _contradictions(person: PersonRecord) -> Iterator[tuple[str, str]]:
    first, last = person.visits[0], person.visits[-1]
    if first.months:
        yield (
            f"the first visit is at month {first.months:g}",
            "Count months from the first visit, which has 0.",
        )
    age, onset_age, since = person.age, person.onset_age, person.months_since_onset
    if None not in (age, onset_age):
        if onset_age > age:
            yield (
                f"the age at onset, {onset_age:g}, is above the age, {age:g}",
                "Correct one of them.",
            )
        if since is not None and abs(age - onset_age - since / 12.0) > ONSET_YEARS:
            yield (
                f"onset at {onset_age:g} does not fit age {age:g} and {since:g} months since onset",
                "Correct one of them, or leave the age at onset out.",
            )
    delay = person.diagnostic_delay
    end = None if since is None else since + (last.months or 0.0)
    if None not in (delay, end) and delay > end + DELAY_MONTHS:
        yield (
            f"the diagnosis, {delay:g} months after onset, is later than the last visit ({end:g})",
            "Correct the time from onset to diagnosis or to the first visit.",
        )
    for number, visit in enumerate(person.visits[:-1], 1):
        if is_death(visit):
            yield (
                f"visit {number} has stage 5, which is death, and is not the last",
                "Correct the stage, or leave out what follows.",
            )
    for number, visit in enumerate(person.visits, 1):
        if visit.ratings is None:
            continue
        lowest, highest = total_range(visit.ratings)
        if visit.total is not None and not lowest <= visit.total <= highest:
            yield (
                f"visit {number} has a total of {visit.total:g}, but its items allow {lowest} to "
                f"{highest}", "Correct one of them, or leave the total out.",
            )  # fmt: skip
        # Death is no matter of ratings.
        stages = {
            "King's stage": (
                None if visit.kings is None else int(visit.kings),
                kings.possible_stages(visit.ratings, visit.gastrostomy, visit.niv),
            ),
            "MiToS stage": (visit.mitos, mitos.possible_stages(visit.ratings)),
        }
        for name, (stage, possible) in stages.items():
            if stage not in (None, DEATH, *possible):
                allowed = " or ".join(map(str, possible))
                yield (
                    f"visit {number} has {name} {stage}, but its ratings give {allowed}",
                    "Correct one of them, or leave the stage out.",
                )


def about_person(person: PersonRecord) -> Iterator[Finding]:
    """Yield what limits every prediction of a person with one visit or more."""
    yield from about_head(person)
    last = person.visits[-1]
    dated = [visit for visit in person.visits if visit.months is not None]
    rises = unlikely_rises(
        [visit.months for visit in dated],
        [float("nan") if visit.total is None else visit.total for visit in dated],
    )
    if rises:
        yield Finding(
            "person-alsfrs-rises", "warning",
            "The ALSFRS-R is higher than before by more than ratings vary",
            "Check the ratings and the dates of the visits.",
        )  # fmt: skip
    if last.ratings is not None and NOT_RATED in last.ratings:
        missing = [ITEMS[k] for k, rating in enumerate(last.ratings) if rating == NOT_RATED]
        low, high = total_range(last.ratings)
        yield Finding(
            "person-items-missing", "warning",
            f"The last ALSFRS-R lacks {', '.join(missing).lower()}: its total is between {low} and "
            f"{high}", "Rate all twelve items.",
        )  # fmt: skip
    if person.group is None:
        yield Finding(
            "person-no-diagnosis", "warning",
            "No diagnosis was entered: stages, forecast, risk and reference patients are those of "
            "somebody with ALS", "Do not read them of a person who may not have ALS.",
        )  # fmt: skip
    item = None if last.ratings is None else last.ratings[RESPIRATORY_ITEM]
    if item is not None and item != NOT_RATED and last.niv is not None:
        if last.niv and item == NO_VENTILATION:
            said = "NIV is said to be used, but item 12 rates no respiratory insufficiency"
        elif not last.niv and item < NO_VENTILATION:
            said = "NIV is said not to be used, but item 12 rates ventilation"
        else:
            said = ""
        if said:
            yield Finding("person-niv-contradicts", "warning", said, "Correct one of them.")
    if last.total is None and last.ratings is None:
        yield Finding(
            "person-no-alsfrs", "warning", "The last visit has no ALSFRS-R",
            "Rate the twelve items.",
        )  # fmt: skip
    if last.fvc is None:
        yield Finding(
            "person-no-fvc", "info", "The last visit has no forced vital capacity",
            "Enter it where it was measured.",
        )  # fmt: skip
