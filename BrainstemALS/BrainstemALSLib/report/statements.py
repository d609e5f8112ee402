"""What every output says about itself."""

from __future__ import annotations

RESEARCH_USE = "Research use only. Not a medical device."
SYNTHETIC_TRAINING = "Model trained on synthetic images."
