"""People from the tables of a cohort: nothing invented, nothing lost, outcomes hidden on demand."""

from __future__ import annotations

import pytest

from BrainstemALSLib.prediction.records import INTRACRANIAL, records_of
from BrainstemALSLib.prognosis.alsfrs import NOT_RATED
from training.cohort.config import load_config
from training.cohort.simulate import simulate


@pytest.fixture(scope="module")
def cohort():
    return simulate(load_config(), 8, 25, 3, seed=12)[0]


@pytest.fixture(scope="module")
def people(cohort):
    return {p.participant: p for p in records_of(cohort)}


def test_everybody_is_there_with_all_visits_in_order(cohort, people):
    assert list(people) == cohort.participants.participant_id.tolist()
    sessions = cohort.visits.groupby("participant_id").session_id.apply(set)
    for name, person in people.items():
        assert {v.session for v in person.visits} == sessions[name]
        months = [v.months for v in person.visits]
        assert months == sorted(months)
        assert person.simulated


def test_every_measure_is_there_with_its_uncertainty(cohort, people):
    row = cohort.measures.iloc[100]
    visit = next(v for v in people[row.participant_id].visits if v.session == row.session_id)
    found = visit.measures[row.structure, row.measure]
    assert (found.value, found.sd, found.quality) == (row.value, row.uncertainty, row.quality)
    counted = sum(len(v.measures) for p in people.values() for v in p.visits)
    assert counted == cohort.measures.value.notna().sum()
    assert INTRACRANIAL in visit.measures


def test_healthy_people_have_no_ratings_and_missing_items_stay_missing(cohort, people):
    assert all(v.ratings is None for p in people.values() if p.group == "HC" for v in p.visits)
    items = cohort.visits.filter(regex=r"^alsfrs_\d\d$")
    rows = cohort.visits[items.isna().any(axis=1) & items.notna().any(axis=1)]
    assert len(rows)
    for row in rows.itertuples():
        visit = next(v for v in people[row.participant_id].visits if v.session == row.session_id)
        assert NOT_RATED in visit.ratings
        assert visit.total is None


def test_what_is_known_after_the_first_visits_hides_the_outcome(people):
    patient = next(p for p in people.values() if p.group == "ALS" and len(p.visits) > 1)
    assert patient.survival_months is not None
    early = patient.until(1)
    assert len(early.visits) == 1
    assert (early.survival_months, early.event) == (None, None)
    assert early.age == patient.age


def test_missing_text_is_none_and_not_text(people):
    healthy = next(p for p in people.values() if p.group == "HC")
    assert (healthy.onset, healthy.ftd, healthy.months_since_onset) == (None, None, None)
