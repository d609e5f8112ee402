"""Simulated images: volumes that were asked for, files that the runner reads, truth kept apart."""

from __future__ import annotations

import json

import numpy as np
import pytest

from BrainstemALSLib.assets import asset_path
from BrainstemALSLib.cohort.clinical import read_clinical
from BrainstemALSLib.cohort.discovery import find_visits
from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.imaging.reading import read_label_map, read_volume
from BrainstemALSLib.imaging.volume import Volume
from BrainstemALSLib.phantom.deformation import random_shape
from training import anatomies
from training.cohort import imaging_shape
from training.cohort.imaging import Sizes, simulate_images
from training.cohort.imaging_files import bids_folder, read_image_truth, truth_folder
from training.cohort.imaging_painting import Protocol, paint, protocol_of
from training.cohort.imaging_shape import shaped, volumes_of
from training.cohort.spread import STRUCTURES

KEYS = [s.key for s in STRUCTURES]
PLAIN = Protocol(contrast=1.0, softness=0.0)


@pytest.fixture(scope="module")
def anatomy() -> Volume:
    """The average anatomy that the extension carries, with room around it."""
    box = read_label_map(asset_path("Phantom/labels.nii.gz"))
    affine = box.affine.copy()
    affine[:3, 3] -= affine[:3, :3] @ np.full(3, 18.0)
    return Volume(np.pad(box.array, 18), affine)


@pytest.fixture(scope="module")
def outline(anatomy):
    return random_shape(anatomy.shape, anatomy.spacing, np.random.default_rng(4))


@pytest.fixture(scope="module")
def healthy(anatomy, outline):
    return shaped(anatomy, volumes_of(anatomy) * 1.05, outline)


def test_structures_get_the_volumes_that_were_asked_for(anatomy, outline):
    wanted = volumes_of(anatomy) * np.exp(np.random.default_rng(1).normal(0, 0.08, len(KEYS)))
    shape = shaped(anatomy, wanted, outline)
    error = np.log(shape.volumes / wanted)
    assert np.sqrt(np.nanmean(error**2)) < 0.015
    assert shape.jacobian > 0.15


def test_a_later_visit_loses_what_was_asked_and_nothing_else(anatomy, outline, healthy):
    wanted = volumes_of(anatomy) * 1.05
    ill = np.array([0.94 if s.parent == "medulla" else 1.0 for s in STRUCTURES])
    later = shaped(anatomy, wanted * ill, outline, healthy)
    change = later.volumes / healthy.volumes
    medulla = ill < 1
    whole = np.nansum(later.volumes[medulla]) / np.nansum(healthy.volumes[medulla])
    assert whole == pytest.approx(0.94, abs=0.005)
    assert np.nanmax(np.abs(change[~medulla] - 1)) < 0.02


def test_what_would_fold_is_refused(anatomy, outline, monkeypatch):
    monkeypatch.setattr(imaging_shape, "SMALLEST_JACOBIAN", 5.0)
    monkeypatch.setattr(imaging_shape, "SHARES", (1.0,))
    with pytest.raises(ValueError, match="fold"):
        shaped(anatomy, volumes_of(anatomy), outline)


def test_images_show_the_tissue_that_was_asked_for(healthy):
    fa, md = np.full(len(KEYS), 0.5), np.full(len(KEYS), 0.8)
    images = paint(healthy, fa, md, PLAIN, person=1, visit=2)
    assert np.allclose(images["t1"].spacing, 1.0)
    assert np.allclose(images["fa"].spacing, 2.0)
    middle = np.array(images["fa"].shape) // 2
    core = images["fa"].array[tuple(slice(m - 1, m + 2) for m in middle)]
    assert core.mean() == pytest.approx(0.5, abs=0.05)
    assert images["md"].array.max() < 3.5


def test_a_visit_has_its_own_noise_and_a_site_its_own_contrast(healthy):
    fa, md = np.full(len(KEYS), 0.5), np.full(len(KEYS), 0.8)
    first, again, other = (
        paint(healthy, fa, md, PLAIN, person=1, visit=v)["t1"].array for v in (2, 2, 3)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert protocol_of(5, 0) == protocol_of(5, 0) != protocol_of(5, 1)


@pytest.fixture(scope="module")
def one_anatomy(anatomy):
    """The average anatomy stands for the held-out ones, which are built from ../shared/data."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(anatomies, "built_cases", lambda held_out: ["average"] if held_out else [])
        patch.setattr(anatomies, "load_anatomy", lambda case: anatomy)
        yield


@pytest.fixture(scope="module")
def written(one_anatomy, tmp_path_factory):
    """A cohort of two people with two visits at most."""
    folder = tmp_path_factory.mktemp("cohort")
    return folder, list(simulate_images(folder, Sizes(1, 1, 0, 2), seed=3))


def test_the_runner_finds_every_visit_with_its_maps(written):
    folder, done = written
    remarks: list = []
    visits = find_visits(bids_folder(folder), remarks)
    assert [f"{v.participant} {v.session}" for v in visits] == sorted(done)
    assert all(v.has_t1 and v.fa and v.md for v in visits)
    people, clinical = read_clinical(bids_folder(folder), visits, remarks)
    assert sorted(row["group"] for row in people) == ["ALS", "HC"]
    assert {(v.participant, v.session) for v in visits} <= {
        (r["participant_id"], r["session_id"]) for r in clinical
    }
    # A visit may have been missed in the scanner; nothing else is odd.
    odd = [r.problem for r in remarks if r.action not in ("note", "missing")]
    assert [problem for problem in odd if "no images of it" not in problem] == []


def test_simulation_is_said_and_truth_lies_apart(written):
    folder, _ = written
    bids = bids_folder(folder)
    assert json.loads((bids / "dataset_description.json").read_text())["source"] == "simulated"
    assert (truth_folder(folder) / "clocks.tsv").is_file()
    words = " ".join(path.read_text() for path in bids.rglob("*.tsv"))
    for secret in ("disease_time", "without_disease", "asked", "z_rate"):
        assert secret not in words


def test_truth_of_the_images_is_what_they_show(written):
    folder, done = written
    truth = read_image_truth(folder)
    assert len(truth) == 3 * len(KEYS) * len(done)
    volume = truth[truth.measure == "volume"]
    assert np.abs(np.log(volume.value / volume.asked)).mean() < 0.02
    assert truth[truth.measure == "fa"].value.between(0.05, 0.95).all()


def test_it_goes_on_where_it_stopped(written):
    folder, done = written
    assert list(simulate_images(folder, Sizes(1, 1, 0, 2), seed=3)) == []
    lost = sorted((truth_folder(folder) / "images").glob("*.tsv"))[-1]
    name = lost.stem
    image = next(bids_folder(folder).rglob(f"{name}_T1w.nii.gz"))
    before = read_volume(image, "T1").array
    lost.unlink()
    again = list(simulate_images(folder, Sizes(1, 1, 0, 2), seed=3))
    participant = name.split("_")[0]
    assert again == [d for d in done if d.startswith(participant)]
    assert np.array_equal(read_volume(image, "T1").array, before)


def test_another_simulation_is_not_mixed_in(written):
    folder, _ = written
    with pytest.raises(BrainstemALSError, match="another simulation") as refusal:
        next(simulate_images(folder, Sizes(1, 1, 0, 2), seed=4))
    assert refusal.value.code == ExitCode.OUTPUT_REFUSED


def test_without_anatomies_it_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr(anatomies, "built_cases", lambda held_out: [])
    with pytest.raises(BrainstemALSError, match="make atlas"):
        next(simulate_images(tmp_path / "out", Sizes(1, 1, 0, 1), seed=3))
