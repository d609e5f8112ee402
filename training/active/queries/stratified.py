"""Entropy that is spread over structures and noised, in the manner of ClaSP PE."""

from __future__ import annotations

import numpy as np

from .base import Choice, Turn, highest
from .candidates import Candidates
from .noise import noised

BETA = (1.0, 100.0)
"""Of the power noise, in the first and the last round (own choice): from draws in proportion to
the entropy to nearly always the highest. ``late`` moves between them on a logarithmic scale."""


class StratifiedPowerEntropy:
    """Every other pick is for a structure of its own, and all entropies carry power noise.

    In the manner of ClaSP PE (Lueth, Traub et al. 2026, arXiv:2601.13677), which queries by class
    so that small structures get their share, and noises early rounds more than late ones. The share
    of one half, the even draw of structures and the schedule are our own choices, not the paper's
    settings.

    Parameters
    ----------
    late : float
        Share of the planned rounds that are done, 0-1.
    kind : str
        Of the noise, see ``noise.KINDS``.
    """

    name = "clasp"

    def __init__(self, late: float = 0.0, kind: str = "power"):
        low, high = np.log(BETA)
        self.beta = float(np.exp(low + (high - low) * min(max(late, 0.0), 1.0)))
        self.kind = kind

    def pick(self, turn: Turn) -> Choice:
        """See ``Strategy``; the first, third ... pick is for a structure."""
        candidates, open_rows, rng = turn.candidates, turn.open_rows, turn.rng
        scores, why = candidates.entropy, "the model is unsure here"
        if len(turn.taken) % 2 == 0:
            structure = self._structure(candidates, open_rows, rng)
            if structure is not None:
                of_class = candidates.by_class[:, structure]
                scores = np.nan_to_num(of_class, nan=0.0)
                open_rows = open_rows & np.isfinite(of_class)
                key = candidates.keys[structure - 1].replace("_", " ")
                why = f"the model is unsure of the {key} here"
        score_of = np.zeros(len(candidates))
        rows = np.flatnonzero(open_rows)
        score_of[rows] = noised(scores[rows], self.beta, rng, self.kind)
        index = highest(score_of, open_rows, rng)
        score = float(scores[index])
        return Choice(index, score, f"{why}, mean entropy {score:.3f}, drawn with noise")

    @staticmethod
    def _structure(
        candidates: Candidates, open_rows: np.ndarray, rng: np.random.Generator
    ) -> int | None:
        """Draw a class that something open shows, each as likely as another; None for none."""
        shown = np.flatnonzero(np.isfinite(candidates.by_class[open_rows, 1:]).any(0))
        return 1 + int(rng.choice(shown)) if len(shown) else None
