"""FA, MD, AD and RD of structures and composites, away from cerebrospinal fluid.

A voxel of 2 mm at the surface of the brainstem holds fluid, whose MD is four times that of tissue:
a tenth of fluid raises MD by 0.2, ten times what is planned for the corticospinal tract in ALS
(``phantom.effects``). The mean over a label is therefore biased, and more so where there is
atrophy. Here every voxel is weighted by

    w = p^2 (1 - c / 0.1)    where p >= 0.5 and c < 0.1,    else 0

with p the part of the voxel that the structure takes and c the part that is fluid (``mixture``):
an erosion with a soft edge. Weights come from the geometry and from neighbours, not from the value
that is measured. Structures as thin as a voxel, or with fluid in all their voxels, get no value.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from ..anatomy import by_key, composites
from ..imaging.volume import Volume
from ..segmentation.result import Segmentation
from .diffusion_value import METRICS, DiffusionValue
from .mixture import Mixture, Support, mixture_of, support_of, values_at
from .volumes import COMPOSITE_NAMES
from .weighting import (
    CORE_SHARE,
    core_weights,
    effective_number,
    outline_error,
    weighted_mean_sd,
)

HIGHEST_MD = 2.0
"""1e-3 mm2/s; above it a voxel is mostly fluid and counts for no metric. Half tissue and half free
water (3.0) give 1.9, while tissue has 0.92 at most with a spread of 0.12 (planning values): no
tissue is lost by it, so it does not bias MD."""
LOWEST_MD = 0.1
"""1e-3 mm2/s; below it the fit failed, or the voxel lies outside the mask (our choice)."""

FEWEST_VOXELS = 2.0
"""Effective number below which there is no mean (our choice): no spread, hence no error, is known
of a single voxel."""
FEW_VOXELS = 5.0
"""Effective number below which the remark warns (our choice): the standard error is then itself
uncertain by a third."""
SMALLEST_COVERAGE, WHOLE_COVERAGE = 0.5, 0.9
"""Part of a structure that the map has to show for a value, and for no remark (our choice)."""


@dataclass(frozen=True)
class Target:
    """What is measured: a structure or a composite, and the keys of its members."""

    key: str
    name: str
    kind: str
    side: str
    members: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Field:
    """One metric at the voxels of a mixture; NaN where it cannot be used."""

    metric: str
    mixture: Mixture
    values: np.ndarray
    affine: np.ndarray

    def places_at(self, points_ras: np.ndarray) -> np.ndarray:
        """Return the position in the mixture of the voxel around each point (n, 3); -1 for none."""
        to_index = np.linalg.inv(self.affine)
        return self.mixture.places_of(points_ras @ to_index[:3, :3].T + to_index[:3, 3])


def diffusion_values(
    segmentation: Segmentation, maps: Mapping[str, Volume]
) -> tuple[DiffusionValue, ...]:
    """Measure diffusion in every structure and composite.

    Parameters
    ----------
    segmentation : Segmentation
        Labels alone count as probabilities of 0 and 1.
    maps : mapping
        ``fa`` (0-1), ``md``, ``ad``, ``rd`` (1e-3 mm2/s), those there are, each on its own grid
        with the affine to RAS mm of the T1. Other keys are ignored. 0 counts as outside.

    Returns
    -------
    tuple of DiffusionValue
        All metrics of the first structure, of the next, then of the composites. Fluid spaces have
        none. Empty where there is no map or nothing is segmented.
    """
    support = support_of(segmentation)
    return structure_values(support, diffusion_fields(support, maps)) if support else ()


def structure_values(support: Support, fields: list[Field]) -> tuple[DiffusionValue, ...]:
    """Return what ``diffusion_values`` does, of fields that are there already."""
    return tuple(
        _measured(target, field, support.volume_mm3(target.members))
        for target in _targets(support.keys)
        for field in fields
    )


def diffusion_fields(support: Support, maps: Mapping[str, Volume]) -> list[Field]:
    """Return the metrics at their voxels; maps of one grid share a mixture."""
    md = maps.get("md")
    mixtures: dict[tuple[object, ...], Mixture] = {}
    fields = []
    for metric in (name for name in METRICS if maps.get(name) is not None):
        volume = maps[metric]
        affine = np.asarray(volume.affine, dtype=float)
        grid = (volume.array.shape[:3], affine.tobytes())
        if grid not in mixtures:
            mixtures[grid] = mixture_of(support, volume.array.shape[:3], affine, md)
        voxels = mixtures[grid].voxels
        values = volume.array[tuple(voxels.T)].astype(np.float64)
        usable = np.isfinite(values) & (values > 0)
        if md is not None:
            diffusivity = values_at(md, voxels @ affine[:3, :3].T + affine[:3, 3])
            usable &= (diffusivity >= LOWEST_MD) & (diffusivity <= HIGHEST_MD)
        fields.append(Field(metric, mixtures[grid], np.where(usable, values, np.nan), affine))
    return fields


def _targets(keys: tuple[str, ...]) -> Iterator[Target]:
    table = by_key()
    for key in keys:
        structure = table[key]
        if structure.tissue != "csf":
            yield Target(key, structure.name, "structure", structure.side, (key,))
    for key, members in composites().items():
        present = tuple(member for member in members if member in keys)
        if present:
            sides = {table[member].side for member in present}
            name = COMPOSITE_NAMES.get(key, key.replace("_", " ").capitalize())
            yield Target(
                key, name, "composite", sides.pop() if len(sides) == 1 else "both", present
            )


def _measured(target: Target, field: Field, volume_mm3: float) -> DiffusionValue:
    fields = (target.key, target.name, target.kind, target.side, field.metric)
    mixture = field.mixture
    share = mixture.together(target.members)
    usable = np.isfinite(field.values)
    if volume_mm3 < 0.5 * mixture.voxel_volume:
        return DiffusionValue(*fields, None, remark="nothing segmented, or less than half a voxel")
    # Voxels that are mostly fluid are shown by the map: they are no gap in it.
    shown = share[np.isfinite(field.values) | (mixture.fluid > CORE_SHARE)]
    coverage = float(shown.sum(dtype=np.float64)) * mixture.voxel_volume / volume_mm3
    if coverage < SMALLEST_COVERAGE:
        return DiffusionValue(
            *fields, None, remark=f"the map shows only {100 * coverage:.0f} % of it"
        )
    values, share, fluid = field.values[usable], share[usable], mixture.fluid[usable]
    weights = core_weights(share, fluid, CORE_SHARE)
    count = effective_number(weights)
    total_mm3 = float(weights.sum()) * mixture.voxel_volume
    if count < FEWEST_VOXELS:
        return DiffusionValue(
            *fields,
            None,
            n_effective=count,
            weight_mm3=total_mm3,
            remark=_why_none(share, fluid),
        )
    mean, sd = weighted_mean_sd(values, weights)
    error = sd / math.sqrt(count)
    outline = outline_error(values, share, fluid, mean)
    remarks = []
    if count < FEW_VOXELS:
        remarks.append(f"few voxels ({count:.1f})")
    if coverage < WHOLE_COVERAGE:
        remarks.append(f"the map shows {100 * coverage:.0f} % of it")
    return DiffusionValue(
        *fields,
        value=mean,
        sd=sd,
        n_effective=count,
        standard_error=error,
        outline_error=outline,
        uncertainty=math.hypot(error, outline),
        weight_mm3=total_mm3,
        fluid_share=float(np.average(fluid, weights=weights)),
        remark="; ".join(remarks),
    )


def _why_none(share: np.ndarray, fluid: np.ndarray) -> str:
    # Told apart by whether dry voxels would have been enough.
    if effective_number(core_weights(share, np.zeros_like(fluid), CORE_SHARE)) < FEWEST_VOXELS:
        return "too thin for these voxels: fewer than two lie mostly in it"
    return "too near to cerebrospinal fluid: fewer than two voxels are free of it"
