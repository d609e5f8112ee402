"""Images of two patients are not mixed."""

from __future__ import annotations

import pytest
import slicer

from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.scene.patients import check_one_patient


@pytest.fixture
def in_study():
    """Give a function that adds a volume under a patient's study, as the DICOM module does."""
    scene = slicer.vtkMRMLScene()
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.ResolveSubjectHierarchy(scene)

    def add(patient: str | None) -> slicer.vtkMRMLScalarVolumeNode:
        node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
        if patient is not None:
            root = hierarchy.GetSceneItemID()
            item = hierarchy.GetItemChildWithName(root, patient)
            if not item:
                item = hierarchy.CreateSubjectItem(root, patient)
                hierarchy.CreateStudyItem(item, "study")
            hierarchy.CreateItem(hierarchy.GetItemChildWithName(item, "study"), node)
        return node

    yield add
    scene.Clear(True)


def test_two_patients_are_refused_without_their_names(in_study):
    nodes = {"T1": in_study("Doe^Jane"), "FA": in_study("Roe^Richard"), "MD": None}

    with pytest.raises(BrainstemALSError, match="FA: it belongs to another patient") as refusal:
        check_one_patient(nodes)

    assert refusal.value.code == ExitCode.MISMATCHED_IMAGES
    assert "Doe" not in str(refusal.value)
    assert "Roe" not in str(refusal.value)


def test_one_patient_and_what_nobody_knows_pass(in_study):
    check_one_patient({"T1": in_study("Doe^Jane"), "FA": in_study("Doe^Jane")})
    check_one_patient({"T1": in_study("Doe^Jane"), "FA": in_study(None)})
    check_one_patient({"T1": in_study(None), "FA": in_study(None), "MD": None})
