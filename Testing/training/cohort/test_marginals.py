"""The page that checks a simulated cohort."""

from __future__ import annotations

import csv

import pytest

from training.evaluation.cohort_marginals import (
    build_page,
    correlation_interval,
    share_interval,
)
from training.evaluation.tables import write_page


def test_page_says_what_set_the_simulator_and_where_it_misses(tmp_path):
    page = build_page(400, 150, seed=2)
    text = write_page(page, tmp_path).read_text(encoding="utf-8")
    assert text.startswith("# The simulated cohort against published marginals (simulated data)")
    rows = {}
    for name, used in (("check", "no"), ("set", "yes")):
        with (tmp_path / f"cohort_marginals_{name}.tsv").open(encoding="utf-8") as handle:
            rows[name] = list(csv.DictReader(handle, delimiter="\t"))
        assert {row["used to set"] for row in rows[name]} == {used}
    for row in (*rows["check"], *rows["set"]):
        value, low, high = (float(row[c]) for c in ("simulated", "range from", "range to"))
        assert row["within range"] == ("yes" if low <= value <= high else "no"), row["marginal"]
        if row["within range"] == "no":
            assert row["marginal"] in text.split("Missed:")[1]
    met = sum(row["within range"] == "yes" for row in rows["check"])
    assert f"{met} of {len(rows['check'])}" in text


def test_intervals():
    assert share_interval(5, 10) == pytest.approx((18.71, 81.29), abs=0.01)
    assert correlation_interval(0.0, 103) == pytest.approx((-0.1935, 0.1935), abs=1e-3)
