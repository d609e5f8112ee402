"""Movement and eddy currents, found and undone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from BrainstemALSLib.imaging.diffusion import motion, outliers
from BrainstemALSLib.imaging.diffusion.mask import brain_mask
from BrainstemALSLib.imaging.volume import Volume

from .conftest import LOST, MOVED_MM


def brain(dwi):
    return brain_mask(Volume(dwi.volume.array[..., dwi.unweighted].mean(3), dwi.volume.affine))


@pytest.fixture(scope="module")
def found(moved):
    return motion.estimate_motion(moved.dwi, brain(moved.dwi))


@pytest.fixture(scope="module")
def undone(moved, found):
    return motion.undo_motion(moved.dwi, brain(moved.dwi), found)


def test_movement_is_found_to_a_fraction_of_a_voxel(moved, faults, found):
    mask = brain(moved.dwi)
    affine = moved.dwi.volume.affine
    middle = affine[:3, :3] @ ((np.array(mask.shape) - 1) / 2) + affine[:3, 3]
    about = np.argwhere(mask)[::40] @ affine[:3, :3].T + affine[:3, 3] - middle
    before, after = [], []
    for true, movement in zip(faults.motion, found, strict=True):
        turn = Rotation.from_rotvec(true[:3], degrees=True).as_matrix()
        before.append(np.linalg.norm(about @ (turn - np.eye(3)).T + true[3:], axis=1).mean())
        apart = about @ (turn - movement.rotation).T + true[3:] - movement.translation
        after.append(np.linalg.norm(apart, axis=1).mean())
    assert max(before) > MOVED_MM
    assert np.mean(after) < 0.35
    assert max(after) < 0.7
    assert found[0].degrees == pytest.approx(0, abs=1e-6)


def test_eddy_currents_are_found(faults, found):
    shear = np.stack([movement.shear for movement in found])
    assert np.abs(faults.eddy).max() > 0.009
    assert np.abs(shear - faults.eddy).max() < 0.004


def test_directions_turn_with_the_head(moved, faults, undone):
    dwi = moved.dwi
    for n in np.flatnonzero(~dwi.unweighted):
        turn = Rotation.from_rotvec(faults.motion[n, :3], degrees=True).as_matrix()
        true = turn.T @ dwi.bvecs[n]
        assert np.degrees(np.arccos(min(true @ undone.dwi.bvecs[n], 1.0))) < 0.5
    lengths = np.linalg.norm(undone.dwi.bvecs, axis=1)
    np.testing.assert_allclose(lengths[~dwi.unweighted], 1.0)


def test_volumes_lie_on_those_that_did_not_move(simulated, moved, undone):
    mask = brain(simulated.dwi)
    still = simulated.dwi.volume.array[mask]
    lost = np.zeros(still.shape, bool)
    for volume, _ in LOST:
        lost[:, volume] = True
    seen = undone.seen[mask] & ~lost

    def apart(array):
        return np.sqrt(((array[mask] - still)[seen] ** 2).mean())

    # What is left is noise, of both series.
    assert apart(undone.dwi.volume.array) < 0.75 * apart(moved.dwi.volume.array)


def test_without_a_phase_encoding_no_shear_is_looked_for(moved):
    few = moved.dwi
    found = motion.estimate_motion(replace(few, phase_encoding=None), brain(few))
    assert not any(movement.shear.any() for movement in found)


def test_lost_slices_are_found_and_replaced(moved, undone, simulated):
    mask = brain(moved.dwi)
    repaired = outliers.replace_outliers(undone, mask)
    assert {tuple(pair) for pair in np.argwhere(repaired.outliers)} == {(k, v) for v, k in LOST}
    finding = outliers.outlier_finding(repaired.outliers, repaired.judged)
    assert finding.severity == "info"
    assert finding.message.startswith("2 of ")
    gone = repaired.lost & mask[..., None]
    still = simulated.dwi.volume.array
    error = {
        name: np.median(np.abs(dwi.volume.array - still)[gone])
        for name, dwi in (("before", undone.dwi), ("after", repaired.dwi))
    }
    assert error["after"] < 0.5 * error["before"]


def test_empty_slices_of_a_still_series_are_found(simulated):
    dwi = simulated.dwi
    array = dwi.volume.array.copy()
    for volume in range(3, 19):
        array[:, :, volume : volume + 4, volume] = 0.0
    broken = replace(dwi, volume=Volume(array, dwi.volume.affine))
    repaired = outliers.replace_outliers(motion.still(broken), brain(dwi))
    expected = {(k, v) for v in range(3, 19) for k in range(v, v + 4)}
    assert {tuple(pair) for pair in np.argwhere(repaired.outliers)} == expected
    finding = outliers.outlier_finding(repaired.outliers, repaired.judged)
    assert finding.severity == "warning"


def test_a_whole_series_loses_no_slice(simulated):
    repaired = outliers.replace_outliers(motion.still(simulated.dwi), brain(simulated.dwi))
    assert not repaired.outliers.any()
    assert outliers.outlier_finding(repaired.outliers, repaired.judged) is None
    np.testing.assert_array_equal(repaired.dwi.volume.array, simulated.dwi.volume.array)
