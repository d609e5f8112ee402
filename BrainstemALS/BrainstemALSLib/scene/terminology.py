"""Coded terms of segments, in the form that 3D Slicer keeps in a segment's tag.

Codes: DICOM PS3.16, CID 7051 (category), CID 7153 (central nervous system) and CID 244
(laterality), version 2022c and later. Structures that CID 7153 does not list carry the code of the
smallest region of it around them; their own name is the segment's name. Nothing is guessed.
"""

from __future__ import annotations

import slicer

from ..anatomy.structures import Structure

CONTEXT = "Segmentation category and type - 3D Slicer General Anatomy list"
REGION_CONTEXT = "Anatomic codes - DICOM master list"
_NONE = ("", "", "")
_CATEGORY = ("123037004", "SCT", "Anatomical Structure")
_BRAIN_STEM = ("119238007", "SCT", "Brain stem")
# CID 7153 has the midbrain, but neither pons nor medulla oblongata.
_REGIONS = {
    "midbrain": ("61962009", "SCT", "Midbrain"),
    "pons": _BRAIN_STEM,
    "medulla": _BRAIN_STEM,
}
_SIDES = {"left": ("7771000", "SCT", "Left"), "right": ("24028007", "SCT", "Right")}
# Meanings as CID 7153 spells them, by the codes of the table of structures.
_MEANINGS = {
    "11089000": "Superior cerebellar peduncle",
    "30114003": "Medial lemniscus",
    "33723005": "Middle cerebellar peduncle",
    "35918002": "Fourth ventricle",
    "67701001": "Inferior cerebellar peduncle",
    "70007007": "Substantia nigra",
    "80447000": "Cerebral aqueduct",
}


def terminology_entry(structure: Structure) -> str:
    """Return the serialized terminology entry of a structure.

    Category, type and laterality are triples of scheme, code and meaning with ``^`` between them;
    the parts of the entry have ``~`` between them (``vtkSlicerTerminologiesModuleLogic``).
    """
    if structure.snomed is None:
        kind = _REGIONS[structure.parent]
    else:
        kind = (structure.snomed, "SCT", _MEANINGS[structure.snomed])
    side = _SIDES.get(structure.side, _NONE)
    return slicer.vtkSlicerTerminologiesModuleLogic.SerializeTerminologyEntry(
        CONTEXT, *_CATEGORY, *kind, *side, REGION_CONTEXT, *_NONE, *_NONE
    )
