import json

import numpy as np
import pytest

from BrainstemALSLib.anatomy import by_key
from BrainstemALSLib.anatomy.priors import load_intensity_priors
from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.imaging.exam import read_exam
from BrainstemALSLib.imaging.reading import read_volume
from BrainstemALSLib.imaging.volume import Volume
from BrainstemALSLib.phantom import painting, synthetic_patient
from BrainstemALSLib.phantom.comparison import compare
from BrainstemALSLib.phantom.effects import DIFFUSION_EFFECTS
from BrainstemALSLib.phantom.files import write_patient
from BrainstemALSLib.phantom.patient import SIMULATED


def test_the_same_seed_gives_the_same_patient_and_another_seed_another(anatomy, patient):
    again = synthetic_patient(*anatomy, seed=3)
    for name in ("t1", "fa", "md", "truth"):
        np.testing.assert_array_equal(getattr(again, name).array, getattr(patient, name).array)
    assert again.description == patient.description
    other = synthetic_patient(*anatomy, seed=4)
    assert np.any(other.truth.array != patient.truth.array)


def test_the_medulla_loses_what_was_asked_and_the_pyramids_more(patient):
    asked = patient.description["medulla_loss_asked_percent"]
    change = patient.description["volume_change_percent"]
    assert 5.0 <= asked <= 8.0
    assert change["medulla"] == pytest.approx(-asked, abs=1.0)
    assert change["pyramid"] < change["medulla"] - 2
    assert abs(change["midbrain"]) < 0.5


def test_the_description_says_that_nobody_was_scanned(patient):
    assert patient.description["simulated"] is True
    assert patient.description["statement"] == SIMULATED


def test_tissues_are_told_apart_on_the_images(patient):
    known = by_key()
    t1, truth = patient.t1.array, patient.truth.array
    stem = t1[truth == known["pontine_tegmentum_left"].index]
    assert 0.7 < stem.mean() / painting.T1_WHITE < 1.1
    assert t1[:3, :3, :3].mean() < 0.1 * painting.T1_WHITE
    assert patient.fa.array.min() >= 0
    assert patient.fa.array.max() <= 1
    assert patient.md.array.min() >= 0
    assert 0.5 < np.median(patient.md.array[patient.md.array > 0]) < 3.2


def test_disease_lowers_fa_along_the_corticospinal_tract_and_nowhere_else(anatomy):
    labels, white, grey = (volume.array for volume in anatomy)
    means = {
        sick: painting.tissue_means(
            labels, white, grey, np.ones(3), np.random.default_rng(1), disease=sick
        )
        for sick in (True, False)
    }
    pyramid = np.isin(labels, [by_key()[f"pyramid_{side}"].index for side in ("left", "right")])
    difference = means[True]["fa"] - means[False]["fa"]
    np.testing.assert_allclose(difference[pyramid], DIFFUSION_EFFECTS["pyramid"].fa, atol=1e-6)
    assert np.all(difference[~pyramid] == 0)
    assert np.all((means[True]["md"] - means[False]["md"])[pyramid] > 0.01)


def test_painted_values_follow_the_priors(anatomy):
    labels, white, grey = (volume.array for volume in anatomy)
    rng = np.random.default_rng(0)
    means = painting.tissue_means(labels, white, grey, np.ones(3), rng, disease=False)
    prior = load_intensity_priors()["pontine_tegmentum_left"]
    here = labels == by_key()["pontine_tegmentum_left"].index
    assert means["fa"][here].mean() == pytest.approx(prior.fa_mean, abs=2 * prior.fa_sd)
    assert means["t1"][here].mean() == pytest.approx(prior.t1_relative, rel=0.1)


def test_diffusion_maps_lie_on_the_patient(patient):
    # The centre of mass of the head is the same place in millimetres on both grids.
    def centre(volume, mask):
        return (volume.affine @ np.append(np.argwhere(mask).mean(axis=0), 1))[:3]

    fluid = centre(patient.md, patient.md.array > 0.4)
    head = centre(patient.t1, patient.t1.array > 0.15 * painting.T1_WHITE)
    np.testing.assert_allclose(fluid, head, atol=1.5)


def test_an_anatomy_without_a_medulla_is_refused(anatomy):
    labels, white, grey = anatomy
    with pytest.raises(BrainstemALSError) as refusal:
        synthetic_patient(Volume(np.zeros_like(labels.array), labels.affine), white, grey)
    assert refusal.value.code == ExitCode.UNSUITABLE_IMAGE


def test_the_files_can_be_read_back_as_an_exam(patient, tmp_path):
    paths = write_patient(patient, tmp_path / "case")
    truth = read_volume(paths["truth"], "labels")
    np.testing.assert_array_equal(truth.array, patient.truth.array)
    assert json.loads(paths["description"].read_text())["simulated"] is True
    maps = read_volume(paths["md"], "MD")
    np.testing.assert_allclose(maps.affine, patient.md.affine, atol=1e-4)
    with pytest.raises(BrainstemALSError) as refusal:
        write_patient(patient, tmp_path / "case")
    assert refusal.value.code == ExitCode.OUTPUT_REFUSED
    exam = read_exam(paths["t1"], paths["fa"], paths["md"])
    assert exam.fa is not None
    assert exam.md is not None


def test_comparison_knows_perfect_shifted_and_empty(patient):
    truth = patient.truth
    perfect = compare(truth, truth)
    assert [row.dice for row in perfect] == [1.0] * len(perfect)
    assert [row.volume_error_percent for row in perfect] == [0.0] * len(perfect)
    shifted = compare(Volume(np.roll(truth.array, 2, axis=0), truth.affine), truth)
    assert all(0.5 < row.dice < 1.0 for row in shifted)
    empty = compare(Volume(np.zeros_like(truth.array), truth.affine), truth)
    assert all(row.dice == 0.0 and row.volume_error_percent == -100.0 for row in empty)


def test_comparison_refuses_another_grid(patient):
    moved = patient.truth.affine.copy()
    moved[0, 3] += 5
    with pytest.raises(BrainstemALSError) as refusal:
        compare(Volume(patient.truth.array, moved), patient.truth)
    assert refusal.value.code == ExitCode.MISMATCHED_IMAGES
