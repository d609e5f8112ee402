"""People and painted images for the imaging network: alike, repeatable, kept apart."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from BrainstemALSLib.anatomy import by_key
from BrainstemALSLib.assets import asset_path
from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.imaging.reading import read_label_map
from BrainstemALSLib.imaging.volume import Volume
from training.cohort.imaging_shape import volumes_of
from training.cohort.spread import STRUCTURES
from training.evaluation.prediction_network_methods import NO_ERROR
from training.prediction.network import images
from training.prediction.network.images import SIZE, coarse, painted, read_images, render
from training.prediction.network.people import AGE_BAND, KEYS, Plan, alike, simulated, targets

PLAN = Plan(seed=8991, pool=90, each=30, sites=6, held_out=False)


@pytest.fixture(scope="module")
def found():
    return simulated(PLAN)


@pytest.fixture(scope="module")
def anatomy() -> Volume:
    """The average anatomy that the extension carries, with room around it."""
    box = read_label_map(asset_path("Phantom/labels.nii.gz"))
    affine = box.affine.copy()
    affine[:3, 3] -= affine[:3, :3] @ np.full(3, 18.0)
    return Volume(np.pad(box.array, 18), affine)


@pytest.fixture
def one_anatomy(anatomy, monkeypatch):
    monkeypatch.setattr(images, "load_anatomy", lambda case: anatomy)
    monkeypatch.setattr(images, "built_cases", lambda held_out: [f"average-{held_out}"])
    images._anatomy.cache_clear()
    yield
    images._anatomy.cache_clear()


def test_patients_and_controls_are_alike(found):
    people, y = found.people, found.patient
    assert y.sum() == (~y).sum() == PLAN.each
    assert len(set(found.ids)) == 2 * PLAN.each
    for values in (people.sex[found.rows], np.floor(people.age[found.rows] / AGE_BAND)):
        patients, controls = (np.unique(values[side], return_counts=True) for side in (y, ~y))
        assert np.array_equal(patients[0], controls[0])
        assert np.array_equal(patients[1], controls[1])


def test_too_few_alike_are_refused(found):
    with pytest.raises(ValueError, match="1000 wanted"):
        alike(found.people, 1000, 1)


def test_without_error_they_are_the_same_people_measured_better(found):
    clean = simulated(PLAN, NO_ERROR)
    assert clean.ids == found.ids
    key = ("pons", "volume")
    pairs = [
        [people.people.records[k].visits[0].measures[key].value for k in people.rows]
        for people in (found, clean)
    ]
    assert np.corrcoef(pairs)[0, 1] > 0.8
    assert not np.allclose(*pairs)


def test_targets_are_the_persons_values_as_the_scanner_sees_them(found):
    level = np.full(len(KEYS), 0.1)
    wanted = targets(found, level)
    truth = found.truth.values.set_index(["participant_id", "measure", "structure"]).value
    place, name = KEYS.index("pyramid_left"), found.ids[3]
    assert wanted[3, 0, place] == pytest.approx(truth[name, "volume", "pyramid_left"] * np.exp(0.1))
    sites = found.truth.sites.set_index(["site", "measure", "structure"]).offset
    offset = sites[found.site[3], "fa", "pyramid_left"]
    assert offset != 0.0
    assert wanted[3, 1, place] == pytest.approx(truth[name, "fa", "pyramid_left"] + offset)


def test_a_coarse_anatomy_keeps_its_volumes(anatomy):
    small = coarse(anatomy)
    assert np.allclose(small.spacing, 1.0)
    change = np.log(volumes_of(small) / volumes_of(anatomy))
    assert np.sqrt(np.nanmean(change**2)) < 0.08
    middle = [
        (v.affine @ [*np.argwhere(v.array == by_key()["pyramid_left"].index).mean(0), 1.0])[:3]
        for v in (small, anatomy)
    ]
    assert np.abs(middle[0] - middle[1]).max() < 0.6


def test_what_the_person_has_is_in_the_image(anatomy):
    small = coarse(anatomy)
    target = np.stack([volumes_of(small), np.full(len(KEYS), 0.4), np.full(len(KEYS), 0.8)])
    other = target.copy()
    other[1] = 0.5
    one, ill = (painted(small, t, 0, 1, np.random.default_rng(2))[0] for t in (target, other))
    assert one.shape == (3, *SIZE)
    assert one.dtype == np.float16
    assert np.isfinite(one).all()
    inside = np.s_[:, 14:18, 14:18, 18:22]
    t1, fa, md = (ill.astype(float) - one)[inside].mean(axis=(1, 2, 3))
    assert fa == pytest.approx(0.1, abs=0.03)
    assert abs(t1) < 0.01
    assert abs(md) < 0.01
    assert len(KEYS) == len(STRUCTURES)


def test_painting_goes_on_where_it_stopped_and_refuses_others(found, one_anatomy, tmp_path):
    few = replace(found, rows=found.rows[3:4])
    assert list(render(few, tmp_path)) == few.ids
    assert list(render(few, tmp_path)) == []
    before = read_images(few, tmp_path)
    assert before.shape == (1, 3, *SIZE)
    (tmp_path / f"seed-{PLAN.seed}" / f"{few.ids[0]}.npy").unlink()
    assert list(render(few, tmp_path)) == few.ids
    assert np.array_equal(read_images(few, tmp_path), before)
    others = replace(few, plan=replace(PLAN, held_out=True))
    with pytest.raises(BrainstemALSError, match="another simulation") as refusal:
        next(render(others, tmp_path))
    assert refusal.value.code == ExitCode.OUTPUT_REFUSED


def test_without_anatomies_it_says_what_to_do(found, monkeypatch, tmp_path):
    monkeypatch.setattr(images, "built_cases", lambda held_out: [])
    with pytest.raises(BrainstemALSError, match="make atlas"):
        next(render(found, tmp_path))
