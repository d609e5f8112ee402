"""A visit with a diffusion-weighted series: simulated, since nobody's may be shown here."""

from __future__ import annotations

import time

import numpy as np
import pytest

from BrainstemALSLib.annotation.store import CaseStore
from BrainstemALSLib.imaging.geometry import resample
from BrainstemALSLib.installation.requirements import Missing
from BrainstemALSLib.worker.session import State
from Testing.scanned_head import DIRECTIONS, scanned_head

RUN_S = 400
CANCEL_S = 3.0


@pytest.fixture(scope="session")
def scanned(once):
    """A simulated head and its series: coarse and short, so that it is fitted quickly."""
    return once("scanned-head", scanned_head)


@pytest.fixture
def add_series(host):
    """Give a function that adds a series as a node, as Slicer has it after reading a file."""
    import slicer
    import vtk
    from vtk.util.numpy_support import numpy_to_vtk

    from BrainstemALSLib.scene.nodes import matrix_of

    def add(dwi, gradients=True):
        array = np.ascontiguousarray(dwi.volume.array.transpose(2, 1, 0, 3))
        image = vtk.vtkImageData()
        image.SetDimensions(*dwi.volume.array.shape[:3])
        flat = array.reshape(-1, array.shape[3])
        image.GetPointData().SetScalars(numpy_to_vtk(flat, deep=True))
        node = slicer.mrmlScene.AddNewNodeByClass(
            "vtkMRMLDiffusionWeightedVolumeNode", "Doe^Jane DWI"
        )
        node.SetIJKToRASMatrix(matrix_of(dwi.volume.affine))
        node.SetAndObserveImageData(image)
        if gradients:
            node.SetDiffusionGradients(numpy_to_vtk(dwi.bvecs, deep=True))
            node.SetBValues(numpy_to_vtk(dwi.bvals, deep=True))
        return node

    return add


@pytest.fixture
def with_series(host, panel, scanned, add_volume, add_series):
    """T1 and series of the simulated head, chosen in the panel."""
    nodes = {"t1": add_volume(scanned.head.t1), "dwi": add_series(scanned.dwi)}
    for role, node in nodes.items():
        host.choose(getattr(panel.ui, f"{role}Selector"), node)
    return nodes


def segmented(host, panel):
    panel.ui.segmentButton.click()
    host.wait_until(lambda: not panel.run.running, RUN_S)


def codes(panel):
    return {finding.code for finding in panel.visit.outcome.measures.findings}


def measured(measures):
    """Return the diffusion values that there are, by structure and metric."""
    rows = measures.diffusion
    return {(row.key, row.metric): row.value for row in rows if row.value is not None}


def test_a_visit_with_a_series(host, panel, scanned, with_series, stroke, tmp_path):
    import slicer

    from BrainstemALSLib.scene.map_nodes import maps_in_scene

    ui, told = panel.ui, []
    assert "fitted and aligned" in ui.examHintLabel.text
    ui.progressBar.valueChanged.connect(lambda value: told.append((value, ui.progressLabel.text)))
    segmented(host, panel)

    assert panel.messages.text == ""
    values, texts = [value for value, _ in told], " ".join(text for _, text in told)
    assert values == sorted(values)
    for word in ("tensor", "Aligning", "Segmenting"):
        assert word in texts, texts

    # The maps lie beside the T1, where the simulation put them.
    result, outcome = panel.visit.result, panel.visit.outcome
    names = {role: node.GetName() for role, node in result.maps.items()}
    assert (names["fa"], names["md"]) == ("FA from DWI", "MD from DWI")
    assert result.maps["dwi"] is with_series["dwi"]
    assert result.colours.GetImageData().GetNumberOfScalarComponents() == 3
    shift = outcome.maps["fa"].affine - scanned.dwi.volume.affine
    assert np.linalg.norm(shift[:3, 3]) < 3.0
    assert {"fa", "md"} <= set(outcome.modalities)
    assert "FA, MD" in ui.summaryLabel.text

    # A correction is measured with the maps of the run, and what was found about them stays.
    before = codes(panel)
    stroke("pyramid_left", (60, 60, 30), 4)
    host.wait_until(lambda: panel.visit.measures is not None, 60)
    assert panel.messages.text == ""
    after = panel.visit.measures
    assert {one.code for one in outcome.exam_findings} <= {one.code for one in after.findings}
    assert {one.code for one in outcome.exam_findings} <= before
    values = measured(after)
    assert 0.1 < values["pons", "fa"] < 0.9
    assert 0.4 < values["pons", "md"] < 1.5

    # The case that is approved holds the maps and not the series.
    ui.subjectEdit.text, ui.annotatorEdit.text = "ALS-017", "R-01"
    ui.storeEdit.currentPath = str(tmp_path / "store")
    ui.approveButton.click()
    host.wait_until(lambda: "Approved as case" in panel.messages.text, 30)
    store = CaseStore(tmp_path / "store")
    (record,) = store.cases()
    assert {"t1", "fa", "md"} <= set(record.images) <= {"t1", "fa", "md", "v1"}
    assert store.verify(record.case_id) == ()
    panel.messages.clear()

    # Another day.
    maps = outcome.maps
    host.save_scene(tmp_path / "visit.mrb")
    host.load_scene(tmp_path / "visit.mrb")
    panel.enter()
    again = panel.visit.result
    assert panel.visit.parameters.dwi.GetNumberOfGradients() == DIRECTIONS + 1
    found = maps_in_scene(again)
    assert set(panel.visit.outcome.maps) == set(found) == {"fa", "md", "ad", "rd"}
    for role, volume in found.items():
        there = maps[role]
        back = resample(volume, there.array.shape, there.affine, antialias=False).array
        inner = (slice(1, -1),) * 3
        np.testing.assert_allclose(back[inner], there.array[inner], atol=1e-2)
    host.wait_until(lambda: panel.visit.measures is not None, 60)
    assert panel.messages.text == ""
    codes_now = {one.code for one in panel.visit.measures.findings}
    assert {one.code for one in outcome.exam_findings} <= codes_now
    # The probabilities of the run are not in the scene: outlines alone weigh a little differently.
    reloaded = measured(panel.visit.measures)
    for place in (("pons", "fa"), ("pons", "md"), ("midbrain", "fa"), ("midbrain", "md")):
        assert reloaded[place] == pytest.approx(values[place], rel=0.05), place
    assert slicer.mrmlScene.GetFirstNodeByName("Colour FA from DWI") is again.colours


@pytest.mark.alone
def test_cancel_in_the_middle_of_the_fit(host, panel, with_series):
    process = panel.jobs.process
    panel.ui.segmentButton.click()
    host.wait_until(lambda: panel.ui.progressBar.value >= 20, RUN_S)
    begun = time.monotonic()
    panel.ui.cancelButton.click()
    host.wait_until(lambda: process.session.state in (State.DEAD, State.IDLE), 10)
    host.wait_until(lambda: not panel.run.running, 10)
    assert time.monotonic() - begun < CANCEL_S
    assert "Cancelled" in panel.ui.progressLabel.text
    assert panel.visit.result is None


@pytest.mark.parametrize("fault", ["no gradients", "five directions"])
def test_a_series_that_cannot_be_fitted_costs_the_diffusion_alone(
    host, panel, scanned, add_volume, add_series, fault
):
    dwi = scanned.dwi
    if fault == "five directions":
        few = np.flatnonzero(dwi.bvals == 0)[:1].tolist() + np.flatnonzero(dwi.bvals)[:5].tolist()
        volume = type(dwi.volume)(dwi.volume.array[..., few], dwi.volume.affine)
        dwi = type(dwi)(volume, dwi.bvals[few], dwi.bvecs[few])
    host.choose(panel.ui.t1Selector, add_volume(scanned.head.t1))
    host.choose(panel.ui.dwiSelector, add_series(dwi, gradients=fault != "no gradients"))
    segmented(host, panel)
    assert "diffusion series could not be used" in panel.messages.text
    assert "Doe" not in panel.messages.text
    assert panel.visit.outcome.modalities == ("t1",)
    assert "diffusion_not_used" in codes(panel)
    assert "could not be used" in panel.ui.findingsText.toPlainText()
    assert panel.visit.result.colours is None


def test_maps_that_are_given_win_and_the_panel_says_so(
    host, panel, with_series, add_volume, scanned
):
    fa = add_volume(scanned.head.t1)
    host.choose(panel.ui.faSelector, fa)
    assert "FA given, so the DWI is not used" in panel.ui.examHintLabel.text
    assert set(panel.visit.inputs()) == {"t1", "fa"}
    host.choose(panel.ui.faSelector, None)
    assert set(panel.visit.inputs()) == {"t1", "dwi"}


def test_a_series_of_another_patient_is_refused(host, panel, with_series):
    import slicer

    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    for role, patient in (("t1", "Doe^Jane"), ("dwi", "Roe^Richard")):
        item = hierarchy.CreateSubjectItem(hierarchy.GetSceneItemID(), patient)
        own = hierarchy.GetItemByDataNode(with_series[role])
        own = own or hierarchy.CreateItem(hierarchy.GetSceneItemID(), with_series[role])
        hierarchy.SetItemParent(own, item)
    panel.ui.segmentButton.click()
    assert "DWI: it belongs to another patient than the T1" in panel.messages.text
    assert not panel.run.running


def test_a_series_belongs_to_its_t1(host, panel, with_series, add_volume, scanned):
    other = add_volume(scanned.head.t1, "another")
    host.choose(panel.ui.t1Selector, other)
    assert panel.visit.parameters.dwi is None
    host.choose(panel.ui.t1Selector, with_series["t1"])
    assert panel.visit.parameters.dwi is with_series["dwi"]


def test_without_dipy_only_the_fit_is_missing(host, panel, with_series):
    ui = panel.ui
    panel._install._missing = (Missing("dipy", "dipy<2,>=1.9", None),)
    panel.visit_changed()
    assert ui.segmentButton.enabled is False
    assert ui.installButton.visible is True
    assert "Missing for fitting the DWI: dipy<2,>=1.9 (not installed)" in ui.environmentLabel.text
    host.choose(ui.dwiSelector, None)
    assert ui.segmentButton.enabled is True
    assert ui.installButton.visible is False
    assert "dipy" not in ui.environmentLabel.text
