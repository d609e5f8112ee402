"""Brings label maps onto the grid on which they are compared."""

from __future__ import annotations

import numpy as np

from BrainstemALSLib.imaging.geometry import crop, resample, same_grid
from BrainstemALSLib.imaging.volume import Volume

STRUCTURE_MAXIMUM = 99  # values from 100 are the surroundings that training adds (training.labels)
_MARGIN = 3  # voxels of background kept around the labels, so that they can fade out


def structures_only(labels: Volume) -> Volume:
    """Return a label map without the surroundings of training: structures and 0, uint8."""
    kept = np.where(labels.array <= STRUCTURE_MAXIMUM, labels.array, 0).astype(np.uint8)
    return Volume(kept, labels.affine)


def on_grid(labels: Volume, like: Volume) -> Volume:
    """Return labels on the grid of another volume.

    Each label is interpolated linearly, averaged first when the new grid is coarser, and the
    strongest wins where all labels together hold half a voxel: nearest neighbour would move thin
    structures by up to half a voxel.

    Parameters
    ----------
    labels : Volume
        Integer label map (i, j, k), any grid.
    like : Volume
        Gives the grid; its values are not looked at.

    Returns
    -------
    Volume
        uint8 on the grid of ``like``.
    """
    if same_grid(labels, like):
        return labels
    out = np.zeros(like.shape, np.uint8)
    used = np.argwhere(labels.array)
    if not len(used):
        return Volume(out, like.affine)
    low = np.maximum(used.min(0) - _MARGIN, 0)
    source = crop(labels, low, np.minimum(used.max(0) + 1 + _MARGIN, labels.shape))
    start, stop = _reach(source, like)
    if (stop <= start).any():
        return Volume(out, like.affine)
    grid = crop(like, start, stop)

    def share(mask: np.ndarray, outside: float) -> np.ndarray:
        soft = Volume(mask.astype(np.float32), source.affine)
        return resample(soft, grid.shape, grid.affine, "linear", outside).array

    best = np.zeros(grid.shape, np.float32)
    chosen = np.zeros(grid.shape, np.uint8)
    for value in np.unique(source.array[source.array > 0]):
        of_label = share(source.array == value, 0.0)
        stronger = of_label > best
        chosen[stronger] = value
        best[stronger] = of_label[stronger]
    # Structure or not comes before which, as for the patient's own grid (segmentation.segmenter):
    # where several structures share a voxel, none of them may beat the background alone.
    chosen[share(source.array == 0, 1.0) >= 0.5] = 0
    out[tuple(slice(a, b) for a, b in zip(start, stop, strict=True))] = chosen
    return Volume(out, like.affine)


def _reach(source: Volume, like: Volume) -> tuple[np.ndarray, np.ndarray]:
    """First and last-but-one voxel of the new grid that the labels can reach."""
    corners = np.indices((2, 2, 2)).reshape(3, -1) * (np.array(source.shape)[:, None] + 1) - 1
    matrix = np.linalg.inv(like.affine) @ source.affine
    seen = matrix[:3, :3] @ corners + matrix[:3, 3:]
    shape = np.array(like.shape)
    start = np.clip(np.floor(seen.min(1)).astype(int), 0, shape)
    return start, np.clip(np.ceil(seen.max(1)).astype(int) + 1, start, shape)
