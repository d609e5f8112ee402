"""Gradient tables: their frame, and whether a tensor can be fitted with them.

FSL writes directions in the frame of the image's axes, with the first axis reversed where the
affine has a positive determinant (FSL's documentation of ``dtifit``; Jenkinson et al., NeuroImage
2012;62:782, doi:10.1016/j.neuroimage.2011.09.015). The library holds directions in RAS.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ...errors import BrainstemALSError, ExitCode
from ..dwi import B0_LIMIT, Dwi
from ..finding import Finding
from ..volume import Volume

FEWEST_DIRECTIONS = 6
"""A tensor has six elements (Basser et al., Biophys J 1994;66:259,
doi:10.1016/S0006-3495(94)80775-1)."""
ADVISED_DIRECTIONS = 20
"""FA is robust from about 20 directions on (Jones, Magn Reson Med 2004;51:807,
doi:10.1002/mrm.20033)."""
HIGHEST_B = 1500.0
"""s/mm2: above, the signal of white matter departs from one exponential (Jensen et al., Magn Reson
Med 2005;53:1432, doi:10.1002/mrm.20508); the limit itself is our own choice."""
SHELL_WIDTH = 100.0
"""s/mm2: b-values closer than this are one shell, as scanners write 995 and 1005 for 1000."""
LENGTH_TOLERANCE = 0.02
"""Departure from unit length that rounding explains; our own choice."""
LARGEST_CONDITION = 50.0
"""Of the design of six elements, each column of unit length: even schemes have 2 to 4; directions
near a plane or a cone go to infinity. Our own choice."""
SUBJECT = "DWI"


def fsl_to_ras(bvecs: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """Return directions in RAS of those in a ``bvec`` file.

    Parameters
    ----------
    bvecs : array_like, shape (n, 3)
        As FSL and dcm2niix write them, one direction per row.
    affine : array_like, shape (4, 4)
        Voxel index to RAS millimetres of the image that they belong to.

    Returns
    -------
    numpy.ndarray, shape (n, 3)
        float64; lengths are kept, zeros stay zeros.
    """
    return np.asarray(bvecs, dtype=float) @ _fsl_axes(affine).T


def ras_to_fsl(bvecs: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """Return directions as a ``bvec`` file holds them; the inverse of ``fsl_to_ras``.

    Parameters
    ----------
    bvecs : array_like, shape (n, 3)
        In RAS, one direction per row.
    affine : array_like, shape (4, 4)
        Voxel index to RAS millimetres of the image.

    Returns
    -------
    numpy.ndarray, shape (n, 3)
        float64, one direction per row; a ``bvec`` file has one per column.
    """
    return np.asarray(bvecs, dtype=float) @ _fsl_axes(affine)


def _fsl_axes(affine: np.ndarray) -> np.ndarray:
    """FSL's axes in RAS, as the columns of an orthogonal matrix."""
    linear = np.asarray(affine, dtype=float)[:3, :3]
    # The nearest orthogonal matrix: an affine that is sheared by rounding must not bend directions.
    left, _, right = np.linalg.svd(linear / np.linalg.norm(linear, axis=0))
    axes = left @ right
    if np.linalg.det(axes) > 0:
        axes = axes * np.array([-1.0, 1.0, 1.0])
    return axes


def check_gradients(dwi: Dwi) -> tuple[Dwi, tuple[Finding, ...]]:
    """Check that a tensor can be fitted, and leave out what one tensor does not describe.

    Parameters
    ----------
    dwi : Dwi

    Returns
    -------
    dwi : Dwi
        Directions of unit length; without the volumes above ``HIGHEST_B`` where the others suffice.
    findings : tuple of Finding
        What was changed, and what limits the fit; also part of ``dwi.findings``.

    Raises
    ------
    BrainstemALSError
        UNSUITABLE_DIFFUSION: counts that disagree, values that are not numbers, no volume without
        weighting, none with, or too few directions for a tensor.
    """
    bvals, bvecs = _agreeing(dwi)
    findings: list[Finding] = []
    bvecs = _unit_length(bvals, bvecs, findings)
    dwi = replace(dwi, bvals=bvals, bvecs=bvecs)
    if not dwi.unweighted.any():
        raise _unsuitable(
            f"none of its {len(bvals)} volumes is unweighted (b at most {B0_LIMIT:g} s/mm2)",
            "Give a series with at least one b=0 volume.",
        )
    if dwi.unweighted.all():
        raise _unsuitable(
            "all of its volumes are unweighted (b=0)",
            "Give the whole diffusion series with its bval file, or go on without diffusion.",
        )
    dwi = _low_enough(dwi, findings)
    count = count_directions(dwi.bvecs[~dwi.unweighted])
    if count < FEWEST_DIRECTIONS:
        raise _unsuitable(
            f"a tensor needs {FEWEST_DIRECTIONS} directions, but this series has {count}",
            "Give a series with more gradient directions, or go on without diffusion.",
        )
    if condition(dwi) > LARGEST_CONDITION:
        raise _unsuitable(
            "its gradient directions lie near a plane or a cone and determine no tensor",
            "Check the bvec file: an axis may be missing.",
        )
    if count < ADVISED_DIRECTIONS:
        findings.append(
            Finding(
                "few_directions",
                "info",
                f"The tensor was fitted from {count} gradient directions; FA is noisier and "
                f"depends on how fibres lie below about {ADVISED_DIRECTIONS}.",
                "Compare only with exams of the same protocol.",
            )
        )
    return replace(dwi, findings=(*dwi.findings, *findings)), tuple(findings)


def shells(bvals: np.ndarray) -> dict[int, int]:
    """Return the number of volumes by shell: its mean b-value, rounded to 10 s/mm2, in order.

    Unweighted volumes are the shell 0.
    """
    bvals = np.asarray(bvals, dtype=float)
    found = {0: int((bvals <= B0_LIMIT).sum())} if (bvals <= B0_LIMIT).any() else {}
    rest = np.sort(bvals[bvals > B0_LIMIT])
    if rest.size:
        for group in np.split(rest, np.flatnonzero(np.diff(rest) > SHELL_WIDTH) + 1):
            key = int(round(group.mean() / 10) * 10)
            found[key] = found.get(key, 0) + len(group)
    return found


def count_directions(bvecs: np.ndarray) -> int:
    """Return how many directions differ by more than a degree, a sign aside."""
    kept: list[np.ndarray] = []
    for direction in bvecs:
        if all(abs(direction @ other) < np.cos(np.radians(1.0)) for other in kept):
            kept.append(direction)
    return len(kept)


def condition(dwi: Dwi) -> float:
    """Return the condition number of the tensor's six columns of the design, each of unit length.

    Skare et al., J Magn Reson 2000;147:340, doi:10.1006/jmre.2000.2209.
    """
    g = dwi.bvecs[~dwi.unweighted]
    x, y, z = g.T
    columns = np.stack([x * x, y * y, z * z, 2 * x * y, 2 * x * z, 2 * y * z], axis=1)
    length = np.linalg.norm(columns, axis=0)
    if (length < 1e-6).any():
        return float("inf")
    return float(np.linalg.cond(columns / length))


def _agreeing(dwi: Dwi) -> tuple[np.ndarray, np.ndarray]:
    bvals, bvecs = np.asarray(dwi.bvals, dtype=float), np.asarray(dwi.bvecs, dtype=float)
    array = dwi.volume.array
    if array.ndim != 4:
        raise _unsuitable(
            "it is a single volume and no series",
            "Give the whole diffusion series, or FA and MD maps instead.",
        )
    n = array.shape[3]
    if bvals.shape != (n,) or bvecs.shape != (n, 3):
        raise _unsuitable(
            f"it has {n} volumes, but {bvals.shape[0]} b-values and {bvecs.shape[0]} directions",
            "Give the bval and bvec files that belong to this image, all volumes included.",
        )
    if not (np.isfinite(bvals).all() and np.isfinite(bvecs).all()) or (bvals < 0).any():
        raise _unsuitable(
            "its b-values or directions hold negative values or no numbers",
            "Check the bval and bvec files.",
        )
    return bvals, bvecs


def _unit_length(bvals: np.ndarray, bvecs: np.ndarray, findings: list[Finding]) -> np.ndarray:
    weighted = bvals > B0_LIMIT
    length = np.linalg.norm(bvecs, axis=1)
    empty = weighted & (length < 1e-3)
    if empty.any():
        raise _unsuitable(
            f"{int(empty.sum())} of its weighted volumes have no gradient direction",
            "Leave out trace or averaged volumes, and check the bvec file.",
        )
    off = np.abs(length[weighted] - 1)
    if off.size and off.max() > LENGTH_TOLERANCE:
        findings.append(
            Finding(
                "gradients_normalised",
                "warning",
                f"Gradient directions are not of unit length (off by up to {off.max():.2f}); they "
                "were normalised, and the b-values were kept as they are.",
                "Check whether b-values are scaled by the squared length of the directions in this "
                "export: then MD is wrong.",
            )
        )
    return np.where(weighted[:, None], bvecs / np.maximum(length, 1e-9)[:, None], 0.0)


def _low_enough(dwi: Dwi, findings: list[Finding]) -> Dwi:
    high = dwi.bvals > HIGHEST_B
    if not high.any():
        return dwi
    low = dwi.bvecs[(~high) & ~dwi.unweighted]
    shell = max(shells(dwi.bvals))
    kept = subset(dwi, ~high)
    enough = count_directions(low) >= FEWEST_DIRECTIONS and condition(kept) <= LARGEST_CONDITION
    if not enough:
        findings.append(
            Finding(
                "high_b",
                "warning",
                f"The tensor was fitted at b = {shell} s/mm2, where one tensor describes the "
                "signal badly: MD is too low and FA differs from that at b = 1000.",
                "Compare only with exams of the same b-value.",
            )
        )
        return dwi
    findings.append(
        Finding(
            "high_b_left_out",
            "info",
            f"{int(high.sum())} volumes above b = {HIGHEST_B:g} s/mm2 were left out of the tensor "
            "fit: one tensor does not describe them.",
            "Nothing to do.",
        )
    )
    return kept


def subset(dwi: Dwi, chosen: np.ndarray) -> Dwi:
    """Return the series with the chosen volumes only (bool, shape (n,))."""
    volume = Volume(dwi.volume.array[..., chosen], dwi.volume.affine)
    return replace(dwi, volume=volume, bvals=dwi.bvals[chosen], bvecs=dwi.bvecs[chosen])


def _unsuitable(problem: str, remedy: str) -> BrainstemALSError:
    return BrainstemALSError(SUBJECT, problem, remedy, ExitCode.UNSUITABLE_DIFFUSION)
