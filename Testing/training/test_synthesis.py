"""Synthesis: the same number is the same exam, sides are kept, channels are what they claim."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from BrainstemALSLib.anatomy import by_key, load_structures
from BrainstemALSLib.segmentation.channels import PLANES
from BrainstemALSLib.segmentation.preprocess import WINDOW_MM
from training.evaluation.simulate import simulate_exam
from training.geometry_augmentation import Draw, look_up, rotation
from training.smoke import phantom_anatomy, phantom_labels
from training.synthesis import channel_table, mirror_table, training_sample


def test_same_number_is_the_same_sample():
    first, second = (training_sample(phantom_anatomy("1"), 7) for _ in range(2))
    assert torch.equal(torch.as_tensor(first[0]), torch.as_tensor(second[0]))
    assert torch.equal(first[1], second[1])
    assert not torch.equal(first[1], training_sample(phantom_anatomy("1"), 8)[1])


def test_samples_have_the_network_shape_and_t1_is_never_missing():
    used = set()
    for number in range(12):
        channels, classes = training_sample(phantom_anatomy("1"), number)
        assert channels.shape == (sum(PLANES.values()), *WINDOW_MM)
        assert classes.shape == WINDOW_MM
        assert int(classes.max()) <= len(load_structures())
        assert torch.isfinite(channels).all()
        assert channels[0].std() > 0.1
        used.add(tuple(bool(channel.any()) for channel in channels[1:]))
    assert (False,) * 5 in used, "T1 alone must be among the samples"
    assert (True, True, False, False, False) in used, "FA and MD without V1 must be among them"
    assert (True,) * 5 in used, "all modalities together must be among the samples"


def test_mirror_table_exchanges_sides_and_is_its_own_inverse():
    table = mirror_table().long()
    assert torch.equal(table[table], torch.arange(256))
    left, right = by_key()["pyramid_left"].index, by_key()["pyramid_right"].index
    assert int(table[left]) == right
    assert int(table[by_key()["dorsal_raphe"].index]) == by_key()["dorsal_raphe"].index


def test_left_stays_left_through_random_flips():
    """RAS windows: the patient's left has lower i, whether a sample was flipped or not."""
    table = channel_table()
    for number in range(10):
        _, classes = training_sample(phantom_anatomy("2"), number)
        sides = {
            side: torch.isin(
                classes,
                torch.stack([table[s.index] for s in load_structures() if s.side == side]),
            )
            .nonzero()[:, 0]
            .float()
            .mean()
            for side in ("left", "right")
        }
        assert sides["left"] < sides["right"]


def test_simulated_exam_is_physical_and_repeatable():
    anatomy = phantom_labels(3)
    exam, truth, brain = simulate_exam(anatomy, seed=5)
    again, _, _ = simulate_exam(anatomy, seed=5)
    assert np.array_equal(exam.t1.array, again.t1.array)
    assert 0 <= exam.fa.array.min() <= exam.fa.array.max() <= 1
    assert 0 <= exam.md.array.min() <= exam.md.array.max() <= 3.5
    assert truth.shape == exam.t1.shape
    # Fluid is where MD says it is: the space around the brainstem.
    fluid = exam.md.array[brain & (truth.array == 0)]
    tissue = exam.md.array[truth.array > 0]
    assert np.percentile(fluid, 90) > tissue.mean() + 0.5


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_rotation_is_proper_and_turns_about_its_axis(axis):
    angles = torch.zeros(3)
    angles[axis] = 30.0
    matrix = rotation(angles)
    assert torch.allclose(matrix @ matrix.T, torch.eye(3), atol=1e-6)
    assert float(torch.linalg.det(matrix)) == pytest.approx(1.0, abs=1e-6)
    kept = torch.eye(3)[axis]
    assert torch.allclose(matrix @ kept, kept, atol=1e-6)


def test_look_up_reads_the_voxel_at_a_point_and_zero_outside():
    labels = torch.arange(1, 28, dtype=torch.uint8).reshape(3, 3, 3)
    inverse = torch.linalg.inv(torch.diag(torch.tensor([2.0, 2.0, 2.0, 1.0])))
    points = torch.tensor([[2.0, 0.0, 4.4], [-3.0, 0.0, 0.0], [4.9, 4.9, 4.9]])
    found = look_up(labels, inverse, points)
    assert found.tolist() == [int(labels[1, 0, 2]), 0, int(labels[2, 2, 2])]


def test_draw_is_reproducible():
    first, second = (Draw(torch.Generator().manual_seed(3)).number(2, 5) for _ in range(2))
    assert first == second
    assert 2 <= first <= 5
