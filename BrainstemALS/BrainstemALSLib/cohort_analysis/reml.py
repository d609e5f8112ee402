"""Linear mixed models by restricted maximum likelihood, fast enough for hundreds of measures.

statsmodels' MixedLM loops over participants in Python: seconds for each measure of a cohort of
hundreds. Here the sums of each participant are made once, and every step of the search is a few
array operations. A test compares the two.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_SMALLEST = 1e-5
"""Variance of a random effect, in residual variances, that counts as 0 (own choice)."""


@dataclass(frozen=True, eq=False)
class MixedFit:
    """A fitted model.

    Attributes
    ----------
    beta : numpy.ndarray, shape (k,)
    covariance : numpy.ndarray, shape (k, k)
        Of ``beta``.
    random : numpy.ndarray, shape (r, r)
        Covariance of the random effects.
    residual : float
        Variance of a single observation around its participant's line.
    converged : bool
    degenerate : bool
        A random effect, or a combination of them, has no variance.
    """

    beta: np.ndarray
    covariance: np.ndarray
    random: np.ndarray
    residual: float
    converged: bool
    degenerate: bool


def fit_reml(y: np.ndarray, X: np.ndarray, Z: np.ndarray, persons: np.ndarray) -> MixedFit:
    """Fit y = X beta + Z_i b_i + e, b_i normal with free covariance.

    Profiled restricted likelihood over the Cholesky factor of the relative covariance of the random
    effects (Bates et al. 2015, J Stat Softw 67(1), doi:10.18637/jss.v067.i01, section 3).

    Parameters
    ----------
    y : numpy.ndarray, shape (N,)
        Of about unit variance.
    X : numpy.ndarray, shape (N, k)
        Full rank.
    Z : numpy.ndarray, shape (N, r)
        Random effects: ones and, optionally, times.
    persons : numpy.ndarray, shape (N,)
        Whose observation each is.
    """
    from scipy.optimize import minimize

    code = np.unique(persons, return_inverse=True)[1]
    r, free = Z.shape[1], len(y) - X.shape[1]
    data = np.column_stack([X, y])
    whole = data.T @ data
    ZZ = _sums(code, Z[:, :, None] * Z[:, None, :])
    ZD = _sums(code, Z[:, :, None] * data[:, None, :])
    lower = np.tril_indices(r)
    diagonal = lower[0] == lower[1]

    def parts(theta: np.ndarray):
        L = np.zeros((r, r))
        L[lower] = theta
        inner = np.eye(r) + L.T @ ZZ @ L
        root = np.linalg.cholesky(inner)
        explained = np.linalg.solve(root, L.T @ ZD)
        explained = explained.reshape(-1, explained.shape[-1])
        left = whole - explained.T @ explained
        logs = 2.0 * np.log(np.diagonal(root, axis1=1, axis2=2)).sum()
        return L, left, logs

    def criterion(theta: np.ndarray) -> float:
        _, left, logs = parts(theta)
        A, b, c = left[:-1, :-1], left[:-1, -1], left[-1, -1]
        rest = max(float(c - b @ np.linalg.solve(A, b)), 1e-300)
        return free * np.log(rest) + logs + np.linalg.slogdet(A)[1]

    bounds = [(0.0, None) if on else (None, None) for on in diagonal]
    # A relative deviation of 1, and a small one: the criterion can have two hollows.
    found = [
        minimize(criterion, np.where(diagonal, start, 0.0), method="L-BFGS-B", bounds=bounds)
        for start in (1.0, 0.1)
    ]
    best = min(found, key=lambda result: result.fun)
    if not best.success:  # rounding stops its line search now and then close to the minimum
        best = minimize(criterion, best.x, method="Nelder-Mead", bounds=bounds)
    L, left, _ = parts(best.x)
    A, b, c = left[:-1, :-1], left[:-1, -1], left[-1, -1]
    beta = np.linalg.solve(A, b)
    residual = float(c - b @ beta) / free
    relative = L @ L.T
    return MixedFit(
        beta=beta,
        covariance=residual * np.linalg.inv(A),
        random=residual * relative,
        residual=residual,
        converged=bool(best.success) and np.isfinite(beta).all() and residual > 0,
        degenerate=bool(np.linalg.eigvalsh(relative).min() < _SMALLEST),
    )


def _sums(code: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Add up rows (N, a, b) by participant: (n, a, b)."""
    out = np.zeros((code.max() + 1, *values.shape[1:]))
    np.add.at(out, code, values)
    return out
