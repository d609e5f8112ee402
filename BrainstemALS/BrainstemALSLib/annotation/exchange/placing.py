"""Labels of another program onto an exam's voxels, without interpolation."""

from __future__ import annotations

import numpy as np

from ...errors import BrainstemALSError, ExitCode
from ...imaging.checks import ORIENTATION_GAP_MM
from ...imaging.volume import Volume


def place(
    labels: Volume, shape: tuple[int, int, int], affine: np.ndarray, subject: str
) -> np.ndarray:
    """Return labels on another grid whose voxels are the same.

    The grids may differ in extent (programs cut to what is labelled) and in the order and direction
    of their axes (some programs turn every image); each voxel of ``labels`` must still be a voxel
    of the grid, no corner more than 0.1 mm off, which is what the store allows.

    Parameters
    ----------
    labels : Volume
        Integer labels, shape (i, j, k).
    shape : tuple of 3 int
        Voxels of the grid.
    affine : numpy.ndarray, shape (4, 4)
        Its voxel index to RAS millimetres.
    subject : str
        Name of the file, for messages.

    Returns
    -------
    numpy.ndarray, shape ``shape``
        Labels, the type of ``labels``.

    Raises
    ------
    BrainstemALSError
        MISMATCHED_IMAGES: other voxels, or something is labelled outside the grid.
    """
    exact = np.linalg.inv(np.asarray(affine, dtype=float)) @ labels.affine
    step = np.eye(4)
    step[:3, :3] = np.rint(exact[:3, :3])
    # In the middle, where a small difference of the axes moves the voxels least.
    middle = (np.array(labels.shape) - 1) // 2
    step[:3, 3] = np.rint(exact[:3, :3] @ middle + exact[:3, 3]) - step[:3, :3] @ middle
    turns = np.abs(step[:3, :3])
    corners = np.indices((2, 2, 2)).reshape(3, -1) * (np.array(labels.shape)[:, None] - 1)
    off = np.asarray(affine)[:3, :3] @ ((exact - step)[:3, :3] @ corners + (exact - step)[:3, 3:])
    same = (turns.sum(axis=0) == 1).all() and (turns.sum(axis=1) == 1).all()
    if not same or np.linalg.norm(off, axis=0).max() > ORIENTATION_GAP_MM:
        raise BrainstemALSError(
            subject,
            "this does not lie on the voxels of the exam's T1",
            "Give the T1 that the labels were drawn on, or resample the labels to it (nearest "
            "neighbour).",
            ExitCode.MISMATCHED_IMAGES,
        )
    found = np.argwhere(labels.array)
    target = found @ step[:3, :3].T.astype(int) + step[:3, 3].astype(int)
    outside = ((target < 0) | (target >= shape)).any(axis=1)
    if outside.any():
        raise BrainstemALSError(
            subject,
            f"{int(outside.sum())} labelled voxels lie outside the exam's image",
            "Give the whole T1 with --t1, or remove the labels that lie outside.",
            ExitCode.MISMATCHED_IMAGES,
        )
    placed = np.zeros(shape, labels.array.dtype)
    placed[tuple(target.T)] = labels.array[tuple(found.T)]
    return placed
