"""Planes through the brainstem in the patient's space, and how images and labels look on them.

Planes are sampled straight from the grids, oblique and anisotropic ones included, so that a picture
always shows true axial, sagittal and coronal planes in millimetres.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ..anatomy import REGIONS, composites, load_structures
from ..errors import BrainstemALSError, ExitCode
from ..imaging.volume import Volume

AXIAL_QUANTILES = {"midbrain": (0.75, 0.30), "pons": (0.70, 0.25), "medulla": (0.72, 0.30)}
"""Levels at which each region is shown, as quantiles of the heights of its voxels (0 caudal)."""
SAGITTAL_OFFSET_MM = 5.0
"""The sagittal plane runs this far left of the midline: through the corticospinal tract, the medial
lemniscus and the red nucleus, none of which a midline plane would show."""
MARGIN_MM = 9.0


@dataclass(frozen=True)
class Plane:
    """A rectangle in the patient's space.

    Attributes
    ----------
    kind : str
        ``axial``, ``sagittal`` or ``coronal``.
    centre : tuple of float
        RAS millimetres.
    letters : tuple of str
        Direction at the left, right, top and bottom edge of the picture. Radiological convention:
        the patient's right is on the left of the picture, in a sagittal plane anterior is.
    """

    kind: str
    centre: tuple[float, float, float]

    @property
    def right(self) -> np.ndarray:
        """Unit vector (RAS) that points to the right of the picture."""
        return np.array([0.0, -1.0, 0.0] if self.kind == "sagittal" else [-1.0, 0.0, 0.0])

    @property
    def up(self) -> np.ndarray:
        """Unit vector (RAS) that points to the top of the picture."""
        return np.array([0.0, 1.0, 0.0] if self.kind == "axial" else [0.0, 0.0, 1.0])

    @property
    def letters(self) -> tuple[str, str, str, str]:
        """Directions at the left, right, top and bottom edge of the picture."""
        return {
            "axial": ("R", "L", "A", "P"),
            "coronal": ("R", "L", "S", "I"),
            "sagittal": ("A", "P", "S", "I"),
        }[self.kind]

    def grid(self, half_width: float, half_height: float, pixel: float) -> np.ndarray:
        """Return RAS positions of the pixels, shape (rows, columns, 3), bottom row first."""
        across = np.arange(-half_width, half_width + pixel / 2, pixel)
        along = np.arange(-half_height, half_height + pixel / 2, pixel)
        return (
            np.asarray(self.centre)
            + across[None, :, None] * self.right
            + along[:, None, None] * self.up
        )


@dataclass(frozen=True)
class Views:
    """Planes to show, and how far the picture must reach so that all of the brainstem fits.

    Attributes
    ----------
    axial : tuple of (str, Plane)
        Region and plane, rostral to caudal.
    sagittal, coronal : Plane
    centre : tuple of float
        Centre of the labelled brainstem, RAS millimetres.
    extent_mm : tuple of float
        Size of the labelled brainstem along (x, y, z) with a margin.
    """

    axial: tuple[tuple[str, Plane], ...]
    sagittal: Plane
    coronal: Plane
    centre: tuple[float, float, float]
    extent_mm: tuple[float, float, float]


def choose_views(labels: Volume) -> Views:
    """Choose the planes that show every region of a labelled brainstem.

    Parameters
    ----------
    labels : Volume
        Label map; values are ``Structure.index``.

    Raises
    ------
    BrainstemALSError
        Nothing is labelled.
    """
    structures = load_structures()
    index_of = {structure.key: structure.index for structure in structures}
    voxels = np.argwhere(np.isin(labels.array, [index_of[k] for k in composites()["brainstem"]]))
    if not len(voxels):
        raise BrainstemALSError(
            "segmentation",
            "no brainstem is labelled, so there is nothing to draw",
            "Check that the T1 shows the brainstem.",
            ExitCode.NO_BRAINSTEM,
        )
    values = labels.array[tuple(voxels.T)]
    positions = voxels @ labels.affine[:3, :3].T + labels.affine[:3, 3]
    low, high = positions.min(axis=0), positions.max(axis=0)
    centre = (low + high) / 2

    axial = []
    for region in REGIONS:
        heights = positions[np.isin(values, [index_of[k] for k in composites()[region]]), 2]
        if not len(heights):
            continue
        for height in np.quantile(heights, AXIAL_QUANTILES[region]):
            # The brainstem leans: each level is centred on what lies there.
            distance = np.abs(positions[:, 2] - height)
            at_level = positions[distance <= max(1.0, distance.min()), 1]
            y = float(at_level.min() + at_level.max()) / 2
            axial.append((region, Plane("axial", (centre[0], y, float(height)))))
    tract = [
        index_of[k] for s in ("left", "right") for k in composites()[f"corticospinal_tract_{s}"]
    ]
    on_tract = positions[np.isin(values, tract)]
    y = float(np.median(on_tract[:, 1])) if len(on_tract) else float(centre[1])
    x = float(centre[0]) - SAGITTAL_OFFSET_MM
    return Views(
        axial=tuple(axial),
        sagittal=Plane("sagittal", (x, centre[1], centre[2])),
        coronal=Plane("coronal", (centre[0], y, centre[2])),
        centre=tuple(float(value) for value in centre),
        extent_mm=tuple(float(value) for value in high - low + 2 * MARGIN_MM),
    )


def sample(volume: Volume, points: np.ndarray) -> np.ndarray:
    """Sample a volume linearly at RAS positions.

    Parameters
    ----------
    volume : Volume
        Array of shape (i, j, k).
    points : numpy.ndarray, shape (rows, columns, 3)
        RAS millimetres.

    Returns
    -------
    numpy.ndarray, shape (rows, columns)
        float32; 0 outside the volume.
    """
    inverse = np.linalg.inv(volume.affine)
    voxels = points @ inverse[:3, :3].T + inverse[:3, 3]
    return ndimage.map_coordinates(
        volume.array, np.moveaxis(voxels, -1, 0), output=np.float32, order=1, mode="constant"
    )


def crop_to_labels(labels: Volume) -> Volume:
    """Cut a label map to what is labelled and two voxels around it."""
    found = ndimage.find_objects((labels.array > 0).astype(np.uint8))[0]
    window = tuple(
        slice(max(s.start - 2, 0), min(s.stop + 2, n))
        for s, n in zip(found, labels.shape, strict=True)
    )
    affine = labels.affine.copy()
    affine[:3, 3] += affine[:3, :3] @ [s.start for s in window]
    return Volume(labels.array[window], affine)


def label_masks(labels: Volume, points: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Yield the label values seen on a plane, and how much of each pixel they fill, 0-1.

    Linear interpolation of each label gives outlines that run between voxels instead of stairs.
    """
    for value in np.unique(labels.array):
        if value == 0:
            continue
        mask = sample(Volume((labels.array == value).astype(np.float32), labels.affine), points)
        if mask.max() > 0.5:
            yield int(value), mask
