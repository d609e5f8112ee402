"""Diffusion: from a weighted series to tensor maps."""
