"""Simulated exams: whole, repeatable, and true to their anatomy."""

import numpy as np
import pytest

from training.evaluation.grids import structures_only
from training.evaluation.simulate import simulate_exam


@pytest.fixture(scope="module")
def simulated(anatomy):
    return simulate_exam(anatomy, seed=5)


def test_simulated_exam_is_whole_and_repeats(anatomy, simulated):
    exam, truth, brain = simulated
    for volume in (exam.t1, exam.fa, exam.md, truth):
        assert volume.shape == truth.shape == brain.shape
        assert np.isfinite(volume.array).all()
    assert 0 <= exam.fa.array.min() <= exam.fa.array.max() <= 1
    assert exam.t1.array.std() > 0
    assert set(np.unique(truth.array)) == {0} | set(np.unique(structures_only(anatomy).array))
    volume = (structures_only(anatomy).array > 0).sum() * anatomy.voxel_volume
    assert (truth.array > 0).sum() * truth.voxel_volume == pytest.approx(volume, rel=0.02)
    again, *_ = simulate_exam(anatomy, seed=5)
    assert np.array_equal(again.t1.array, exam.t1.array)
    other, *_ = simulate_exam(anatomy, seed=6)
    assert not np.array_equal(other.t1.array, exam.t1.array)


def test_truth_lies_where_the_anatomy_is(anatomy, simulated):
    _, truth, _ = simulated
    for value in (1, 26, 50):
        middles = []
        for volume in (anatomy, truth):
            voxels = np.argwhere(volume.array == value)
            middles.append(volume.affine[:3, :3] @ voxels.mean(0) + volume.affine[:3, 3])
        assert middles[1] == pytest.approx(middles[0], abs=0.3)
