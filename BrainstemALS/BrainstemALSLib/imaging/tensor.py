"""FA and MD of diffusion tensors.

Both are rotational invariants (Basser & Pierpaoli, J Magn Reson B 1996;111:209,
doi:10.1006/jmrb.1996.0086), so that they follow from the elements of the tensor without
eigenvalues, and the frame in which the tensors are given does not matter.
"""

from __future__ import annotations

import numpy as np

from ..errors import BrainstemALSError, ExitCode
from .volume import Volume

_CHUNK_VOXELS = 1 << 18  # 19 MB of doubles: the whole volume at once would take gigabytes


def fa_and_md(tensors: Volume) -> tuple[Volume, Volume]:
    """Return fractional anisotropy and mean diffusivity of a tensor volume.

    Parameters
    ----------
    tensors : Volume
        Array of shape (i, j, k, 3, 3); of a tensor that is not symmetric, the symmetric part
        counts.

    Returns
    -------
    fa, md : Volume
        float32, shape (i, j, k), on the same grid. FA is clipped to 1, which noise exceeds where
        an eigenvalue is negative, and is 0 where the tensor is; MD is in the unit of the tensors.

    Raises
    ------
    BrainstemALSError
        UNSUITABLE_DIFFUSION: no tensors, nothing but zeros, or elements that are not numbers.
    """
    check_tensors(tensors.array)
    shape = tensors.array.shape[:3]
    fa, md = np.empty(shape, np.float32), np.empty(shape, np.float32)
    step = max(1, _CHUNK_VOXELS // (shape[1] * shape[2]))
    for first in range(0, shape[0], step):
        part = slice(first, first + step)
        fa[part], md[part] = _invariants(tensors.array[part].astype(np.float64))
    return Volume(fa, tensors.affine), Volume(md, tensors.affine)


def check_tensors(array: np.ndarray) -> None:
    """Refuse an array that holds no diffusion tensors, see ``fa_and_md``."""
    if array.ndim != 5 or array.shape[-2:] != (3, 3) or not array.size:
        raise _unsuitable("it holds no diffusion tensors")
    low, high = array.min(), array.max()
    if not (np.isfinite(low) and np.isfinite(high)):
        raise _unsuitable("it has voxels that are not numbers (NaN or infinite)")
    if low == 0 == high:
        raise _unsuitable("all of its diffusion tensors are zero")


def _unsuitable(problem: str) -> BrainstemALSError:
    return BrainstemALSError(
        "DTI",
        problem,
        "Estimate the tensors again, or give the FA and MD maps instead.",
        ExitCode.UNSUITABLE_DIFFUSION,
    )


def _invariants(tensor: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """FA and MD of tensors, shape (..., 3, 3)."""
    tensor = (tensor + np.swapaxes(tensor, -1, -2)) / 2
    mean = np.trace(tensor, axis1=-2, axis2=-1) / 3
    size = np.einsum("...ab,...ab->...", tensor, tensor)
    # The deviatoric part, computed by itself: size - 3 mean^2 would cancel where FA is small.
    deviatoric = tensor - mean[..., None, None] * np.eye(3)
    anisotropic = np.einsum("...ab,...ab->...", deviatoric, deviatoric)
    ratio = np.divide(anisotropic, size, out=np.zeros_like(size), where=size > 0)
    return np.minimum(np.sqrt(1.5 * ratio), 1.0), mean
