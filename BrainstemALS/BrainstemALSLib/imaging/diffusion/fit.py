"""The tensor fit whose maps are reported."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..dwi import Dwi, TensorMaps
from ..volume import Volume
from .linear import design_matrix, gradient_table

CHUNK_VALUES = 1 << 20
"""Values that are fitted at once: DIPY needs some hundred bytes for each."""
FEWEST_SPARE, FEWEST_UNWEIGHTED = 12, 3
"""Volumes beyond the seven unknowns, and unweighted ones, from which outliers can be told. Of two
unweighted volumes that differ by noise one is taken for an outlier, and MD falls: by 3 % on a
simulated series of 20 volumes, where weighted least squares is right to 0.1 %. Our own choice."""
LARGEST_MD = 3.5e-3
"""mm2/s: water at body temperature has 3.0 (Holz et al., Phys Chem Chem Phys 2000;2:4740,
doi:10.1039/b005319h); more, with some room, is a fit to noise."""


@dataclass(frozen=True, eq=False)
class Fit:
    """A tensor in every voxel of the mask.

    Attributes
    ----------
    maps : TensorMaps
        FA, MD, AD, RD, V1, b0 and residual.
    negative_share : float
        Of the mask, where noise gave an eigenvalue below zero, which counts as zero.
    method : str
        Name of the fit.
    """

    maps: TensorMaps
    negative_share: float
    method: str


def fit_tensors(
    dwi: Dwi, mask: np.ndarray, robust: bool = True, lost: np.ndarray | None = None
) -> Fit:
    """Fit a tensor to every voxel of the mask.

    Robust: iteratively reweighted linear least squares that leaves out outliers (Collier et al.,
    Magn Reson Med 2015;73:2174, doi:10.1002/mrm.25351), DIPY's ``RWLS``; it finds what RESTORE does
    in a hundredth of its time. Otherwise, or where too few volumes tell an outlier,
    weighted linear least squares (Chung et al., NeuroImage 2006;33:531,
    doi:10.1016/j.neuroimage.2006.07.001), ``WLS``.

    Parameters
    ----------
    dwi : Dwi
        As ``check_gradients`` returns it; directions in RAS, so that V1 is too.
    mask : numpy.ndarray of bool, shape (i, j, k)
    robust : bool
    lost : numpy.ndarray of bool, shape (i, j, k, n), optional
        Values that are predictions and no measurements, and not counted in the residual.
    """
    from dipy.reconst.dti import TensorModel

    shape, n = mask.shape, len(dwi.bvals)
    robust = robust and n >= 7 + FEWEST_SPARE and dwi.unweighted.sum() >= FEWEST_UNWEIGHTED
    method = "RWLS" if robust else "WLS"
    table = gradient_table(dwi.bvals, dwi.bvecs)
    # More than a thousandth of the signal is never lost: below is a hole that has no logarithm.
    floor = max(1e-3 * float(np.median(dwi.volume.array[mask].max(axis=1))), 1e-6)
    model = TensorModel(table, fit_method=method, return_S0_hat=True, min_signal=floor)
    names = ("fa", "md", "ad", "rd", "b0", "residual")
    maps = {name: np.zeros(shape, np.float32) for name in names}
    v1 = np.zeros((*shape, 3), np.float32)
    places = np.flatnonzero(mask)
    series = dwi.volume.array.reshape(-1, n)
    gone = None if lost is None else lost.reshape(-1, n)
    # DIPY's floor of eigenvalues: what lies on it was below.
    lowest = 1e-6 / -design_matrix(dwi.bvals, dwi.bvecs).min() * 1.001
    negative = 0
    step = max(1, CHUNK_VALUES // n)
    for first in range(0, len(places), step):
        part = places[first : first + step]
        signals = series[part].astype(float)
        # Outlier weights of a perfect fit are 0 / 0, which DIPY sets to 0 by itself.
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            found = model.fit(signals)
        values = np.where(found.evals <= lowest, 0.0, found.evals)
        values = np.where(np.isfinite(values), values, 0.0)
        negative += int((found.evals <= lowest).any(axis=1).sum())
        values = np.minimum(values, LARGEST_MD)
        spread = ((values - values.mean(1, keepdims=True)) ** 2).sum(1)
        size = np.maximum((values**2).sum(1), 1e-30)
        maps["fa"].flat[part] = np.sqrt(np.clip(1.5 * spread / size, 0.0, 1.0))
        maps["md"].flat[part] = 1e3 * values.mean(1)
        maps["ad"].flat[part] = 1e3 * values[:, 0]
        maps["rd"].flat[part] = 1e3 * values[:, 1:].mean(1)
        v1.reshape(-1, 3)[part] = np.where(values.any(1)[:, None], found.evecs[:, :, 0], 0.0)
        known = np.ones_like(signals, bool) if gone is None else ~gone[part]
        maps["residual"].flat[part] = _residual(found, table, signals, known)
    maps["b0"] = dwi.volume.array[..., dwi.unweighted].mean(axis=3)
    affine = dwi.volume.affine
    volumes = {name: Volume(array.astype(np.float32), affine) for name, array in maps.items()}
    share = negative / max(len(places), 1)
    return Fit(TensorMaps(**volumes, v1=Volume(v1, affine)), share, method)


def _residual(found, table, signals: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Root mean square of what the tensor leaves, over the signal without weighting, (m,)."""
    s0 = np.asarray(found.S0_hat, float).reshape(-1)
    s0 = np.where(np.isfinite(s0) & (s0 > 0), s0, 1.0)
    apart = np.where(known, signals - found.predict(table, S0=s0), 0.0)
    size = np.sqrt((apart**2).sum(1) / np.maximum(known.sum(1), 1))
    return np.clip(np.nan_to_num(size / s0), 0.0, 1.0)
