"""What a structure network may be given: names and number of inputs, without torch."""

from __future__ import annotations

CHANNELS = ("t1", "fa", "md", "v1")
"""Images that a network may take, in the order of its inputs; a model's sidecar says which."""
PLANES = {"t1": 1, "fa": 1, "md": 1, "v1": 3}
"""Inputs of each: the principal direction V1 comes as its colour FA, one plane per RAS axis."""
