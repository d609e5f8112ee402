"""Puts diffusion series of one geometry together."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

import numpy as np

from ...errors import BrainstemALSError, ExitCode
from ..dwi import Dwi
from ..geometry import same_grid
from ..volume import Volume


def merged(parts: Sequence[Dwi]) -> Dwi:
    """Return one series of the volumes of all.

    Parameters
    ----------
    parts : sequence of Dwi
        One or more on the same grid, distorted along the same axis and in the same direction.

    Raises
    ------
    BrainstemALSError
        UNSUITABLE_DIFFUSION: they differ in either.
    """
    first = parts[0]
    if len(parts) == 1:
        return first
    if not all(same_grid(first.volume, part.volume) for part in parts):
        raise _refusal("the diffusion series that were chosen lie on different grids")
    if len({part.phase_encoding for part in parts}) > 1:
        # Opposite directions distort oppositely: together they would blur, not average.
        raise _refusal("the diffusion series that were chosen differ in phase encoding")
    return Dwi(
        volume=Volume(
            np.concatenate([part.volume.array for part in parts], axis=3), first.volume.affine
        ),
        bvals=np.concatenate([part.bvals for part in parts]),
        bvecs=np.concatenate([part.bvecs for part in parts]),
        phase_encoding=first.phase_encoding,
        corrected=reduce(frozenset.intersection, (part.corrected for part in parts)),
        findings=tuple(finding for part in parts for finding in part.findings),
    )


def _refusal(problem: str) -> BrainstemALSError:
    return BrainstemALSError(
        "DWI",
        problem,
        "Choose one series (--dwi-series), or correct them together with FSL's topup and eddy.",
        ExitCode.UNSUITABLE_DIFFUSION,
    )
