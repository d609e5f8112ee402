"""Diversity: the exam that is least like what was corrected and what is already on the list."""

from __future__ import annotations

import numpy as np

from .base import Choice, Turn, highest


class CoreSet:
    """Greedy k-centre on features (Sener & Savarese 2018, arXiv:1708.00489, algorithm 1).

    Features are standardised over all candidates, so that none counts by its unit. Where nothing is
    corrected yet, the first one is the medoid: the candidate nearest to the middle of all.
    """

    name = "coreset"

    def pick(self, turn: Turn) -> Choice:
        """See ``Strategy``."""
        features = turn.candidates.features
        middle, spread = features.mean(0), features.std(0)
        spread = np.where(spread > 1e-9, spread, 1.0)
        features = (features - middle) / spread
        # Distance per feature, so that the figure does not grow with their number.
        root = np.sqrt(features.shape[1])
        centres = np.concatenate([(turn.known - middle) / spread, features[list(turn.taken)]])
        if not len(centres):
            index = highest(-np.linalg.norm(features, axis=1), turn.open_rows, turn.rng)
            return Choice(index, 0.0, "the most typical of what nobody has corrected")
        nearest = np.full(len(features), np.inf)
        for centre in centres:
            nearest = np.minimum(nearest, np.linalg.norm(features - centre, axis=1))
        index = highest(nearest, turn.open_rows, turn.rng)
        score = float(nearest[index] / root)
        return Choice(index, score, f"least like what is corrected or listed, distance {score:.2f}")
