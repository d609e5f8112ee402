"""Kinds of exam: alike but for what is named."""

import numpy as np
import pytest

from BrainstemALSLib.anatomy import by_key
from BrainstemALSLib.imaging.geometry import same_grid
from BrainstemALSLib.imaging.volume import Volume
from training.evaluation import adapter, kinds
from training.evaluation.kinds import KINDS, Exams, thinning, volumes_of
from training.evaluation.simulate import simulate_exam


@pytest.fixture(scope="module")
def exams(anatomy):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(adapter, "anatomy", lambda case: anatomy)
        found = Exams("one", 7)
        yield {kind: found.of(kind) for kind in KINDS} | {"again": Exams("one", 7)}


def images(drawn):
    return {name: getattr(drawn.exam, name) for name in ("t1", "fa", "md", "v1")}


def test_every_kind_gives_what_its_name_says(exams):
    given = {
        kind: [name for name, image in images(exams[kind]).items() if image is not None]
        for kind in KINDS
    }
    assert given.pop("t1_fa_md_v1") == ["t1", "fa", "md", "v1"]
    assert given.pop("t1") == ["t1"]
    assert {tuple(names) for names in given.values()} == {("t1", "fa", "md")}


@pytest.mark.parametrize("kind", list(KINDS))
def test_truth_lies_on_the_t1_and_all_is_finite(exams, kind):
    drawn = exams[kind]
    assert same_grid(drawn.truth, drawn.exam.t1)
    assert drawn.truth.array.any()
    for image in images(drawn).values():
        assert image is None or np.isfinite(image.array).all()
    assert (drawn.brain is None) == KINDS[kind].degraded


@pytest.mark.parametrize("kind", ["thick", "noisy", "cropped", "atrophied"])
def test_a_seed_decides_everything(anatomy, exams, monkeypatch, kind):
    monkeypatch.setattr(adapter, "anatomy", lambda case: anatomy)
    first, again = exams[kind], exams["again"].of(kind)
    for name in ("t1", "fa", "md"):
        pair = (getattr(drawn.exam, name).array for drawn in (first, again))
        assert np.array_equal(*pair), name
    assert np.array_equal(first.truth.array, again.truth.array)


def test_another_seed_or_case_is_another_exam(anatomy, exams, monkeypatch):
    monkeypatch.setattr(adapter, "anatomy", lambda case: anatomy)
    for other in (Exams("one", 8), Exams("two", 7)):
        assert not np.array_equal(other.of("t1").exam.t1.array, exams["t1"].exam.t1.array)


def test_thick_slices_keep_the_head_in_its_place(exams):
    thick, whole = exams["thick"], exams["t1_fa_md"]
    spacing = np.sort(thick.exam.t1.spacing)
    assert spacing[:2] == pytest.approx([1, 1])
    assert kinds.THICK_MM[0] <= spacing[2] <= kinds.THICK_MM[1]
    assert thick.truth_mm3 == whole.truth_mm3
    for value in (1, 26, 34):
        middles = []
        for truth in (thick.truth, whole.truth):
            middle = np.argwhere(truth.array == value).mean(0)
            middles.append((truth.affine @ [*middle, 1])[:3])
        assert middles[0] == pytest.approx(middles[1], abs=0.75)
    assert thick.exam.fa is whole.exam.fa


def test_noise_is_added_and_nothing_moves(exams):
    noisy, whole = exams["noisy"], exams["t1_fa_md"]
    for name in ("t1", "fa", "md"):
        before, after = (getattr(drawn.exam, name).array for drawn in (whole, noisy))
        assert 0.03 < (after - before).std() < 0.2
        assert after.min() >= 0
    assert noisy.exam.fa.array.max() <= 1
    assert noisy.truth is whole.truth


def test_cut_view_holds_less_of_what_is_there_and_leaves_out_what_it_lost(exams):
    cut, whole = exams["cropped"], exams["t1_fa_md"]
    assert cut.exam.t1.shape[:2] == whole.exam.t1.shape[:2]
    assert cut.exam.t1.shape[2] < whole.exam.t1.shape[2]
    assert 0 < cut.truth_mm3["brainstem"] < whole.truth_mm3["brainstem"]
    assert cut.left_out
    for key, volume in whole.truth_mm3.items():
        assert cut.truth_mm3[key] <= volume
        assert (key in cut.left_out) == (cut.truth_mm3[key] < 0.5 * volume)


def medulla_of(radius_mm=9.0, height_mm=24.0, spacing=0.75):
    """An upright cylinder below pons and midbrain, with pyramids in its front."""
    shape = (64, 64, 80)
    affine = np.diag([spacing, spacing, spacing, 1.0])
    affine[:3, 3] = -spacing * (np.array(shape) - 1) / 2
    x, y, z = np.moveaxis(np.indices(shape), 0, -1).reshape(-1, 3).T * spacing
    x, y, z = (v + affine[a, 3] for a, v in enumerate((x, y, z)))
    index = {key: structure.index for key, structure in by_key().items()}
    array = np.full(shape, 104, np.uint8).ravel()
    inside = np.hypot(x, y) < radius_mm
    array[inside & (z > 10)] = index["midbrain_tegmentum_left"]
    array[inside & (z > 0) & (z <= 10)] = index["pontine_tegmentum_left"]
    array[inside & (z > 0) & (z <= 10) & (y > 3)] = index["cst_pons_left"]
    low = inside & (np.abs(z + height_mm / 2) < height_mm / 2)
    array[low] = index["medullary_tegmentum_left"]
    for side, sign in (("left", -1), ("right", 1)):
        pyramid = low & (np.hypot(x - 3.5 * sign, y - 5) < 2.8)
        array[pyramid] = index[f"pyramid_{side}"]
    return Volume(array.reshape(shape), affine)


@pytest.mark.parametrize("loss", [5.0, 15.0])
def test_atrophy_takes_what_was_asked_from_the_medulla_and_more_from_the_pyramids(loss):
    anatomy = medulla_of()
    _, healthy, _ = simulate_exam(anatomy, 1)
    _, thin, _ = simulate_exam(anatomy, 1, thinning(anatomy, loss))
    before, after = volumes_of(healthy), volumes_of(thin)
    keys = ("medulla", "pyramid_left", "pyramid_right", "pons", "midbrain")
    change = {key: 100 * (after[key] / before[key] - 1) for key in keys}
    assert change["medulla"] == pytest.approx(-loss, abs=3)  # voxels of a small cylinder
    assert change["pons"] > -0.5 * loss  # its lowest slices are pulled along
    assert change["midbrain"] == pytest.approx(0, abs=0.5)
    pyramids = (change["pyramid_left"] + change["pyramid_right"]) / 2
    assert pyramids == pytest.approx(-loss - 6, abs=4)


def test_atrophied_exam_has_the_contrast_of_the_healthy_one(exams):
    thin, whole = exams["atrophied"], exams["t1_fa_md"]
    assert thin.truth_mm3["medulla"] < whole.truth_mm3["medulla"]
    same = (thin.truth.array == whole.truth.array) & (whole.truth.array > 0)
    difference = np.abs(thin.exam.t1.array - whole.exam.t1.array)[same]
    assert np.median(difference) < 0.02
