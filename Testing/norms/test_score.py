"""What norms say of one person, and when they say nothing."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.norms import bundled_norms, fit_norms, read_norms, write_norms
from BrainstemALSLib.norms.files import checksum, norms_record
from BrainstemALSLib.norms.training import cohort_seed, cohort_source, control_rows, score_cohort
from Testing.norms.people import cohort, draw, joined

PERSON = {"value": 4900.0, "age": 60.0, "sex": "F", "icv": 1.4e6, "site": "A", "uncertainty": 50.0}


@pytest.fixture(scope="module")
def norms():
    return fit_norms(cohort(draw(300, 1)), "simulated", 1)


def score(norms, measure="volume", **changes):
    return norms.score("medulla", measure, **{**PERSON, **changes})


def codes(result):
    return {finding.code for finding in result.findings}


def test_a_score_has_z_centile_and_who_was_fitted_on(norms):
    result = score(norms)
    assert result.z_low < result.z < result.z_high
    assert result.centile_low < result.centile < result.centile_high
    assert result.findings == ()
    assert result.reason == ""
    assert result.statement.startswith("trained on simulated cohort (300 controls")


@settings(deadline=None, max_examples=50)
@given(
    st.floats(500, 20000), st.floats(1.001, 3), st.floats(31, 84), st.sampled_from("FM"),
    st.floats(1.2e6, 1.8e6), st.sampled_from(["A", "B", "C", None, "elsewhere"]),
    st.floats(0, 500),
)  # fmt: skip
def test_z_rises_with_the_value_and_centiles_stay_within(
    norms, value, more, age, sex, icv, site, uncertainty
):
    who = {"age": age, "sex": sex, "icv": icv, "site": site, "uncertainty": uncertainty}
    low, high = score(norms, value=value, **who), score(norms, value=value * more, **who)
    assert low.z < high.z
    for result in (low, high):
        assert result.z_low <= result.z <= result.z_high
        assert 0 <= result.centile_low <= result.centile <= result.centile_high <= 100


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"age": 20.0}, "norms-age"),
        ({"age": 95.0}, "norms-age"),
        ({"age": None}, "norms-age-missing"),
        ({"sex": None}, "norms-sex"),
        ({"sex": "female"}, "norms-sex"),
        ({"icv": None}, "norms-icv-missing"),
        ({"icv": 1400.0}, "norms-icv"),
        ({"icv": -1.0}, "norms-icv"),
        ({"value": 0.0}, "norms-value"),
        ({"value": None}, "norms-value"),
        ({"value": float("inf")}, "norms-value"),
        ({"measure": "md"}, "norms-missing"),
        ({"uncertainty": -1.0}, "norms-uncertainty"),
    ],
)
def test_it_abstains_with_a_reason(norms, changes, code):
    result = score(norms, **changes)
    assert codes(result) == {code}
    assert result.z is result.z_low is result.centile is result.centile_high is None
    assert result.reason
    assert "trained on simulated cohort" in result.statement


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"age": "sixty"}, "the age 'sixty' is no number"),
        ({"value": "4,900"}, "the value '4,900' is no number"),
        ({"icv": [1.4e6, 1.5e6]}, "the intracranial volume .* is no number"),
        ({"sex": 1}, "the sex 1 is no text"),
        ({"site": 3.0}, "the site 3.0 is no text"),
    ],
)
def test_what_is_of_the_wrong_kind_is_refused_in_one_sentence(norms, changes, problem):
    with pytest.raises(BrainstemALSError, match=problem) as refusal:
        score(norms, **changes)
    assert refusal.value.code == ExitCode.USAGE
    assert "\n" not in str(refusal.value)


def test_a_score_is_called_unusual_by_its_interval_only(norms):
    assert score(norms).beyond == ""
    assert score(norms, age=12.0).beyond == ""
    low = score(norms, value=3000.0)
    assert low.beyond == "below"
    assert score(norms, value=9000.0).beyond == "above"
    unsure = score(norms, value=3000.0, uncertainty=1000.0)
    assert unsure.z == low.z < -1.96
    assert unsure.beyond == ""


def test_only_volumes_need_the_size_of_the_head(norms):
    result = score(norms, "fa", value=0.6, icv=None, uncertainty=0.01)
    assert result.z == pytest.approx(0, abs=0.3)
    assert result.findings == ()


def test_a_sex_that_taught_nothing_gets_no_score():
    men = {k: v[v0] for v0 in [draw(300, 1)["male"]] for k, v in draw(300, 1).items()}
    assert codes(score(fit_norms(cohort(men), "simulated"))) == {"norms-sex"}


@pytest.mark.parametrize("site", [None, "", "elsewhere"])
def test_an_unknown_site_widens_the_interval(norms, site):
    known, unknown = score(norms), score(norms, site=site)
    assert codes(unknown) == {"norms-site-unknown"}
    assert unknown.z_high - unknown.z_low > 1.3 * (known.z_high - known.z_low)


def test_what_limits_a_score_is_said(norms):
    assert codes(score(norms, uncertainty=None)) == {"norms-no-uncertainty"}
    few = fit_norms(cohort(draw(90, 1)), "simulated")
    assert codes(score(few)) == {"norms-few-controls"}
    largest = norms.model("medulla", "volume").icv_range[1]
    assert codes(score(norms, icv=1.1 * largest)) == {"norms-icv-outside"}
    skewed = replace(norms.model("medulla", "volume"), skewness=0.8)
    assert codes(score(replace(norms, models=(skewed,)))) == {"norms-not-normal"}


def test_skewed_controls_are_noticed():
    people = draw(400, 5)
    people["fa"] = np.random.default_rng(0).gamma(1.0, 0.1, 400)
    result = fit_norms(cohort(people), "simulated").score(
        "medulla", "fa", 0.1, 60.0, "F", site="A", uncertainty=0.0
    )
    assert codes(result) == {"norms-not-normal"}


def test_one_cohort_scores_as_person_by_person(norms):
    table = score_cohort(norms, cohort(draw(20, 8)))
    people = draw(20, 8)
    volumes = table[table["measure"] == "volume"].reset_index(drop=True)
    for i, row in volumes.iterrows():
        sex = "M" if people["male"][i] else "F"
        who = people["age"][i], sex, people["icv"][i], people["site"][i], 0.0, 0.0
        alone = norms.score("medulla", "volume", people["value"][i], *who)
        assert (row["z"], row["z_low"], row["centile"]) == pytest.approx(
            (alone.z, alone.z_low, alone.centile)
        )
    assert set(table["norms"]) == {norms.population.statement}


# Whom norms are fitted on.


def test_patients_and_bad_images_teach_nothing():
    healthy, sick = cohort(draw(100, 1)), cohort(draw(100, 2), "ALS")
    sick.measures["value"] *= 0.5
    bad = healthy.measures["participant_id"] == "sub-HC0003"
    mixed = joined(healthy, sick)
    healthy.measures.loc[bad & (healthy.measures["structure"] == "medulla"), "quality"] = "bad"
    healthy.measures.loc[bad & (healthy.measures["structure"] == "medulla"), "value"] *= 10
    rows, _ = control_rows(healthy)
    assert "sub-HC0003" not in set(rows["participant_id"])
    alone = norms_record(fit_norms(cohort(draw(100, 1)), "simulated"))["models"]
    assert norms_record(fit_norms(mixed, "simulated"))["models"] == alone


def test_only_the_first_visit_counts_and_its_age():
    one = cohort(draw(60, 1))
    later = cohort(draw(60, 1))
    for table in (later.visits, later.measures):
        table["session_id"] = "ses-02"
    later.visits["months"] = 24.0
    later.measures["value"] *= 0.9
    both = joined(one, later)
    both.participants = one.participants
    rows, _ = control_rows(both)
    assert len(rows) == 120
    assert set(rows["session_id"]) == {"ses-01"}
    second = score_cohort(fit_norms(one, "simulated"), both)
    assert (second["session_id"] == "ses-02").sum() == 120


def test_a_later_visit_is_scored_at_its_own_age(norms):
    later = cohort(draw(20, 8))
    later.visits["months"] = 120.0
    aged = cohort(draw(20, 8))
    aged.participants["age"] += 10.0
    columns = ["z", "reason"]
    assert score_cohort(norms, later)[columns].equals(score_cohort(norms, aged)[columns])
    assert not score_cohort(norms, later)["z"].equals(score_cohort(norms, cohort(draw(20, 8)))["z"])


def test_weak_sites_and_gaps_are_named_and_not_dropped_in_silence():
    people = draw(200, 1)
    people["site"][:] = "A"
    people["site"][0] = "B"
    people["site"][1] = "n/a"
    healthy = cohort(people)
    healthy.participants.loc[2, "sex"] = None
    far = draw(30, 2)
    far["site"][:] = "D"
    norms = fit_norms(joined(healthy, cohort(far, "ALS")), "simulated")
    text = " ".join(finding.message for finding in norms.findings)
    assert "site B has one control" in text
    assert "site D has no controls" in text
    assert "1 controls have no site" in text
    assert "1 controls without age or sex" in text
    assert dict(norms.population.sites) == {"A": 197, "B": 1}
    assert codes(score(norms, site="B")) == {"norms-site-few"}
    assert codes(score(norms, site="D")) == {"norms-site-unknown"}


def test_a_measure_with_too_few_controls_is_named():
    people = draw(40, 1)
    people["fa"][:25] = np.nan
    norms = fit_norms(cohort(people), "simulated")
    assert norms.model("medulla", "fa") is None
    assert "medulla, fa: no norms, 15 controls" in norms.findings[-1].message


def test_no_controls_at_all_are_refused():
    with pytest.raises(BrainstemALSError, match="no measure can be modelled"):
        fit_norms(cohort(draw(100, 1), "ALS"), "simulated")


@pytest.mark.parametrize(
    ("content", "given", "found"),
    [
        ({"source": "simulated", "Seed": 3}, None, "simulated"),
        ({"simulated": True}, None, "simulated"),
        ({"simulated": True, "source": "real"}, None, "simulated"),
        ({"source": "real"}, None, "real"),
        ({}, "real", "real"),
        ({}, None, None),
        ([], None, None),
        ({"source": "simulated"}, "real", None),
    ],
)
def test_simulated_and_real_are_never_guessed(tmp_path, content, given, found):
    (tmp_path / "dataset_description.json").write_text(json.dumps(content))
    if found:
        assert cohort_source(tmp_path, given) == found
        assert cohort_seed(tmp_path) == content.get("Seed")
    else:
        with pytest.raises(BrainstemALSError, match="dataset_description"):
            cohort_source(tmp_path, given)


# Files.


def test_norms_come_back_from_the_file_exactly(norms, tmp_path):
    write_norms(norms, tmp_path / "norms.json")
    back = read_norms(tmp_path / "norms.json")
    assert norms_record(back) == norms_record(norms)
    assert score(back) == score(norms)


def test_the_file_says_that_it_is_simulated(norms, tmp_path):
    write_norms(norms, tmp_path / "norms.json")
    record = json.loads((tmp_path / "norms.json").read_text())
    assert record["population"]["source"] == "simulated"
    assert "trained on simulated cohort" in record["statement"]


@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        (lambda text: text.replace('"seed": 1', '"seed": 2'), "checksum"),
        (lambda text: text.replace("simulated", "real"), "checksum"),
        (lambda text: text[:-200], "no JSON"),
        (lambda text: text.replace('"format": 2', '"format": 1'), "format 1"),
        (lambda text: "[]", "no norms"),
        (lambda text: text.replace('"seed": 1', '"seed": NaN'), "no JSON"),
    ],
)
def test_an_altered_file_is_refused(norms, tmp_path, spoil, problem):
    path = tmp_path / "norms.json"
    write_norms(norms, path)
    spoilt = spoil(path.read_text())
    assert spoilt != path.read_text()
    path.write_text(spoilt)
    with pytest.raises(BrainstemALSError, match=problem) as refusal:
        read_norms(path)
    assert refusal.value.code == ExitCode.MODEL_UNAVAILABLE


def _set(name, value):
    return lambda record: record["models"][0].__setitem__(name, value)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda record: record["models"][0].pop("knots"),
        lambda record: record["models"].append(record["models"][0]),
        lambda record: record["population"].pop("seed"),
        lambda record: record["population"].__setitem__("source", "invented"),
        lambda record: record.__setitem__("statement", "trained on real data"),
        lambda record: record["models"][0]["mean"].pop(),
        lambda record: record["models"][0]["mean_covariance"][1].__setitem__(0, 5e3),
        lambda record: record["models"][0]["mean_covariance"][1].append(0.0),
        lambda record: record["models"][0]["knots"].reverse(),
        _set("scale", 0.0),
        _set("site_df", 0.0),
        _set("scale", "1"),
        _set("transform", "identity"),
        _set("icv_range", None),
        _set("more", 1),
    ],
)
def test_an_inconsistent_file_is_refused_even_with_its_checksum(norms, tmp_path, spoil):
    record = json.loads(json.dumps(norms_record(norms)))
    assert record["models"][0]["measure"] == "volume"
    spoil(record)
    record["sha256"] = checksum(record)
    (tmp_path / "norms.json").write_text(json.dumps(record))
    with pytest.raises(BrainstemALSError, match="inconsistent"):
        read_norms(tmp_path / "norms.json")


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(BrainstemALSError, match="cannot be read"):
        read_norms(tmp_path / "nothing.json")


def test_the_norms_that_come_along_say_that_they_are_simulated():
    norms = bundled_norms()
    assert norms.population.source == "simulated"
    result = norms.score("medulla", "volume", 5500.0, 60.0, "F", 1.4e6, None, 80.0)
    assert -4 < result.z < 4
    assert "trained on simulated cohort" in result.statement
