"""The baseline: drawn at random among what shows structures."""

from __future__ import annotations

import numpy as np

from .base import Choice, Turn


class ForegroundRandom:
    """Foreground-aware random: any exam or place with a structure in it is as likely as another.

    Plain random places lie in the background nine times in ten. nnActive found that no strategy
    beat random reliably once random was made aware of the foreground (Lueth et al. 2025,
    arXiv:2511.19183), so this is what others have to beat. There a set share of the queries is
    aware of the foreground, and the truth tells where it is; here all are, and the prediction does.
    """

    name = "random"

    def pick(self, turn: Turn) -> Choice:
        """See ``Strategy``; where nothing open shows a structure, any is drawn."""
        shown = turn.open_rows & (turn.candidates.foreground > 0)
        rows = np.flatnonzero(shown if shown.any() else turn.open_rows)
        index = int(turn.rng.choice(rows))
        return Choice(index, 0.0, "drawn at random among what shows structures")
