"""FA, MD, AD, RD and V1 of diffusion tensors.

FA and MD are rotational invariants (Basser & Pierpaoli, J Magn Reson B 1996;111:209,
doi:10.1006/jmrb.1996.0086), so that they follow from the elements of the tensor without
eigenvalues, and the frame in which the tensors are given does not matter. V1 is given in that
frame.
"""

from __future__ import annotations

import numpy as np

from ..errors import BrainstemALSError, ExitCode
from .diffusion_maps import mean_diffusivity
from .dwi import TensorMaps
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


def maps_from_tensors(tensors: Volume) -> TensorMaps:
    """Return the maps of a tensor volume that was fitted elsewhere.

    Parameters
    ----------
    tensors : Volume
        Array of shape (i, j, k, 3, 3) in RAS, in mm2/s or 1e-3 mm2/s, told by the median of the MD.

    Returns
    -------
    TensorMaps
        FA, MD, AD, RD and V1; diffusivities in 1e-3 mm2/s. An eigenvalue below 0, which noise
        makes, counts as 0 in AD and RD. No b=0 image and no residual: tensors do not hold them.

    Raises
    ------
    BrainstemALSError
        UNSUITABLE_DIFFUSION: see ``fa_and_md``, or an MD that fits neither unit.
    """
    fa, md = fa_and_md(tensors)
    scaled = mean_diffusivity("DTI", md)
    factor = np.float32(1.0 if scaled.array.max() == md.array.max() else 1000.0)
    shape = tensors.array.shape[:3]
    ad, rd = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    v1 = np.zeros((*shape, 3), np.float32)
    step = max(1, _CHUNK_VOXELS // (shape[1] * shape[2]))
    for first in range(0, shape[0], step):
        part = slice(first, first + step)
        tensor = tensors.array[part].astype(np.float64)
        there = tensor.any(axis=(-2, -1))
        values, vectors = np.linalg.eigh((tensor[there] + tensor[there].swapaxes(-1, -2)) / 2)
        values = np.maximum(values, 0.0)
        ad[part][there] = values[:, 2]
        rd[part][there] = values[:, :2].mean(axis=1)
        v1[part][there] = vectors[:, :, 2]
    return TensorMaps(
        fa=fa,
        md=scaled,
        ad=Volume(ad * factor, tensors.affine),
        rd=Volume(rd * factor, tensors.affine),
        v1=Volume(v1, tensors.affine),
        facts={"source": "tensors"},
    )


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
