"""Where the fibres of the simulated head run.

In the structures of the brainstem they run as the anatomical table says. Elsewhere they run along
the white matter: the direction in which its map varies least, which the structure tensor gives
(Bigun & Granlund 1987, "Optimal orientation detection of linear symmetry"; for fibres in images,
Weickert, Int J Comput Vis 1999;31:111, doi:10.1023/A:1008009714131). It follows gyri and the corpus
callosum as fibres roughly do, and it is no map of anybody's tracts.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ..anatomy import load_structures
from ..anatomy.fibres import load_fibre_directions
from ..imaging.volume import Volume

EDGE_SIGMA_MM = 1.5
"""Smoothing of the white matter before its gradient; our own choice, half a gyrus' stalk."""
FIELD_SIGMA_MM = 4.0
"""Smoothing of the structure tensor: over about the width of a stalk; our own choice."""
WORK_MM = 2.0
"""Grid on which the structure tensor is computed: it is smooth on this scale."""


def fibre_field(labels: Volume, white: Volume) -> np.ndarray:
    """Return the direction of the fibres in every voxel.

    Parameters
    ----------
    labels : Volume
        uint8, ``Structure.index``, 0 elsewhere; axes along RAS, as the phantom's anatomy has them.
    white : Volume
        Probability of white matter, 0-1, on the same grid.

    Returns
    -------
    numpy.ndarray, shape (i, j, k, 3)
        float32, RAS, unit length, of either sign; everywhere, also where there are no fibres.
    """
    field = _along_white_matter(white)
    linear, origin = labels.affine[:3, :3], labels.affine[:3, 3]
    directions = load_fibre_directions()
    boxes = ndimage.find_objects(labels.array)
    for structure in load_structures():
        if structure.key not in directions or structure.index > len(boxes):
            continue
        box = boxes[structure.index - 1]
        if box is None:
            continue
        inside = labels.array[box] == structure.index
        start = [part.start for part in box]
        places = (np.argwhere(inside) + start) @ linear.T + origin
        field[box][inside] = directions[structure.key].at(places - places.mean(axis=0))
    return field


def _along_white_matter(white: Volume) -> np.ndarray:
    """Direction (i, j, k, 3), RAS, along which the white matter varies least."""
    steps = np.maximum(1, np.rint(WORK_MM / white.spacing)).astype(int)
    spacing = white.spacing * steps
    smooth = ndimage.gaussian_filter(white.array, EDGE_SIGMA_MM / white.spacing)
    coarse = smooth[:: steps[0], :: steps[1], :: steps[2]]
    slopes = np.stack(np.gradient(coarse, *spacing))
    # Along the axes of the voxels so far; the affine's rotation takes them to RAS.
    slopes = np.einsum("ra,aijk->rijk", white.affine[:3, :3] / white.spacing, slopes)
    tensor = np.empty((*coarse.shape, 3, 3), np.float32)
    for a in range(3):
        for b in range(a, 3):
            part = ndimage.gaussian_filter(slopes[a] * slopes[b], FIELD_SIGMA_MM / spacing)
            tensor[..., a, b] = tensor[..., b, a] = part
    least = np.linalg.eigh(tensor)[1][..., 0]
    # Nearest coarse voxel: an average of vectors of arbitrary sign would be none.
    index = [
        np.minimum((np.arange(n) + s // 2) // s, c - 1)
        for n, s, c in zip(white.array.shape, steps, coarse.shape, strict=True)
    ]
    return least[np.ix_(*index)].astype(np.float32)
