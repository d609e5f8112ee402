"""What each method does in a step."""

import numpy as np
import pytest
import torch

from training import labels as L
from training.experiments import few_shot, mean_teacher, subcortical
from training.experiments.pretrain import agreement, hidden_blocks
from training.geometry_augmentation import Draw

from .conftest import source_map, tiny_settings

SETTINGS = tiny_settings()


def draws(seed=1):
    return Draw(torch.Generator().manual_seed(seed))


def test_hidden_blocks_are_cubes_of_the_right_share():
    hidden = hidden_blocks(draws(), (32, 40, 45), 4, 0.6)
    assert hidden.shape == (32, 40, 45)
    assert hidden.float().mean() == pytest.approx(0.6, abs=0.06)
    block = hidden[:4, :4, :4]
    assert block.all() or not block.any()


def test_features_of_one_place_are_drawn_together():
    first = torch.eye(8)
    assert agreement(first, first, 0.1) < 0.01
    assert agreement(first, first.roll(1, 0), 0.1) > 5


def test_consistency_grows_to_its_full_weight():
    weights = [mean_teacher.ramp(progress, 0.4) for progress in (0.0, 0.2, 0.4, 1.0)]
    assert weights[0] < 0.01
    assert weights == sorted(weights)
    assert weights[2:] == [1.0, 1.0]


def test_image_and_classes_turn_together():
    classes = torch.zeros(20, 24, 28, dtype=torch.long)
    classes[6:12, 8:18, 6:20] = 1
    exam = {"t1": classes.float(), "v1": classes.float().expand(3, -1, -1, -1)}
    moved, turned = few_shot.turned(draws(2), exam, classes)
    assert moved["v1"].shape == (3, *classes.shape)
    assert not torch.equal(turned, classes)
    assert 0.7 < turned.sum() / classes.sum() < 1.4
    assert ((moved["t1"] > 0.5) == (turned == 1)).float().mean() > 0.99


def test_a_turn_keeps_lengths_on_a_box_with_unequal_sides():
    # A sphere stays one, up to the zoom that is the same along every axis.
    grid = np.moveaxis(np.indices((24, 32, 40)), 0, -1) - [11.5, 15.5, 19.5]
    sphere = torch.from_numpy(((grid**2).sum(-1) < 64).astype(np.int64))
    _, turned = few_shot.turned(draws(5), {"t1": sphere.float()}, sphere)
    place = torch.nonzero(turned)
    extent = (place.max(0).values - place.min(0).values).float()
    assert extent.max() - extent.min() <= 1


def test_pseudo_classes_are_whole_supervoxels():
    pieces = torch.arange(8, dtype=torch.int32).repeat_interleave(64).reshape(8, 8, 8)
    pieces[0, 0, 0] = 99  # too small to be one
    classes = few_shot._pseudo_classes(draws(), pieces, 3)
    assert classes.unique().tolist() == [0, 1, 2, 3]
    for number in (1, 2, 3):
        own = pieces[classes == number].unique()
        assert len(own) == 1
        assert torch.equal(classes == number, pieces == own)
    assert classes[0, 0, 0] == 0


def test_supervoxels_follow_the_image():
    planes = torch.zeros(6, 20, 20, 20, dtype=torch.uint8)
    planes[0, 10:] = 200
    pieces = few_shot.supervoxels(planes, 5)
    assert pieces.shape == (20, 20, 20)
    assert 8 <= len(pieces.unique()) <= 200
    assert not set(pieces[:9].unique().tolist()) & set(pieces[11:].unique().tolist())


def test_transfer_learns_sides_and_never_the_brainstem():
    volume = source_map(1)
    source = subcortical.prepared(volume.array, volume.affine, "hoa2")
    names = ("", *subcortical.class_names())
    left = source.classes == names.index("putamen, left")
    right = source.classes == names.index("putamen, right")
    assert left.sum() == right.sum() > 0
    assert torch.nonzero(left)[:, 0].max() < torch.nonzero(right)[:, 0].min()
    stem = source.paint == subcortical.BRAINSTEM_PAINT
    assert int(stem.sum()) == int((volume.array == 15).sum())
    assert not source.classes[stem].any()


def test_painted_values_have_an_intensity_and_belong_to_the_brain():
    painted = {target.paint for target in subcortical.TARGETS}
    painted |= {value for table in subcortical.UNTAUGHT.values() for value in table}
    assert painted | {subcortical.BRAINSTEM_PAINT} <= set(L.CONTEXT_PRIOR)


def test_the_mirror_of_the_classes_is_its_own_inverse():
    mirror, names = subcortical.mirror().long(), ("", *subcortical.class_names())
    assert torch.equal(mirror[mirror], torch.arange(256))
    assert names[mirror[names.index("caudate, left")]] == "caudate, right"
    assert mirror[names.index("third ventricle")] == names.index("third ventricle")


def test_allen_sides_are_told_by_the_midline():
    volume = source_map(1)
    allen = np.where(volume.array == 15, 122, np.where(volume.array > 0, 27, 0))
    source = subcortical.prepared(allen, volume.affine, subcortical.ALLEN)
    names = ("", *subcortical.class_names())
    counts = torch.bincount(source.classes.ravel().int(), minlength=len(names))
    left, right = (counts[names.index(f"thalamus, {side}")] for side in ("left", "right"))
    assert left == right > 0
    assert counts.sum() - counts[0] == left + right


def test_images_of_a_map_have_no_direction():
    volume = source_map(1)
    source = subcortical.prepared(volume.array, volume.affine, "hoa2")
    tensors = subcortical.draw_images(source, "a", SETTINGS.images, 1, 8.0)
    assert tensors["images"].shape == (1, 6, 18, 22, 26)
    assert tensors["images"][0, :3].flatten(1).any(1).all()
    assert not tensors["images"][0, 3:].any()
    assert len(tensors["labels"].unique()) > 5
