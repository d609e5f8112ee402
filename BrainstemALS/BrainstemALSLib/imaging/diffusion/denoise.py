"""Noise: removed by MP-PCA, and its floor subtracted; ringing on request.

Both need the images as the scanner made them. Interpolation, by motion correction or by a scanner
that enlarges its matrix, mixes neighbours' noise and hides it from MP-PCA.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ..finding import Finding
from ..volume import Volume

FEWEST_VOLUMES = 12
"""With fewer volumes hardly any component is noise alone; our own choice."""
LARGEST_COST = 2.5e9
"""Voxels times volumes squared that are denoised: some minutes. Longer series gain least by it, as
a fit to many volumes averages noise by itself. Our own choice."""
LARGEST_MOVEMENT = 1.0
"""Degrees or millimetres within a series. Beyond, one voxel is not the same tissue in all volumes,
and MP-PCA takes part of the contrast between directions for noise: on simulated series
(docs/results/diffusion.md) FA of small structures fell the more, the more it moved. Our own
choice."""
_RADII = (2, 3, 4)


def why_not_denoise(shape: tuple[int, ...], voxels: int, movement: float = 0.0) -> str | None:
    """Say why MP-PCA is left out, or None where it can be done.

    Parameters
    ----------
    shape : tuple of int
        (i, j, k, n) of the series.
    voxels : int
        In the mask.
    movement : float
        Largest rotation (degrees) or translation (mm) in it.
    """
    if movement > LARGEST_MOVEMENT:
        return f"the head moved by {movement:.1f} mm or degrees, which MP-PCA takes amiss"
    if shape[3] < FEWEST_VOLUMES:
        return f"{shape[3]} volumes are too few to tell signal from noise"
    if min(shape[:3]) < 2 * _RADII[0] + 1:
        return "the slab is too thin"
    if voxels * shape[3] ** 2 > LARGEST_COST:
        return "the series is too long for it"
    return None


def denoise(series: Volume, mask: np.ndarray) -> tuple[Volume, float]:
    """Return the series without the part of it that is noise, and the noise.

    MP-PCA (Veraart et al., NeuroImage 2016;142:394, doi:10.1016/j.neuroimage.2016.08.016) by DIPY.
    A magnitude image has no negative noise, so that weak signals are too high (Gudbjartsson & Patz,
    Magn Reson Med 1995;34:910, doi:10.1002/mrm.1910340618). What is left after denoising is near
    the mean of that magnitude, from which sqrt(m^2 - s^2) takes the floor off, as in DESIGNER
    (Ades-Aron et al., NeuroImage 2018;183:532, doi:10.1016/j.neuroimage.2018.07.066). This holds
    for one receive channel, or channels that were combined in phase.

    Parameters
    ----------
    series : Volume
        float32, shape (i, j, k, n).
    mask : numpy.ndarray of bool, shape (i, j, k)
        Outside of it the images stay as they are.

    Returns
    -------
    series : Volume
    sigma : float
        Standard deviation of the noise, median over the mask, in the unit of the images.
    """
    from dipy.denoise.localpca import mppca

    n = series.array.shape[3]
    radius = next((r for r in _RADII if (2 * r + 1) ** 3 > n), _RADII[-1])
    box = _box(mask, radius)
    inside = mask[box]
    # Voxels that no patch reaches, at the edge of the image, come out as 0 / 0.
    with np.errstate(invalid="ignore", divide="ignore"):
        found, noise = mppca(
            series.array[box],
            mask=inside,
            patch_radius=radius,
            return_sigma=True,
            out_dtype=np.float32,
            suppress_warning=True,
        )
    known = inside & np.isfinite(noise) & (noise > 0)
    sigma = float(np.median(noise[known])) if known.any() else 0.0
    without_floor = np.sqrt(np.maximum(found[known] ** 2 - noise[known][:, None] ** 2, 0.0))
    array = series.array.copy()
    array[box][known] = without_floor
    return Volume(array, series.affine), sigma


def remove_ringing(series: Volume) -> Volume:
    """Return the series without Gibbs ringing in the plane of the slices (third axis).

    Kellner et al., Magn Reson Med 2016;76:1574, doi:10.1002/mrm.26054, by DIPY. Right only for an
    acquisition that fills k-space: not for partial Fourier, which most echo-planar protocols use.
    """
    from dipy.denoise.gibbs import gibbs_removal

    array = gibbs_removal(series.array, slice_axis=2, inplace=False, num_processes=1)
    return Volume(np.maximum(array, 0.0).astype(np.float32), series.affine)


def not_denoised(reason: str) -> Finding:
    """Return the finding that says why noise was not removed."""
    return Finding(
        "not_denoised",
        "info",
        f"The diffusion series was not denoised: {reason}.",
        "Nothing to do; FA is somewhat noisier, and too high where it is low.",
    )


def _box(mask: np.ndarray, radius: int) -> tuple[slice, slice, slice]:
    found = ndimage.find_objects(mask.astype(np.uint8))[0]
    return tuple(
        slice(max(0, part.start - radius), min(n, part.stop + radius))
        for part, n in zip(found, mask.shape, strict=True)
    )
