"""A diffusion-weighted series, and what is computed from it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from ..errors import BrainstemALSError
from .finding import Finding
from .volume import Volume

B0_LIMIT = 50.0
"""s/mm2: volumes at or below count as unweighted; scanners write 0, 5 or 10 for them."""

CORRECTIONS = ("denoising", "gibbs", "distortion", "motion")
"""Steps that may have been done before the images came here; ``motion`` holds eddy currents."""


@dataclass(frozen=True, eq=False)
class Dwi:
    """A diffusion-weighted series.

    Attributes
    ----------
    volume : Volume
        float32, shape (i, j, k, n), as acquired; affine to RAS mm.
    bvals : numpy.ndarray, shape (n,)
        s/mm2, float64.
    bvecs : numpy.ndarray, shape (n, 3)
        Gradient directions in RAS, the patient's frame and never the image's; unit length, zeros
        where ``bvals`` is at most ``B0_LIMIT``. float64.
    phase_encoding : str or None
        Axis of the stored image along which echo-planar images distort, in the words of BIDS:
        ``i``, ``j``, ``k``, with ``-`` where it runs backwards; None where nothing says it.
    corrected : frozenset of str
        Of ``CORRECTIONS``: what was done before, and must not be done again.
    findings : tuple of Finding
        What reading it found.
    """

    volume: Volume
    bvals: np.ndarray
    bvecs: np.ndarray
    phase_encoding: str | None = None
    corrected: frozenset[str] = frozenset()
    findings: tuple[Finding, ...] = ()

    @property
    def unweighted(self) -> np.ndarray:
        """bool (n,): the b=0 volumes."""
        return self.bvals <= B0_LIMIT


@dataclass(frozen=True, eq=False)
class TensorMaps:
    """What a tensor fit gives, on one grid, or the maps of one exam, in one frame.

    Whatever is not there is None.

    Attributes
    ----------
    fa, md, ad, rd : Volume
        float32, shape (i, j, k): fractional anisotropy 0-1; mean, axial and radial diffusivity in
        1e-3 mm2/s. 0 outside the mask.
    v1 : Volume
        float32, shape (i, j, k, 3): principal direction in RAS, unit length, of either sign; zeros
        outside the mask.
    b0 : Volume
        float32: mean unweighted image, what registration looks at.
    residual : Volume
        float32: root mean square of the fit's residual over the b=0 signal.
    findings : tuple of Finding
    facts : dict
        Plain numbers and words for the report: directions, shells, signal-to-noise ratio, motion in
        mm and degrees, what was corrected and how, seconds by step.
    """

    fa: Volume | None = None
    md: Volume | None = None
    ad: Volume | None = None
    rd: Volume | None = None
    v1: Volume | None = None
    b0: Volume | None = None
    residual: Volume | None = None
    findings: tuple[Finding, ...] = ()
    facts: dict[str, object] = field(default_factory=dict)

    def moved(self, transform: np.ndarray) -> TensorMaps:
        """Return the maps moved rigidly: no voxel is touched, the affines and directions are.

        Parameters
        ----------
        transform : numpy.ndarray, shape (4, 4)
            Rigid, RAS mm of these maps to RAS mm of where they belong.
        """
        turn = transform[:3, :3]

        def place(volume: Volume | None, vectors: bool = False) -> Volume | None:
            if volume is None:
                return None
            array = volume.array
            if vectors:
                array = (array @ turn.T).astype(array.dtype)
            return Volume(array, transform @ volume.affine)

        scalars = {
            name: place(getattr(self, name)) for name in ("fa", "md", "ad", "rd", "b0", "residual")
        }
        return replace(self, **scalars, v1=place(self.v1, vectors=True))


def not_used(refusal: BrainstemALSError) -> Finding:
    """Return the finding for a series that costs the diffusion, not the exam."""
    return Finding(
        "diffusion_not_used",
        "warning",
        f"The diffusion series could not be used, only the T1 was: {refusal.problem}.",
        refusal.remedy,
    )
