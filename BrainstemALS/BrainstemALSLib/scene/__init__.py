"""MRML nodes in and out: what the panels and scripts see of volumes, segments and results."""
