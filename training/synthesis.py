"""Draws joint T1, FA, MD and V1 images from label maps.

In the manner of SynthSeg (Billot et al. 2023, doi:10.1016/j.media.2023.102789) and of the joint
T1 + diffusion synthesis of Tregidgo et al. 2023: every structure gets its intensity from a prior
(Resources/Anatomy/intensity_priors.tsv), moved at random, so that a network learns shape and
relative contrast, not one scanner. Everything that comes from here is simulated.
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from monai.transforms import RandBiasField, RandGibbsNoise
from scipy import ndimage
from torch.nn import functional as F

from BrainstemALSLib.anatomy import REGIONS, Structure, by_key, load_structures
from BrainstemALSLib.assets import asset_path
from BrainstemALSLib.imaging.volume import Volume
from BrainstemALSLib.segmentation.channels import CHANNELS, PLANES
from BrainstemALSLib.segmentation.preprocess import NORMALISE, SPACING_MM, WINDOW_MM

from . import labels as L
from .fibre_field import fibre_field
from .geometry_augmentation import Draw, look_up, misregistered, smooth_field, window_points

MODALITY_SETS = (
    (("t1",), 0.40),
    (("t1", "fa", "md", "v1"), 0.32),
    (("t1", "fa", "md"), 0.17),
    (("t1", "fa"), 0.05),
    (("t1", "md"), 0.03),
    (("t1", "fa", "v1"), 0.03),
)
SCALARS = ("t1", "fa", "md")
"""Images with one value a voxel; V1 is drawn from directions."""
# Where atrophy is drawn: each region, and the pyramids and medulla, which ALS thins first.
SITES = ("midbrain", "pons", "medulla", "medulla", "pyramid", "pyramid", "cst_pons")
BRAINSTEM_LIKE = (L.SPINAL_CORD, L.VENTRAL_DIENCEPHALON)
# MRI properties drawn per image; ranges span clinical 1.5-3 T protocols.
T1_SPACING_MM = (0.7, 1.2)
T1_COARSE_MM = (1.2, 2.5)  # old or quick scans, all three axes
T1_THICK_MM = (1.3, 3.0)  # one axis
DIFFUSION_SPACING_MM = (1.25, 2.8)
DIFFUSION_THICKNESS = (1.0, 1.7)  # slice thickness over the voxel size in the slice
PROBABILITY = {
    "skull_stripped": 0.45,
    "thick_slices": 0.25,
    "coarse": 0.12,
    "thick_diffusion": 0.4,
    "cropped_diffusion": 0.12,
    "free_contrast": 0.15,
    "cropped": 0.15,
    "motion": 0.15,
    "gibbs": 0.1,
}


@lru_cache(maxsize=1)
def _priors() -> dict[str, tuple[float, ...]]:
    with asset_path("Anatomy/intensity_priors.tsv").open(encoding="utf-8", newline="") as handle:
        return {
            row["key"]: tuple(
                float(row[n]) for n in ("t1_relative", "fa_mean", "fa_sd", "md_mean", "md_sd")
            )
            for row in csv.DictReader(handle, delimiter="\t")
        }


@lru_cache(maxsize=1)
def mirror_table() -> torch.Tensor:
    """uint8 (256,): label value to the value of the same structure on the other side."""
    table = torch.arange(256, dtype=torch.uint8)
    for structure in load_structures():
        table[structure.index] = by_key()[structure.mirror_key].index
    return table


@lru_cache(maxsize=1)
def channel_table() -> torch.Tensor:
    """int64 (256,): label value to network class; 0 is background and all context."""
    table = torch.zeros(256, dtype=torch.long)
    for channel, structure in enumerate(load_structures(), start=1):
        table[structure.index] = channel
    return table


@dataclass
class Anatomy:
    """A label map ready for synthesis: labels (uint8), affines and where things are (RAS mm)."""

    labels: torch.Tensor
    affine: torch.Tensor
    inverse: torch.Tensor
    centre: torch.Tensor
    sites: torch.Tensor
    centroids: torch.Tensor

    @classmethod
    def from_volume(cls, volume: Volume) -> Anatomy:
        """Prepare a label volume (RAS mm)."""
        labels = torch.from_numpy(np.ascontiguousarray(volume.array, np.uint8))
        affine = torch.from_numpy(np.asarray(volume.affine, np.float32))

        def middle(chosen: Callable[[Structure], bool]) -> torch.Tensor:
            values = [s.index for s in load_structures() if chosen(s)]
            found = np.argwhere(np.isin(volume.array, values)).mean(0)
            return affine[:3, :3] @ torch.tensor(found, dtype=torch.float32) + affine[:3, 3]

        sites = torch.stack([middle(lambda s, p=p: p in (s.parent, s.stem)) for p in SITES])
        centre = middle(lambda s: s.parent in REGIONS)
        centroids = torch.from_numpy(_centroids(volume))
        return cls(labels, affine, torch.linalg.inv(affine), centre, sites, centroids)


def _centroids(volume: Volume) -> np.ndarray:
    """float32 (256, 3): centroid of each label value, RAS mm; 0 for values that are not there."""
    there = np.unique(volume.array)
    middles = np.zeros((256, 3))
    found = np.array(ndimage.center_of_mass(volume.array >= 0, volume.array, there))
    middles[there] = found @ volume.affine[:3, :3].T + volume.affine[:3, 3]
    return middles.astype(np.float32)


def _tables(draw: Draw) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """Mean and texture sd (256,) of each modality for one simulated subject."""
    mean = {name: torch.zeros(256) for name in SCALARS}
    # Tissue outside the brain has no prior: any intensity, so that the skull teaches nothing.
    mean["t1"][110:] = draw.uniform(0.0, 1.3, 146)
    mean["fa"][110:] = draw.uniform(0.0, 0.35, 146)
    mean["md"][110:] = draw.uniform(0.0, 2.0, 146)
    priors = _priors()
    rows = {s.index: s.key for s in load_structures()} | L.CONTEXT_PRIOR
    # Brainstem contrast in T1 fades or sharpens as a whole; left and right share their tissue.
    contrast = draw.number(0.4, 1.6)
    per_stem: dict[str, torch.Tensor] = {}
    csf_t1 = draw.number(0.05, 0.45)
    # Brainstem is darker than cerebral white matter as a whole: 0.82-0.89 of it in the ICBM T1.
    level = draw.number(0.80, 1.02)
    for value, key in rows.items():
        t1, fa, fa_sd, md, md_sd = priors[key]
        stem = key.removesuffix("_left").removesuffix("_right")
        if value >= 100:
            stem = f"{stem}-{value}"
        if stem not in per_stem:
            per_stem[stem] = draw.normal(3)
        side = draw.normal(3) * 0.2  # patients are not symmetric
        a, b, c = per_stem[stem] + side
        if "csf" in stem or stem in ("cerebral_aqueduct", "fourth_ventricle"):
            mean["t1"][value] = csf_t1 + (0.1 if stem == "cerebral_aqueduct" else 0.0) + 0.02 * a
        else:
            whole = level if value < 100 or value in BRAINSTEM_LIKE else 1.0
            mean["t1"][value] = (1 + (t1 - 1) * contrast) * whole + 0.02 * a
        mean["fa"][value] = (fa + 0.7 * fa_sd * b).clamp(0.02, 0.95)
        mean["md"][value] = (md + 0.7 * md_sd * c).clamp(0.3, 3.2)
    if draw.chance(PROBABILITY["free_contrast"]):
        mean["t1"][1:110] = 0.6 * mean["t1"][1:110] + 0.4 * draw.uniform(0.2, 1.2, 109)
    sd = {
        "t1": torch.full((256,), draw.number(0.01, 0.04)),
        "fa": torch.full((256,), draw.number(0.02, 0.06)),
        "md": torch.full((256,), draw.number(0.02, 0.06)),
    }
    return {name: (mean[name], sd[name]) for name in SCALARS}


def _blur(image: torch.Tensor, sigma: tuple[float, float, float]) -> torch.Tensor:
    """Separable Gaussian blur, sigma in voxels; shape (i, j, k)."""
    out = image[None, None]
    for axis, value in enumerate(sigma):
        if value < 0.15:
            continue
        radius = max(1, round(2.5 * value))
        kernel = torch.exp(-0.5 * (torch.arange(-radius, radius + 1) / value) ** 2)
        shape = [1, 1, 1, 1, 1]
        shape[axis + 2] = -1
        padding = [0, 0, 0]
        padding[axis] = radius
        pad = [n for p in reversed(padding) for n in (p, p)]
        out = F.conv3d(F.pad(out, pad, mode="replicate"), (kernel / kernel.sum()).reshape(shape))
    return out[0, 0]


def _acquire(
    draw: Draw, image: torch.Tensor, spacing: list[float], noise: float, rician: bool, own: float
) -> torch.Tensor:
    """See an image at the scanner's voxel size, with its noise; back on the own grid.

    ``spacing`` and ``own`` are voxel sizes in mm; ``noise`` is a standard deviation.
    """
    # Partial volume: a Gaussian with the width of the voxel (FWHM = voxel size).
    sigma = tuple(0.42 * max(s, own) / own for s in spacing)
    image = _blur(image, sigma)
    size = [
        max(4, round(n * own / max(s, own * 0.7)))
        for n, s in zip(image.shape, spacing, strict=True)
    ]
    small = F.interpolate(image[None, None], size=size, mode="trilinear")[0, 0]
    first = small + noise * draw.normal(*size)
    small = torch.sqrt(first**2 + (noise * draw.normal(*size)) ** 2) if rician else first
    return F.interpolate(small[None, None], size=image.shape, mode="trilinear")[0, 0]


def _surroundings(draw: Draw, labels: torch.Tensor, spacing: float) -> torch.Tensor:
    """Fill unlabelled space with random smooth tissue classes 200-204; label map out."""
    field = smooth_field(draw, tuple(labels.shape), draw.number(8, 25), 1, spacing)[0]
    classes = ((field + 1.5) * 1.6).clamp(0, 4).to(torch.uint8) + 200
    return torch.where(labels == 0, classes, labels)


def render(
    draw: Draw,
    labels: torch.Tensor,
    diffusion_labels: torch.Tensor,
    directions: torch.Tensor | None,
    spacing: float,
) -> dict[str, torch.Tensor]:
    """Images of one simulated exam from its labels.

    Parameters
    ----------
    draw : Draw
        Source of chance.
    labels, diffusion_labels : torch.Tensor
        uint8 (i, j, k), what T1 and what diffusion sees.
    directions : torch.Tensor or None
        float32 (i, j, k, 3), unit directions of the fibres that diffusion sees, RAS; None where V1
        is not wanted.
    spacing : float
        mm.

    Returns
    -------
    dict
        ``t1`` (arbitrary units), ``fa`` (0-1), ``md`` (1e-3 mm2/s), float32 (i, j, k), and, with
        directions, ``v1``: colour FA (3, i, j, k), 0-1.
    """
    tables = _tables(draw)
    stripped = draw.chance(PROBABILITY["skull_stripped"])
    if not stripped:
        labels = _surroundings(draw, labels, spacing)
        diffusion_labels = torch.where(diffusion_labels == 0, labels, diffusion_labels)
    images = {}
    keep_csf = draw.chance(0.6)
    for name in SCALARS:
        seen = labels if name == "t1" else diffusion_labels
        mean, sd = tables[name]
        index = seen.long()
        image = mean[index] + sd[index] * _blur(draw.normal(*seen.shape), (0.7,) * 3) * 2.5
        if stripped or (name != "t1" and draw.chance(0.5)):
            brain = (seen > 0) & (seen < 110)
            if not keep_csf:
                brain &= seen != L.CSF
            image = image * brain
        images[name] = image
    own = spacing
    coarse = draw.chance(PROBABILITY["coarse"])
    spread = [draw.number(*(T1_COARSE_MM if coarse else T1_SPACING_MM))] * 3
    if draw.chance(PROBABILITY["thick_slices"]):
        spread[int(draw.number(0, 3))] = draw.number(*T1_THICK_MM)
    t1 = images["t1"]
    if draw.chance(0.9):
        bias = RandBiasField(prob=1.0, degree=3, coeff_range=(0.0, 0.12))
        bias.set_random_state(int(draw.number(0, 2**31)))
        t1 = torch.as_tensor(bias(t1[None]))[0]
    if draw.chance(PROBABILITY["motion"]):
        axis = int(draw.number(0, 3))
        shift = int(draw.number(3, 12))
        ghost = draw.number(0.03, 0.12)
        t1 = (1 - ghost) * t1 + ghost * torch.roll(t1, shift, axis)
        t1 = _blur(t1, tuple(draw.number(0.5, 1.2) if n == axis else 0.0 for n in range(3)))
    t1 = _acquire(draw, t1, spread, draw.number(0.005, 0.07), True, own)
    if draw.chance(PROBABILITY["gibbs"]):
        gibbs = RandGibbsNoise(prob=1.0, alpha=(0.2, 0.5))
        gibbs.set_random_state(int(draw.number(0, 2**31)))
        t1 = torch.as_tensor(gibbs(t1[None]))[0]
    if stripped and draw.chance(0.5):  # masked after reconstruction: an exactly empty background
        t1 = t1 * (images["t1"] != 0)
    t1 = t1.clamp_min(0) / t1.max().clamp_min(1e-6)
    images["t1"] = t1 ** draw.number(0.8, 1.25)
    voxel = [draw.number(*DIFFUSION_SPACING_MM)] * 3
    if draw.chance(PROBABILITY["thick_diffusion"]):
        voxel[2] *= draw.number(*DIFFUSION_THICKNESS)  # slices of diffusion are axial
    clean_fa = images["fa"]
    noise = draw.number(0.01, 0.06)
    images["fa"] = _acquire(draw, clean_fa, voxel, noise, True, own).clamp(0, 1)
    images["md"] = _acquire(draw, images["md"], voxel, draw.number(0.01, 0.06), False, own).clamp(
        0, 3.5
    )
    if directions is not None:
        # A voxel's direction is that of its mixture; its noise turns it more where FA is small.
        colour = torch.stack(
            [
                _acquire(draw, clean_fa * part.abs(), voxel, noise, True, own)
                for part in directions.movedim(-1, 0)
            ]
        )
        images["v1"] = F.normalize(colour, dim=0) * images["fa"]
    return images


def drawn_modalities(draw: Draw) -> tuple[str, ...]:
    """Draw which images an exam has, as ``MODALITY_SETS`` says."""
    chance = draw.number(0, 1)
    for names, probability in MODALITY_SETS:
        if chance < probability:
            return names
        chance -= probability
    return MODALITY_SETS[0][0]


def training_sample(anatomy: Anatomy, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """One training pair.

    Returns
    -------
    (channels, classes)
        float32 (planes, i, j, k) as the network takes it, int64 (i, j, k) network classes, on the
        1 mm window.
    """
    draw = Draw(torch.Generator().manual_seed(seed))
    points = window_points(draw, anatomy.centre, anatomy.sites, WINDOW_MM, SPACING_MM)
    labels = look_up(anatomy.labels, anatomy.inverse, points)
    modalities = drawn_modalities(draw)
    seen, moved = labels, points
    if len(modalities) > 1:
        moved = misregistered(draw, points, SPACING_MM)
        seen = look_up(anatomy.labels, anatomy.inverse, moved)
    directions = None
    if "v1" in modalities:
        directions = fibre_field(draw, seen, moved, anatomy.centroids, SPACING_MM)
    images = render(draw, labels, seen, directions, SPACING_MM)
    diffusion = [image for name, image in images.items() if name != "t1"]
    if draw.chance(PROBABILITY["cropped"]):
        _crop(draw, [*images.values(), labels])
    elif draw.chance(PROBABILITY["cropped_diffusion"]):
        _crop(draw, diffusion)  # a slab that ends before the brainstem does
    if draw.chance(0.5):
        # Colour FA has no sign: a mirror image only changes places, as the scalars do.
        labels = mirror_table()[labels.flip(0).long()]
        images = {name: image.flip(-3) for name, image in images.items()}
    channels = [
        NORMALISE[name](images[name]).reshape(-1, *WINDOW_MM)
        if name in modalities
        else torch.zeros(PLANES[name], *WINDOW_MM)
        for name in CHANNELS
    ]
    return torch.cat(channels), channel_table()[labels.long()]


def _crop(draw: Draw, images: list[torch.Tensor]) -> None:
    """Empty one end of the window, as a field of view that stops there does; in place."""
    axis = (2 if draw.chance(0.7) else int(draw.number(0, 3))) - 3  # colour has an axis before
    size = images[0].shape[axis]
    depth = int(draw.number(0.05, 0.35) * size)
    start = 0 if draw.chance(0.6) else size - depth
    for image in images:
        image.narrow(axis, start, depth).zero_()
