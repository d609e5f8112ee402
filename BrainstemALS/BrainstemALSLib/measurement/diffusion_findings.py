"""What limits the diffusion values of an exam. Few findings: the table has a remark per value."""

from __future__ import annotations

from collections.abc import Iterator

from ..anatomy import REGIONS
from ..imaging.finding import Finding
from .diffusion import FEW_VOXELS
from .diffusion_asymmetry import DiffusionAsymmetry
from .diffusion_value import DiffusionValue

NAMED = 3
"""So many structures are named in a finding; the rest is counted."""

PLAUSIBLE = {"fa": (0.2, 0.8), "md": (0.5, 1.2)}
"""Means of the whole brainstem's white matter that are believable; FA 0-1, MD in 1e-3 mm2/s. Our
choice: the planning values of its structures are 0.50 to 0.70 and 0.69 to 0.86
(Anatomy/intensity_priors.tsv); what lies far outside is a wrong fit, unit or place."""

HIGHEST_TISSUE_MD = 1.2
"""1e-3 mm2/s; above it a value is likely to hold fluid (our choice): the largest planning value of
brainstem tissue, 0.92, and two spreads of 0.12 give 1.16."""

ASYMMETRY_PERCENT = {"fa": 20.0, "md": 15.0}
"""Above this a lesion, a failed outline or a wrong alignment is likelier than normal variation (our
choice): FA of a structure spreads by 10 to 15 % between people (planning values), its two sides by
less; MD by 8 to 10 %."""

CERTAIN = 2.0
"""An asymmetry has to exceed its uncertainty so many times (two standard errors, as usual)."""


def diffusion_findings(
    values: tuple[DiffusionValue, ...], pairs: tuple[DiffusionAsymmetry, ...]
) -> tuple[Finding, ...]:
    """Return the findings on diffusion values; none without values.

    Parameters
    ----------
    values : tuple of DiffusionValue
        As ``diffusion_values`` returns them.
    pairs : tuple of DiffusionAsymmetry
        As ``diffusion_asymmetries`` returns them.
    """
    return (
        *_missing(values),
        *_implausible(values),
        *_fluid(values),
        *_few_voxels(values),
        *_asymmetry(pairs, values),
    )


def _missing(values: tuple[DiffusionValue, ...]) -> Iterator[Finding]:
    wholes = {row.key: row for row in values if row.key in (*REGIONS, "brainstem")}
    gaps = [row for row in wholes.values() if row.value is None]
    if gaps:
        yield Finding(
            "diffusion_region_missing",
            "warning",
            f"No diffusion value for: {_listed([row.name for row in gaps])} ({gaps[0].remark}).",
            "Check that the diffusion images reach from above the midbrain to below the medulla.",
            gaps[0].key,
        )
    rows = _structures(values)
    lacking = [row.name for row in rows if row.value is None]
    if lacking:
        yield Finding(
            "diffusion_not_measured",
            "info",
            f"{len(lacking)} of {len(rows)} structures have no diffusion value: "
            f"{_listed(lacking)}.",
            "The table says why: voxels too large, fluid too near, or out of view. Smaller voxels "
            "would give more.",
        )


def _implausible(values: tuple[DiffusionValue, ...]) -> Iterator[Finding]:
    for row in values:
        low, high = PLAUSIBLE.get(row.metric, (0.0, float("inf")))
        if row.key != "white_matter" or row.value is None or low <= row.value <= high:
            continue
        yield Finding(
            "diffusion_implausible",
            "error",
            f"{row.name}: a mean {row.metric.upper()} of {row.value:.2f} lies outside {low:g} to "
            f"{high:g}.",
            "Do not use the diffusion values; check gradients, unit and alignment of the maps.",
            row.key,
        )


def _fluid(values: tuple[DiffusionValue, ...]) -> Iterator[Finding]:
    found = [
        row
        for row in values
        if row.kind != "sampled"
        and row.metric == "md"
        and row.value is not None
        and row.value > HIGHEST_TISSUE_MD
    ]
    if found:
        yield Finding(
            "diffusion_near_fluid",
            "warning",
            f"MD is nearer to cerebrospinal fluid than tissue has it (above {HIGHEST_TISSUE_MD:g}) "
            f"in: {_listed([row.name for row in found])}.",
            "Do not use the diffusion values there; look at the alignment with the T1.",
            found[0].key,
        )


def _few_voxels(values: tuple[DiffusionValue, ...]) -> Iterator[Finding]:
    rows = [row for row in _structures(values) if row.value is not None]
    few = [row.name for row in rows if row.n_effective < FEW_VOXELS]
    if few:
        yield Finding(
            "diffusion_few_voxels",
            "info",
            f"The diffusion values of {len(few)} of {len(rows)} structures rest on fewer than "
            f"{FEW_VOXELS:g} voxels: {_listed(few)}.",
            "Do not read a change of one patient from them.",
        )


def _asymmetry(
    pairs: tuple[DiffusionAsymmetry, ...], values: tuple[DiffusionValue, ...]
) -> Iterator[Finding]:
    voxels = {(row.key, row.metric): row.n_effective for row in values}
    for pair in pairs:
        limit = ASYMMETRY_PERCENT.get(pair.metric)
        if limit is None or pair.index_percent is None or pair.kind == "sampled":
            continue
        size = abs(pair.index_percent)
        fewest = min(voxels[f"{pair.key}_{side}", pair.metric] for side in ("left", "right"))
        if size <= max(limit, CERTAIN * (pair.uncertainty_percent or 0.0)) or fewest < FEW_VOXELS:
            continue
        larger = "left" if pair.index_percent > 0 else "right"
        yield Finding(
            "diffusion_asymmetry_large",
            "warning",
            f"{pair.name}: {pair.metric.upper()} is much larger on the {larger} "
            f"(asymmetry index {pair.index_percent:+.0f} %).",
            "Compare both sides on the maps and the alignment with the T1; look for a lesion.",
            pair.key,
        )


def _structures(values: tuple[DiffusionValue, ...]) -> list[DiffusionValue]:
    """One row per structure: all metrics share their voxels where they share a grid."""
    first: dict[str, DiffusionValue] = {}
    for row in values:
        if row.kind == "structure":
            first.setdefault(row.key, row)
    return list(first.values())


def _listed(names: list[str]) -> str:
    shown = "; ".join(names[:NAMED])
    rest = len(names) - NAMED
    return f"{shown}; and {rest} more" if rest > 0 else shown
