"""Permutation p-values of a contrast in a linear model with nuisance covariates."""

from __future__ import annotations

import numpy as np

_BLOCK = 500  # permutations at a time: bounds memory


def freedman_lane(
    X: np.ndarray,
    contrast: np.ndarray,
    Y: np.ndarray,
    permutations: int,
    seed: int,
    blocks: np.ndarray | None = None,
) -> np.ndarray:
    """Return two-sided permutation p-values.

    Freedman and Lane: residuals of the model without the effect are permuted, and the whole model
    is fitted again; statistic is t. The design is split into effect and nuisance for the contrast
    (Winkler et al. 2014, "Permutation inference for the general linear model", Neuroimage
    92:381-397, doi:10.1016/j.neuroimage.2014.01.060). Residuals are exchanged within blocks, here
    sites, so that scanners may differ in their spread; groups may not (the robust p-value lets
    them).

    Parameters
    ----------
    X : numpy.ndarray, shape (n, k)
        Design of full rank.
    contrast : numpy.ndarray, shape (k,)
    Y : numpy.ndarray, shape (n, m)
        Responses without missing values; all get the same permutations.
    permutations : int
        The observed order is counted besides them, so that no p-value is 0.
    seed : int
    blocks : numpy.ndarray, shape (n,), optional
        Residuals are only exchanged among rows of one block. Which block each is in has to be in
        the design, as sites are. None: all with all.

    Returns
    -------
    numpy.ndarray, shape (m,)
    """
    n, k = X.shape
    effect, nuisance = _split(X, contrast)
    Q = np.linalg.qr(nuisance)[0]
    e = effect - Q @ (Q.T @ effect)
    e /= np.linalg.norm(e)
    residual = Y - Q @ (Q.T @ Y)
    scale = np.linalg.norm(residual, axis=0)
    scale[scale <= 1e-10 * np.linalg.norm(Y, axis=0)] = 0.0  # nothing but rounding is left
    residual = residual / np.where(scale > 0, scale, 1.0)
    observed = _statistic(e @ residual, np.ones(Y.shape[1]), n - k)
    generator = np.random.default_rng(seed)
    block = np.zeros(n) if blocks is None else np.unique(blocks, return_inverse=True)[1]
    places = np.argsort(block, kind="stable")
    beyond = np.zeros(Y.shape[1])
    for start in range(0, permutations, _BLOCK):
        size = min(_BLOCK, permutations - start)
        order = np.empty((size, n), int)
        order[:, places] = np.argsort(block + generator.random((size, n)), axis=1)
        # Permuting residuals one way is permuting the projections the other way: the latter are
        # made once for all responses.
        E = np.zeros((size, n))
        np.put_along_axis(E, order, np.broadcast_to(e, (size, n)), axis=1)
        along = E @ residual
        lost = np.zeros_like(along)
        for column in Q.T:
            np.put_along_axis(E, order, np.broadcast_to(column, (size, n)), axis=1)
            lost += (E @ residual) ** 2
        # The tolerance lets ties (groups of few, discrete data) count as ties.
        drawn = _statistic(along, 1.0 - lost, n - k)
        beyond += (np.abs(drawn) >= np.abs(observed) * (1 - 1e-9)).sum(axis=0)
    return np.where(scale > 0, (beyond + 1.0) / (permutations + 1.0), np.nan)


def _split(X: np.ndarray, contrast: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return effect (n,) and nuisance (n, k - 1): the nuisance spans X where the contrast is 0."""
    inverse = np.linalg.inv(X.T @ X)
    effect = X @ inverse @ contrast / (contrast @ inverse @ contrast)
    others = np.linalg.svd(contrast[None, :])[2][1:].T
    return effect, X @ others


def _statistic(along: np.ndarray, total: np.ndarray | float, df: int) -> np.ndarray:
    """Return t from the part of the residuals along the effect and their sum of squares."""
    rest = np.maximum(total - along**2, 1e-15)
    return along * np.sqrt(df / rest)
