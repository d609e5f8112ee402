"""The two classical measures of doubt: entropy, and disagreement of an ensemble."""

from __future__ import annotations

from .base import Choice, Turn, highest


class Entropy:
    """Highest mean predictive entropy (in nnActive the best of the old ones, arXiv:2511.19183)."""

    name = "entropy"

    def pick(self, turn: Turn) -> Choice:
        """See ``Strategy``."""
        index = highest(turn.candidates.entropy, turn.open_rows, turn.rng)
        score = float(turn.candidates.entropy[index])
        return Choice(index, score, f"the model is least sure here, mean entropy {score:.3f}")


class Disagreement:
    """Highest mean mutual information of prediction and member: BALD (arXiv:1112.5745).

    Entropy is also high where two structures truly share a voxel; disagreement only where the
    members of the ensemble contradict each other.
    """

    name = "bald"

    def pick(self, turn: Turn) -> Choice:
        """See ``Strategy``."""
        index = highest(turn.candidates.disagreement, turn.open_rows, turn.rng)
        score = float(turn.candidates.disagreement[index])
        why = f"the model contradicts itself most when the image changes a little, {score:.4f}"
        return Choice(index, score, why)
