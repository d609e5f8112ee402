"""What a reader has to be told first: scanners, covariates that cost people, notes, ComBat."""

from dataclasses import replace

import numpy as np
import pytest

from BrainstemALSLib.cohort.tables import Cohort
from BrainstemALSLib.cohort_analysis.comparisons import cross_sectional
from BrainstemALSLib.cohort_analysis.covariates import INSEPARABLE
from BrainstemALSLib.cohort_analysis.group import analyse_group, run_group
from BrainstemALSLib.cohort_analysis.html_report import findings, report_page
from BrainstemALSLib.cohort_analysis.options import Notes

from .conftest import QUICK
from .small_cohort import small_cohort


def at_different_scanners(shared=0):
    cohort = small_cohort(2, effects={"ALS": -2.0})
    people = cohort.participants
    people["site"] = np.where(people.group == "HC", "A", "B")
    people.loc[people.index[:shared], "site"] = "B"
    return cohort


def told(notes):
    return " | ".join(f"{row['about']}: {row['problem']}" for row in notes.rows())


def test_groups_without_a_common_scanner_are_warned_of_first_and_nothing_is_counted():
    results = analyse_group(at_different_scanners(), QUICK)
    lines = findings(results)
    assert lines[0].startswith("WARNING: no scanner")
    assert not any("differ between" in line or "clearest" in line for line in lines)
    main = results.main()
    assert main.p.notna().all()
    assert (main.remark == INSEPARABLE).all()
    page = report_page(results)
    assert page.index("WARNING: no scanner") < page.index("<h2>Methods</h2>")
    assert "Medulla *</td>" in page


@pytest.mark.parametrize("shared", [0, 1, 5])
def test_one_person_alone_is_no_common_scanner_but_a_few_are(shared):
    cohort = at_different_scanners(shared)
    if shared == 1:  # the only one at a third scanner tells nothing
        cohort.participants.loc[0, "site"] = "C"
    lines = findings(analyse_group(cohort, QUICK))
    assert lines[0].startswith("WARNING") == (shared < 5)


def test_a_covariate_that_costs_people_is_named_with_how_many(designed):
    cohort = small_cohort(5)
    cohort.participants.loc[range(30, 60), "site"] = None
    design, notes = designed(cohort)
    cross_sectional(design, QUICK, notes)
    assert "site: unknown for 30 participants (20 ALS, 10 HC): left out of every model" in told(
        notes
    )


def test_a_covariate_that_costs_a_whole_group_is_the_reason_given(designed):
    cohort = small_cohort(5)
    patients = cohort.participants.participant_id[cohort.participants.group == "ALS"]
    gone = cohort.measures.participant_id.isin(patients)
    gone &= cohort.measures.structure == "intracranial"
    cohort = Cohort(cohort.participants, cohort.visits, cohort.measures[~gone])
    design, notes = designed(cohort)
    table = cross_sectional(design, QUICK, notes)
    volumes = table[(table.contrast == "ALS - HC") & (table.measure == "volume")]
    assert volumes.p.isna().all()
    assert volumes.remark.str.contains("60 lack intracranial volume").all()
    text = told(notes)
    assert "unknown for 60 participants (60 ALS): left out of every model of volumes" in text


def test_measures_that_are_all_bad_are_reported_without_an_error(tmp_path):
    cohort = small_cohort(6)
    cohort.measures.loc[cohort.measures.structure != "intracranial", "quality"] = "bad"
    options = replace(QUICK, mixed=True, sensitivity=True, spread=True, figures=True)
    report = run_group(cohort, tmp_path / "group", options)[0].read_text(encoding="utf-8")
    assert "every one was rated bad: nothing is compared" in report
    assert "ALS and controls could not be compared" in report


def test_notes_of_one_kind_are_one_row_with_ranges_and_a_count():
    notes = Notes()
    for number, structure in ((13, "a"), (3, "b"), (7, "c"), (7, "d")):
        notes.add("change of ALS", f"{number} of 2 patients came back", f"fa of {structure}")
    notes.add("site X", "has one participant", ["group: fa of a", "group: fa of b"])
    notes.add("site Y", "has one participant")
    rows = notes.rows(2)
    assert [row["problem"] for row in rows] == [
        "3 to 13 of 2 patients came back",
        "has one participant",
    ]
    assert [row["count"] for row in rows] == [4, 2]
    assert rows[0]["concerns"] == "fa of a, fa of b and 2 more"
    assert rows[1]["about"] == "site X, site Y"
    assert notes.rows(None)[0]["concerns"].endswith("fa of d")


def test_the_sensitivity_table_warns_of_combat_and_so_does_the_box_where_it_was_chosen():
    cohort = small_cohort(7)
    quick = replace(QUICK, sensitivity=True)
    plain = analyse_group(cohort, quick)
    assert "ComBat finds too much" in report_page(plain)
    assert not any("ComBat" in line for line in findings(plain))
    chosen = analyse_group(cohort, replace(quick, harmonise="combat"))
    assert any("ComBat: p-values are too small" in line for line in findings(chosen))
    few = small_cohort(7, {"HC": 20, "ALS": 40})
    text = told(analyse_group(few, replace(QUICK, harmonise="combat")).notes)
    assert "controls at a site: p-values after it are too small" in text
