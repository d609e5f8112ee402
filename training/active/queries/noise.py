"""Noise on scores, so that one batch of queries does not ask for the same thing many times.

Kirsch et al. 2023, "Stochastic Batch Acquisition: A Simple Baseline for Deep Active Learning"
(TMLR, arXiv:2106.12059): adding Gumbel noise of scale 1 / beta and taking the highest draws in
proportion to a power of the score (power), to its exponential (softmax) or to a power of its rank
(softrank). Picking one at a time with fresh noise draws from the same distribution as taking the
highest k at once, for power and softmax; for softrank, ranks are taken among what is still open.
"""

from __future__ import annotations

import numpy as np

KINDS = ("power", "softmax", "softrank")
_SMALLEST = 1e-12  # a score of 0 has no logarithm


def noised(
    scores: np.ndarray, beta: float, rng: np.random.Generator, kind: str = "power"
) -> np.ndarray:
    """Return scores with noise; the order of the result is what counts, not its values.

    Parameters
    ----------
    scores : numpy.ndarray, shape (n,)
        0 or more.
    beta : float
        Over 0; the higher, the less noise.
    rng : numpy.random.Generator
    kind : str
        One of ``KINDS``.

    Raises
    ------
    ValueError
        Another kind, or a beta of 0 or less.
    """
    if kind not in KINDS or beta <= 0:
        raise ValueError(f"noise is one of {KINDS} with a beta over 0, not {kind!r} with {beta}")
    scores = np.asarray(scores, float)
    if kind == "power":
        base = np.log(np.maximum(scores, _SMALLEST))
    elif kind == "softmax":
        base = scores
    else:
        rank = np.empty(len(scores))
        rank[np.argsort(-scores, kind="stable")] = np.arange(1, len(scores) + 1)
        base = -np.log(rank)
    return base + rng.gumbel(0.0, 1.0 / beta, len(scores))
