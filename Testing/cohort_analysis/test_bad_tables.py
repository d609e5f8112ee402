"""Tables that are incomplete, odd or wrong: named, never silently dropped."""

from dataclasses import replace

import numpy as np
import pytest

from BrainstemALSLib.cohort.tables import Cohort
from BrainstemALSLib.cohort_analysis.comparisons import cross_sectional, group_question
from BrainstemALSLib.cohort_analysis.linear import answer
from BrainstemALSLib.cohort_analysis.missing import (
    missing_covariates,
    missing_measures,
    missing_visits,
)
from BrainstemALSLib.errors import BrainstemALSError, ExitCode

from .conftest import QUICK
from .small_cohort import small_cohort


def problems(notes):
    return " | ".join(f"{about}: {problem}" for about, problem in notes.found)


def test_a_group_with_nobody_is_named_and_nothing_is_invented(designed):
    design, notes = designed(small_cohort(0, {"ALS": 50}))
    table = cross_sectional(design, QUICK, notes)
    assert "HC: no participant of this group" in problems(notes)
    main = table[table.contrast == "ALS - HC"]
    assert main.p.isna().all()
    assert main.remark.str.contains("HC has 0").all()
    assert table[table.contrast == "trend per stage"].p.notna().all()


def test_a_site_with_one_participant_is_named_and_left_out_of_models_with_site(designed):
    cohort = small_cohort(1)
    cohort.participants.loc[0, "site"] = "LONELY"
    design, notes = designed(cohort)
    with_site = answer(group_question(design), design, QUICK, notes)
    assert "site LONELY: has one participant" in problems(notes)
    assert (with_site.n_reference == 39).all()
    without = answer(
        group_question(design), design, replace(QUICK, adjust=("age", "sex", "icv")), notes
    )
    assert (without.n_reference == 40).all()
    assert with_site.p.notna().all()


def test_sites_that_are_the_groups_are_not_adjusted_for_and_that_is_said(designed):
    cohort = small_cohort(2)
    cohort.participants["site"] = np.where(cohort.participants.group == "HC", "A", "B")
    design, notes = designed(cohort)
    table = answer(group_question(design), design, QUICK, notes)
    assert "site: cannot be told apart from the groups" in problems(notes)
    assert table.p.notna().all()
    assert not table.adjusted_for.str.contains("site").any()


def test_constant_and_missing_covariates_are_named(designed):
    cohort = small_cohort(3)
    cohort.participants["sex"] = "F"
    measures = cohort.measures[cohort.measures.structure != "intracranial"]
    design, notes = designed(Cohort(cohort.participants, cohort.visits, measures))
    table = answer(group_question(design), design, QUICK, notes)
    assert "sex: the same for everybody" in problems(notes)
    assert "intracranial volume: missing for everybody" in problems(notes)
    assert set(table.adjusted_for) == {"age, site"}


def test_someone_whom_a_covariate_fits_alone_does_not_break_the_errors(designed):
    cohort = small_cohort(4)
    cohort.participants["sex"] = "F"
    cohort.participants.loc[3, "sex"] = "M"
    design, notes = designed(cohort)
    table = answer(group_question(design), design, QUICK, notes)
    assert np.isfinite(table.standard_error).all()
    assert "theirs alone" in problems(notes)


def test_participants_without_a_covariate_are_counted(designed):
    cohort = small_cohort(5)
    cohort.participants.loc[[0, 1, 50], "age"] = np.nan
    design, notes = designed(cohort)
    table = answer(group_question(design), design, QUICK, notes)
    assert (table.n == 59).all()
    assert (table.n_reference == 38).all()
    counted = missing_covariates(design, QUICK.adjust).set_index(["group", "covariate"]).missing
    assert counted["HC", "age"] == 2
    assert counted["ALS", "age"] == 1


def test_missing_values_are_split_by_reason(designed):
    cohort = small_cohort(6, visits=2)
    measures = cohort.measures
    here = (measures.measure == "fa") & (measures.structure == "medulla")
    here &= measures.session_id == "ses-01"
    of_controls = measures.participant_id.isin(cohort.participants.participant_id[:40])
    controls = measures.index[here & of_controls]
    measures.loc[controls[:3], "quality"] = "bad"
    measures.loc[controls[3:5], "value"] = np.nan
    measures.loc[controls[5], "quality"] = "warning"
    cohort = Cohort(cohort.participants, cohort.visits, measures.drop(index=controls[6:10]), True)
    design, _ = designed(cohort)
    table = missing_measures(design).set_index(["group", "visit", "measure"])
    found = table.loc["HC", 1, "fa"]
    assert (found.bad, found.without_value, found.not_measured) == (3, 2, 4)
    assert (found.used, found.used_with_warning) == (71, 1)
    assert found.expected == 80
    assert design.first["fa", "medulla"].isna().sum() == 9


def test_a_bad_first_visit_is_not_replaced_by_a_later_one(designed):
    cohort = small_cohort(7, visits=2)
    first = (cohort.measures.session_id == "ses-01") & (cohort.measures.participant_id == "sub-000")
    cohort.measures.loc[first, "quality"] = "bad"
    design, _ = designed(cohort)
    assert design.first.loc["sub-000"].isna().all()
    assert design.people.icv.notna().all()  # of the later visit: the skull does not shrink


def test_who_did_not_come_back_is_counted_with_what_is_known(designed):
    cohort = small_cohort(8, visits=2)
    gone = cohort.participants.participant_id[cohort.participants.group == "ALS"][:10]
    late = cohort.visits.participant_id.isin(gone) & (cohort.visits.session_id == "ses-02")
    participants = cohort.participants.assign(event="n/a")
    participants.loc[participants.participant_id.isin(gone[:4]), "event"] = "death"
    cohort = Cohort(participants, cohort.visits[~late], cohort.measures)
    design, notes = designed(cohort)
    table = missing_visits(design, participants).set_index(["group", "visit"])
    assert table.loc["ALS", 2].did_not_come == 10
    assert table.loc["ALS", 2].died_or_ventilated == 4
    assert "belong to no dated visit" in problems(notes)


@pytest.mark.parametrize(
    ("table", "column"),
    [("participants", "age"), ("visits", "months"), ("measures", "structure")],
)
def test_a_missing_column_is_refused_by_name(table, column, designed):
    cohort = small_cohort(9)
    tables = {name: getattr(cohort, name) for name in ("participants", "visits", "measures")}
    tables[table] = tables[table].drop(columns=column)
    problem = f"{table}: the table has no column {column}"
    with pytest.raises(BrainstemALSError, match=problem) as raised:
        designed(Cohort(**tables))
    assert raised.value.code == ExitCode.USAGE


def test_columns_that_only_some_analyses_need_may_be_missing(designed):
    cohort = small_cohort(10)
    cohort = Cohort(
        cohort.participants.drop(columns=["onset", "site", "event", "months_since_onset"]),
        cohort.visits[["participant_id", "session_id", "months"]],
        cohort.measures.drop(columns=["unit", "uncertainty", "quality"]),
    )
    design, notes = designed(cohort)
    table = cross_sectional(design, QUICK, notes)
    assert set(table.analysis) == {"group"}
    assert table[table.contrast == "ALS - HC"].p.notna().all()
    for name in ("onset", "site", "kings", "quality", "alsfrs_total"):
        assert f"{name}: not" in problems(notes)
    assert set(missing_visits(design, cohort.participants).died_or_ventilated) == {0}


def test_twice_the_same_row_is_refused(designed):
    import pandas as pd

    cohort = small_cohort(11)
    twice = pd.concat([cohort.participants, cohort.participants[:1]], ignore_index=True)
    with pytest.raises(BrainstemALSError, match="sub-000 is in the table twice"):
        designed(Cohort(twice, cohort.visits, cohort.measures))
    twice = pd.concat([cohort.measures, cohort.measures[:1]], ignore_index=True)
    with pytest.raises(BrainstemALSError, match="measures: sub-000 ses-01"):
        designed(Cohort(cohort.participants, cohort.visits, twice))


def test_unknown_codes_and_mixed_units_are_named(designed):
    cohort = small_cohort(12)
    cohort.participants.loc[0, "group"] = "PLS"
    cohort.participants.loc[45, "onset"] = "leg"
    volumes = cohort.measures.index[cohort.measures.measure == "volume"]
    cohort.measures.loc[volumes[5], ["value", "unit"]] = [6.0, "ml"]
    cohort.measures.loc[cohort.measures.index[-1], "measure"] = "mode"
    cohort.measures.loc[volumes[6], "quality"] = "splendid"
    design, notes = designed(cohort)
    text = problems(notes)
    assert "group: 'PLS' is no group: 1 participants are left out" in text
    assert "onset: 'leg' is unknown" in text
    assert "units: volume in 'ml' instead of 'mm3': 1 values are left out" in text
    assert "measures: 'mode' is no measure" in text
    assert "quality: 1 measures have no known rating" in text
    assert "sub-000" not in design.people.index


def test_tables_that_share_nobody_are_refused(designed):
    cohort = small_cohort(13)
    strangers = cohort.measures.assign(participant_id="sub-x" + cohort.measures.participant_id)
    with pytest.raises(
        BrainstemALSError, match="no participant has a group, a visit and a measure"
    ):
        designed(Cohort(cohort.participants, cohort.visits, strangers))


def test_the_same_value_in_everybody_has_a_remark(designed):
    cohort = small_cohort(14, measures=("fa",))
    same = (cohort.measures.measure == "fa") & (cohort.measures.structure == "medulla")
    cohort.measures.loc[same, "value"] = 0.5
    design, notes = designed(cohort)
    table = answer(group_question(design), design, replace(QUICK, permutations=50), notes)
    table = table.set_index("structure")
    assert table.loc["medulla"].remark == "the same value in everybody"
    assert np.isnan(table.loc["medulla"].p)
    assert table.loc["pyramid_left"].p >= 0
