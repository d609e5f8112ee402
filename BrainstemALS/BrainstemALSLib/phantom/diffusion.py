"""Simulated diffusion-weighted series of a head whose tensors are known.

What goes wrong in a scanner can be put in, each by itself: Rician noise, movement from volume to
volume, eddy currents, slices with lost signal, distortion along the phase encoding, and a gradient
table that is not what was played out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from scipy import ndimage
from scipy.spatial.transform import Rotation

from ..imaging.dwi import Dwi
from ..imaging.geometry import box_around
from ..imaging.volume import Volume
from .diffusion_head import ELEMENTS, DiffusionHead, full_tensors

SCALE = 500.0
"""Signal of white matter without weighting, in the images' arbitrary unit."""
DROPOUT_FACTOR = 0.3
"""What is left of the signal of a slice that the head moved in; our own choice."""
PATIENT_AXES = ("i", "j", "k")
# A blob of distortion in front of the brainstem, as air in the sphenoid sinus makes it; own choice.
_EPI_CENTRE_RAS, _EPI_SIGMA_MM = np.array([0.0, -5.0, -45.0]), np.array([25.0, 25.0, 18.0])


@dataclass(frozen=True, eq=False)
class Protocol:
    """What is asked of the simulated scanner.

    Attributes
    ----------
    bvals, bvecs : numpy.ndarray, shapes (n,) and (n, 3)
        s/mm2, and directions in RAS.
    shape, spacing, centre : tuple
        Grid: voxels, mm, and RAS mm of its middle.
    rotation : numpy.ndarray, shape (3, 3)
        Its axes in RAS, as columns: an oblique slab, or one stored the other way round.
    phase_encoding : str
        As ``Dwi.phase_encoding``.
    """

    bvals: np.ndarray
    bvecs: np.ndarray
    shape: tuple[int, int, int] = (96, 96, 60)
    spacing: tuple[float, float, float] = (2.5, 2.5, 2.5)
    centre: tuple[float, float, float] = (0.0, -18.0, 0.0)
    rotation: np.ndarray = field(default_factory=lambda: np.diag([-1.0, 1.0, 1.0]))
    phase_encoding: str = "j"

    @property
    def affine(self) -> np.ndarray:
        """Voxel index to RAS mm."""
        return box_around(self.centre, self.shape, self.spacing, self.rotation)


@dataclass(frozen=True, eq=False)
class Faults:
    """What goes wrong during the series.

    Attributes
    ----------
    motion : numpy.ndarray, shape (n, 6), or None
        By volume: rotation vector (degrees) and translation (mm) of the head about the middle of
        the grid, RAS.
    eddy : numpy.ndarray, shape (n, 3), or None
        By volume: displacement along the phase encoding per mm along RAS x, y and z.
    dropouts : sequence of (int, int)
        Volume and slice (third axis) with lost signal.
    epi_mm : float
        Largest displacement along the phase encoding by the susceptibility of air.
    """

    motion: np.ndarray | None = None
    eddy: np.ndarray | None = None
    dropouts: Sequence[tuple[int, int]] = ()
    epi_mm: float = 0.0


@dataclass(frozen=True, eq=False)
class SimulatedDwi:
    """A simulated series and its truth.

    Attributes
    ----------
    dwi : Dwi
    tensors : Volume
        float32, shape (i, j, k, 3, 3), RAS, 1e-3 mm2/s: the noise-free tensors on the grid of
        ``dwi`` as the head lies without movement and distortion.
    """

    dwi: Dwi
    tensors: Volume


def gradient_scheme(
    directions: int = 30, bval: float = 1000.0, unweighted: int = 3
) -> tuple[np.ndarray, np.ndarray]:
    """Return bvals (n,) and bvecs (n, 3): b=0 volumes among directions spread over a sphere.

    Points on a golden spiral of a half sphere, in an order that spreads any part of them: an even
    cover without an optimiser (Swinbank & Purser, Q J R Meteorol Soc 2006;132:1769,
    doi:10.1256/qj.05.227). Every second one points the other way, so that the whole sphere is
    covered, as protocols do for the sake of eddy currents.
    """
    n = np.arange(directions)
    z = (n + 0.5) / directions
    angle = n * np.pi * (3 - np.sqrt(5))
    ring = np.sqrt(1 - z**2)
    points = np.stack([ring * np.cos(angle), ring * np.sin(angle), z], axis=1)
    points = points[np.argsort((n * 0.61803398875) % 1.0)] * np.where(n % 2, -1.0, 1.0)[:, None]
    bvals, bvecs = np.full(directions + unweighted, bval), np.zeros((directions + unweighted, 3))
    zero = np.round(np.arange(unweighted) * (directions + unweighted) / max(unweighted, 1))
    bvals[zero.astype(int)] = 0.0
    bvecs[bvals > 0] = points
    return bvals, bvecs


def random_motion(n: int, degrees: float, mm: float, seed: int) -> np.ndarray:
    """Return a drift with jitter (n, 6) whose largest rotation and translation are these.

    The first volume does not move.
    """
    rng = np.random.default_rng(seed)
    steps = np.cumsum(rng.standard_normal((n, 6)), axis=0) + 0.5 * rng.standard_normal((n, 6))
    steps -= steps[0]
    for part, size in ((slice(0, 3), degrees), (slice(3, 6), mm)):
        largest = np.linalg.norm(steps[:, part], axis=1).max()
        steps[:, part] *= size / max(largest, 1e-9)
    return steps


def eddy_currents(bvals: np.ndarray, bvecs: np.ndarray, strength: float = 0.01) -> np.ndarray:
    """Return shears (n, 3) that go with the gradients: ``strength`` per mm at b = 1000 s/mm2."""
    return strength * bvecs * np.sqrt(bvals / 1000.0)[:, None]


def simulate_dwi(
    head: DiffusionHead,
    protocol: Protocol,
    snr: float | None = 20.0,
    faults: Faults | None = None,
    seed: int = 1,
) -> SimulatedDwi:
    """Return the series that a scanner would give of a head.

    Parameters
    ----------
    head : DiffusionHead
    protocol : Protocol
    snr : float or None
        Signal of white matter without weighting over the standard deviation of the noise in each
        of the two channels of the Rician magnitude (Gudbjartsson & Patz, Magn Reson Med
        1995;34:910, doi:10.1002/mrm.1910340618). None leaves the noise out.
    faults : Faults, optional
    seed : int
        Of the noise.
    """
    faults = faults or Faults()
    rng = np.random.default_rng(seed)
    n = len(protocol.bvals)
    images = np.empty((*protocol.shape, n), np.float32)
    places, piled = _places(protocol, faults)
    for volume in range(n):
        turn, to_head = _to_head(protocol, faults, volume)
        gradient = turn.T @ protocol.bvecs[volume]
        points = to_head[:3, :3] @ places + to_head[:3, 3:]
        s0, elements = _sampled(head, points)
        signal = s0 * _attenuation(elements, gradient, protocol.bvals[volume])
        # What is squeezed together shines brighter.
        signal *= piled * np.linalg.det(to_head[:3, :3])
        images[..., volume] = signal.reshape(protocol.shape)
    images *= SCALE
    for volume, cut in faults.dropouts:
        images[:, :, cut, volume] *= DROPOUT_FACTOR
    if snr is not None:
        sigma = np.float32(SCALE / snr)
        for volume in range(n):
            real = images[..., volume] + sigma * rng.standard_normal(protocol.shape, np.float32)
            imaginary = sigma * rng.standard_normal(protocol.shape, np.float32)
            images[..., volume] = np.hypot(real, imaginary)
    truth = _sampled(head, _places(protocol, Faults())[0])[1].reshape(*protocol.shape, -1)
    dwi = Dwi(
        Volume(images, protocol.affine),
        np.asarray(protocol.bvals, float),
        np.asarray(protocol.bvecs, float),
        protocol.phase_encoding,
    )
    return SimulatedDwi(dwi, Volume(full_tensors(truth), protocol.affine))


def with_gradients(dwi: Dwi, matrix: np.ndarray) -> Dwi:
    """Return the series with every direction g reported as ``matrix @ g``: a wrong table."""
    return replace(dwi, bvecs=dwi.bvecs @ np.asarray(matrix, dtype=float).T)


def _attenuation(elements: np.ndarray, gradient: np.ndarray, bval: float) -> np.ndarray:
    """exp(-b g'Dg) of tensors (n, 6) in 1e-3 mm2/s."""
    factors = [gradient[a] * gradient[b] * (1 if a == b else 2) for a, b in ELEMENTS]
    return np.exp(-bval * 1e-3 * (elements @ np.array(factors, np.float32)))


def _phase_axis(protocol: Protocol) -> tuple[int, np.ndarray]:
    """Number of the image's axis along which it is distorted, and its direction in RAS."""
    axis = PATIENT_AXES.index(protocol.phase_encoding[0])
    sign = -1.0 if protocol.phase_encoding.endswith("-") else 1.0
    return axis, sign * protocol.rotation[:, axis]


def _to_head(protocol: Protocol, faults: Faults, volume: int) -> tuple[np.ndarray, np.ndarray]:
    """Rotation of the head, and the affine (RAS) from where a voxel lies to the head's tissue."""
    around = np.asarray(protocol.centre, float)
    turn, shift = np.eye(3), np.zeros(3)
    if faults.motion is not None:
        turn = Rotation.from_rotvec(faults.motion[volume, :3], degrees=True).as_matrix()
        shift = faults.motion[volume, 3:]
    sheared = np.eye(3)
    if faults.eddy is not None:
        sheared = sheared + np.outer(_phase_axis(protocol)[1], faults.eddy[volume])
    to_head = np.eye(4)
    to_head[:3, :3] = turn.T @ sheared
    # About the middle m of the grid: q = R' (S (p - m) - t) + m.
    to_head[:3, 3] = around - turn.T @ (sheared @ around + shift)
    return turn, to_head


def _places(protocol: Protocol, faults: Faults) -> tuple[np.ndarray, np.ndarray | float]:
    """Where the signal of each voxel comes from, (3, m) RAS mm, and how much of it is piled up."""
    affine = protocol.affine
    index = np.indices(protocol.shape, dtype=np.float32).reshape(3, -1)
    places = affine[:3, :3].astype(np.float32) @ index + affine[:3, 3:].astype(np.float32)
    if not faults.epi_mm:
        return places, 1.0
    direction = _phase_axis(protocol)[1]
    offset = (places - _EPI_CENTRE_RAS[:, None]) / _EPI_SIGMA_MM[:, None]
    blob = np.exp(-0.5 * (offset**2).sum(0))
    shift = faults.epi_mm * blob
    # The Jacobian of the shift, along its own direction.
    slope = -shift * (offset / _EPI_SIGMA_MM[:, None] * direction[:, None]).sum(0)
    return places + direction[:, None] * shift, 1.0 + slope


def _sampled(head: DiffusionHead, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Unweighted signal (m,) and tensor elements (m, 6) at points (3, m), RAS mm.

    Tensor and signal are interpolated, never the weighted image: a mixture of exponentials would
    be no tensor's.
    """
    to_voxels = np.linalg.inv(head.s0.affine)
    index = to_voxels[:3, :3] @ points + to_voxels[:3, 3:]
    s0 = ndimage.map_coordinates(head.s0.array, index, order=1)
    inside = s0 > 1e-3
    elements = np.zeros((s0.size, len(ELEMENTS)), np.float32)
    for n in range(len(ELEMENTS)):
        element = head.tensors.array[..., n]
        elements[inside, n] = ndimage.map_coordinates(element, index[:, inside], order=1)
    return np.where(inside, s0, 0.0), elements
