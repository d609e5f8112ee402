"""Simulated diffusion series with a known truth, and how far the maps are from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from scipy.spatial.transform import Rotation

from BrainstemALSLib.anatomy import load_structures
from BrainstemALSLib.imaging.diffusion import motion
from BrainstemALSLib.imaging.diffusion.linear import design_matrix, linear_fit, tensors_of
from BrainstemALSLib.imaging.diffusion.mask import brain_mask
from BrainstemALSLib.imaging.diffusion.orientation import (
    axis_transforms,
    check_orientation,
    image_axes,
)
from BrainstemALSLib.imaging.dwi import Dwi, TensorMaps
from BrainstemALSLib.imaging.geometry import resample
from BrainstemALSLib.imaging.volume import Volume
from BrainstemALSLib.phantom.diffusion import (
    Faults,
    Protocol,
    SimulatedDwi,
    eddy_currents,
    gradient_scheme,
    random_motion,
    simulate_dwi,
    with_gradients,
)
from BrainstemALSLib.phantom.diffusion_head import DiffusionHead, diffusion_head

SHARE = 0.5
"""A voxel is of a structure that fills at least this share of it."""
FEWEST_VOXELS = 5
DIRECTIONS, B, UNWEIGHTED = 30, 1000.0, 3
SPACING_MM = 2.5
EDDY = 0.01
DROPOUTS = ((5, 22), (11, 23), (17, 40))


@dataclass(frozen=True)
class Case:
    """One simulated series.

    Attributes
    ----------
    snr : float
        Of white matter without weighting.
    movement : float
        Largest rotation (degrees) and translation (mm); with any, eddy currents too.
    dropouts : bool
        Three slices of three volumes lose most of their signal.
    """

    snr: float
    movement: float
    dropouts: bool = False

    @property
    def words(self) -> str:
        """For a table."""
        if not self.movement:
            return "none"
        lost = ", 3 lost slices" if self.dropouts else ""
        return f"{self.movement:g} mm and degrees, eddy currents{lost}"


@dataclass(frozen=True)
class StructureError:
    """Mean of a structure against its truth: FA, MD in per cent, and the angle of V1 in degrees."""

    key: str
    voxels: int
    fa_truth: float
    fa: float
    md_percent: float
    angle: float


@lru_cache(maxsize=1)
def head(seed: int) -> DiffusionHead:
    """Return the simulated head."""
    return diffusion_head(seed, SPACING_MM)


def protocol() -> Protocol:
    """Return 96 x 96 x 60 voxels of 2.5 mm, 30 directions at b=1000 and 3 unweighted volumes."""
    return Protocol(*gradient_scheme(DIRECTIONS, B, UNWEIGHTED))


def faults_of(case: Case, scheme: Protocol, seed: int) -> Faults:
    """Return what goes wrong in a case."""
    if not case.movement:
        return Faults()
    return Faults(
        random_motion(len(scheme.bvals), case.movement, case.movement, seed),
        eddy_currents(scheme.bvals, scheme.bvecs, EDDY),
        DROPOUTS if case.dropouts else (),
    )


def simulate(case: Case, seed: int) -> SimulatedDwi:
    """Return the series of a case."""
    scheme = protocol()
    return simulate_dwi(head(seed), scheme, case.snr, faults_of(case, scheme, seed), seed)


def structure_voxels(dwi: Dwi, seed: int) -> dict[str, np.ndarray]:
    """Return the voxels of each white-matter structure on the grid of a series."""
    labels = head(seed).labels
    found = {}
    for structure in load_structures():
        if structure.tissue != "white":
            continue
        fine = Volume((labels.array == structure.index).astype(np.float32), labels.affine)
        share = resample(fine, dwi.volume.array.shape[:3], dwi.volume.affine).array
        if (share >= SHARE).sum() >= FEWEST_VOXELS:
            found[structure.key] = share >= SHARE
    return found


def errors_of(
    maps: TensorMaps, truth: Volume, voxels: Mapping[str, np.ndarray]
) -> list[StructureError]:
    """Return the error of each structure: of means over its voxels, not of single voxels."""
    rows = []
    for key, where in voxels.items():
        values, vectors = np.linalg.eigh(truth.array[where].astype(float))
        mean = values.mean(1)
        spread = ((values - mean[:, None]) ** 2).sum(1)
        fa = np.sqrt(1.5 * spread / (values**2).sum(1))
        along = np.abs((vectors[:, :, 2] * maps.v1.array[where]).sum(1))
        rows.append(
            StructureError(
                key,
                int(where.sum()),
                float(fa.mean()),
                float(maps.fa.array[where].mean() - fa.mean()),
                float(100 * (maps.md.array[where].mean() / mean.mean() - 1)),
                float(np.degrees(np.median(np.arccos(np.clip(along, 0, 1))))),
            )
        )
    return rows


def movement_errors(dwi: Dwi, faults: Faults) -> tuple[float, float, float]:
    """Return mean and largest error (mm, over the brain, by volume) and that of the shear."""
    mask = brain_of(dwi)
    found = motion.estimate_motion(dwi, mask)
    affine = dwi.volume.affine
    middle = affine[:3, :3] @ ((np.array(mask.shape) - 1) / 2) + affine[:3, 3]
    about = np.argwhere(mask)[::50] @ affine[:3, :3].T + affine[:3, 3] - middle
    errors = []
    for true, movement in zip(faults.motion, found, strict=True):
        turn = Rotation.from_rotvec(true[:3], degrees=True).as_matrix()
        apart = about @ (turn - movement.rotation).T + true[3:] - movement.translation
        errors.append(np.linalg.norm(apart, axis=1).mean())
    shear = np.abs(np.stack([m.shear for m in found]) - faults.eddy)
    return float(np.mean(errors)), float(np.max(errors)), float(shear.max())


def brain_of(dwi: Dwi) -> np.ndarray:
    """Return the brain mask of a series."""
    b0 = dwi.volume.array[..., dwi.unweighted].mean(axis=3)
    return brain_mask(Volume(b0, dwi.volume.affine))


def recovered(dwi: Dwi, mask: np.ndarray) -> tuple[int, int, float]:
    """Report every one of the 48 wrong or right tables of a series, and see what is made of it.

    Returns
    -------
    right : int
        Tables that came out right, the two right ones kept included.
    wrong : int
        Tables that were made wrong, or left wrong without a word.
    lead : float
        Smallest lead of the best transform, in standard errors.
    """
    axes = image_axes(dwi.volume.affine)
    right = wrong = 0
    lead = np.inf
    for sign in (1.0, -1.0):
        for matrix in axis_transforms():
            reported = with_gradients(dwi, axes @ (sign * matrix) @ axes.T)
            design = design_matrix(reported.bvals, reported.bvecs)
            tensors = np.zeros((*mask.shape, 3, 3), np.float32)
            tensors[mask] = 1e3 * tensors_of(linear_fit(dwi.volume.array[mask], design))
            checked, coherence, _ = check_orientation(
                replace(reported, findings=()), Volume(tensors, dwi.volume.affine), mask
            )
            lead = min(lead, coherence.lead)
            same = [np.allclose(s * checked.bvecs, dwi.bvecs, atol=1e-6) for s in (1, -1)]
            right += any(same)
            changed = not np.allclose(checked.bvecs, reported.bvecs)
            wrong += not any(same) and (changed or not checked.findings)
    return right, wrong, float(lead)
