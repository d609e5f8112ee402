"""What is known of one person: the input of every prediction, from a cohort's tables or from JSON.

Numbers are as in the tables of a cohort: months since the first visit, years, per cent predicted,
mm3, FA 0-1, MD in 1e-3 mm2/s, ratings 0-4. What is not known is None.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from ..errors import BrainstemALSError, ExitCode
from ..prognosis.alsfrs import ITEMS, NOT_RATED

if TYPE_CHECKING:
    import pandas as pd

    from ..cohort.tables import Cohort

INTRACRANIAL = ("intracranial", "volume")
Key = tuple[str, str]
"""Structure and measure, as in the table of measures."""


@dataclass(frozen=True)
class Measure:
    """One measure of one structure at one visit.

    Attributes
    ----------
    value : float
    sd : float or None
        Standard deviation of its measurement.
    quality : str
        ``good``, ``warning`` or ``bad``.
    """

    value: float
    sd: float | None = None
    quality: str = "good"


@dataclass(frozen=True)
class VisitRecord:
    """One visit.

    Attributes
    ----------
    session : str
    months : float or None
        Since the first visit.
    ratings : tuple of int or None
        Twelve, ``prognosis.alsfrs.NOT_RATED`` for a missing one; None where none is known.
    total : float or None
        ALSFRS-R, 0-48, where it is complete or was given.
    gastrostomy, niv : bool or None
    fvc : float or None
        Per cent predicted.
    kings : str or None
        ``"0"`` to ``"5"``.
    mitos : int or None
    measures : mapping
        ``Key`` to ``Measure``; empty without images.
    """

    session: str
    months: float | None
    ratings: tuple[int, ...] | None = None
    total: float | None = None
    gastrostomy: bool | None = None
    niv: bool | None = None
    fvc: float | None = None
    kings: str | None = None
    mitos: int | None = None
    measures: Mapping[Key, Measure] = field(default_factory=dict)

    @property
    def has_images(self) -> bool:
        """Whether anything was measured beside the head."""
        return any(key != INTRACRANIAL for key in self.measures)


@dataclass(frozen=True)
class PersonRecord:
    """One person with the visits in the order of their time.

    Attributes
    ----------
    participant : str
        Pseudonym; never a predictor.
    group : str or None
        ``HC``, ``ALS`` or ``MIMIC``.
    age, onset_age : float or None
        Years at the first visit and at the onset of symptoms.
    sex : str or None
        ``F`` or ``M``.
    site : str or None
    onset : str or None
        ``spinal``, ``bulbar`` or ``respiratory``.
    months_since_onset, diagnostic_delay : float or None
        Months from symptom onset to the first visit and to the diagnosis.
    ftd, c9orf72, riluzole, definite_ee : bool or None
    survival_months : float or None
        From symptom onset to the event or the end of follow-up.
    event : str or None
        ``death``, ``niv``, ``tracheostomy`` or ``censored``.
    visits : tuple of VisitRecord
    simulated : bool
    """

    participant: str
    group: str | None = None
    age: float | None = None
    sex: str | None = None
    site: str | None = None
    onset: str | None = None
    onset_age: float | None = None
    months_since_onset: float | None = None
    diagnostic_delay: float | None = None
    ftd: bool | None = None
    c9orf72: bool | None = None
    riluzole: bool | None = None
    definite_ee: bool | None = None
    survival_months: float | None = None
    event: str | None = None
    visits: tuple[VisitRecord, ...] = ()
    simulated: bool = False

    def until(self, visits: int) -> PersonRecord:
        """Return the person as known after the first visits; the outcome is left out."""
        return replace(self, visits=self.visits[:visits], survival_months=None, event=None)


def age_at(person: PersonRecord, visit: VisitRecord) -> float | None:
    """Return the age at a visit, years: that at the first one plus the months since."""
    return None if person.age is None else person.age + (visit.months or 0.0) / 12.0


_TEXT = ("group", "sex", "site", "onset", "event")
_FLAGS = ("ftd", "c9orf72", "riluzole", "definite_ee")
_NUMBERS = ("age", "onset_age", "months_since_onset", "diagnostic_delay", "survival_months")


def records_of(cohort: Cohort) -> list[PersonRecord]:
    """Return the people of a cohort, in the order of its table, with all their visits.

    A visit of the measures that the visits lack is kept, without months.

    Parameters
    ----------
    cohort : Cohort
    """
    measured = dict(_measures(cohort.measures))
    clinical: dict[str, dict[str, Mapping[str, Any]]] = {}
    for row in cohort.visits.to_dict("records"):
        clinical.setdefault(row["participant_id"], {})[row["session_id"]] = row
    people = []
    for row in cohort.participants.to_dict("records"):
        name = row["participant_id"]
        sessions = clinical.get(name, {})
        images = measured.get(name, {})
        visits = [
            _visit(session, sessions.get(session, {}), images.get(session, {}))
            for session in dict.fromkeys((*sessions, *images))
        ]
        visits.sort(key=lambda v: (v.months is None, v.months or 0.0, v.session))
        people.append(
            PersonRecord(
                name,
                **{column: _text(row.get(column)) for column in _TEXT},
                **{column: _flag(row.get(column)) for column in _FLAGS},
                **{column: _number(row.get(column)) for column in _NUMBERS},
                visits=tuple(visits),
                simulated=cohort.simulated,
            )
        )
    return people


def _measures(table: pd.DataFrame) -> Iterator[tuple[str, dict[str, dict[Key, Measure]]]]:
    columns = ("session_id", "structure", "measure", "value", "uncertainty", "quality")
    for participant, rows in table.groupby("participant_id", sort=False):
        sessions: dict[str, dict[Key, Measure]] = {}
        for session, structure, measure, value, sd, quality in zip(
            *(rows[name].tolist() for name in columns), strict=True
        ):
            if value == value:
                known = None if sd != sd else float(sd)
                sessions.setdefault(session, {})[structure, measure] = Measure(
                    float(value), known, quality
                )
        yield str(participant), sessions


def _visit(session: str, row: Mapping[str, Any], measures: Mapping[Key, Measure]) -> VisitRecord:
    given = [_number(row.get(f"alsfrs_{k:02d}")) for k in range(1, len(ITEMS) + 1)]
    ratings = None
    if any(rating is not None for rating in given):
        ratings = tuple(NOT_RATED if rating is None else int(rating) for rating in given)
    mitos = _number(row.get("mitos"))
    return VisitRecord(
        session,
        _number(row.get("months")),
        ratings,
        _number(row.get("alsfrs_total")),
        _flag(row.get("gastrostomy")),
        _flag(row.get("niv")),
        _number(row.get("fvc")),
        _text(row.get("kings")),
        None if mitos is None else int(mitos),
        dict(measures),
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value != "n/a" else None


def _flag(value: object) -> bool | None:
    return {"yes": True, "no": False}.get(value) if isinstance(value, str) else None


def _number(value: object) -> float | None:
    return None if value is None or isinstance(value, str) or value != value else float(value)


def refuse(problem: str, remedy: str) -> BrainstemALSError:
    """Return the refusal of a record (USAGE); it never names who it is."""
    return BrainstemALSError("patient record", problem, remedy, ExitCode.USAGE)
