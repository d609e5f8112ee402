"""What registration is asked for, and what it gives."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ...errors import BrainstemALSError, ExitCode
from ..dwi import TensorMaps
from ..finding import Finding


@dataclass(frozen=True)
class RegistrationOptions:
    """Choices of a registration.

    Attributes
    ----------
    unwarp : bool
        After the rigid movement, straighten the distortion of echo-planar images along the
        phase-encoding axis. Kept only where it makes the quality better.
    phase_encoding : str or None
        Axis of the maps' grid, as ``Dwi.phase_encoding``: ``i``, ``j`` or ``k``, with or without
        ``-``. Needed for ``unwarp``; the sign is not.
    """

    unwarp: bool = False
    phase_encoding: str | None = None


@dataclass(frozen=True, eq=False)
class Registration:
    """Diffusion maps where the T1 is.

    Attributes
    ----------
    ok : bool
        Whether the maps may be used with the T1.
    maps : TensorMaps or None
        The maps, moved; None where ``ok`` is False.
    quality : float
        0-1, see ``quality.quality_of``; 0 where nothing could be compared.
    transform : numpy.ndarray, shape (4, 4)
        Rigid, RAS mm of the maps as they came to RAS mm of the T1; the identity where the maps were
        left alone or ``ok`` is False.
    displacement_mm : numpy.ndarray, shape (i, j, k), or None
        Where the maps were straightened: from each voxel, along the phase-encoding axis of the
        grid, to where its value came from.
    findings : tuple of Finding
    facts : dict
        Plain numbers and words for the report: contrast, quality before and after, movement in mm
        and degrees, coverage of the brainstem, what unwarping did, seconds.
    """

    ok: bool
    maps: TensorMaps | None
    quality: float
    transform: np.ndarray
    findings: tuple[Finding, ...] = ()
    facts: dict[str, object] = field(default_factory=dict)
    displacement_mm: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class Alignment:
    """A registration and what went into it, for whoever wants to see whether it is right.

    Attributes
    ----------
    came : TensorMaps
        The maps as they came.
    centre : numpy.ndarray, shape (3,)
        Middle of the brainstem in the T1, RAS mm.
    found : Registration
        What became of them.
    """

    came: TensorMaps
    centre: np.ndarray
    found: Registration


def checked_axis(phase_encoding: str | None) -> str | None:
    """Return the axis that a user typed, or refuse it.

    Raises
    ------
    BrainstemALSError
        USAGE: it is none of ``i``, ``j`` and ``k``, with or without ``-``.
    """
    if phase_encoding is None or phase_encoding.removesuffix("-") in ("i", "j", "k"):
        return phase_encoding
    raise BrainstemALSError(
        "--phase-encoding",
        "this is no axis of an image",
        "Give i, j or k, as PhaseEncodingDirection in the JSON file that dcm2niix writes.",
        ExitCode.USAGE,
    )
