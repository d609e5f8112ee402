"""Movement from volume to volume, and the linear part of eddy currents.

Every weighted volume is registered to what a tensor predicts for its gradient, as SHORELine does
with another model (Cieslak et al., Nat Methods 2021;18:775, doi:10.1038/s41592-021-01185-5), and
each with the directions turned as its head was (Leemans & Jones, Magn Reson Med 2009;61:1336,
doi:10.1002/mrm.21890). Images are interpolated once.

What it is not: it does not see movement within a volume, nor how movement changes distortion, nor
distortion by susceptibility, nor eddy currents beyond a linear field. FSL's topup and eddy do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from ..dwi import Dwi
from ..geometry import resample
from ..registration.rigid import head_movement
from ..volume import Volume
from .linear import design_matrix, fa_of, linear_fit, predicted
from .movement import Frame, Movement, register
from .orientation import image_axes

FIRST_SIGMA_MM, ISOTROPIC_SIGMA_MM, LATER_SIGMAS_MM = 4.0, 1.5, (1.5, 1.5)
"""Smoothing of the images that are compared: wide for a large movement, then finer. Own choice."""
POINTS = 40_000
"""Voxels that are compared, spread evenly over the mask; our own choice, for speed."""
ISOTROPIC_FA, ISOTROPIC_SHARE = 0.18, 0.5
"""FA, of smoothed images, up to which a voxel looks alike in all weighted volumes; or that share of
the voxels with the lowest, if more. Our own choice, from the error on simulated series."""
FEWEST_FOR_EDDY = 12
"""Weighted volumes from which eddy currents are told from noise; our own choice."""
THINNEST_MM = 25.0
"""Of a slab in which movement is corrected: on simulated series of 18 mm more was put in than taken
out, on those of 30 mm it was not. Our own choice between them."""
LEAST_SEEN = 0.9
"""Share of the brain that must stay in view between weighted and unweighted volumes: more than some
millimetres do not lie between them. Our own choice."""
_AXES = "ijk"
_BINS = 32


@dataclass(frozen=True, eq=False)
class Moved:
    """A series brought to the place of its first unweighted volume.

    Attributes
    ----------
    dwi : Dwi
        Interpolated, with directions turned.
    seen : numpy.ndarray of bool, shape (i, j, k, n)
        Where a volume had data.
    slices : numpy.ndarray of int16, shape (i, j, k, n)
        The slice, as acquired, that a value was taken from.
    movements : tuple of Movement
        By volume.
    """

    dwi: Dwi
    seen: np.ndarray
    slices: np.ndarray
    movements: tuple[Movement, ...]


def too_thin(dwi: Dwi) -> bool:
    """Whether the series shows too thin a slab to correct movement in it."""
    return bool((dwi.volume.spacing * dwi.volume.array.shape[:3]).min() < THINNEST_MM)


def encoding_axis(dwi: Dwi) -> np.ndarray:
    """Return the direction of the phase encoding in RAS, zeros where it is not known."""
    if dwi.phase_encoding is None:
        return np.zeros(3)
    return image_axes(dwi.volume.affine)[:, _AXES.index(dwi.phase_encoding[0])]


def still(dwi: Dwi) -> Moved:
    """Return a series as one that did not move."""
    shape = dwi.volume.array.shape
    slices = np.broadcast_to(np.arange(shape[2], dtype=np.int16)[:, None], shape)
    return Moved(dwi, np.ones(shape, bool), slices, (Movement(),) * shape[3])


def estimate_motion(
    dwi: Dwi, mask: np.ndarray, report: Callable[[float], None] = lambda _: None
) -> tuple[Movement, ...]:
    """Return how the head moved, by volume, counted from the first unweighted one.

    Parameters
    ----------
    dwi : Dwi
    mask : numpy.ndarray of bool, shape (i, j, k)
        The brain.
    report : callable
        Called with the fraction done, 0-1.
    """
    frame = _frame(dwi, mask)
    movements = _first_guess(dwi, frame)
    report(0.4)
    for number, sigma in enumerate(LATER_SIGMAS_MM):
        movements = _to_predictions(dwi, frame, movements, sigma)
        movements = _weighted_to_unweighted(dwi, frame, movements)
        report(0.4 + 0.3 * (number + 1))
    return tuple(_from_first(dwi, movements))


def undo_motion(dwi: Dwi, mask: np.ndarray, movements: Sequence[Movement]) -> Moved:
    """Return the series without its movement, interpolated once.

    Parameters
    ----------
    dwi : Dwi
    mask : numpy.ndarray of bool, shape (i, j, k)
        As for ``estimate_motion``.
    movements : sequence of Movement
        What that found.
    """
    return _placed(dwi, _frame(dwi, mask), movements)


def _frame(dwi: Dwi, mask: np.ndarray) -> Frame:
    affine = dwi.volume.affine
    inner = ndimage.binary_dilation(mask)
    places = np.argwhere(inner)
    places = places[:: max(1, len(places) // POINTS)]
    chosen = np.zeros(mask.shape, bool)
    chosen[tuple(places.T)] = True
    points = places @ affine[:3, :3].T + affine[:3, 3]
    middle = affine[:3, :3] @ ((np.array(mask.shape) - 1) / 2) + affine[:3, 3]
    return Frame(affine, points, middle, encoding_axis(dwi), chosen)


def _first_guess(dwi: Dwi, frame: Frame) -> list[Movement]:
    """Unweighted volumes to the first of them, weighted ones to their mean, both to each other."""
    smooth = _smoothed(dwi, FIRST_SIGMA_MM)
    movements = [Movement() for _ in dwi.bvals]
    b0 = np.flatnonzero(dwi.unweighted)
    weighted = np.flatnonzero(~dwi.unweighted)
    value, slope = _sampled(smooth[..., b0[0]], frame)
    for n in b0[1:]:
        movements[n] = register(smooth[..., n], value, slope, frame, Movement())
    mean = smooth[..., weighted].mean(axis=3)
    for _ in range(2):
        value, slope = _sampled(mean, frame)
        for n in weighted:
            movements[n] = register(smooth[..., n], value, slope, frame, movements[n])
        mean = np.mean([_whole(smooth[..., n], frame, movements[n]) for n in weighted], axis=0)
    for _ in range(2):
        movements = _by_isotropic(dwi, frame, movements)
    return _weighted_to_unweighted(dwi, frame, movements)


def _by_isotropic(dwi: Dwi, frame: Frame, movements: list[Movement]) -> list[Movement]:
    """Register the weighted volumes to their mean again, where it looks like each of them.

    White matter is bright or dark with the direction of the gradient, which reads as movement. What
    of that is an even function of the gradient no tensor would contradict later on, so it must not
    arise: only voxels of low FA are compared.
    """
    smooth = _smoothed(dwi, ISOTROPIC_SIGMA_MM)
    aligned = np.stack([_whole(smooth[..., n], frame, m) for n, m in enumerate(movements)], axis=-1)
    turned = np.stack([m.rotation.T @ g for m, g in zip(movements, dwi.bvecs, strict=True)])
    signals = aligned[frame.mask]
    fa = fa_of(linear_fit(signals, design_matrix(dwi.bvals, turned)))
    kept = fa <= max(ISOTROPIC_FA, np.quantile(fa, ISOTROPIC_SHARE))
    chosen = np.zeros(frame.mask.shape, bool)
    chosen[frame.mask] = kept
    part = replace(frame, points=frame.points[kept], mask=chosen)
    value, slope = _sampled(aligned[..., ~dwi.unweighted].mean(axis=3), part)
    return [
        m if still else register(smooth[..., n], value, slope, part, m)
        for n, (m, still) in enumerate(zip(movements, dwi.unweighted, strict=True))
    ]


def _weighted_to_unweighted(dwi: Dwi, frame: Frame, movements: list[Movement]) -> list[Movement]:
    """Bring the weighted volumes together to where the unweighted ones are.

    A tensor that is fitted to both does not see that they lie apart: what is shared by all weighted
    volumes goes into the tensor. Their means share no contrast, but information. In a slab, more of
    it may seem to be shared where less overlaps: a movement counts only if it fits better in the
    voxels that both places show.
    """
    means = []
    for group in (dwi.unweighted, ~dwi.unweighted):
        parts = [
            _whole(dwi.volume.array[..., n], frame, movements[n]) for n in np.flatnonzero(group)
        ]
        means.append(Volume(np.mean(parts, axis=0), frame.affine))
    found = head_movement(means[0], means[1], np.eye(4), frame.middle)
    if found is None:
        return movements
    turn = found[:3, :3]
    shift = turn @ frame.middle + found[:3, 3] - frame.middle
    if not _fits_better(means[0].array, means[1].array, frame, Movement(turn, shift)):
        return movements
    together = [m.after(turn, shift) for m in movements]
    return [
        m if still else t for m, t, still in zip(movements, together, dwi.unweighted, strict=True)
    ]


def _fits_better(first: np.ndarray, second: np.ndarray, frame: Frame, movement: Movement) -> bool:
    """Whether a movement of the second image makes it share more information with the first."""
    places = frame.voxels(movement)
    limit = np.array(first.shape)[:, None] - 1
    seen = ((places >= 0) & (places <= limit)).all(axis=0)
    if seen.mean() < LEAST_SEEN:
        return False
    there = ndimage.map_coordinates(second, places[:, seen], order=1)
    here, value = second[frame.mask][seen], first[frame.mask][seen]
    return _information(value, there) > _information(value, here)


def _information(first: np.ndarray, second: np.ndarray) -> float:
    """Mutual information of paired values, in bins of equal size."""
    ranks = [
        np.searchsorted(np.quantile(v, np.linspace(0, 1, _BINS)[1:-1]), v) for v in (first, second)
    ]
    joint = np.bincount(ranks[0] * _BINS + ranks[1], minlength=_BINS**2).reshape(_BINS, _BINS)
    joint = joint / joint.sum()
    apart = np.outer(joint.sum(1), joint.sum(0))
    there = joint > 0
    return float((joint[there] * np.log(joint[there] / apart[there])).sum())


def _to_predictions(
    dwi: Dwi, frame: Frame, movements: list[Movement], sigma: float
) -> list[Movement]:
    shape = dwi.volume.array.shape
    aligned = np.stack(
        [_whole(dwi.volume.array[..., n], frame, m) for n, m in enumerate(movements)], axis=-1
    )
    turned = np.stack([m.rotation.T @ g for m, g in zip(movements, dwi.bvecs, strict=True)])
    design = design_matrix(dwi.bvals, turned)
    guess = predicted(linear_fit(aligned.reshape(-1, shape[3]), design), design).reshape(shape)
    widths = sigma / dwi.volume.spacing
    eddy = bool(frame.encoding.any()) and int((~dwi.unweighted).sum()) >= FEWEST_FOR_EDDY
    found = []
    for n, movement in enumerate(movements):
        value, slope = _sampled(ndimage.gaussian_filter(guess[..., n], widths), frame)
        volume = ndimage.gaussian_filter(dwi.volume.array[..., n], widths)
        shear = eddy and not dwi.unweighted[n]
        found.append(register(volume, value, slope, frame, movement, shear))
    return _linear_in_gradient(dwi, found) if eddy else found


def _linear_in_gradient(dwi: Dwi, movements: list[Movement]) -> list[Movement]:
    """Replace each shear by what a field linear in the gradient explains of all.

    Eddy currents are proportional to the gradient that makes them, so that all volumes together
    tell them better than each by itself (Andersson & Sotiropoulos, NeuroImage 2016;125:1063,
    doi:10.1016/j.neuroimage.2015.10.019). What all share is not theirs: it is how the reference was
    sheared, being their mean.
    """
    strength = dwi.bvecs * np.sqrt(dwi.bvals / 1000.0)[:, None]
    shears = np.stack([m.shear for m in movements])
    weighted = ~dwi.unweighted
    columns = np.concatenate([strength, np.ones((len(strength), 1))], axis=1)
    law = np.linalg.lstsq(columns[weighted], shears[weighted], rcond=None)[0][:3]
    return [replace(m, shear=s @ law) for m, s in zip(movements, strength, strict=True)]


def _from_first(dwi: Dwi, movements: list[Movement]) -> list[Movement]:
    """Let the first unweighted volume be where it is, and count all movements from it."""
    first = movements[int(np.flatnonzero(dwi.unweighted)[0])]
    back = first.rotation.T
    return [m.after(back, -back @ first.translation) for m in movements]


def _placed(dwi: Dwi, frame: Frame, movements: Sequence[Movement]) -> Moved:
    """Interpolate every volume once, by cubic splines."""
    shape = dwi.volume.array.shape
    array = np.empty(shape, np.float32)
    seen, slices = np.empty(shape, bool), np.empty(shape, np.int16)
    index = np.indices(shape[:3]).reshape(3, -1)
    limit = np.array(shape[:3])[:, None] - 1
    for n, movement in enumerate(movements):
        array[..., n] = np.maximum(
            _whole(dwi.volume.array[..., n], frame, movement, "bspline"), 0.0
        )
        # Squeezed tissue is brighter: take that off, as it was put on.
        array[..., n] /= 1 + frame.encoding @ movement.shear
        to_voxels = np.linalg.inv(frame.affine) @ movement.affine(frame.middle, frame.encoding)
        to_voxels = to_voxels @ frame.affine
        places = to_voxels[:3, :3] @ index + to_voxels[:3, 3:]
        seen[..., n] = ((places >= -0.5) & (places <= limit + 0.5)).all(0).reshape(shape[:3])
        slices[..., n] = np.rint(places[2]).reshape(shape[:3])
    bvecs = np.stack([m.rotation.T @ g for m, g in zip(movements, dwi.bvecs, strict=True)])
    volume = Volume(array, dwi.volume.affine)
    return Moved(replace(dwi, volume=volume, bvecs=bvecs), seen, slices, tuple(movements))


def _whole(
    image: np.ndarray, frame: Frame, movement: Movement, interpolation: str = "linear"
) -> np.ndarray:
    """A volume on the grid of the reference."""
    placed = np.linalg.inv(movement.affine(frame.middle, frame.encoding)) @ frame.affine
    return resample(
        Volume(image, placed), image.shape, frame.affine, interpolation, antialias=False
    ).array


def _smoothed(dwi: Dwi, sigma: float) -> np.ndarray:
    widths = sigma / dwi.volume.spacing
    parts = np.moveaxis(dwi.volume.array, 3, 0)
    return np.stack([ndimage.gaussian_filter(part, widths) for part in parts], axis=-1)


def _sampled(image: np.ndarray, frame: Frame) -> tuple[np.ndarray, np.ndarray]:
    """Values (m,) and slopes (m, 3) along RAS per mm at the points of a frame."""
    slopes = np.stack([part[frame.mask] for part in np.gradient(image)], axis=1)
    return image[frame.mask].astype(float), slopes @ np.linalg.inv(frame.affine[:3, :3])
