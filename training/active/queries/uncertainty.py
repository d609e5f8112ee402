"""The two classical measures of doubt: entropy, and disagreement of an ensemble."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .base import Choice, highest
from .candidates import Candidates


class Entropy:
    """Highest mean predictive entropy (in nnActive the best of the old ones, arXiv:2511.19183)."""

    name = "entropy"

    def pick(
        self,
        candidates: Candidates,
        open_rows: np.ndarray,
        taken: Sequence[int],
        known: np.ndarray,
        rng: np.random.Generator,
    ) -> Choice:
        """See ``Strategy``."""
        index = highest(candidates.entropy, open_rows, rng)
        score = float(candidates.entropy[index])
        return Choice(index, score, f"the model is least sure here, mean entropy {score:.3f}")


class Disagreement:
    """Highest mean mutual information of prediction and member: BALD (arXiv:1112.5745).

    Entropy is also high where two structures truly share a voxel; disagreement only where the
    members of the ensemble contradict each other.
    """

    name = "bald"

    def pick(
        self,
        candidates: Candidates,
        open_rows: np.ndarray,
        taken: Sequence[int],
        known: np.ndarray,
        rng: np.random.Generator,
    ) -> Choice:
        """See ``Strategy``."""
        index = highest(candidates.disagreement, open_rows, rng)
        score = float(candidates.disagreement[index])
        why = f"the model contradicts itself most when the image changes a little, {score:.4f}"
        return Choice(index, score, why)
