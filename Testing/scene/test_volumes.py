"""Volume nodes become arrays in the patient's space, or are refused in a sentence."""

from __future__ import annotations

import numpy as np
import pytest
import slicer
import vtk
from hypothesis import given, settings
from hypothesis import strategies as st
from vtk.util.numpy_support import numpy_to_vtk

from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.scene.nodes import matrix_of
from BrainstemALSLib.scene.volumes import tensors_from_node, volume_from_node

ARRAY = np.arange(2 * 3 * 4, dtype=np.int16).reshape(2, 3, 4)


def transformed(scene, node, matrix, parent=None):
    transform = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    transform.SetMatrixTransformToParent(matrix_of(matrix))
    if parent is not None:
        transform.SetAndObserveTransformNodeID(parent.GetID())
    node.SetAndObserveTransformNodeID(transform.GetID())
    return transform


def rigid(angle, shift):
    turn = vtk.vtkTransform()
    turn.Translate(*shift)
    turn.RotateWXYZ(angle, 1, 2, 3)
    return np.array([[turn.GetMatrix().GetElement(r, c) for c in range(4)] for r in range(4)])


def test_array_and_affine_are_the_nodes(add_volume):
    affine = np.array([[-1.2, 0, 0, 90], [0, 0.9, 0, -120], [0, 0, 2, -70], [0, 0, 0, 1.0]])
    node = add_volume(ARRAY, affine)

    volume = volume_from_node(node)

    assert volume.array.dtype == np.int16
    np.testing.assert_array_equal(volume.array, ARRAY)
    np.testing.assert_allclose(volume.affine, affine, atol=1e-12)
    node.GetImageData().GetPointData().GetScalars().SetTuple1(1, 77)  # i = 1, j = k = 0
    assert volume.array[1, 0, 0] == 77, "the array is a view"


@settings(deadline=None, max_examples=25)
@given(
    angles=st.tuples(st.floats(-180, 180), st.floats(-180, 180)),
    shift=st.tuples(*[st.floats(-100, 100)] * 3),
    flips=st.tuples(*[st.sampled_from((-1.0, 1.0))] * 3),
)
def test_nested_transforms_are_part_of_the_affine(angles, shift, flips):
    scene = slicer.vtkMRMLScene()
    node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
    image = vtk.vtkImageData()
    image.SetDimensions(*ARRAY.shape)
    image.GetPointData().SetScalars(numpy_to_vtk(ARRAY.ravel(order="F"), deep=True))
    node.SetAndObserveImageData(image)
    affine = rigid(20, (1, 2, 3)) @ np.diag([*np.multiply(flips, (1, 0.5, 2)), 1])
    node.SetIJKToRASMatrix(matrix_of(affine))
    outer, inner = rigid(angles[0], shift), rigid(angles[1], (5, 0, -3))
    top = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    top.SetMatrixTransformToParent(matrix_of(outer))
    transformed(scene, node, inner, top)

    volume = volume_from_node(node)

    np.testing.assert_allclose(volume.affine, outer @ inner @ affine, atol=1e-9)
    scene.Clear(True)


def test_what_is_no_image_is_refused(scene, add_volume):
    empty = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
    vector = scene.AddNewNodeByClass("vtkMRMLVectorVolumeNode")
    image = vtk.vtkImageData()
    image.SetDimensions(3, 3, 3)
    image.AllocateScalars(vtk.VTK_FLOAT, 3)
    vector.SetAndObserveImageData(image)
    labels = add_volume(ARRAY, kind="vtkMRMLLabelMapVolumeNode")
    flat = add_volume(ARRAY[:, :, :1])
    model = scene.AddNewNodeByClass("vtkMRMLTableNode")
    removed = add_volume(ARRAY)
    scene.RemoveNode(removed)

    for node, words in (
        (None, "no image is chosen"),
        (empty, "no image data"),
        (vector, "3 values per voxel"),
        (labels, "label map"),
        (flat, "single slice"),
        (model, "not a scalar image"),
        (removed, "no longer in the scene"),
    ):
        with pytest.raises(BrainstemALSError, match=f"^FA: .*{words}") as refusal:
            volume_from_node(node, "FA")
        assert refusal.value.code == ExitCode.UNSUITABLE_IMAGE
        assert "Doe" not in str(refusal.value)


def test_a_transform_that_bends_or_shears_is_refused(scene, add_volume):
    node = add_volume(ARRAY)
    sheared = np.eye(4)
    sheared[0, 1] = 0.1
    transformed(scene, node, sheared)
    with pytest.raises(BrainstemALSError, match="perpendicular"):
        volume_from_node(node)

    bent = scene.AddNewNodeByClass("vtkMRMLTransformNode")
    spline = vtk.vtkThinPlateSplineTransform()
    points = vtk.vtkPoints()
    for point in ((0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1), (2, 2, 2)):
        points.InsertNextPoint(point)
    moved = vtk.vtkPoints()
    moved.DeepCopy(points)
    moved.SetPoint(4, 3, 2, 2)
    spline.SetSourceLandmarks(points)
    spline.SetTargetLandmarks(moved)
    spline.SetBasisToR()
    bent.SetAndObserveTransformToParent(spline)
    node.SetAndObserveTransformNodeID(bent.GetID())
    with pytest.raises(BrainstemALSError, match="Harden transform"):
        volume_from_node(node)


def test_tensors_have_their_axes_in_order(scene):
    tensors = np.random.default_rng(0).normal(size=(2, 3, 4, 3, 3)).astype(np.float32)
    node = scene.AddNewNodeByClass("vtkMRMLDiffusionTensorVolumeNode")
    image = vtk.vtkImageData()
    image.SetDimensions(2, 3, 4)
    flat = np.ascontiguousarray(tensors.transpose(2, 1, 0, 3, 4)).reshape(-1, 9)
    image.GetPointData().SetTensors(numpy_to_vtk(flat, deep=True))
    node.SetAndObserveImageData(image)
    node.SetIJKToRASMatrix(matrix_of(np.diag([2.0, 2, 2, 1])))

    volume = tensors_from_node(node)

    np.testing.assert_array_equal(volume.array, tensors)
    assert not volume.array.flags.owndata, "a view: nothing had to be turned"
    np.testing.assert_allclose(volume.affine, np.diag([2.0, 2, 2, 1]))
    with pytest.raises(BrainstemALSError, match="not a scalar image"):
        volume_from_node(node)


def test_a_dti_without_tensors_is_refused(scene, add_volume):
    empty = scene.AddNewNodeByClass("vtkMRMLDiffusionTensorVolumeNode")
    image = vtk.vtkImageData()
    image.SetDimensions(2, 3, 4)
    image.AllocateScalars(vtk.VTK_FLOAT, 1)
    scalar = scene.AddNewNodeByClass("vtkMRMLDiffusionTensorVolumeNode")
    scalar.SetAndObserveImageData(image)
    for node in (empty, scalar):
        with pytest.raises(BrainstemALSError, match="DTI without tensor data") as refusal:
            tensors_from_node(node)
        assert refusal.value.code == ExitCode.UNSUITABLE_DIFFUSION
    with pytest.raises(BrainstemALSError, match="not a diffusion tensor volume"):
        tensors_from_node(add_volume(ARRAY))
