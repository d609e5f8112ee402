"""Change of single participants from changes.tsv, harmonisation, and all patients' change."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from BrainstemALSLib.cohort.changes import COLUMNS
from BrainstemALSLib.cohort_analysis.group import analyse_group, run_group
from BrainstemALSLib.cohort_analysis.harmonise import harmonised
from BrainstemALSLib.cohort_analysis.individual_change import (
    beyond_error,
    compare_changes,
    paule_mandel,
    usable_changes,
)
from BrainstemALSLib.cohort_analysis.mixed import AS_SEEN, EVERYBODY, change_over_time
from BrainstemALSLib.cohort_analysis.options import Notes
from BrainstemALSLib.errors import BrainstemALSError, ExitCode

from .conftest import QUICK
from .small_cohort import small_cohort

UNITS = {"volume": "%/year", "fa": "1/year"}


def changes_of(cohort, seed=0, effect=-1.0, between=0.5, measures=("volume",)):
    rng = np.random.default_rng(seed)
    rows = []
    for line in cohort.participants.itertuples():
        for measure in measures:
            se = rng.uniform(0.3, 1.5)
            change = effect * (line.group == "ALS") + between * rng.normal() + se * rng.normal()
            beyond = "yes" if abs(change) > 2 * se else "no"
            rows.append((
                line.participant_id, "medulla", measure, UNITS[measure], change, se,
                change - 2 * se, change + 2 * se, beyond, 1.0, 2, 0.5, "good",
            ))  # fmt: skip
    return pd.DataFrame(rows, columns=list(COLUMNS))


def test_the_difference_of_changes_is_that_of_a_weighted_regression(designed):
    from statsmodels.regression.linear_model import WLS

    cohort = small_cohort(1, {"HC": 60, "ALS": 80}, sites=("A", "B"))
    design, notes = designed(cohort)
    changes = usable_changes(changes_of(cohort), design, notes)
    found = compare_changes(changes, design, QUICK, notes).iloc[0]
    own = changes.set_index("participant_id")
    people = design.people.loc[own.index]
    X = np.column_stack([
        np.ones(len(own)), people.group == "ALS", people.age - people.age.mean(), people.male,
        people.site == "B",
    ]).astype(float)  # fmt: skip
    weights = 1 / (own.se**2 + found.sd_between**2)
    other = WLS(own.change_per_year.to_numpy(), X, weights=weights.to_numpy()).fit()
    assert found.difference == pytest.approx(other.params[1])
    error = np.sqrt(other.get_robustcov_results("HC2").cov_params()[1, 1])
    assert found.standard_error == pytest.approx(error)
    # What defines tau^2: the weighted sum of squares is its degrees of freedom.
    assert float(weights @ other.resid**2) == pytest.approx(other.df_resid, rel=1e-6)
    assert found.adjusted_for == "age, sex, site"


def test_no_spread_between_participants_is_nought():
    rng = np.random.default_rng(0)
    assert paule_mandel(0.01 * rng.normal(size=50), np.ones(50), np.ones((50, 1))) == 0.0
    found = [
        paule_mandel(3 * rng.normal(size=400), np.full(400, 4.0), np.ones((400, 1)))
        for _ in range(30)
    ]
    assert np.mean(found) == pytest.approx(9 - 4, abs=0.5)


def test_intervals_of_the_difference_hold_the_truth():
    held, sure = [], []
    from BrainstemALSLib.cohort_analysis.design import build_design

    cohort = small_cohort(2, {"HC": 25, "ALS": 35}, measures=("fa",))
    design = build_design(cohort, Notes())
    for seed in range(60):
        for effect, counts in ((-1.0, held), (0.0, sure)):
            table = usable_changes(changes_of(cohort, seed, effect), design, Notes())
            line = compare_changes(table, design, QUICK, Notes()).iloc[0]
            counts.append(line.low < effect < line.high if effect else line.p < 0.05)
    # Binomial, three standard deviations: 0.085.
    assert 0.865 < np.mean(held) <= 1.0
    assert np.mean(sure) < 0.135


def test_the_share_beyond_error_is_counted_with_interval_and_test(designed):
    from statsmodels.stats.proportion import proportion_confint

    cohort = small_cohort(3, {"HC": 30, "ALS": 40, "MIMIC": 3})
    design, notes = designed(cohort)
    changes = changes_of(cohort)
    changes["beyond_error"] = ["no"] * 28 + ["yes"] * 2 + ["yes"] * 30 + ["n/a"] * 10 + ["no"] * 3
    table = beyond_error(usable_changes(changes, design, notes), design, QUICK).set_index("group")
    assert (table.loc["ALS"].judged, table.loc["ALS"].beyond) == (30, 30)
    assert table.loc["ALS"].participants == 40
    assert table.loc["HC"].share == pytest.approx(2 / 30)
    low, high = proportion_confint(2, 30, method="wilson")
    assert (table.loc["HC"].low, table.loc["HC"].high) == (pytest.approx(low), pytest.approx(high))
    expected = stats.fisher_exact([[30, 0], [2, 28]]).pvalue
    assert table.loc["ALS"].p_against_controls == pytest.approx(expected)


def test_what_is_not_used_is_named(designed):
    cohort = small_cohort(4, {"HC": 20, "ALS": 30, "MIMIC": 2})
    design, notes = designed(cohort)
    changes = changes_of(cohort)
    changes.loc[0, "quality"] = "bad"
    changes.loc[1, "change_per_year"] = np.nan
    changes.loc[2, "unit"] = "mm3/year"
    changes.loc[3, "participant_id"] = "sub-999"
    changes.loc[4, "se"] = np.nan
    table = usable_changes(changes, design, notes)
    found = compare_changes(table, design, QUICK, notes).set_index("contrast")
    text = " | ".join(problem for _, problem in notes.found)
    for part in ("rated bad: 1", "without a value: 1", "another unit: 1", "not a participant"):
        assert part in text
    assert "1 changes have no error" in text
    assert found.loc["ALS - HC"].n_reference == 15
    assert "MIMIC has 2" in found.loc["MIMIC - HC"].remark
    with pytest.raises(BrainstemALSError, match="no column se") as raised:
        usable_changes(changes.drop(columns="se"), design, notes)
    assert raised.value.code == ExitCode.USAGE


def test_the_table_beside_the_results_is_read_and_its_absence_is_said(tmp_path):
    cohort = small_cohort(5, {"HC": 20, "ALS": 30}, visits=2)
    paths = run_group(cohort, tmp_path / "group", QUICK)
    assert "no changes.tsv beside the tables" in paths[0].read_text(encoding="utf-8")
    changes = changes_of(cohort, effect=-3.0)
    changes.to_csv(tmp_path / "changes.tsv", sep="\t", index=False, na_rep="n/a")
    run_group(cohort, tmp_path / "group", QUICK)
    text = (tmp_path / "group" / "group.html").read_text(encoding="utf-8")
    assert "no changes.tsv" not in text
    assert "Beyond measurement error" in text
    table = pd.read_csv(tmp_path / "group" / "group_individual_change.tsv", sep="\t")
    assert table.set_index("contrast").loc["ALS - HC"].high < 0
    assert (tmp_path / "group" / "group_beyond_error.tsv").is_file()


def test_combat_takes_the_site_and_keeps_the_disease(designed):
    cohort = small_cohort(
        6, {"HC": 120, "ALS": 120}, {"ALS": -0.8}, measures=("volume", "fa"), sites=("A", "B")
    )
    # Patients crowd at B: left alone, the site would pass for disease.
    people = cohort.participants
    rng = np.random.default_rng(0)
    site = np.where(rng.random(240) < np.where(people.group == "ALS", 0.9, 0.3), "B", "A")
    moved = pd.Series(np.where(site == "B", 0.5, 0.0), people.participant_id)
    was = (people.site == "B").to_numpy() * 0.5
    sd = cohort.measures.measure.map({"volume": 500.0, "fa": 0.04})
    shift = cohort.measures.participant_id.map(moved - was)
    kept = cohort.measures.structure != "intracranial"
    cohort.measures["value"] += (sd * shift * kept * 3).to_numpy()
    people["site"] = site
    design, notes = designed(cohort)
    free = harmonised(design, notes)
    plain = replace(QUICK, adjust=("age", "sex", "icv"))
    results = analyse_group(cohort, replace(QUICK, harmonise="combat", sensitivity=True))
    assert results.harmonised
    assert results.options.adjust == plain.adjust
    medulla = results.main().set_index(["measure", "structure"]).loc["fa", "medulla"]
    assert medulla.low < -0.8 * 0.04 < medulla.high
    assert "with site, not harmonised" in set(results.variants.variant)
    # Learnt from controls alone: without patients the controls' values are the same.
    fewer, _ = designed(small := replace_group(cohort, "HC"))
    alone = harmonised(fewer, Notes())
    pd.testing.assert_frame_equal(alone.first, free.first.loc[small.participants.participant_id])


def replace_group(cohort, group):
    people = cohort.participants[cohort.participants.group == group].reset_index(drop=True)
    own = cohort.measures.participant_id.isin(people.participant_id)
    seen = cohort.visits.participant_id.isin(people.participant_id)
    return replace(
        cohort, participants=people, visits=cohort.visits[seen], measures=cohort.measures[own]
    )


def test_sites_without_controls_are_left_out_of_combat_by_name(designed):
    cohort = small_cohort(7, {"HC": 60, "ALS": 60})
    cohort.participants.loc[cohort.participants.index[-10:], "site"] = "C"
    design, notes = designed(cohort)
    free = harmonised(design, notes)
    assert free.first.iloc[-10:].isna().all(axis=None)
    assert free.first.iloc[:-10].notna().all(axis=None)
    assert any("site C has fewer than 5 controls" in problem for _, problem in notes.found)
    cohort.participants["site"] = "A"
    design, notes = designed(cohort)
    assert harmonised(design, notes) is None
    assert any(about == "ComBat" for about, _ in notes.found)
    with pytest.raises(BrainstemALSError, match="magic is unknown"):
        analyse_group(cohort, replace(QUICK, harmonise="magic"))


def test_all_patients_are_stood_for_when_the_fast_ones_stay_away(designed):
    # Slopes follow the loss of ALSFRS-R, and so does staying away: those who came back mislead.
    rng = np.random.default_rng(8)
    seen, everybody, n = [], [], 220
    for seed in range(6):
        cohort = small_cohort(seed, {"HC": 60, "ALS": n}, measures=("fa",), visits=3)
        people, visits, measures = cohort.participants, cohort.visits, cohort.measures
        loss = pd.Series(np.exp(0.8 * rng.normal(size=n)), people.participant_id[60:])
        people.loc[60:, "months_since_onset"] = 10.0
        first = visits.months == 0
        total = (48 - 10 * loss.clip(upper=4.0)).reindex(visits.participant_id).to_numpy()
        visits["alsfrs_total"] = np.where(visits.participant_id.isin(loss.index), total, np.nan)
        slope = -0.04 * np.log(loss)
        months = measures.merge(visits, on=["participant_id", "session_id"]).months / 12
        steeper = (measures.participant_id.map(slope).fillna(0) * months).to_numpy()
        measures["value"] += np.where(measures.measure == "fa", steeper, 0.0)
        gone = loss.index[rng.random(n) < 1 / (1 + np.exp(-2 * np.log(loss)))]
        stays = first | ~visits.participant_id.isin(gone)
        design, notes = designed(replace(cohort, visits=visits[stays]))
        table = change_over_time(design, QUICK, notes, [("fa", "medulla")])
        table = table[table.contrast == "ALS - HC"].set_index("analysis")
        seen.append(table.loc[AS_SEEN].per_year)
        everybody.append(table.loc[EVERYBODY].per_year)
        assert table.loc[EVERYBODY].returned < 150
    # Truth over all patients: 0.
    assert np.mean(seen) > 0.012
    assert abs(np.mean(everybody)) < 0.006
