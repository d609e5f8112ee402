"""Simulated heads with diffusion maps that lie wrong by a known amount."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage
from scipy.spatial.transform import Rotation

from BrainstemALSLib.anatomy import composites, load_structures
from BrainstemALSLib.imaging.dwi import TensorMaps
from BrainstemALSLib.imaging.geometry import crop, resample
from BrainstemALSLib.imaging.registration.distortion import pull
from BrainstemALSLib.imaging.registration.region import middle_of
from BrainstemALSLib.imaging.tensor import fa_and_md
from BrainstemALSLib.imaging.volume import Volume
from BrainstemALSLib.phantom.diffusion import SCALE, Protocol, gradient_scheme
from BrainstemALSLib.phantom.diffusion_head import diffusion_head, full_tensors
from BrainstemALSLib.phantom.painting import FA_NOISE, MD_NOISE

SNR = 20.0
"""Of white matter in b0, as in phantom.diffusion."""
MASK_SIGNAL = 0.6
"""Of white matter: above the phantom's scalp (0.3), below its brain and fluid."""
FIELD_SIGMA_MM = 20.0
"""Smoothness of the simulated distortion."""


@dataclass(frozen=True, eq=False)
class Case:
    """A simulated head whose maps lie on its T1.

    Attributes
    ----------
    t1 : Volume
    maps : TensorMaps
        2.5 mm, b0 with Rician noise, FA and MD with the phantom's noise of fitted maps.
    points : numpy.ndarray, shape (n, 3)
        Voxels of the brainstem, RAS mm, every twentieth.
    """

    t1: Volume
    maps: TensorMaps
    points: np.ndarray

    @property
    def centre(self) -> np.ndarray:
        """Middle of the brainstem, RAS mm."""
        return (self.points.min(0) + self.points.max(0)) / 2

    @property
    def middle(self) -> np.ndarray:
        """Middle of the head, RAS mm."""
        return middle_of(self.t1)


def simulated_case(seed: int) -> Case:
    """Return a simulated head; the same seed gives the same one."""
    head = diffusion_head(seed, disease=True)
    rng = np.random.default_rng(seed)
    grid = Protocol(*gradient_scheme())
    s0 = resample(head.s0, grid.shape, grid.affine, antialias=False).array
    elements = resample(head.tensors, grid.shape, grid.affine, antialias=False).array
    tensors = full_tensors(elements)
    mask = s0 > MASK_SIGNAL
    fa, md = (v.array for v in fa_and_md(Volume(tensors, grid.affine)))
    fa = np.clip(fa + FA_NOISE * rng.standard_normal(fa.shape), 0, 1)
    md = np.maximum(md + MD_NOISE * rng.standard_normal(md.shape), 0.01)
    values, vectors = np.linalg.eigh(tensors[mask])
    ad, rd, v1 = np.zeros(fa.shape), np.zeros(fa.shape), np.zeros((*fa.shape, 3))
    ad[mask], rd[mask], v1[mask] = values[:, 2], values[:, :2].mean(1), vectors[..., 2]
    noise = SCALE / SNR * rng.standard_normal((2, *s0.shape))
    b0 = np.hypot(SCALE * s0 + noise[0], noise[1])
    scalars = (np.where(mask, part, 0) for part in (fa, md, ad, rd))
    maps = TensorMaps(
        *(Volume(part.astype(np.float32), grid.affine) for part in scalars),
        v1=Volume(v1.astype(np.float32), grid.affine),
        b0=Volume(b0.astype(np.float32), grid.affine),
    )
    index = {s.key: s.index for s in load_structures()}
    stem = np.isin(head.labels.array, [index[key] for key in composites()["brainstem"]])
    points = np.argwhere(stem)[::20] @ head.labels.affine[:3, :3].T + head.labels.affine[:3, 3]
    return Case(head.t1, maps, points)


def wrong_start(
    case: Case, rng: np.random.Generator, degrees: float = 10.0, mm: float = 10.0
) -> np.ndarray:
    """Draw a rigid movement about the middle of the head, uniform up to both limits, (4, 4)."""
    axis, way = rng.standard_normal((2, 3))
    turn = Rotation.from_rotvec(np.deg2rad(rng.uniform(0, degrees)) * axis / np.linalg.norm(axis))
    matrix = np.eye(4)
    matrix[:3, :3] = turn.as_matrix()
    matrix[:3, 3] = (
        case.middle - matrix[:3, :3] @ case.middle + rng.uniform(0, mm) * way / np.linalg.norm(way)
    )
    return matrix


def error_mm(points: np.ndarray, transform: np.ndarray) -> float:
    """Mean distance (mm) that a movement takes points away from where they are."""
    moved = points @ transform[:3, :3].T + transform[:3, 3]
    return float(np.linalg.norm(moved - points, axis=1).mean())


def with_contrast(maps: TensorMaps, contrast: str) -> TensorMaps:
    """Return maps that leave registration only one contrast: ``b0``, ``MD`` or ``FA``."""
    empty = Volume(np.zeros(maps.md.shape, np.float32), maps.md.affine)
    if contrast == "b0":
        # Registration learns from MD where the mask is, so that stays; b0 comes before it.
        return replace(maps, fa=empty)
    if contrast == "MD":
        return replace(maps, fa=empty, b0=None)
    return replace(maps, md=empty, b0=None)


def cut(maps: TensorMaps, low_mm: float, high_mm: float) -> TensorMaps:
    """Return the slab of maps between two heights (RAS z), for grids with upright slices."""
    volume = maps.fa
    k = np.rint((np.array([low_mm, high_mm]) - volume.affine[2, 3]) / volume.affine[2, 2])
    a, b = np.clip(k.astype(int), 0, volume.shape[2])

    def part(image: Volume | None) -> Volume | None:
        return image and crop(image, (0, 0, a), (*image.shape[:2], b))

    names = ("fa", "md", "ad", "rd", "v1", "b0", "residual")
    return replace(maps, **{name: part(getattr(maps, name)) for name in names})


def mirrored(maps: TensorMaps) -> TensorMaps:
    """Return maps flipped left to right in place: the mistake that no contrast can show."""

    def flip(image: Volume | None) -> Volume | None:
        return image and Volume(np.ascontiguousarray(image.array[::-1]), image.affine)

    names = ("fa", "md", "ad", "rd", "v1", "b0", "residual")
    return replace(maps, **{name: flip(getattr(maps, name)) for name in names})


def of_noise(like: TensorMaps, seed: int) -> TensorMaps:
    """Return maps of nothing but noise."""
    rng = np.random.default_rng(seed)

    def draw(image: Volume) -> Volume:
        values = np.abs(rng.standard_normal(image.array.shape)).astype(np.float32)
        return Volume(values * np.float32(0.3), image.affine)

    return replace(like, **{name: draw(getattr(like, name)) for name in ("fa", "md", "b0")})


def emptied(like: TensorMaps) -> TensorMaps:
    """Return maps that hold nothing."""
    zero = Volume(np.zeros(like.fa.shape, np.float32), like.fa.affine)
    return replace(like, fa=zero, md=zero, b0=zero)


def distorted(case: Case, mm: float, seed: int, axis: int = 1) -> tuple[TensorMaps, np.ndarray]:
    """Distort maps along an axis of their grid as echo-planar images are.

    Parameters
    ----------
    case : Case
    mm : float
        Largest displacement in the brainstem.
    seed : int
    axis : int

    Returns
    -------
    (TensorMaps, numpy.ndarray)
        The maps, and the displacement (mm) from each voxel to where its value comes from.
    """
    grid = case.maps.fa
    noise = np.random.default_rng(seed).standard_normal(grid.shape)
    field = ndimage.gaussian_filter(noise, FIELD_SIGMA_MM / grid.spacing)
    field *= mm / np.abs(_at(field, voxels(grid, case.points))).max()
    return pull(case.maps, field, axis), field


def voxels(grid: Volume, points: np.ndarray) -> np.ndarray:
    """Voxel indices (n, 3) of RAS positions."""
    inverse = np.linalg.inv(grid.affine)
    return points @ inverse[:3, :3].T + inverse[:3, 3]


def distortion_error(
    case: Case, field: np.ndarray, placed: np.ndarray, found: np.ndarray | None, axis: int = 1
) -> np.ndarray:
    """Distance (mm) of every point of the brainstem from where the maps show it in the end.

    Parameters
    ----------
    case : Case
    field : numpy.ndarray, shape (i, j, k)
        Displacement that distorted the maps, mm.
    placed : numpy.ndarray, shape (4, 4)
        All that happened to the affine of the maps since.
    found : numpy.ndarray, shape (i, j, k), or None
        Displacement by which they were straightened, mm.
    axis : int
    """
    grid = case.maps.fa
    seen = _undone(voxels(grid, case.points), field, grid.spacing[axis], axis)
    if found is not None:
        seen = _undone(seen, found, grid.spacing[axis], axis)
    affine = placed @ grid.affine
    return np.linalg.norm(seen @ affine[:3, :3].T + affine[:3, 3] - case.points, axis=1)


def _undone(index: np.ndarray, field: np.ndarray, step: float, axis: int) -> np.ndarray:
    """Voxels x with x + d(x) = index."""
    x = index.copy()
    for _ in range(20):  # a contraction, as the field does not fold
        x[:, axis] = index[:, axis] - _at(field, x) / step
    return x


def _at(field: np.ndarray, index: np.ndarray) -> np.ndarray:
    return ndimage.map_coordinates(field, index.T, order=1, mode="nearest")
