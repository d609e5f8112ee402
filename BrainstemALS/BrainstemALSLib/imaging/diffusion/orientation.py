"""Whether fibres fit together: finds gradient tables with flipped or exchanged axes.

Along a fibre the tensors hardly change, across it they do. Wrong axes turn every direction but move
no voxel, and break that (fibre continuity: Aganj, Sci Rep 2018;8:16541,
doi:10.1038/s41598-018-34940-4). The same is asked by the fibre coherence index of Schilling et al.
(Magn Reson Imaging 2019;58:82, doi:10.1016/j.mri.2019.01.018), which counts neighbours that point
at each other; on our simulated series it told the right table by 2 % only, because within a thick
bundle a neighbour of every direction points the same way. So the change of the tensor is measured.

Of the 48 ways to order and sign three axes, 24 pairs differ only by the sign of everything, which
diffusion cannot see and no map depends on: 24 are told apart. A tensor turns with its table, so one
fit serves them all. Found are exchanges and flips of the image's axes, not a table that is turned
by some other angle.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import permutations, product

import numpy as np
from scipy import ndimage

from ..dwi import Dwi
from ..finding import Finding
from ..volume import Volume

FA_FLOOR = 0.2
"""Below, a direction is mostly noise; the usual limit of tractography, our own choice here."""
BLOCK_MM = 20.0
"""The brain is cut into such cubes to know how far chance reaches (jackknife, Tukey 1958): wider
than a bundle, so that cubes are nearly independent. Our own choice."""
CLEAR, HINT = 4.0, 2.0
"""Standard errors by which another table has to fit better to be taken, and by which the table as
given has to fit better to be called checked. Our own choice, from docs/results/diffusion.md."""
FEWEST_VOXELS, FEWEST_BLOCKS = 1000, 12
"""With less of the brain nothing is decided; our own choice."""
_CHUNK_VOXELS = 1 << 15
_ORDINALS = ("first", "second", "third")


@dataclass(frozen=True, eq=False)
class Coherence:
    """How well fibres fit together under each table.

    Attributes
    ----------
    change : numpy.ndarray, shape (24,)
        Share of the tensors' change from voxel to voxel that is met along the fibre: a third by
        chance, less where fibres fit together. The first is that of the table as it is.
    transforms : numpy.ndarray, shape (24, 3, 3)
        In the frame of the image's axes: ``transforms[n] @ reported`` is what was played out.
    errors : numpy.ndarray, shape (24,)
        By how many standard errors each changes more than the best; 0 for the best.
    voxels, blocks : int
        Anisotropic voxels that were looked at, and cubes they lie in.
    """

    change: np.ndarray
    transforms: np.ndarray
    errors: np.ndarray
    voxels: int
    blocks: int

    @property
    def best(self) -> int:
        """Number of the transform under which fibres fit together best."""
        return int(self.change.argmin())

    @property
    def lead(self) -> float:
        """Standard errors between the best and whichever comes closest to it."""
        return float(np.delete(self.errors, self.best).min())


def axis_transforms() -> np.ndarray:
    """Return the 24 signed permutations of axes that diffusion tells apart, identity first.

    Returns
    -------
    numpy.ndarray, shape (24, 3, 3)
    """
    found = []
    for order in permutations(range(3)):
        for signs in product((1.0, -1.0), repeat=2):
            matrix = np.zeros((3, 3))
            # Of a matrix and its negative, the one whose first row is positive.
            matrix[range(3), order] = (1.0, *signs)
            found.append(matrix)
    return np.stack(found)


def fibre_coherence(tensors: Volume, mask: np.ndarray) -> Coherence:
    """Return how well fibres fit together under every signed permutation of axes.

    Parameters
    ----------
    tensors : Volume
        Shape (i, j, k, 3, 3), RAS, any unit: a fit with the table as it is.
    mask : numpy.ndarray of bool, shape (i, j, k)
        The brain.
    """
    transforms = axis_transforms()
    axes = image_axes(tensors.affine)
    inner = ndimage.binary_erosion(mask, np.ones((3, 3, 3)))
    places = np.argwhere(inner)
    sums, weights, cubes = [], [], []
    for first in range(0, len(places), _CHUNK_VOXELS):
        part = places[first : first + _CHUNK_VOXELS]
        share, weight = _change_along(tensors, part, axes, transforms)
        strong = weight > FA_FLOOR
        sums.append(share[:, strong] * weight[strong])
        weights.append(weight[strong])
        cubes.append((part[strong] * tensors.spacing // BLOCK_MM).astype(int))
    if not sums or not sum(len(w) for w in weights):
        nothing = np.full(len(transforms), 1 / 3)
        return Coherence(nothing, transforms, np.zeros(len(transforms)), 0, 0)
    block = np.unique(np.concatenate(cubes), axis=0, return_inverse=True)[1].ravel()
    weight, total = np.concatenate(weights), np.concatenate(sums, axis=1)
    by_block = np.stack([np.bincount(block, values) for values in total])
    of_block = np.bincount(block, weight)
    change = by_block.sum(1) / of_block.sum()
    errors = _errors(by_block, of_block, change)
    return Coherence(change, transforms, errors, len(weight), len(of_block))


def check_orientation(
    dwi: Dwi, tensors: Volume, mask: np.ndarray
) -> tuple[Dwi, Coherence, np.ndarray]:
    """Correct a gradient table whose axes are clearly flipped or exchanged.

    Parameters
    ----------
    dwi : Dwi
    tensors : Volume
        Its fit, any quick one: shape (i, j, k, 3, 3), RAS.
    mask : numpy.ndarray of bool, shape (i, j, k)
        The brain.

    Returns
    -------
    dwi : Dwi
        With corrected directions and a finding; or as it was, with a finding where it is unclear.
    coherence : Coherence
    turn : numpy.ndarray, shape (3, 3)
        What the directions were multiplied by, RAS; the identity where they were kept.
    """
    coherence = fibre_coherence(tensors, mask)
    finding, matrix = _judged(coherence)
    if finding is not None:
        dwi = replace(dwi, findings=(*dwi.findings, finding))
    if matrix is None:
        return dwi, coherence, np.eye(3)
    axes = image_axes(dwi.volume.affine)
    turn = axes @ matrix @ axes.T
    return replace(dwi, bvecs=dwi.bvecs @ turn.T), coherence, turn


def image_axes(affine: np.ndarray) -> np.ndarray:
    """Return the directions of the image's axes in RAS, as columns of an orthogonal matrix."""
    linear = np.asarray(affine, dtype=float)[:3, :3]
    left, _, right = np.linalg.svd(linear / np.linalg.norm(linear, axis=0))
    return left @ right


def in_words(matrix: np.ndarray) -> str:
    """Say what a signed permutation does to the axes, as a table that needs it is wrong.

    Parameters
    ----------
    matrix : numpy.ndarray, shape (3, 3)
        Of ``axis_transforms``; its negative means the same.
    """
    if matrix.sum() < 0:
        matrix = -matrix
    order = np.abs(matrix).argmax(axis=1)
    flipped = [_ORDINALS[n] for n in range(3) if matrix[n].sum() < 0]
    moved = [_ORDINALS[n] for n in range(3) if order[n] != n]
    parts = []
    if len(moved) == 2:
        parts.append(f"the {moved[0]} and {moved[1]} gradient axes are exchanged")
    elif moved:
        parts.append("the three gradient axes are cyclically exchanged")
    if flipped:
        verb = "axis is" if len(flipped) == 1 else "axes are"
        parts.append(f"the {' and '.join(flipped)} gradient {verb} flipped")
    return " and ".join(parts) or "no gradient axis is flipped or exchanged"


def _judged(coherence: Coherence) -> tuple[Finding | None, np.ndarray | None]:
    """What to tell, and the transform to apply if any."""
    if coherence.voxels < FEWEST_VOXELS or coherence.blocks < FEWEST_BLOCKS:
        return _unchecked("too few voxels have a clear fibre direction"), None
    if coherence.best == 0:
        if coherence.lead < HINT:
            return _unchecked("another order of its axes would fit about as well"), None
        return None, None
    matrix = coherence.transforms[coherence.best]
    words = in_words(matrix)
    if coherence.lead < CLEAR:
        return Finding(
            "gradients_unsure",
            "warning",
            f"The gradient table may be wrong: the fibres fit together better if {words} "
            f"(by {coherence.errors[0]:.1f} standard errors), which is not clear enough to act on.",
            "Look at the colour-coded directions before using them; FA and MD do not depend on it.",
        ), None
    return Finding(
        "gradients_corrected",
        "warning",
        f"The gradient table was wrong: {words}. The fibres fit together after correction (by "
        f"{coherence.errors[0]:.0f} standard errors), and the directions were corrected.",
        "Check how this scanner's gradient directions are exported; FA and MD do not depend on it.",
    ), matrix


def _unchecked(reason: str) -> Finding:
    return Finding(
        "gradients_unchecked",
        "info",
        f"The axes of the gradient table could not be checked: {reason}.",
        "Look at the colour-coded directions before using them; FA and MD do not depend on it.",
    )


def _change_along(
    tensors: Volume, places: np.ndarray, axes: np.ndarray, transforms: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Share of the change that lies along the fibre (24, n), and FA (n,), at inner voxels."""
    array = tensors.array

    def at(step: np.ndarray) -> np.ndarray:
        found = array[tuple((places + step).T)].astype(float)
        return axes.T @ found @ axes

    slopes = [
        (at(step) - at(-step)) / (2 * size)
        for step, size in zip(np.eye(3, dtype=int), tensors.spacing, strict=True)
    ]
    change = np.stack(
        [np.stack([np.einsum("nij,nij->n", a, b) for a in slopes], -1) for b in slopes], -1
    )
    change /= np.maximum(np.trace(change, axis1=1, axis2=2), 1e-12)[:, None, None]
    values, vectors = np.linalg.eigh(at(np.zeros(3, dtype=int)))
    values = np.maximum(values, 0.0)
    spread = ((values - values.mean(1, keepdims=True)) ** 2).sum(1)
    fa = np.sqrt(1.5 * spread / np.maximum((values**2).sum(1), 1e-12))
    turned = np.einsum("tab,nb->tna", transforms, vectors[:, :, 2])
    return np.einsum("tna,nab,tnb->tn", turned, change, turned, optimize=True), fa


def _errors(by_block: np.ndarray, of_block: np.ndarray, change: np.ndarray) -> np.ndarray:
    """Difference of each to the best, in jackknife standard errors over the blocks."""
    count = len(of_block)
    best = change.argmin()
    difference = by_block - by_block[best]
    if count < 2:
        return np.zeros(len(change))
    left_out = (difference.sum(1, keepdims=True) - difference) / (of_block.sum() - of_block)
    spread = ((left_out - left_out.mean(1, keepdims=True)) ** 2).sum(1)
    error = np.sqrt((count - 1) / count * spread)
    apart = change - change[best]
    return np.divide(apart, error, out=np.zeros(len(change)), where=error > 0)
