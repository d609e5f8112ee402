"""Paints a T1, an FA and an MD from an anatomy and the intensity priors."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from ..anatomy import load_structures
from ..anatomy.priors import IntensityPrior, load_intensity_priors
from .effects import DIFFUSION_EFFECTS

T1_WHITE = 600.0
"""Intensity of cerebral white matter; the unit is arbitrary."""
SKULL_MM, SCALP_MM = 4.0, 6.0
"""Thickness of the dark skull and of the bright scalp around the fluid."""
FLUID_MM = 3.0
"""Thickness of the fluid around the brain."""
SCALP_T1 = 0.75
"""T1 of scalp relative to white matter: fat is brighter, muscle darker; one value between."""
BETWEEN_PEOPLE = 0.35
"""Share of a prior's spread that one structure of one person departs from the mean by; the whole
spread also holds scanner and sequence, which one person does not vary in."""
BLUR_MM = 0.6
"""Standard deviation of the point spread of a 1 mm image: the partial volume."""
BIAS_SIGMA_MM, BIAS_AMPLITUDE = 40.0, 0.08
"""Smoothness and standard deviation of the logarithm of the receive field."""
T1_NOISE = 0.02
"""Rician noise, standard deviation relative to white matter."""
FA_NOISE, MD_NOISE = 0.02, 0.03
"""Noise of fitted maps: FA, 0-1, and MD, 1e-3 mm2/s."""

CHANNELS = ("t1", "fa", "md")


def tissue_means(
    labels: np.ndarray,
    white: np.ndarray,
    grey: np.ndarray,
    spacing: np.ndarray,
    rng: np.random.Generator,
    disease: bool = True,
) -> dict[str, np.ndarray]:
    """Return the noise-free mean of every voxel before it is deformed.

    Parameters
    ----------
    labels : numpy.ndarray of uint8, shape (i, j, k)
        ``Structure.index``, 0 elsewhere.
    white, grey : numpy.ndarray, shape (i, j, k)
        Tissue probabilities, 0-1.
    spacing : numpy.ndarray, shape (3,)
        Voxel size in millimetres.
    rng : numpy.random.Generator
        Draws how this person's structures depart from the priors.
    disease : bool
        Apply ``DIFFUSION_EFFECTS``.

    Returns
    -------
    dict
        ``t1`` (relative to white matter), ``fa`` (0-1), ``md`` (1e-3 mm2/s), float32.
    """
    priors = load_intensity_priors()
    inside = labels > 0
    brain = _brain(white + grey, inside, spacing)
    fluid = np.clip(1.0 - white - grey, 0.0, 1.0)
    means = {}
    for channel in CHANNELS:
        value = {
            key: _level(priors[key], channel) for key in ("cerebral_white", "cerebral_grey", "csf")
        }
        mixed = (
            white * value["cerebral_white"] + grey * value["cerebral_grey"] + fluid * value["csf"]
        )
        means[channel] = np.where(brain, mixed, 0.0).astype(np.float32)
    _add_shells(means, brain, spacing, priors["csf"])
    for structure in load_structures():
        # One draw per structure whether it is there or not: the same seed, the same person.
        draw = rng.standard_normal(3) * BETWEEN_PEOPLE
        here = labels == structure.index
        if not here.any():
            continue
        prior = priors[structure.key]
        effect = DIFFUSION_EFFECTS.get(structure.stem) if disease else None
        means["t1"][here] = prior.t1_relative * (1 + 0.03 * draw[0])
        means["fa"][here] = prior.fa_mean + draw[1] * prior.fa_sd + (effect.fa if effect else 0.0)
        means["md"][here] = prior.md_mean + draw[2] * prior.md_sd + (effect.md if effect else 0.0)
    return means


def t1_image(mean: np.ndarray, spacing: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return a T1 as a scanner would give it: blurred, shaded and with Rician noise, float32."""
    clean = ndimage.gaussian_filter(mean, BLUR_MM / spacing) * _shading(mean.shape, spacing, rng)
    real = clean + T1_NOISE * rng.standard_normal(mean.shape, dtype=np.float32)
    imaginary = T1_NOISE * rng.standard_normal(mean.shape, dtype=np.float32)
    return (T1_WHITE * np.hypot(real, imaginary)).astype(np.float32)


def diffusion_map(
    mean: np.ndarray, spacing: np.ndarray, channel: str, rng: np.random.Generator
) -> np.ndarray:
    """Return an FA or MD map on every second voxel, as coarse as diffusion images are, float32.

    Outside the head it is exactly 0, as fitted maps are outside their mask.
    """
    # The point spread of the coarser voxel: half of it, as for the finer one.
    smooth = ndimage.gaussian_filter(mean, 2 * BLUR_MM / spacing)[::2, ::2, ::2]
    noise = FA_NOISE if channel == "fa" else MD_NOISE
    noisy = smooth + noise * rng.standard_normal(smooth.shape, dtype=np.float32)
    masked = np.where(mean[::2, ::2, ::2] > 0, np.maximum(noisy, 0.0), 0.0)
    return np.minimum(masked, 1.0).astype(np.float32) if channel == "fa" else masked


def _level(prior: IntensityPrior, channel: str) -> float:
    return {"t1": prior.t1_relative, "fa": prior.fa_mean, "md": prior.md_mean}[channel]


def _brain(tissue: np.ndarray, inside: np.ndarray, spacing: np.ndarray) -> np.ndarray:
    """Brain with its ventricles: tissue and structures, closed and filled slice by slice."""
    brain = (tissue > 0.2) | inside
    near = _distance_to(brain, spacing) <= FLUID_MM
    brain = _distance_to(~near, spacing) > FLUID_MM
    brain |= inside
    # The neck is cut by the edge of the image; a hole is therefore one of an axial slice.
    return np.stack([ndimage.binary_fill_holes(brain[:, :, k]) for k in range(brain.shape[2])], -1)


def _distance_to(mask: np.ndarray, spacing: np.ndarray) -> np.ndarray:
    """Distance (mm) of every voxel's centre to the nearest in the mask, 0 inside it.

    SimpleITK's, which uses every core: five times as fast as scipy's on a head of 1 mm.
    """
    image = sitk.GetImageFromArray(mask.T.astype(np.uint8))
    image.SetSpacing([float(step) for step in spacing])
    distance = sitk.SignedMaurerDistanceMap(image, squaredDistance=False, useImageSpacing=True)
    return np.maximum(sitk.GetArrayFromImage(distance).T, 0.0)


def _add_shells(
    means: dict[str, np.ndarray], brain: np.ndarray, spacing: np.ndarray, csf: IntensityPrior
) -> None:
    distance = _distance_to(brain, spacing)
    fluid = (distance > 0) & (distance <= FLUID_MM)
    scalp = distance > FLUID_MM + SKULL_MM
    scalp &= distance <= FLUID_MM + SKULL_MM + SCALP_MM
    for channel in CHANNELS:
        means[channel][fluid] = _level(csf, channel)
    means["t1"][scalp] = SCALP_T1


def _shading(shape: tuple[int, ...], spacing: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    step = BIAS_SIGMA_MM / 2
    coarse = [int(np.ceil(n * s / step)) + 2 for n, s in zip(shape, spacing, strict=True)]
    noise = ndimage.gaussian_filter(rng.standard_normal(coarse), BIAS_SIGMA_MM / step)
    zoom = [n / c for n, c in zip(shape, coarse, strict=True)]
    smooth = ndimage.zoom(noise, zoom, order=2)
    return np.exp(BIAS_AMPLITUDE * smooth / smooth.std()).astype(np.float32)
