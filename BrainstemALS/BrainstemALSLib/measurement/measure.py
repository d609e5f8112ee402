"""The one way in: everything that is measured on a segmentation of one exam."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..errors import BrainstemALSError, ExitCode
from ..imaging.finding import Finding
from ..imaging.volume import Volume
from ..segmentation.result import Segmentation
from .asymmetry import Asymmetry, asymmetries
from .diffusion import diffusion_fields, structure_values
from .diffusion_asymmetry import DiffusionAsymmetry, diffusion_asymmetries
from .diffusion_findings import diffusion_findings
from .diffusion_value import DiffusionValue
from .intracranial import Intracranial, intracranial_volume
from .mixture import support_of
from .quality import quality_findings, worst_first
from .sampled import place_values
from .volumes import StructureVolume, structure_volumes


@dataclass(frozen=True)
class Measures:
    """What was measured on one exam.

    Attributes
    ----------
    volumes : tuple of StructureVolume
        Structures, then composites; mm3.
    asymmetries : tuple of Asymmetry
        One per left/right pair; per cent, positive when the left is larger.
    intracranial : Intracranial
        Estimate of the intracranial volume in mm3 and the brainstem's fraction of it.
    findings : tuple of Finding
        What limits these numbers, worst first.
    diffusion : tuple of DiffusionValue
        Every metric of structures, of composites, then of the nuclei of tier C; empty without maps.
    diffusion_asymmetries : tuple of DiffusionAsymmetry
        One per left/right pair and metric.
    """

    volumes: tuple[StructureVolume, ...]
    asymmetries: tuple[Asymmetry, ...]
    intracranial: Intracranial
    findings: tuple[Finding, ...]
    diffusion: tuple[DiffusionValue, ...] = ()
    diffusion_asymmetries: tuple[DiffusionAsymmetry, ...] = ()


def measure(
    segmentation: Segmentation, t1: Volume, maps: Mapping[str, Volume] | None = None
) -> Measures:
    """Measure a segmentation.

    Parameters
    ----------
    segmentation : Segmentation
        As the segmenter returns it.
    t1 : Volume
        The T1 that was segmented, on its own grid.
    maps : mapping, optional
        ``fa``, ``md``, ``ad``, ``rd``, see ``diffusion_values``.

    Raises
    ------
    BrainstemALSError
        The segmentation does not lie on the grid of the T1.
    """
    same_grid = t1.shape == segmentation.labels.shape and np.allclose(
        t1.affine, segmentation.labels.affine, atol=1e-3
    )
    if not same_grid:
        raise BrainstemALSError(
            "segmentation",
            "it does not lie on the grid of the T1",
            "Measure it with the T1 that it was made from.",
            ExitCode.MISMATCHED_IMAGES,
        )
    volumes = structure_volumes(segmentation)
    pairs = asymmetries(volumes)
    intracranial = intracranial_volume(segmentation, volumes)
    findings = quality_findings(segmentation, t1, volumes, pairs, intracranial)
    diffusion = _diffusion(segmentation, maps or {})
    diffusion_pairs = diffusion_asymmetries(diffusion)
    findings = worst_first((*findings, *diffusion_findings(diffusion, diffusion_pairs)))
    return Measures(volumes, pairs, intracranial, findings, diffusion, diffusion_pairs)


def _diffusion(
    segmentation: Segmentation, maps: Mapping[str, Volume]
) -> tuple[DiffusionValue, ...]:
    """Structures, composites and places, from what each voxel of the maps holds, found once."""
    support = support_of(segmentation) if maps else None
    if support is None:
        return ()
    fields = diffusion_fields(support, maps)
    return (*structure_values(support, fields), *place_values(support, fields))
