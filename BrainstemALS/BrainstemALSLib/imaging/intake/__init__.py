"""Reads what comes from outside: DICOM folders, BIDS subjects, diffusion files."""

from .opening import open_source
from .source import Source

__all__ = ["Source", "open_source"]
