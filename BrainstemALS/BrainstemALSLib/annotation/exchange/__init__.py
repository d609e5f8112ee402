"""Corrections to and from other programs: BIDS derivatives, Slicer's seg.nrrd, MONAI Label."""

from .exporting import FORMATS, export_corrections
from .importing import Choices, Imported, import_corrections, read_codes
from .lookup import Mapping, read_mapping

__all__ = [
    "FORMATS",
    "Choices",
    "Imported",
    "Mapping",
    "export_corrections",
    "import_corrections",
    "read_codes",
    "read_mapping",
]
