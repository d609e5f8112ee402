"""Counting coverage and false discoveries over simulated cohorts."""

import numpy as np
import pandas as pd
import pytest

from training.cohort.config import load_config
from training.evaluation.group_recovery import count
from training.evaluation.group_recovery_page import (
    MEASURED,
    affected_rows,
    band,
    coverage,
    false_discoveries,
    recovery_page,
)
from training.evaluation.tables import write_page


def test_coverage_counts_intervals_that_hold_the_truth():
    rows = pd.DataFrame(
        {
            "measure": "fa",
            "structure": ["a", "a", "a", "a", "b"],
            "estimate": [0.0, 1.0, 2.0, np.nan, 0.0],
            "low": [-1.0, 0.5, 1.5, np.nan, -1.0],
            "high": [1.0, 1.5, 2.5, np.nan, 1.0],
            "truth": 0.6,
            "repeat": [0, 1, 2, 3, 0],
        }
    )
    found = coverage(rows).set_index("structure")
    assert found.loc["a", "cohorts"] == 3
    assert found.loc["a", "coverage"] == pytest.approx(2 / 3)
    assert found.loc["a", "bias"] == pytest.approx(0.4)
    assert found.loc["a", "found"] == pytest.approx(2 / 3)
    assert found.loc["b", "coverage"] == 1


def test_false_discoveries_are_counted_by_cohort_and_by_test():
    rows = pd.DataFrame(
        {
            "family": "fa",
            "repeat": np.repeat(range(4), 2),
            "p": [0.01, 0.5, 0.2, 0.3, 0.04, 0.6, 0.9, 0.9],
            "p_permutation": [0.05, 0.5, 0.2, 0.3, 0.06, 0.6, 0.9, 0.9],
            "q": [0.02, 0.5, 0.3, 0.3, 0.08, 0.6, 0.9, 0.9],
            "q_permutation": 0.9,
        }
    )
    found = false_discoveries(rows).iloc[0]
    assert found.p == pytest.approx(2 / 8)
    assert found.p_permutation == pytest.approx(1 / 8)
    assert found.any_q == pytest.approx(1 / 4)
    assert found.any_q_permutation == 0
    assert found.tests == 2


def test_without_permutations_their_shares_are_not_known():
    rows = pd.DataFrame(
        {
            "family": "fa",
            "repeat": [0, 0, 1, 1],
            "p": [0.01, 0.5, 0.2, 0.3],
            "p_permutation": np.nan,
            "q": [0.02, 0.5, 0.3, 0.3],
            "q_permutation": np.nan,
        }
    )
    found = false_discoveries(rows).iloc[0]
    assert np.isnan(found.p_permutation)
    assert np.isnan(found.any_q_permutation)
    assert found.any_q == pytest.approx(1 / 2)


def test_the_share_found_is_of_affected_structures_alone():
    rows = pd.DataFrame(
        {
            "measure": "volume",
            "structure": ["a", "b", "spared"] * 2,
            "estimate": [-4.0, -1.0, 3.0, -6.0, -3.0, -3.0],
            "low": [-11.0, -2.0, 2.0, -9.0, -4.0, -4.0],
            "high": [-1.0, 0.0, 4.0, -3.0, -2.0, -2.0],
            "truth": [-10.0, -4.0, 0.0] * 2,
            "repeat": [0, 0, 0, 1, 1, 1],
        }
    )
    (row,) = affected_rows("any", "at the first visit", rows)
    assert row[3] == 2
    assert row[4] == pytest.approx(14 / 28)
    assert row[5] < row[4] < row[6]
    assert row[7] == pytest.approx(2 / 4)


def test_a_band_of_chance_widens_with_the_number_of_tests():
    low, high = band(200, 0.95, 1)
    wider = band(200, 0.95, 100)
    assert wider[0] < low < 0.95 < high < wider[1] <= 1


def test_cohorts_are_simulated_analysed_and_written(tmp_path):
    counts = count(load_config(None), 2, 25, 30, 1)
    effects = pd.DataFrame(counts.effects)
    table = coverage(effects[effects.scenario == "as configured"])
    assert set(table.measure) == {"volume", "fa", "md"}
    assert (table.cohorts == 2).all()
    volume = table[table.measure == "volume"].set_index("structure")
    assert volume.loc["pyramid_left", "truth"] < -1
    assert volume.loc["superior_colliculus_left", "truth"] == 0
    assert len(counts.slopes) == 64
    assert {row["family"] for row in counts.null} == {"volume", "fa", "md", "asymmetry"}
    page = recovery_page(counts, 2, 25, 30, 1)
    assert page.kind == "simulated"
    own = [text for text, _ in page.marks if text.startswith(f"own mark, {MEASURED}")]
    assert sum("at the first visit" in text for text in own) == 3
    assert {row[2].split(" of ")[1] for row in page.tables[2].rows[:4]} == {"2"}
    text = write_page(page, tmp_path).read_text(encoding="utf-8")
    assert "(simulated data)" in text
    assert (tmp_path / "group_recovery_structures.tsv").is_file()
