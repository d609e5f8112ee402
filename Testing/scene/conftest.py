"""A real MRML scene with what the functions of ``scene`` need, without an application."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest
import slicer
import vtk
from vtk.util.numpy_support import numpy_to_vtk

from BrainstemALSLib.anatomy import by_key
from BrainstemALSLib.imaging.volume import Volume
from BrainstemALSLib.measurement import Measures, measure
from BrainstemALSLib.scene.nodes import matrix_of
from BrainstemALSLib.worker.outcome import Outcome

LOGICS = (
    slicer.vtkSlicerSegmentationsModuleLogic,
    slicer.vtkSlicerVolumesLogic,
    slicer.vtkSlicerTablesLogic,
    slicer.vtkSlicerPlotsLogic,
)


def add_image(scene: object, array: np.ndarray, affine: np.ndarray, class_name: str) -> object:
    """Add a volume node of an array (i, j, k)."""
    node = scene.AddNewNodeByClass(class_name, "Doe^Jane T1")
    image = vtk.vtkImageData()
    image.SetDimensions(*array.shape)
    image.GetPointData().SetScalars(numpy_to_vtk(array.ravel(order="F"), deep=True))
    node.SetIJKToRASMatrix(matrix_of(affine))
    node.SetAndObserveImageData(image)
    return node


@pytest.fixture
def make_scene() -> Iterator[Callable[[], object]]:
    """Give a function that makes a scene; all are closed at the end."""
    scenes, logics = [], []

    def make() -> object:
        scene = slicer.vtkMRMLScene()
        for logic_class in LOGICS:
            logics.append(logic_class())
            logics[-1].SetMRMLScene(scene)
        slicer.vtkMRMLSubjectHierarchyNode.ResolveSubjectHierarchy(scene)
        scenes.append(scene)
        return scene

    yield make
    for scene in scenes:
        scene.Clear(True)


@pytest.fixture
def scene(make_scene) -> object:
    """An empty scene."""
    return make_scene()


@pytest.fixture
def reload(make_scene, tmp_path) -> Callable[[object], object]:
    """Give a function that saves a scene to a file and loads it into a new one."""

    def again(scene: object) -> object:
        bundle = tmp_path / "scene.mrb"
        assert scene.WriteToMRB(str(bundle), None, slicer.vtkMRMLMessageCollection())
        with zipfile.ZipFile(bundle) as archive:
            archive.extractall(tmp_path / "unpacked")
        loaded = make_scene()
        loaded.SetURL(str(next((tmp_path / "unpacked").rglob("*.mrml"))))
        assert loaded.Import()
        return loaded

    return again


@pytest.fixture
def add_volume(scene) -> Callable[..., object]:
    """Give a function that adds a volume node of an array and an affine."""

    def add(
        array: np.ndarray, affine: np.ndarray | None = None, kind: str = "vtkMRMLScalarVolumeNode"
    ) -> object:
        return add_image(scene, array, np.eye(4) if affine is None else affine, kind)

    return add


@pytest.fixture(scope="session")
def measures(segmentation, t1) -> Measures:
    """Measures of the spheres."""
    return measure(segmentation, t1)


@pytest.fixture
def t1_node(scene, t1) -> object:
    """The T1 of the spheres, under no transform, named after a patient."""
    return add_image(scene, t1.array, t1.affine, "vtkMRMLScalarVolumeNode")


@pytest.fixture
def outcome(segmentation, measures) -> Outcome:
    """What a worker says of the spheres: a box, with one uncertain place."""
    found = np.argwhere(segmentation.labels.array)
    start, stop = found.min(axis=0) - 2, found.max(axis=0) + 3
    box = tuple(slice(a, b) for a, b in zip(start, stop, strict=True))
    affine = segmentation.labels.affine.copy()
    affine[:3, 3] += affine[:3, :3] @ start
    labels = segmentation.labels.array[box]
    entropy = np.zeros(labels.shape, np.float32)
    entropy[8:13, 9:14, 30:36] = 0.4
    return Outcome(
        labels=Volume(labels, affine),
        entropy=Volume(entropy, affine),
        offset=tuple(int(n) for n in start),
        shape=segmentation.labels.shape,
        affine=segmentation.labels.affine,
        probabilities=None,
        probabilities_offset=(0, 0, 0),
        keys=segmentation.keys,
        modalities=segmentation.modalities,
        unused=(),
        resampled={},
        field_of_view=tuple((0, n - 1) for n in segmentation.labels.shape),
        device="cpu",
        device_reason='a "quoted"; <odd> %: é',
        model=segmentation.model,
        intracranial_mm3=segmentation.intracranial_mm3,
        touches_border={},
        measures=measures,
        timings=segmentation.timings,
    )


@pytest.fixture
def other_outcome(outcome) -> Outcome:
    """Another outcome on the same T1: every label one voxel further along i."""
    return replace(
        outcome,
        labels=Volume(np.roll(outcome.labels.array, 1, axis=0), outcome.labels.affine),
        device="cuda",
    )


@pytest.fixture
def paint() -> Callable[..., None]:
    """Give a function that paints as the Segment Editor does: through Slicer's own logic."""

    logic = slicer.vtkSlicerSegmentationsModuleLogic

    def stroke(
        node: object, t1_node: object, key: str, window: tuple[slice, ...], overwrite: bool = True
    ) -> None:
        segmentation = node.GetSegmentation()
        if overwrite:
            nothing = _filled(t1_node, window, 0)
            for other in segmentation.GetSegmentIDs():
                if other != key:
                    assert logic.SetBinaryLabelmapToSegment(
                        nothing, node, other, logic.MODE_MERGE_MIN, nothing.GetExtent()
                    )
        # Slicer gives a segment that has to leave a shared label map the value 1 first.
        value = segmentation.GetSegment(key).GetLabelValue() if overwrite else 1
        brush = _filled(t1_node, window, value)
        assert logic.SetBinaryLabelmapToSegment(
            brush, node, key, logic.MODE_MERGE_MAX, brush.GetExtent()
        )

    return stroke


def _filled(t1_node: object, window: tuple[slice, ...], value: int) -> object:
    image = slicer.vtkOrientedImageData()
    matrix = vtk.vtkMatrix4x4()
    t1_node.GetIJKToRASMatrix(matrix)
    extent = [(part.start, part.stop - 1) for part in window]
    image.SetExtent([bound for pair in extent for bound in pair])
    image.SetGeometryFromImageToWorldMatrix(matrix)
    image.AllocateScalars(vtk.VTK_UNSIGNED_CHAR, 1)
    image.GetPointData().GetScalars().Fill(value)
    return image


@pytest.fixture
def index_of() -> Callable[[str], int]:
    """Give a function that returns the label value of a structure."""
    return lambda key: by_key()[key].index
