"""The figures of the simulator: all with their provenance, and checked on loading."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest

from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from training.cohort import config as module
from training.cohort.config import STATUSES, load_config
from training.cohort.scenario import Scenario
from training.data import repository

BUNDLED = Path(module.__file__).with_name("parameters.toml")


def changed(tmp_path, old, new):
    text = BUNDLED.read_text(encoding="utf-8")
    assert text.count(old) == 1, old
    path = tmp_path / "mine.toml"
    path.write_text(text.replace(old, new), encoding="utf-8")
    return path


def refused(path):
    with pytest.raises(BrainstemALSError) as caught:
        load_config(path)
    assert caught.value.code == ExitCode.USAGE
    return str(caught.value)


def test_every_figure_says_where_it_comes_from(config):
    assert len(config.figures) > 150
    for name, figure in config.figures.items():
        assert figure.status in STATUSES, name
        assert figure.unit, name
        assert figure.source, name
        # Only our own choices may do without a source.
        assert figure.source != "-" or figure.status == "own choice", name


def test_a_changed_copy_is_read(tmp_path):
    path = changed(tmp_path, "follow_ups = { value = 2,", "follow_ups = { value = 5,")
    assert load_config(path)["visits.follow_ups"] == 5


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("follow_ups = {", "follow_up = {", "parameter visits.follow_ups: it is missing"),
        ("[reference]", "[reference]\nextra = 1", "reference.extra: it is a bare value"),
        ("follow_ups = { value = 2,", 'follow_ups = { value = "two",', "must be a number"),
        ("follow_ups = { value = 2,", "follow_ups = { value = 2.5,", "must be an integer"),
        ("follow_ups = { value = 2,", "follow_ups = { value = true,", "must be a number"),
        ("onset_spinal = { value = 0.67", "onset_spinal = { value = 0.77", "add up to 1"),
        ("c9orf72 = { value = 0.07", "c9orf72 = { value = 7.0", "lies outside 0 to 1"),
        ("width = { value = 12.0", "width = { value = 0.0", "lies outside"),
        ("width = { value = 12.0", "width = { value = nan", "must be a number"),
        ("tiv_male_sd = { value = 120.0", "tiv_male_sd = { value = -1.0", "lies outside 0"),
        ('value = 13.0, unit = "% predicted", status = "own choice"',
         'value = 13.0, unit = "% predicted", status = "certain"', "status must be one of"),
        ('[fa_effect]', '[fa_effect]\nnose = { value = 0.0, unit = "FA", status = "memory", '
         'source = "x" }', "no structure of the brainstem"),
        ("[fa_effect]", '[fa_effect]\nsuperior_colliculus = { value = -0.1, unit = "FA", '
         'status = "memory", source = "x" }', "no place in order.superior_colliculus"),
        ("[0.08, 0.30, 0.55, 0.85]", "[0.08, 0.55, 0.30, 0.85]", "they must rise"),
        ("[0.08, 0.30, 0.55, 0.85]", "[0.08, 0.30]", "a list of 4 values"),
        ("shares = { value = [0.5, 0.3, 0.2]", "shares = { value = [0.5, 0.5]", "one share per"),
        ("interval_low = { value = 4.0", "interval_low = { value = 9.0", "larger than"),
        ("[visits]", "[visits", "it is not TOML"),
    ],
)  # fmt: skip
def test_a_wrong_figure_is_named(tmp_path, old, new, said):
    assert said in refused(changed(tmp_path, old, new))


def test_a_file_that_is_not_there_is_refused(tmp_path):
    assert "cannot be read" in refused(tmp_path / "none.toml")


def test_with_values_checks_too(config):
    assert config.with_values(site__names=["one"], site__shares=[1.0])["site.names"] == ["one"]
    with pytest.raises(BrainstemALSError, match="no figure of this name"):
        config.with_values(visits__number=3)
    with pytest.raises(BrainstemALSError, match="lies outside"):
        config.with_values(visits__missing_mri=1.5)


@pytest.mark.parametrize(
    "wrong",
    [{"disease": -1.0}, {"site_imbalance": 1.2}, {"missing": float("nan")}, {"decimal": ";"}],
)
def test_a_wrong_scenario_is_refused(wrong):
    with pytest.raises(BrainstemALSError) as caught:
        Scenario(**wrong)
    assert caught.value.code == ExitCode.USAGE


@pytest.mark.parametrize(
    ("region", "contrast", "name"),
    [
        ("medulla", "bulbar-onset vs HC", "volume_effect.medulla.bulbar"),
        ("medulla", "spinal-onset vs HC", "volume_effect.medulla.spinal"),
        ("pons", "ALS vs HC", "volume_effect.pons.spinal"),
        ("midbrain", "ALS vs HC", "volume_effect.midbrain.spinal"),
        ("cerebral peduncle (crus)", "ALS vs HC", "fa_effect.cst_crus"),
        ("pontine CST / pons", "ALS vs HC", "fa_effect.cst_pons"),
        ("medullary pyramid", "ALS vs HC", "fa_effect.pyramid"),
    ],
)
def test_effects_are_those_of_the_reference(config, region, contrast, name):
    path = repository().parent / "shared" / "reference" / "als_effects.csv"
    if not path.is_file():
        pytest.skip("../shared/reference is not here")
    with path.open(encoding="utf-8", newline="") as handle:
        rows = [r for r in csv.DictReader(handle) if r["region"] == region]
    (row,) = [r for r in rows if r["contrast"] == contrast and r["measure"] != "volume slope"]
    assert config[name] == float(re.match(r"[-+\d.]+", row["value"]).group())
