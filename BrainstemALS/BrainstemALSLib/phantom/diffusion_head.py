"""The simulated head as diffusion sees it: a tensor and an unweighted signal in every voxel.

Everything is computed from the phantom's average anatomy; nobody was scanned.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ..anatomy.priors import load_intensity_priors
from ..imaging.volume import Volume
from . import deformation, painting
from .fibres import fibre_field
from .sample import sample_anatomy

S0_GREY, S0_FLUID, S0_SCALP = 1.25, 2.5, 0.3
"""Unweighted signal of T2-weighted echo-planar images relative to white matter; our own choice, of
the order that such images show at 3 T with fat suppressed."""
SCALP_MD = 1.0
"""1e-3 mm2/s: skin and muscle; our own choice, it only has to look like neither brain nor fluid."""
ELEMENTS = ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2))
"""Rows and columns of the six stored elements of a tensor."""


@dataclass(frozen=True, eq=False)
class DiffusionHead:
    """A simulated head with known diffusion.

    Attributes
    ----------
    labels : Volume
        uint8, ``Structure.index``.
    t1 : Volume
        float32, of the same head on the same grid.
    s0 : Volume
        float32: unweighted signal relative to white matter, blurred to the resolution of diffusion.
    tensors : Volume
        float32, shape (i, j, k, 6), ``ELEMENTS`` in RAS, 1e-3 mm2/s, at that resolution too.
    resolution : float
        Full width at half maximum (mm) of the blur.
    """

    labels: Volume
    t1: Volume
    s0: Volume
    tensors: Volume
    resolution: float


def diffusion_head(
    seed: int = 1,
    resolution: float = 2.5,
    anatomy: tuple[Volume, Volume, Volume] | None = None,
    disease: bool = False,
) -> DiffusionHead:
    """Return a simulated head; the same seed gives the same one.

    FA and MD are the means of ``painting``, tensors are cylinders along ``fibre_field``. Tensors
    and signal are blurred together, the tensors weighted by the signal, so that partial volume is
    part of the truth and one tensor describes every voxel exactly.

    Parameters
    ----------
    seed : int
        Decides the shape of the head and how its structures differ from the priors.
    resolution : float
        Voxel size (mm) of the diffusion images to be simulated.
    anatomy : tuple of Volume, optional
        Labels, white and grey matter instead of ``sample_anatomy``.
    disease : bool
        Apply the effects of ALS on FA and MD; volumes are not changed.
    """
    labels, white, grey = anatomy or sample_anatomy()
    rng = np.random.default_rng(seed)
    spacing = labels.spacing
    shape = deformation.random_shape(labels.array.shape, spacing, rng)
    lab = deformation.warp(labels.array, shape, spacing, 0)
    wm, gm = (deformation.warp(part.array, shape, spacing, 1) for part in (white, grey))
    means = painting.tissue_means(lab, wm, gm, spacing, rng, disease)
    t1 = painting.t1_image(means["t1"], spacing, rng)
    s0 = _unweighted(lab, wm, gm, means)
    md = np.where((means["md"] == 0) & (s0 > 0), np.float32(SCALP_MD), means["md"])
    field = fibre_field(Volume(lab, labels.affine), Volume(wm, labels.affine))
    sigma = resolution / np.sqrt(8 * np.log(2)) / spacing
    blurred = ndimage.gaussian_filter(s0, sigma)
    across, along = _eigenvalues(means["fa"], md)
    weight = np.maximum(blurred, 1e-4)
    tensors = np.empty((*lab.shape, len(ELEMENTS)), np.float32)
    for n, (a, b) in enumerate(ELEMENTS):
        element = (along - across) * field[..., a] * field[..., b] + (across if a == b else 0.0)
        tensors[..., n] = ndimage.gaussian_filter(s0 * element, sigma) / weight
    return DiffusionHead(
        Volume(lab, labels.affine),
        Volume(t1, labels.affine),
        Volume(blurred, labels.affine),
        Volume(tensors, labels.affine),
        resolution,
    )


def full_tensors(elements: np.ndarray) -> np.ndarray:
    """Return symmetric tensors (..., 3, 3) of their ``ELEMENTS`` (..., 6)."""
    tensors = np.empty((*elements.shape[:-1], 3, 3), elements.dtype)
    for n, (a, b) in enumerate(ELEMENTS):
        tensors[..., a, b] = tensors[..., b, a] = elements[..., n]
    return tensors


def _eigenvalues(fa: np.ndarray, md: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Across and along the fibres, of a cylindrical tensor with this FA and MD.

    Along is MD (1 + 2d), across MD (1 - d); the definition of FA gives d = FA / sqrt(3 - 2 FA^2).
    """
    d = fa / np.sqrt(3 - 2 * fa**2)
    return md * (1 - d), md * (1 + 2 * d)


def _unweighted(
    labels: np.ndarray, white: np.ndarray, grey: np.ndarray, means: dict[str, np.ndarray]
) -> np.ndarray:
    """Signal without diffusion weighting, relative to white matter, float32."""
    inside = labels > 0
    fluid = np.where(inside, 0.0, np.clip(1.0 - white - grey, 0.0, 1.0))
    brain = means["md"] > 0
    grey = np.where(inside, np.clip(1.0 - white, 0.0, 1.0), grey)
    mixed = np.where(inside, 1.0 - grey, white) + S0_GREY * grey + S0_FLUID * fluid
    # Beyond the tissue maps, within the brain's hull, is fluid; its MD says so.
    csf = load_intensity_priors()["csf"].md_mean
    mixed = np.where((white + grey == 0) & (means["md"] >= csf), S0_FLUID, mixed)
    scalp = ~brain & (means["t1"] > 0)
    return np.where(brain, mixed, np.where(scalp, S0_SCALP, 0.0)).astype(np.float32)
