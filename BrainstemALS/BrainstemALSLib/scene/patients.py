"""Whether images belong to one patient, as far as the scene knows."""

from __future__ import annotations

from collections.abc import Mapping

import slicer

from ..errors import BrainstemALSError, ExitCode


def check_one_patient(nodes: Mapping[str, object]) -> None:
    """Refuse images of two patients.

    Only what came in as DICOM has a patient in the subject hierarchy; of other files nothing is
    known here. Whether a map lies on the T1 is checked with the images themselves.

    Parameters
    ----------
    nodes : mapping
        ``"T1"``, ``"FA"`` ... to volume nodes; None values are passed over.

    Raises
    ------
    BrainstemALSError
        MISMATCHED_IMAGES.
    """
    patients: dict[int, str] = {}
    for what, node in nodes.items():
        patient = 0 if node is None else _patient_item(node)
        if patient:
            patients.setdefault(patient, what)
    if len(patients) > 1:
        first, other, *_ = patients.values()
        raise BrainstemALSError(
            other,
            f"it belongs to another patient than the {first}",
            "Choose images of one patient and one visit.",
            ExitCode.MISMATCHED_IMAGES,
        )


def _patient_item(node: object) -> int:
    """Subject hierarchy item of a node's patient; 0 where there is none."""
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(node.GetScene())
    item = hierarchy.GetItemByDataNode(node) if hierarchy is not None else 0
    if not item:
        return 0
    level = slicer.vtkMRMLSubjectHierarchyConstants.GetDICOMLevelPatient()
    return hierarchy.GetItemAncestorAtLevel(item, level)
