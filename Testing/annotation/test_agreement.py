"""Two experts on one exam: scores against other implementations, consensus, places."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
import SimpleITK as sitk

from BrainstemALSLib.anatomy import by_key
from BrainstemALSLib.annotation import BoxGrid
from BrainstemALSLib.annotation.agreement import agree, bring_together, shared_exams
from BrainstemALSLib.annotation.agreement_places import find_places
from BrainstemALSLib.annotation.agreement_scores import (
    cohens_kappa,
    score_pair,
    surface_distances,
)
from BrainstemALSLib.annotation.consensus import Opinions, consensus_of, disagreement_of
from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.imaging.volume import Volume

LEFT, RIGHT, RED = 23, 24, 9
AFFINE = np.array(
    [[-0.8, 0.0, 0.0, 30.0], [0.0, 1.2, 0.0, -20.0], [0.0, 0.0, 1.5, 5.0], [0.0, 0.0, 0.0, 1.0]]
)
EVERYWHERE = np.ones((24, 22, 20), bool)


def ball(centre, radius, shape=(24, 22, 20)):
    index = np.indices(shape).T - np.array(centre)
    return (np.linalg.norm(index, axis=-1) <= radius).T


def drawing(left=(9, 10, 9), right=(15, 10, 9), radius=4.5):
    labels = np.zeros((24, 22, 20), np.uint8)
    labels[ball(left, radius)] = LEFT
    labels[ball(right, radius)] = RIGHT
    return labels


def opinions(*labels, vouched=None):
    stack = np.stack(labels)
    every = np.ones(stack.shape, bool) if vouched is None else np.stack(vouched)
    return Opinions(stack, every, AFFINE)


@pytest.fixture
def two(store, make_approval):
    """A store in which two annotators corrected one exam and one of them another exam."""
    first = make_approval(annotator="rater1")
    labels = first.correction.array.copy()
    labels[8, 8:12, 9:13] = 0
    labels[11, 10, 10:12] = RED
    store.approve(first)
    store.approve(
        make_approval(annotator="rater2", correction=Volume(labels, first.correction.affine))
    )
    store.approve(make_approval(exam="another", annotator="rater1"))
    return store


def shared(store):
    (records,) = shared_exams(store).values()
    return bring_together([store.read(record.case_id) for record in records])


def test_scores_are_those_of_monai_and_scikit_learn():
    torch = pytest.importorskip("torch")
    metrics = pytest.importorskip("monai.metrics")
    from sklearn.metrics import cohen_kappa_score

    a, b = drawing(), drawing(left=(10, 11, 9), radius=4.0)
    spacing = [0.8, 1.2, 1.5]
    scores = score_pair(("a", "b"), a, b, EVERYWHERE, AFFINE, 1.0)
    row = scores.of("basis_pontis_left")
    pair = [torch.from_numpy(np.pad(x == LEFT, 2))[None, None] for x in (a, b)]
    options = {"include_background": True, "spacing": spacing}

    assert row.dice == pytest.approx(float(metrics.compute_dice(*pair)))
    assd = metrics.compute_average_surface_distance(*pair, symmetric=True, **options)
    assert row.assd_mm == pytest.approx(float(assd), rel=1e-5)
    hd95 = metrics.compute_hausdorff_distance(*pair, percentile=95, **options)
    assert row.hd95_mm == pytest.approx(float(hd95), rel=1e-5)
    nsd = metrics.compute_surface_dice(*pair, class_thresholds=[1.0], **options)
    assert row.nsd == pytest.approx(float(nsd), rel=1e-5)
    drawn = (a > 0) | (b > 0)
    assert scores.kappa == pytest.approx(cohen_kappa_score(a[drawn], b[drawn]))
    voxel = 0.8 * 1.2 * 1.5
    assert row.volume_a_mm3 == pytest.approx((a == LEFT).sum() * voxel)
    assert row.difference_mm3 == pytest.approx(((b == LEFT).sum() - (a == LEFT).sum()) * voxel)
    assert scores.of("pons").kind == "composite"
    assert scores.of("red_nucleus_left") is None


def test_the_same_labels_agree_wholly():
    labels = drawing()
    scores = score_pair(("a", "b"), labels, labels.copy(), EVERYWHERE, AFFINE)
    assert scores.kappa == 1.0
    assert scores.compared_share == 1.0
    for row in scores.structures:
        assert (row.dice, row.nsd, row.assd_mm, row.hd95_mm) == (1.0, 1.0, 0.0, 0.0)
        assert row.difference_percent == 0.0


def test_a_structure_that_only_one_drew_does_not_agree():
    a, b = drawing(), drawing()
    b[b == RIGHT] = 0
    row = score_pair(("a", "b"), a, b, EVERYWHERE, AFFINE).of("basis_pontis_right")
    assert (row.dice, row.nsd, row.difference_percent) == (0.0, 0.0, -200.0)
    assert math.isnan(row.assd_mm)
    assert math.isnan(row.hd95_mm)


def test_swapped_sides_have_a_kappa_below_chance():
    a = drawing()
    b = np.where(a == LEFT, RIGHT, np.where(a == RIGHT, LEFT, 0)).astype(np.uint8)
    scores = score_pair(("a", "b"), a, b, EVERYWHERE, AFFINE)
    assert scores.kappa < 0
    assert scores.of("brainstem").dice == 1.0
    assert scores.mean_dice == 0.0


def test_kappa_without_voxels_is_none():
    nothing = np.zeros(0, np.uint8)
    assert math.isnan(cohens_kappa(nothing, nothing, (1, 2)))
    assert math.isnan(cohens_kappa(np.full(4, 2), np.full(4, 2), (1, 2)))


def test_what_is_not_compared_makes_no_surface():
    a, b = ball((9, 10, 9), 4.5), ball((10, 10, 9), 4.5)
    half = EVERYWHERE.copy()
    half[:, :, 9:] = False
    spacing = np.array([0.8, 1.2, 1.5])
    whole = surface_distances(a, b, spacing)
    part = surface_distances(a, b, spacing, half)
    assert 0 < len(part[0]) < len(whole[0])
    assert max(part[0].max(), part[1].max()) <= 0.8 + 1e-9


def test_only_what_both_vouch_for_is_compared(store, make_approval):
    first = make_approval(annotator="rater1", approved_all=False)
    labels = first.correction.array.copy()
    labels[8, 8:12, 9:13] = 0
    store.approve(first)
    store.approve(
        make_approval(annotator="rater2", correction=Volume(labels, first.correction.affine))
    )
    exam = shared(store)
    strict, loose = agree(exam), agree(exam, rule="any")
    # The first changed three voxels, which the second drew alike.
    (pair,) = strict.pairs
    assert pair.kappa == 1.0
    assert pair.compared_mm3 == pytest.approx(3 * 4.0**3)
    assert 0 < pair.compared_share < 0.1
    assert strict.places == ()
    assert loose.pairs[0].compared_share == 1.0
    assert loose.pairs[0].kappa < 1
    with pytest.raises(ValueError, match="rule"):
        agree(exam, rule="everywhere")


def test_exams_of_one_annotator_are_left_out(two):
    assert len(shared_exams(two)) == 1
    (records,) = shared_exams(two).values()
    assert [record.annotator for record in records] == ["rater1", "rater2"]
    with pytest.raises(BrainstemALSError, match="two annotators") as refusal:
        shared_exams(two, annotators=("rater1",))
    assert refusal.value.code == ExitCode.UNSUITABLE_IMAGE
    with pytest.raises(BrainstemALSError, match="begins so"):
        shared_exams(two, exam="zz")
    ((key, again),) = shared_exams(two, exam=records[0].exam_key[:12]).items()
    assert key == records[0].exam_key
    assert [record.case_id for record in again] == [record.case_id for record in records]


def test_the_latest_case_of_an_annotator_counts(two, make_approval):
    again = two.approve(make_approval(annotator="rater2"))
    (records,) = shared_exams(two).values()
    assert records[1].case_id == again.case_id
    assert agree(shared(two)).pairs[0].kappa == 1.0


def test_boxes_of_different_extent_come_together(store, make_approval):
    first = make_approval(annotator="rater1")
    labels = first.correction.array.copy()
    labels[17, 8, 9] = RED  # far to one side: another box
    store.approve(first)
    store.approve(
        make_approval(annotator="rater2", correction=Volume(labels, first.correction.affine))
    )
    records = store.cases()
    assert records[0].box_shape != records[1].box_shape
    exam = shared(store)
    box = first.grid
    start = np.array(exam.grid.offset) - box.offset
    window = tuple(slice(a, a + n) for a, n in zip(start, exam.t1.shape, strict=True))
    np.testing.assert_array_equal(exam.opinions.labels[0], first.correction.array[window])
    np.testing.assert_array_equal(exam.opinions.labels[1], labels[window])
    np.testing.assert_array_equal(exam.t1.array, first.images["t1"].array[window])
    assert exam.opinions.vouched.all()
    np.testing.assert_allclose(
        exam.t1.affine[:3, 3], (box.affine @ [*exam.grid.offset, 1])[:3], atol=1e-9
    )


def test_another_t1_under_the_same_key_is_refused(store, make_approval):
    store.approve(make_approval(annotator="rater1"))
    approval = make_approval(annotator="rater2")
    affine = approval.grid.affine.copy()
    affine[:3, 3] += 2.0
    grid = BoxGrid(approval.grid.shape, affine, approval.grid.offset)
    moved = {
        "images": {k: Volume(v.array, grid.box_affine) for k, v in approval.images.items()},
        "prediction": Volume(approval.prediction.array, grid.box_affine),
        "correction": Volume(approval.correction.array, grid.box_affine),
    }
    store.approve(make_approval(annotator="rater2", grid=grid, **moved))
    with pytest.raises(BrainstemALSError, match="another T1") as refusal:
        shared(store)
    assert refusal.value.code == ExitCode.MISMATCHED_IMAGES


def test_majority_is_that_of_simpleitk():
    a, b, c = drawing(), drawing(left=(10, 11, 9)), drawing(right=(15, 9, 10), radius=4.0)
    found = consensus_of(opinions(a, b, c), np.zeros_like(a), "majority")
    images = [sitk.GetImageFromArray(x) for x in (a, b, c)]
    wanted = sitk.GetArrayFromImage(sitk.LabelVoting(images, 255))
    np.testing.assert_array_equal(found.decided.array, wanted != 255)
    np.testing.assert_array_equal(found.labels.array[wanted != 255], wanted[wanted != 255])


def test_a_tie_keeps_the_prediction_and_is_undecided():
    a, b = drawing(), drawing(left=(10, 11, 9))
    prediction = np.full_like(a, RED)
    found = consensus_of(opinions(a, b), prediction, "majority")
    np.testing.assert_array_equal(found.decided.array, a == b)
    assert (found.labels.array[a != b] == RED).all()


def test_staple_trusts_the_annotators_who_agree():
    truth = drawing()
    good = [truth, drawing(radius=4.4), truth.copy()]
    bad = drawing(left=(12, 14, 12), right=(18, 14, 12))
    found = consensus_of(opinions(*good, bad), truth, "staple").labels.array
    dice = 2 * ((found == truth) & (truth > 0)).sum() / ((found > 0).sum() + (truth > 0).sum())
    assert dice > 0.97
    assert set(np.unique(found)) <= {0, LEFT, RIGHT}


def test_who_does_not_vouch_has_no_vote():
    a, b, c = drawing(), drawing(), np.full_like(drawing(), RED)
    nobody = np.zeros(a.shape, bool)
    for method in ("majority", "staple"):
        every = opinions(a, b, c, vouched=(EVERYWHERE, EVERYWHERE, nobody))
        found = consensus_of(every, np.zeros_like(a), method)
        np.testing.assert_array_equal(found.labels.array, a)
        assert found.decided.array.all()
        assert not disagreement_of(every).array.any()
    none = consensus_of(opinions(a, b, vouched=(nobody, nobody)), c)
    assert not none.decided.array.any()
    np.testing.assert_array_equal(none.labels.array, c)
    with pytest.raises(ValueError, match="method"):
        consensus_of(opinions(a, b), c, "mean")


def test_disagreement_is_the_share_outside_the_largest_group():
    a = np.zeros((3, 1, 1), np.uint8)
    b, c = a.copy(), a.copy()
    b[1:] = LEFT
    c[2] = RIGHT
    share = disagreement_of(opinions(a, b, c)).array[:, 0, 0]
    np.testing.assert_allclose(share, [0, 1 / 3, 2 / 3], rtol=1e-6)
    np.testing.assert_allclose(disagreement_of(opinions(a, b)).array[:, 0, 0], [0, 0.5, 0.5])


def test_places_say_where_and_what_is_confused():
    a = drawing()
    b = a.copy()
    missed = ball((9, 10, 9), 2.1) & (a == LEFT)
    b[missed] = RED
    b[21:23, 3:5, 3] = RIGHT
    both = opinions(a, b)
    large, small = find_places(both, disagreement_of(both))
    voxel = 0.8 * 1.2 * 1.5
    assert large.keys == ("red_nucleus_left", "basis_pontis_left")
    assert large.volume_mm3 == pytest.approx(missed.sum() * voxel)
    np.testing.assert_allclose(large.centre_ras, (AFFINE @ [9, 10, 9, 1])[:3])
    assert large.depth_mm > small.depth_mm
    assert small.keys == ("background", "basis_pontis_right")
    assert small.volume_mm3 == pytest.approx(4 * voxel)
    assert large.share == pytest.approx(0.5)
    assert find_places(both, disagreement_of(both), limit=1) == (large,)


def test_places_do_not_depend_on_who_comes_first():
    a, b = drawing(), drawing(left=(10, 11, 9), radius=4.0)
    one, other = opinions(a, b), opinions(b, a)
    places = find_places(one, disagreement_of(one))
    assert places == find_places(other, disagreement_of(other))
    assert len(places) > 2
    assert all(p.volume_mm3 >= q.volume_mm3 for p, q in pairwise(places))
    known = {"background", *by_key()}
    assert all(set(place.keys) <= known for place in places)
