"""Array to segmentation to file and back: no voxel moves, on any grid."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import slicer
import vtk
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from vtk.util.numpy_support import numpy_to_vtk, vtk_to_numpy

from BrainstemALSLib.anatomy import load_structures
from BrainstemALSLib.imaging.geometry import from_sitk
from BrainstemALSLib.imaging.reading import read_volume
from BrainstemALSLib.scene.export import export_files
from BrainstemALSLib.scene.labelmap import placed
from BrainstemALSLib.scene.nodes import matrix_of
from BrainstemALSLib.scene.result_nodes import ResultNodes
from BrainstemALSLib.scene.segmentation import (
    corrected_keys,
    edited_extent,
    new_segmentation,
    read_labels,
    write_labels,
)

KEYS = tuple(structure.key for structure in load_structures())
INDICES = [0, 0, *(structure.index for structure in load_structures())]
GRID = (13, 11, 9)

boxes = st.tuples(*[st.integers(0, n - 4) for n in GRID]).flatmap(
    lambda first: st.tuples(
        st.just(first),
        st.tuples(*[st.integers(1, n - a) for n, a in zip(GRID, first, strict=True)]),
    )
)
angles = st.floats(-180, 180, allow_nan=False)
sizes = st.sampled_from((0.5, 0.8, 1.0, 1.25, 2.5))


@st.composite
def affines(draw):
    """Oblique, flipped (negative determinant too) and anisotropic grids."""
    turn = vtk.vtkTransform()
    turn.Translate(*(draw(st.floats(-200, 200)) for _ in range(3)))
    turn.RotateX(draw(angles))
    turn.RotateY(draw(angles))
    turn.RotateZ(draw(angles))
    matrix = np.array([[turn.GetMatrix().GetElement(r, c) for c in range(4)] for r in range(4)])
    signs = [draw(st.sampled_from((-1.0, 1.0))) for _ in range(3)]
    return matrix @ np.diag([*(sign * draw(sizes) for sign in signs), 1.0])


@st.composite
def labelled(draw):
    """A box of the grid and labels in it."""
    first, shape = draw(boxes)
    return first, draw(hnp.arrays(np.uint8, shape, elements=st.sampled_from(INDICES)))


@pytest.fixture
def made_scene(make_scene):
    """Give a function that makes a scene with a T1 of some geometry, under a transform or not."""

    def make(affine, parent=None):
        scene = make_scene()
        t1 = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
        image = vtk.vtkImageData()
        image.SetDimensions(*GRID)
        image.GetPointData().SetScalars(numpy_to_vtk(np.zeros(np.prod(GRID), np.int16), deep=True))
        t1.SetAndObserveImageData(image)
        t1.SetIJKToRASMatrix(matrix_of(affine))
        if parent is not None:
            transform = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
            transform.SetMatrixTransformToParent(matrix_of(parent))
            t1.SetAndObserveTransformNodeID(transform.GetID())
        return t1

    return make


PROPERTY = settings(
    deadline=None,
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@PROPERTY
@given(affine=affines(), parent=st.none() | affines(), content=labelled())
def test_segmentation_gives_back_the_array(made_scene, affine, parent, content):
    offset, labels = content
    if parent is not None:
        parent = parent @ np.diag([*1 / np.linalg.norm(parent[:3, :3], axis=0), 1.0])
    t1 = made_scene(affine, parent)
    node = new_segmentation(t1, "Brainstem")

    write_labels(node, labels, offset, t1, KEYS)

    assert edited_extent(node, t1, offset, labels.shape) == (offset, labels.shape)
    np.testing.assert_array_equal(read_labels(node, t1, offset, labels.shape), labels)
    assert corrected_keys(node, labels, offset, t1) == ()


@settings(PROPERTY, max_examples=20)
@given(affine=affines(), content=labelled(), move=st.booleans())
def test_exported_files_give_back_the_array(
    made_scene, make_scene, measures, affine, content, move
):
    offset, labels = content
    parent = np.eye(4)
    if move:
        turn = vtk.vtkTransform()
        turn.RotateWXYZ(33, 1, 1, 0)
        turn.Translate(4, 5, 6)
        parent = np.array([[turn.GetMatrix().GetElement(r, c) for c in range(4)] for r in range(4)])
    t1 = made_scene(affine, parent)
    node = new_segmentation(t1, "Brainstem")
    write_labels(node, labels, offset, t1, KEYS)
    whole = placed(labels, offset, ((0, 0, 0), GRID))

    with tempfile.TemporaryDirectory() as folder:
        files = export_files(folder, "sub-1", ResultNodes.from_segmentation(node), measures)
        label_map = from_sitk(sitk.ReadImage(str(files[0])))
        back = _loaded(make_scene(), files[2])

    np.testing.assert_array_equal(label_map.array, whole)
    # NIfTI keeps single precision.
    np.testing.assert_allclose(label_map.affine, parent @ affine, atol=1e-3)
    world = made_scene(parent @ affine)
    copy = new_segmentation(world, "copy")
    copy.GetSegmentation().DeepCopy(back.GetSegmentation())
    np.testing.assert_array_equal(read_labels(copy, world, (0, 0, 0), GRID), whole)


def test_the_librarys_own_reader_takes_the_label_map(made_scene, measures, tmp_path):
    labels = np.full((4, 5, 6), 9, np.uint8)
    t1 = made_scene(np.diag([-2.0, 2, 2, 1]))
    node = new_segmentation(t1, "Brainstem")
    write_labels(node, labels, (1, 2, 3), t1, KEYS)

    files = export_files(tmp_path, "sub-1", ResultNodes.from_segmentation(node), measures)

    volume = read_volume(files[0], "label map")
    np.testing.assert_array_equal(volume.array, placed(labels, (1, 2, 3), ((0, 0, 0), GRID)))


def test_numpy_values_of_other_types_survive_in_layers(made_scene):
    """Slicer may widen a layer's type; labels stay what they are."""
    labels = np.zeros(GRID, np.uint8)
    labels[2:5, 2:5, 2:5], labels[6:8, 6:8, 6:8] = 9, 62
    t1 = made_scene(np.eye(4))
    node = new_segmentation(t1, "Brainstem")
    write_labels(node, labels, (0, 0, 0), t1, KEYS)
    image = node.GetBinaryLabelmapInternalRepresentation(KEYS[0])
    wide = vtk_to_numpy(image.GetPointData().GetScalars()).astype(np.int16)
    image.GetPointData().SetScalars(numpy_to_vtk(wide, deep=True))

    np.testing.assert_array_equal(read_labels(node, t1, (0, 0, 0), GRID), labels)


def _loaded(scene, path: Path):
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    storage = scene.AddNewNodeByClass("vtkMRMLSegmentationStorageNode")
    storage.SetFileName(str(path))
    assert storage.ReadData(node)
    assert isinstance(node, slicer.vtkMRMLSegmentationNode)
    return node
