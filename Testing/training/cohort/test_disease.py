"""What the disease does in the simulation, and what it does not: effects, order, nulls."""

from __future__ import annotations

import json

import numpy as np
import pytest

from BrainstemALSLib.errors import BrainstemALSError
from training.cohort.clinical import clinic_of_patients
from training.cohort.course import draw_course
from training.cohort.errors import read_error
from training.cohort.healthy import build_norm
from training.cohort.people import ONSETS, draw_patients
from training.cohort.scenario import Scenario
from training.cohort.simulate import build_world, simulate
from training.cohort.spread import STRUCTURES, draw_spread
from training.cohort.streams import Streams

SPARED = ("superior_cerebellar_peduncle", "middle_cerebellar_peduncle")


def first_visit(cohort, structure, measure):
    """Values with their participants' data; volumes as ln."""
    table = cohort.measures
    chosen = table[(table.structure == structure) & (table.measure == measure)]
    chosen = chosen[chosen.session_id == "ses-01"].set_index("participant_id").value
    head = table[(table.structure == "intracranial") & (table.session_id == "ses-01")]
    rows = cohort.participants.set_index("participant_id").loc[chosen.index].copy()
    rows["value"] = np.log(chosen) if measure == "volume" else chosen
    rows["head"] = np.log(head.set_index("participant_id").value)
    return rows


def difference(rows):
    """Adjusted difference patients - controls, and its standard error."""
    sites = sorted(rows.site.unique())[1:]
    columns = [rows.group == "ALS", np.ones(len(rows)), rows.age - 60, rows.sex == "M"]
    columns += [rows["head"] - rows["head"].mean(), *(rows.site == site for site in sites)]
    design = np.column_stack([np.asarray(column, float) for column in columns])
    solved, *_ = np.linalg.lstsq(design, rows.value.to_numpy(), rcond=None)
    rest = rows.value - design @ solved
    # Patients vary more than controls: White's standard error.
    inverse = np.linalg.inv(design.T @ design)
    middle = (design * rest.to_numpy()[:, None] ** 2).T @ design
    return solved[0], np.sqrt((inverse @ middle @ inverse)[0, 0])


@pytest.mark.parametrize(
    ("structure", "measure", "onset", "wanted"),
    [
        ("medulla", "volume", "bulbar", np.log(0.92)),
        ("medulla", "volume", "spinal", np.log(0.96)),
        ("pons", "volume", "spinal", np.log(0.97)),
        ("midbrain", "volume", "spinal", np.log(0.985)),
        ("cst_crus_left", "fa", None, -0.03),
        ("cst_pons_right", "fa", None, -0.02),
        ("pyramid_left", "fa", None, -0.03),
        ("cst_crus_left", "md", None, 0.02),
        ("superior_cerebellar_peduncle_left", "fa", None, 0.0),
        ("middle_cerebellar_peduncle_right", "volume", None, 0.0),
    ],
)
def test_groups_differ_as_published(many, structure, measure, onset, wanted):
    rows = first_visit(many[0], structure, measure)
    if onset:
        rows = rows[(rows.group == "HC") | (rows.onset == onset)]
    found, error = difference(rows)
    # 4 standard errors, as ten effects are looked at; and ln of a mean is not the mean of ln.
    assert abs(found - wanted) < 4.0 * error + 0.004 * (measure == "volume")
    if abs(wanted) > 0.015:
        assert abs(found) > 2.5 * error


def test_effects_are_scaled_exactly_on_average(config):
    effects = build_world(config, Scenario(), seed=1).effects
    pyramid = [s.key for s in STRUCTURES].index("pyramid_left")
    assert effects.at_first_visit[:, 1, pyramid] == pytest.approx(-0.03)
    assert (effects.per_year[:, 1, pyramid] < 0).all()


@pytest.mark.parametrize("seed", [1, 2])
def test_without_disease_groups_are_alike(config, seed):
    cohort, truth = simulate(config, 500, 500, 0, seed, Scenario(disease=0.0))
    assert (truth.values.value == truth.values.without_disease).all()
    assert (truth.effects.at_first_visit == 0).all()
    for structure, measure in (("medulla", "volume"), ("pyramid_left", "fa"), ("pons", "md")):
        found, error = difference(first_visit(cohort, structure, measure))
        assert abs(found) < 3.5 * error


def test_negative_controls_are_untouched(simulated):
    values = simulated[1].values
    spared = values[values.structure.str.startswith(SPARED)]
    assert len(spared) > 1000
    assert (spared.value == spared.without_disease).all()
    assert not (values.value == values.without_disease).all()


def test_healthy_people_have_no_disease(simulated):
    values = simulated[1].values
    others = values[~values.participant_id.str.startswith("sub-A")]
    assert (others.value == others.without_disease).all()


def loss_and_rate(config, effect):
    """Patients' change of FA, time since onset taken off, and the rate of their course."""
    world = build_world(config, Scenario(imaging_effect=effect), seed=1)
    streams = Streams(11, "ALS")
    patients = draw_patients(config, world.scenario, streams, 4000, "spinal")
    course = draw_course(config, streams, patients)
    spread = draw_spread(config, world.scenario, streams, patients, course)
    months = np.full((4000, 1), 15.0)
    change = world.effects.change(patients.onset, spread, months)[1].sum(axis=-1)[:, 0]
    return change, patients.z_rate, course.z_bulbar


def test_imaging_knows_of_the_course_only_as_much_as_it_is_let(config):
    limit = 4.0 / np.sqrt(4000)
    change, rate, bulbar = loss_and_rate(config, 0.0)
    assert abs(np.corrcoef(change, rate)[0, 1]) < limit
    assert abs(np.corrcoef(change, bulbar)[0, 1]) < limit
    change, rate, bulbar = loss_and_rate(config, 1.0)
    assert np.corrcoef(change, rate)[0, 1] < -0.5


def test_imaging_adds_nothing_to_survival_at_zero(config):
    # What the predictor leaves of the survival knows nothing of the brainstem.
    for effect, linked in ((0.0, False), (1.0, True)):
        _, truth = simulate(config, 0, 1000, 0, 6, Scenario(imaging_effect=effect))
        people = truth.participants
        assert (people.lp == people.clinical_lp).all() != linked
        design = np.column_stack([np.ones(1000), people.clinical_lp, people.clinical_lp**2])
        log_time = np.log(people.event_months.to_numpy())
        rest = log_time - design @ np.linalg.lstsq(design, log_time, rcond=None)[0]
        r = np.corrcoef(rest, people.imaging_own)[0, 1]
        assert (r < -0.1) if linked else (abs(r) < 4.0 / np.sqrt(1000))


def test_bulbar_onset_loses_bulbar_items_first(config):
    lost = {}
    for onset in ONSETS:
        streams = Streams(1, onset)
        patients = draw_patients(config, Scenario(), streams, 800, onset)
        course = draw_course(config, streams, patients)
        early = 0.15 * patients.course[:, None]
        ratings = clinic_of_patients(config, streams, course, early, noise=False).ratings
        lost[onset] = 4.0 - ratings[:, 0].mean(axis=0)
    assert lost["bulbar"][:3].min() > 0.5
    assert lost["bulbar"][3:].max() < 0.3
    assert lost["spinal"][3:9].mean() > 0.2
    assert lost["spinal"][:3].max() < 0.1
    assert lost["respiratory"][9:11].min() > 0.3


def test_order_follows_the_onset(simulated):
    order = simulated[1].order
    first = order[order["rank"] == 1].set_index("onset").structure
    assert first["spinal"] == "cst_crus"
    assert first["bulbar"] == "dorsal_medullary_complex"
    ranks = order[order.onset == "spinal"].set_index("structure")["rank"]
    assert ranks["cst_crus"] < ranks["cst_pons"] < ranks["pyramid"]
    assert ranks["pyramid"] < ranks["medullary_tegmentum"] < ranks["substantia_nigra"]
    assert not set(SPARED) & set(order.structure)


def test_change_grows_with_time(simulated):
    values = simulated[1].values
    kept = values[(values.measure == "fa") & (values.structure == "pyramid_left")]
    loss = (kept.value - kept.without_disease).groupby(kept.participant_id)
    steps = loss.diff().dropna()
    patients = kept.participant_id[steps.index].str.startswith("sub-A")
    assert patients.sum() > 100
    assert (steps[patients] < 0).all()


def test_sites_shift_and_crowd(config):
    _, without = simulate(config, 3, 3, 0, 1, Scenario(site_effect=0.0))
    assert (without.sites.offset == 0).all()
    assert (without.sites.scale == 1).all()
    cohort, truth = simulate(config, 60, 60, 0, 1, Scenario(site_imbalance=1.0))
    assert truth.sites.offset.abs().max() > 0
    sites = cohort.participants.groupby("group").site.unique().map(list).to_dict()
    assert sites == {"ALS": ["site-A"], "HC": ["site-C"]}


def test_measured_errors_replace_the_configured(config, tmp_path):
    path = tmp_path / "errors.json"
    entry = {"volume": {"pyramid_left": {"sd": 0.2, "bias": 0.1}}}
    path.write_text(json.dumps({"kind": "simulated", "source": "a test", "errors": entry}))
    norm = build_norm(config)
    error = read_error(path, norm, Scenario())
    place = [s.key for s in STRUCTURES].index("pyramid_left")
    assert error.sd[0, place] == 0.2
    assert error.bias[0, place] == pytest.approx(np.log(1.1))
    assert error.sd[1, place] == config["error.fa"]
    before, _ = simulate(config, 300, 0, 0, 1)
    after, _ = simulate(config, 300, 0, 0, 1, errors=path)
    ratio = [
        c.measures[c.measures.structure == "pyramid_left"].value.iloc[::3] for c in (after, before)
    ]
    assert (ratio[0] / ratio[1]).median() == pytest.approx(1.1, abs=0.04)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "no table of measurement errors"),
        ('{"kind": "guess", "source": "", "errors": {}}', "kind must be one of"),
        ('{"kind": "real", "source": "", "errors": {"volume": {"nose": {"sd": 1}}}}', "nose"),
        ('{"kind": "real", "source": "", "errors": {"fa": {"pons": {"sd": -1}}}}', "pons"),
        ('{"kind": "real", "source": "", "errors": {"fa": {"pyramid_left": 1}}}', "no table"),
    ],
)  # fmt: skip
def test_wrong_errors_are_refused(config, tmp_path, content, said):
    path = tmp_path / "errors.json"
    path.write_text(content)
    with pytest.raises(BrainstemALSError, match=said):
        read_error(path, build_norm(config), Scenario())


def test_what_stays_with_a_person_is_the_same_at_every_visit(config, tmp_path):
    path = tmp_path / "errors.json"
    entry = {"volume": {"pyramid_left": {"sd": 0.3, "lasting": 0.98}}}
    path.write_text(json.dumps({"kind": "simulated", "source": "a test", "errors": entry}))
    cohort, truth = simulate(config, 150, 0, 0, 1, errors=path)
    key = ["participant_id", "session_id", "structure", "measure"]
    rows = cohort.measures.merge(truth.values[[*key, "value"]], on=key, suffixes=("", "_true"))
    rows = rows[(rows.structure == "pyramid_left") & (rows.measure == "volume")]
    error = np.log(rows.value / rows.value_true)
    of_person = error.groupby(rows.participant_id).transform("mean")
    assert error.std() == pytest.approx(0.3, rel=0.2)
    assert (error - of_person).std() < 0.1


def test_what_is_seen_of_a_difference_shrinks_with_the_slope(config, tmp_path):
    path = tmp_path / "errors.json"
    entry = {"fa": {"pyramid_left": {"sd": 0.0, "slope": 0.5}}}
    path.write_text(json.dumps({"kind": "simulated", "source": "a test", "errors": entry}))
    scenario = Scenario(site_effect=0.0)
    spread = []
    for errors in (None, path):
        cohort, _ = simulate(config, 300, 0, 0, 1, scenario, errors)
        table = cohort.measures.query("structure == 'pyramid_left' and measure == 'fa'")
        spread.append(table.groupby("participant_id").value.first().std())
    assert spread[1] / spread[0] == pytest.approx(0.5, abs=0.06)
