"""Diffusion where the nuclei of tier C are expected: sampled places, not outlined structures.

A place of ICBM 152 space is carried into the patient by the affine transform that fits the
centroids of the drawn structures there to the patient's. Twelve numbers from some forty centroids
leave a residual, which says how far the brainstem departs from a stretched average. A nucleus is
smaller than a diffusion voxel: its value is that of the tissue around its place.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..anatomy import composites
from ..anatomy.centroids import load_centroids
from ..anatomy.coordinates import Coordinate, load_coordinates
from ..imaging.volume import Volume
from ..segmentation.result import Segmentation
from .diffusion import Field, diffusion_fields
from .diffusion_value import DiffusionValue
from .mixture import Support, support_of
from .weighting import effective_number, fluid_factor, weighted_mean_sd

FEWEST_STRUCTURES = 12
"""Structures below which no affine transform is fitted (our choice): three equations each for
twelve unknowns, and a residual that means something."""
SMALLEST_VOLUME_MM3 = 10.0
"""Smaller structures do not take part in the fit (our choice): ten voxels at 1 mm, fewer of which
have no steady centroid."""
LARGEST_RESIDUAL_MM = 3.0
"""Root mean square residual above which nothing is sampled (our choice): the place would then be
off by more than the nuclei are wide (1.2 to 2.8 mm)."""
SMALLEST_OVERLAP = 0.5
"""Part of the place that has to lie in the brainstem and in the map (our choice). The region is not
asked: the facial nucleus is counted to the pons and lies at its border, where outlines differ."""
SMALLEST_WEIGHT = 0.25
"""What has to be left of the place when fluid has lowered the weights (our choice). Nuclei at the
floor of the ventricle often have less."""
STEPS = 12
"""Points along each axis of the cube around the place; about half of them lie in the ellipsoid."""
TOO_WET = "its place is too near to cerebrospinal fluid for these voxels"
REMARK = "sampled at an expected place, not outlined"


@dataclass(frozen=True, eq=False)
class PlaceFit:
    """Affine transform from ICBM 152 space to the patient.

    Attributes
    ----------
    affine : numpy.ndarray, shape (4, 4)
        RAS mm of ICBM 152 space to RAS mm of the patient.
    residual_mm : float
        Root mean square distance of the patient's centroids from the transformed ones.
    """

    affine: np.ndarray
    residual_mm: float


def fit_places(support: Support) -> PlaceFit | None:
    """Fit the average anatomy's centroids to the patient's; None with too few structures."""
    expected, found = [], []
    affine = support.labels.affine
    for key, probability in zip(support.keys, support.probabilities, strict=True):
        if key not in load_centroids():
            continue
        total = float(probability.sum(dtype=np.float64))
        if total * support.labels.voxel_volume < SMALLEST_VOLUME_MM3:
            continue
        centre = probability.astype(np.float64) @ support.voxels / total
        expected.append((*load_centroids()[key], 1.0))
        found.append(affine[:3, :3] @ centre + affine[:3, 3])
    if len(found) < FEWEST_STRUCTURES:
        return None
    expected, found = np.array(expected), np.array(found)
    matrix, *_ = np.linalg.lstsq(expected, found, rcond=None)
    distance = np.linalg.norm(expected @ matrix - found, axis=1)
    transform = np.vstack([matrix.T, (0.0, 0.0, 0.0, 1.0)])
    return PlaceFit(transform, float(np.sqrt(np.mean(distance**2))))


def sampled_values(
    segmentation: Segmentation, maps: Mapping[str, Volume]
) -> tuple[DiffusionValue, ...]:
    """Sample the maps where the nuclei of tier C are expected.

    Parameters
    ----------
    segmentation : Segmentation
    maps : mapping
        See ``diffusion.diffusion_values``.

    Returns
    -------
    tuple of DiffusionValue
        All metrics of the first nucleus, of the next, in the order of the table of coordinates;
        ``kind`` is ``sampled``.
    """
    support = support_of(segmentation)
    return place_values(support, diffusion_fields(support, maps)) if support else ()


def place_values(support: Support, fields: list[Field]) -> tuple[DiffusionValue, ...]:
    """Return what ``sampled_values`` does, of fields that are there already."""
    fit = fit_places(support) if fields else None
    return tuple(
        _sampled(nucleus, field, support, fit) for nucleus in load_coordinates() for field in fields
    )


def ellipsoid_points(nucleus: Coordinate) -> np.ndarray:
    """Return points (n, 3) spread evenly in the expected extent, RAS mm of ICBM 152 space.

    The long axis lies in a sagittal plane for every nucleus of the table. The second extent is
    taken along left-right, the third across both.
    """
    steps = (np.arange(STEPS) + 0.5) / STEPS * 2.0 - 1.0
    ball = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1).reshape(-1, 3)
    ball = ball[np.linalg.norm(ball, axis=1) <= 1.0]
    first = np.array(nucleus.axis) / np.linalg.norm(nucleus.axis)
    second = np.array((1.0, 0.0, 0.0)) - first[0] * first
    second /= np.linalg.norm(second)
    axes = np.stack([first, second, np.cross(first, second)])
    return np.array(nucleus.center_mm) + (ball * np.array(nucleus.extents_mm) / 2.0) @ axes


def _sampled(
    nucleus: Coordinate, field: Field, support: Support, fit: PlaceFit | None
) -> DiffusionValue:
    fields = (nucleus.key, nucleus.name, "sampled", nucleus.side, field.metric)
    if fit is None:
        reason = "its place is unknown: too few structures to fit the average anatomy to"
        return DiffusionValue(*fields, None, remark=reason)
    residual = fit.residual_mm
    if residual > LARGEST_RESIDUAL_MM:
        reason = f"its place is unknown: the average anatomy fits to {residual:.1f} mm only"
        return DiffusionValue(*fields, None, fit_residual_mm=residual, remark=reason)
    points = ellipsoid_points(nucleus) @ fit.affine[:3, :3].T + fit.affine[:3, 3]
    stem = support.together(composites()["brainstem"])
    overlap, weights = _weights(points, field, support, stem)
    if overlap < SMALLEST_OVERLAP or weights.sum() < SMALLEST_WEIGHT:
        outside = overlap < SMALLEST_OVERLAP
        reason = "its place lies outside the brainstem or the map" if outside else TOO_WET
        return DiffusionValue(*fields, None, fit_residual_mm=residual, remark=reason)
    used = weights > 0
    values, weights_used = field.values[used], weights[used]
    mean = float(np.average(values, weights=weights_used))
    count = effective_number(weights_used)
    sd = error = None
    if np.count_nonzero(used) > 1:
        _, sd = weighted_mean_sd(values, weights_used)
        error = sd / math.sqrt(count)
    moved = _spread_of_place(points, field, support, stem, residual, mean)
    extent = float(np.prod(nucleus.extents_mm)) * math.pi / 6.0
    extent *= float(abs(np.linalg.det(fit.affine[:3, :3])))
    return DiffusionValue(
        *fields,
        value=mean,
        sd=sd,
        n_effective=count,
        standard_error=error,
        outline_error=moved,
        uncertainty=math.hypot(error or 0.0, moved),
        weight_mm3=float(weights.sum()) * extent,
        fluid_share=float(np.average(field.mixture.fluid[used], weights=weights_used)),
        fit_residual_mm=residual,
        remark=REMARK,
    )


def _weights(
    points: np.ndarray, field: Field, support: Support, stem: np.ndarray
) -> tuple[float, np.ndarray]:
    """Return the part of the place in brainstem and map, and the weight of each voxel.

    The weight is the part of the place that lies in the voxel, lowered by what lies outside the
    brainstem and by fluid in the voxel; the sum is 1 at most.
    """
    to_t1 = np.linalg.inv(support.labels.affine)
    rows = support.rows_at(points @ to_t1[:3, :3].T + to_t1[:3, 3])
    inside = np.where(rows >= 0, stem[rows], 0.0)
    place = field.places_at(points)
    hit = place >= 0
    count = len(field.mixture.voxels)
    weights = np.bincount(place[hit], inside[hit], minlength=count) / len(points)
    weights = np.where(np.isfinite(field.values), weights, 0.0)
    return float(weights.sum()), weights * fluid_factor(field.mixture.fluid)


def _spread_of_place(
    points: np.ndarray,
    field: Field,
    support: Support,
    stem: np.ndarray,
    step: float,
    mean: float,
) -> float:
    """Half the range of the values when the place moves by ``step`` mm along each axis."""
    means = [mean]
    for offset in np.vstack([np.eye(3), -np.eye(3)]) * step:
        _, weights = _weights(points + offset, field, support, stem)
        used = weights > 0
        if used.any():
            means.append(float(np.average(field.values[used], weights=weights[used])))
    return (max(means) - min(means)) / 2
