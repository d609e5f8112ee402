"""Lost slices of a head that moves partly out of view: simulated, with the movement known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from BrainstemALSLib.imaging.diffusion import motion, outliers
from BrainstemALSLib.imaging.diffusion.mask import brain_mask
from BrainstemALSLib.imaging.diffusion.movement import Movement
from BrainstemALSLib.imaging.volume import Volume
from BrainstemALSLib.phantom.diffusion import Faults, eddy_currents, random_motion, simulate_dwi

from .conftest import SPACING_MM

MOVED_MM = 3.0
# Lowest slice: where the simulated head ends, so that movement takes all its signal; and above.
END_MM, CUT_MM = -72.0, -60.0
LOST = {(3, 4), (20, 7), (30, 15)}  # slice and volume


def brain(dwi):
    return brain_mask(Volume(dwi.volume.array[..., dwi.unweighted].mean(3), dwi.volume.affine))


def repaired(head, protocol, lowest_mm, lost, seed):
    """A series at SNR 20 whose movement, as it was put in, is undone, and its lost slices."""
    n = len(protocol.bvals)
    middle = lowest_mm + SPACING_MM * (protocol.shape[2] - 1) / 2
    protocol = replace(protocol, centre=(0.0, -18.0, middle), rotation=np.eye(3))
    faults = Faults(
        random_motion(n, MOVED_MM, MOVED_MM, seed),
        eddy_currents(protocol.bvals, protocol.bvecs),
        [(volume, cut) for cut, volume in sorted(lost)],
    )
    dwi = simulate_dwi(head, protocol, 20.0, faults, seed).dwi
    movements = [
        Movement(Rotation.from_rotvec(moved[:3], degrees=True).as_matrix(), moved[3:], eddy)
        for moved, eddy in zip(faults.motion, faults.eddy, strict=True)
    ]
    undone = motion.undo_motion(dwi, brain(dwi), movements)
    return outliers.replace_outliers(undone, brain(undone.dwi))


def slices_of(found) -> set[tuple[int, int]]:
    return {(int(cut), int(volume)) for cut, volume in np.argwhere(found.outliers)}


@pytest.mark.parametrize(("lowest", "seed"), [(END_MM, 2), (END_MM, 3), (CUT_MM, 2)])
def test_movement_out_of_view_is_not_taken_for_lost_slices(small_head, protocol, lowest, seed):
    found = repaired(small_head, protocol, lowest, (), seed)
    assert slices_of(found) == set()
    assert outliers.outlier_finding(found.outliers, found.judged) is None
    # Only slices at the edge are not judged.
    assert found.judged > 0.9 * found.outliers.size


@pytest.mark.parametrize(("lowest", "seed"), [(END_MM, 2), (CUT_MM, 3)])
def test_lost_slices_are_still_found(small_head, protocol, lowest, seed):
    assert slices_of(repaired(small_head, protocol, lowest, LOST, seed)) == LOST


def test_the_outermost_slice_is_judged_where_nothing_moved(simulated):
    dwi = simulated.dwi
    array = dwi.volume.array.copy()
    top = array.shape[2] - 1
    array[:, :, top, 5] *= 0.3
    broken = replace(dwi, volume=Volume(array, dwi.volume.affine))
    mask = brain(dwi)
    assert mask[:, :, top].sum() > outliers.FEWEST_VOXELS
    found = outliers.replace_outliers(motion.still(broken), mask)
    assert slices_of(found) == {(top, 5)}
