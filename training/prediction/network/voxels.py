"""A straight line through the same images: kernel ridge on coarse voxels, for scale.

Where it does as well as the network, the network has not used what only a network could.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..classification_data import folds
from ..classification_fit import INNER, fit_calibration
from .images import MD_MOST

COARSE = 4
"""Voxels along each side that are taken together (own choice: 8 mm; among the training people 16 mm
did about the same)."""
RIDGE = 1.0


def coarse_voxels(images: np.ndarray) -> np.ndarray:
    """Return means (n, p) of blocks of images (n, 3, i, j, k) and their mirror images."""
    whole = images.astype(np.float32)
    whole[:, 2] = np.minimum(whole[:, 2], MD_MOST)
    whole = (whole + whole[:, :, ::-1]) / 2
    n, channels, *size = whole.shape
    blocks = [part for length in size for part in (length // COARSE, COARSE)]
    return whole.reshape(n, channels, *blocks).mean(axis=(3, 5, 7)).reshape(n, -1)


def fit_voxels(
    images: np.ndarray, y: np.ndarray, site: np.ndarray
) -> tuple[Callable[[np.ndarray], np.ndarray], np.ndarray]:
    """Fit on images (n, 3, i, j, k) of people y (n,) of bool with sites (n,).

    Returns
    -------
    log_odds : callable
        Calibrated log-odds (m,) of new images (m, 3, i, j, k).
    inner : numpy.ndarray, shape (n,)
        Those of the training people, their site held out.
    """
    X, raw = coarse_voxels(images), np.full(len(y), np.nan)
    for held in folds(site, INNER, seed=0):
        raw[held] = _ridge(X[~held], y[~held])(X[held])
    offset, slope = fit_calibration(raw, y)
    line = _ridge(X, y)
    return lambda new: offset + slope * line(coarse_voxels(new)), offset + slope * raw


def _ridge(X: np.ndarray, y: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    middle, scale = X.mean(axis=0), X.std(axis=0) + 0.02
    known = (X - middle) / scale
    kernel = known @ known.T / X.shape[1]
    wanted = np.where(y, 1.0, -1.0)
    shift = float(wanted.mean())
    weights = np.linalg.solve(kernel + RIDGE * np.eye(len(y)), wanted - shift)
    return lambda new: shift + ((new - middle) / scale) @ known.T @ weights / X.shape[1]
