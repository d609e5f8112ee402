"""Least-squares registration of one volume to another of the same contrast.

The difference of two images is linear in a small movement, so that each step is one linear fit, as
in AFNI's 3dvolreg (Cox & Jesmanowicz, Magn Reson Med 1999;42:1014) and SPM (Friston et al., Hum
Brain Mapp 1995;3:165, doi:10.1002/hbm.460030303). It has what ITK's metrics with ready transforms
lack: a rigid movement together with a shear along one axis only, and the brightness besides.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy import ndimage
from scipy.spatial.transform import Rotation

ENOUGH_MM = 0.01
"""Steps below this move nothing that counts."""
ROBUST = 3.0
"""Median absolute deviations beyond which a voxel counts less (Huber); our own choice."""
_RADIUS_MM = 60.0  # at which a rotation moves the brain's surface


@dataclass(frozen=True, eq=False)
class Movement:
    """Where the tissue of the reference is found in a volume.

    A point q (RAS mm) of the reference lies at S^-1 (R (q - m) + t) + m, with m the middle of the
    grid and S = 1 + e c', e being the direction of the phase encoding.

    Attributes
    ----------
    rotation : numpy.ndarray, shape (3, 3)
        Of the head, R.
    translation : numpy.ndarray, shape (3,)
        Millimetres, t.
    shear : numpy.ndarray, shape (3,)
        Displacement along the phase encoding per mm along RAS x, y and z, c.
    """

    rotation: np.ndarray = field(default_factory=lambda: np.eye(3))
    translation: np.ndarray = field(default_factory=lambda: np.zeros(3))
    shear: np.ndarray = field(default_factory=lambda: np.zeros(3))

    @property
    def degrees(self) -> float:
        """Angle of the rotation."""
        return float(np.degrees(np.linalg.norm(Rotation.from_matrix(self.rotation).as_rotvec())))

    @property
    def millimetres(self) -> float:
        """Length of the translation."""
        return float(np.linalg.norm(self.translation))

    def affine(self, middle: np.ndarray, encoding: np.ndarray) -> np.ndarray:
        """Return the 4 x 4 affine, RAS mm, from the reference to the volume."""
        straight = np.linalg.inv(np.eye(3) + np.outer(encoding, self.shear))
        whole = np.eye(4)
        whole[:3, :3] = straight @ self.rotation
        whole[:3, 3] = middle + straight @ (self.translation - self.rotation @ middle)
        return whole

    def after(self, rotation: np.ndarray, translation: np.ndarray) -> Movement:
        """Return this movement applied to what was moved before: this after that."""
        return Movement(
            self.rotation @ rotation,
            self.rotation @ translation + self.translation,
            self.shear,
        )


@dataclass(frozen=True, eq=False)
class Frame:
    """The voxels of the reference that are compared.

    Attributes
    ----------
    affine : numpy.ndarray, shape (4, 4)
        Of reference and volumes, voxel index to RAS mm.
    points : numpy.ndarray, shape (m, 3)
        RAS mm.
    middle : numpy.ndarray, shape (3,)
        About which heads turn.
    encoding : numpy.ndarray, shape (3,)
        Unit vector of the phase encoding, RAS; zeros where it is not known.
    mask : numpy.ndarray of bool, shape (i, j, k)
        Where the points are.
    """

    affine: np.ndarray
    points: np.ndarray
    middle: np.ndarray
    encoding: np.ndarray
    mask: np.ndarray

    def voxels(self, movement: Movement) -> np.ndarray:
        """Return voxel indices (3, m) of the points in a volume that moved so."""
        whole = np.linalg.inv(self.affine) @ movement.affine(self.middle, self.encoding)
        return (self.points @ whole[:3, :3].T + whole[:3, 3]).T

    def basis(self, slope: np.ndarray, shear: bool) -> np.ndarray:
        """Return what 3 rotations, 3 translations and 3 shears change, (m, 6) or (m, 9).

        ``slope`` (m, 3) is the reference's gradient along RAS.
        """
        about = self.points - self.middle
        parts = [np.cross(about, slope), slope]
        if shear:
            parts.append((slope @ self.encoding)[:, None] * about)
        return np.concatenate(parts, axis=1)


def register(
    volume: np.ndarray,
    reference: np.ndarray,
    slope: np.ndarray,
    frame: Frame,
    start: Movement,
    shear: bool = False,
    steps: int = 8,
) -> Movement:
    """Return how a volume moved against a reference.

    Parameters
    ----------
    volume : numpy.ndarray, shape (i, j, k)
        Smoothed.
    reference, slope : numpy.ndarray, shapes (m,) and (m, 3)
        Values at the points of ``frame``, smoothed alike, and their gradient along RAS per mm.
    frame : Frame
    start : Movement
        First guess.
    shear : bool
        Look for eddy currents too.
    steps : int
        At most.
    """
    movement = start
    design = np.concatenate([reference[:, None], frame.basis(slope, shear)], axis=1)
    limit = np.array(volume.shape)[:, None] - 1
    for _ in range(steps):
        places = frame.voxels(movement)
        seen = ((places >= 0) & (places <= limit)).all(axis=0)
        if seen.mean() < 0.2:
            return start
        value = ndimage.map_coordinates(volume, places[:, seen], order=1, mode="nearest")
        fitted = _robust(design[seen], value)
        scale = fitted[0]
        if scale <= 0.1:
            return start
        turn, shift = fitted[1:4] / scale, fitted[4:7] / scale
        back = Rotation.from_rotvec(-turn).as_matrix()
        movement = Movement(
            movement.rotation @ back,
            movement.translation - movement.rotation @ back @ shift,
            movement.shear + (fitted[7:10] / scale if shear else 0.0),
        )
        if np.linalg.norm(shift) + _RADIUS_MM * np.linalg.norm(turn) < ENOUGH_MM:
            break
    return movement


def _robust(design: np.ndarray, value: np.ndarray) -> np.ndarray:
    """Least squares in which voxels that fit badly count less: one reweighting."""
    # A slab says little of some movements: the ridge keeps these where they are.
    ridge = 1e-6 * np.diag((design**2).sum(axis=0) + 1e-12)
    normal = design.T @ design + ridge
    fitted = np.linalg.solve(normal, design.T @ value)
    apart = np.abs(value - design @ fitted)
    limit = ROBUST * 1.4826 * np.median(apart)
    weight = np.minimum(1.0, limit / np.maximum(apart, 1e-12))
    weighted = design * weight[:, None]
    return np.linalg.solve(weighted.T @ design + ridge, weighted.T @ value)
