"""Errors of measurement from truth and results: known errors come back, sites and people apart."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from BrainstemALSLib.anatomy import composites
from BrainstemALSLib.cohort.tables import MEASURES, UNITS, Cohort
from training.cohort.config import load_config
from training.cohort.simulate import simulate
from training.evaluation.imaging_cohort import page, written_errors
from training.evaluation.imaging_cohort_errors import (
    compared,
    errors_of,
    group_effects,
    repeat_sd,
    with_composites,
)

PARTS = composites()["medulla"]
PEOPLE, BIAS, SD, SITE = 300, 0.10, 0.05, 0.03


def tables(bias=BIAS, sd=SD, site=SITE, own=0.0, seed=0):
    """Truth and results of the medulla's structures; errors of known size, two visits."""
    rng = np.random.default_rng(seed)
    truth, measures, people = [], [], []
    for number in range(PEOPLE):
        name, place = f"sub-{number:03d}", number % 3
        group = "ALS" if number % 2 else "HC"
        people.append({"participant_id": name, "group": group, "site": f"site-{place}"})
        size = np.exp(rng.normal(0, 0.1)) * (0.9 if group == "ALS" else 1.0)
        lasting = own * rng.standard_normal(len(PARTS))
        for session in ("ses-01", "ses-02"):
            for k, part in enumerate(PARTS):
                for measure, level in (("volume", 200.0), ("fa", 0.5)):
                    value = level * size if measure == "volume" else level
                    error = bias + site * (place - 1) + lasting[k] + sd * rng.standard_normal()
                    seen = value * (1 + error) if measure == "volume" else value + 0.1 * error
                    key = {"participant_id": name, "session_id": session, "structure": part}
                    truth.append({**key, "measure": measure, "value": value, "asked": value})
                    stated = sd * value if measure == "volume" else 0.1 * sd
                    unit = UNITS[measure]
                    measures.append(
                        {**key, "measure": measure, "value": seen, "unit": unit,
                         "uncertainty": stated, "quality": "good"}
                    )  # fmt: skip
    cohort = Cohort(
        pd.DataFrame(people),
        pd.DataFrame(columns=["participant_id"]),
        pd.DataFrame(measures)[list(MEASURES)],
        simulated=True,
    )
    return pd.DataFrame(truth), cohort


@pytest.fixture(scope="module")
def rows():
    return compared(*tables())


def found(rows, measure):
    return [e for e in errors_of(rows) if e.measure == measure and e.structure in PARTS]


def test_bias_spread_and_sites_are_told_apart(rows):
    for e in found(rows, "volume"):
        assert e.bias == pytest.approx(BIAS, abs=0.01)
        assert e.sd == pytest.approx(SD, rel=0.12)
        assert e.between_sites == pytest.approx(SITE, abs=0.012)
        assert e.visits == 2 * PEOPLE


def test_errors_of_diffusion_are_in_its_own_unit(rows):
    for e in found(rows, "fa"):
        assert e.sd == pytest.approx(0.1 * SD, rel=0.12)


def test_a_right_uncertainty_has_the_ratio_one(rows):
    ratios = [e.stated_ratio for e in found(rows, "volume")]
    # The stated one is a share of the value, the error a share of the truth.
    assert np.mean(ratios) == pytest.approx(1.0, abs=0.08)


def test_what_stays_with_a_person_is_no_error_of_a_change():
    rows = compared(*tables(own=0.2))
    change = repeat_sd(rows)
    errors = {(e.structure, e.measure): e.sd for e in errors_of(rows)}
    for part in PARTS:
        assert change[part, "volume"] == pytest.approx(SD, rel=0.15)
        assert errors[part, "volume"] > 3 * SD
    entry = written_errors(errors_of(rows), change)["errors"]["volume"][PARTS[0]]
    assert entry["lasting"] == pytest.approx(0.2**2 / (0.2**2 + SD**2), abs=0.05)


def test_what_is_not_seen_of_a_difference_is_a_slope_and_no_error():
    truth, cohort = tables(bias=0.0, sd=0.01, site=0.0)
    level = truth[truth.measure == "volume"].value.mean()
    volume = cohort.measures.measure == "volume"
    cohort.measures.loc[volume, "value"] = level * (cohort.measures.value[volume] / level) ** 0.6
    for e in found(compared(truth, cohort), "volume"):
        assert e.slope == pytest.approx(0.6, abs=0.02)
        assert e.residual < 0.012 < e.sd


def test_regions_are_sums_of_volumes_and_means_by_volume(rows):
    truth, _ = tables()
    wide = with_composites(truth).set_index(
        ["participant_id", "session_id", "structure", "measure"]
    )
    key = ("sub-000", "ses-01")
    parts = [wide.value[(*key, part, "volume")] for part in PARTS]
    assert wide.value[(*key, "medulla", "volume")] == pytest.approx(sum(parts))
    assert wide.value[(*key, "medulla", "fa")] == pytest.approx(0.5)


def test_group_differences_are_of_first_visits(rows):
    (row,) = group_effects(rows, [(PARTS[0], "volume")])
    _, _, unit, true, measured, low, high = row
    assert unit == "%"
    assert true == pytest.approx(-10.0, abs=3.0)
    assert low < measured < high
    assert low < true < high


def test_the_simulator_takes_the_errors(rows, tmp_path):
    import json

    path = tmp_path / "errors.json"
    path.write_text(json.dumps(written_errors(errors_of(rows), repeat_sd(rows))))
    plain = simulate(load_config(), 60, 0, 0, 1)[0].measures
    noisy = simulate(load_config(), 60, 0, 0, 1, errors=path)[0].measures
    part = PARTS[0]

    def values(table):
        return table.value[(table.structure == part) & (table.measure == "volume")]

    # Another error, and no bias: the levels of the tables are those of measured heads already.
    assert values(noisy).mean() / values(plain).mean() == pytest.approx(1.0, abs=0.03)
    assert not np.allclose(values(noisy), values(plain), rtol=0.01)


def test_the_page_says_what_is_missing(tmp_path):
    truth, cohort = tables()
    (tmp_path / "summary.tsv").write_text(
        "participant_id\tstatus\nsub-000\tdone\nsub-001\tfailed\n"
    )
    found = page(truth, cohort, tmp_path, write=False)
    assert found.kind == "simulated"
    assert (f"visits that went through the pipeline: 1 of {2 * PEOPLE}", False) in found.marks
    assert "pons_tegmentum" not in found.title
    assert any(
        "Not measured: " in note and "basis_pontis_left (volume)" in note for note in found.notes
    )
