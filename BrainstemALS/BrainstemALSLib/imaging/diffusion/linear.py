"""The quick tensor fit: linear least squares of the logarithm, for predictions and checks.

The fit whose maps are given to people is in ``fit``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..dwi import B0_LIMIT

if TYPE_CHECKING:
    from dipy.core.gradients import GradientTable

SMALLEST_SIGNAL = 1e-3
"""Of a voxel's largest signal: the logarithm needs something positive."""
_LOWER = np.array([[0, 1, 3], [1, 2, 4], [3, 4, 5]])  # DIPY's order of the six elements


def gradient_table(bvals: np.ndarray, bvecs: np.ndarray) -> GradientTable:
    """Return DIPY's table of bvals (n,) in s/mm2 and bvecs (n, 3), unit or zero."""
    from dipy.core.gradients import gradient_table as table

    # What counts as unweighted here has a zero direction; DIPY wants b = 0 with it.
    return table(np.where(bvals <= B0_LIMIT, 0.0, bvals), bvecs=bvecs, b0_threshold=B0_LIMIT)


def design_matrix(bvals: np.ndarray, bvecs: np.ndarray) -> np.ndarray:
    """Return the design (n, 7) of the logarithm of the signal: six elements, and the b=0 signal."""
    from dipy.reconst.dti import design_matrix as design

    return design(gradient_table(bvals, bvecs))


def linear_fit(signals: np.ndarray, design: np.ndarray) -> np.ndarray:
    """Return coefficients (m, 7) of the signals (m, n) by ordinary least squares."""
    floor = np.maximum(signals.max(axis=1, keepdims=True) * SMALLEST_SIGNAL, 1e-6)
    return np.log(np.maximum(signals, floor)) @ np.linalg.pinv(design).T.astype(np.float32)


def predicted(coefficients: np.ndarray, design: np.ndarray) -> np.ndarray:
    """Return the signals (m, n) that coefficients (m, 7) predict; n rows of the design."""
    # A noisy voxel may predict growth with weighting: never more than what is there without.
    highest = coefficients[:, -1:] * design[0, -1]
    return np.exp(np.minimum(coefficients @ design.T.astype(np.float32), highest))


def tensors_of(coefficients: np.ndarray) -> np.ndarray:
    """Return the tensors (m, 3, 3), mm2/s, of coefficients."""
    return coefficients[:, :6][:, _LOWER]


def fa_of(coefficients: np.ndarray) -> np.ndarray:
    """Return FA (m,), 0-1, of coefficients (m, 7)."""
    d = coefficients[:, :6].astype(float)
    diagonal, rest = d[:, [0, 2, 5]], d[:, [1, 3, 4]]
    size = (diagonal**2).sum(1) + 2 * (rest**2).sum(1)
    apart = diagonal - diagonal.mean(1, keepdims=True)
    anisotropic = (apart**2).sum(1) + 2 * (rest**2).sum(1)
    return np.sqrt(np.clip(1.5 * anisotropic / np.maximum(size, 1e-30), 0.0, 1.0))
