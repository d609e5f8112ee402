"""Reads what comes from outside: DICOM folders, BIDS subjects, diffusion files."""

from .source import Source, open_source

__all__ = ["Source", "open_source"]
