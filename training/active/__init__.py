"""The active-learning loop: what to correct next, and what a correction is worth."""
