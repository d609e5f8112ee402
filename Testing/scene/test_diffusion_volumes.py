"""Diffusion nodes become series, tensors and directions in the patient's frame, or are refused."""

from __future__ import annotations

import numpy as np
import pytest
import slicer
import vtk
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation
from vtk.util.numpy_support import numpy_to_vtk

from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.scene.nodes import matrix_of
from BrainstemALSLib.scene.volumes import (
    directions_from_node,
    dwi_from_node,
    tensors_from_node,
    volume_from_node,
)

SHAPE = (4, 5, 6)
BVALS = np.array([0.0, 1000, 1000, 500, 1000, 2000, 1000, 5])
GRADIENTS = np.random.default_rng(3).normal(size=(len(BVALS), 3))
GRADIENTS /= np.linalg.norm(GRADIENTS, axis=1)[:, None]
SERIES = np.random.default_rng(4).integers(1, 900, size=(*SHAPE, len(BVALS))).astype(np.int16)
PLACE = np.array([[0.0, -2.0, 0, 10], [1.5, 0, 0, 20], [0, 0, 1.8, 30], [0, 0, 0, 1]])

turns = st.tuples(*[st.floats(-180, 180, allow_nan=False)] * 3)


def turn(angles) -> np.ndarray:
    return Rotation.from_euler("xyz", angles, degrees=True).as_matrix()


def square(matrix) -> np.ndarray:
    whole = np.eye(4)
    whole[:3, :3] = matrix
    return whole


def image_of(array) -> vtk.vtkImageData:
    image = vtk.vtkImageData()
    image.SetDimensions(*array.shape[:3])
    flat = np.ascontiguousarray(array.transpose(2, 1, 0, 3)).reshape(-1, array.shape[3])
    image.GetPointData().SetScalars(numpy_to_vtk(flat, deep=True))
    return image


def under(node, *matrices) -> None:
    """Put a node under transforms, the outermost first."""
    for matrix in matrices:
        transform = node.GetScene().AddNewNodeByClass("vtkMRMLLinearTransformNode")
        transform.SetMatrixTransformToParent(matrix_of(matrix))
        transform.SetAndObserveTransformNodeID(node.GetTransformNodeID())
        node.SetAndObserveTransformNodeID(transform.GetID())


def series_node(scene, gradients=GRADIENTS, bvals=BVALS, frame=None):
    node = scene.AddNewNodeByClass("vtkMRMLDiffusionWeightedVolumeNode", "Doe^Jane DWI")
    node.SetAndObserveImageData(image_of(SERIES))
    node.SetIJKToRASMatrix(matrix_of(PLACE))
    if gradients is not None:
        node.SetDiffusionGradients(numpy_to_vtk(np.ascontiguousarray(gradients), deep=True))
        node.SetBValues(numpy_to_vtk(np.ascontiguousarray(bvals), deep=True))
    if frame is not None:
        node.SetMeasurementFrameMatrix(matrix_of(square(frame)))
    return node


def tensor_node(scene, tensors, frame):
    node = scene.AddNewNodeByClass("vtkMRMLDiffusionTensorVolumeNode")
    image = vtk.vtkImageData()
    image.SetDimensions(*tensors.shape[:3])
    flat = np.ascontiguousarray(tensors.transpose(2, 1, 0, 3, 4)).reshape(-1, 9)
    image.GetPointData().SetTensors(numpy_to_vtk(flat, deep=True))
    node.SetAndObserveImageData(image)
    node.SetIJKToRASMatrix(matrix_of(PLACE))
    node.SetMeasurementFrameMatrix(matrix_of(square(frame)))
    return node


@settings(deadline=None, max_examples=25)
@given(frame=turns, outer=turns, inner=turns)
def test_gradients_follow_the_measurement_frame_and_all_transforms(frame, outer, inner):
    scene = slicer.vtkMRMLScene()
    node = series_node(scene, frame=turn(frame))
    under(node, square(turn(outer)), square(turn(inner)))

    dwi = dwi_from_node(node)

    weighted = BVALS > 50
    truth = GRADIENTS @ (turn(outer) @ turn(inner) @ turn(frame)).T
    np.testing.assert_allclose(dwi.bvecs[weighted], truth[weighted], atol=1e-9)
    np.testing.assert_array_equal(dwi.bvecs[~weighted], 0.0)
    np.testing.assert_array_equal(dwi.bvals, BVALS)
    np.testing.assert_array_equal(dwi.volume.array, SERIES)
    place = square(turn(outer)) @ square(turn(inner)) @ PLACE
    np.testing.assert_allclose(dwi.volume.affine, place, atol=1e-9)
    scene.Clear(True)


@settings(deadline=None, max_examples=25)
@given(frame=turns, outer=turns)
def test_tensors_follow_the_measurement_frame_and_the_transform(frame, outer):
    scene = slicer.vtkMRMLScene()
    axes = np.random.default_rng(5).normal(size=(*SHAPE, 3, 3))
    tensors = (axes @ axes.swapaxes(-1, -2)).astype(np.float32)
    node = tensor_node(scene, tensors, turn(frame))
    under(node, square(turn(outer)))

    found = tensors_from_node(node).array

    whole = turn(outer) @ turn(frame)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, whole @ tensors @ whole.T, rtol=1e-4, atol=1e-4)
    scene.Clear(True)


@pytest.mark.parametrize("space", ["left-posterior-superior", "right-anterior-superior"])
@pytest.mark.parametrize("list_first", [True, False])
def test_a_file_that_slicer_reads_gives_the_gradients_of_its_frame(
    scene, tmp_path, space, list_first
):
    """An NRRD written by hand: what Slicer makes of frame, b-values and lengths is looked at."""
    frame = turn((10, 20, 30))
    gradients = np.where(BVALS[:, None] > 50, GRADIENTS * np.sqrt(BVALS / 2000)[:, None], 0.0)
    path = tmp_path / "series.nrrd"
    write_nrrd(path, space, frame, gradients, 2000.0, list_first)
    node = scene.AddNewNodeByClass("vtkMRMLDiffusionWeightedVolumeNode")
    storage = scene.AddNewNodeByClass("vtkMRMLNRRDStorageNode")
    storage.SetFileName(str(path))
    assert storage.ReadData(node)

    dwi = dwi_from_node(node)

    to_ras = np.diag([-1.0, -1, 1]) if space.startswith("left") else np.eye(3)
    weighted = BVALS > 50
    np.testing.assert_allclose(
        dwi.bvecs[weighted], (GRADIENTS @ (to_ras @ frame).T)[weighted], atol=1e-6
    )
    np.testing.assert_allclose(dwi.bvals[weighted], BVALS[weighted], rtol=1e-5)
    np.testing.assert_array_equal(dwi.volume.array, SERIES)
    np.testing.assert_allclose(dwi.volume.affine[:3, :3], to_ras @ PLACE[:3, :3], atol=1e-9)


def write_nrrd(path, space, frame, gradients, bvalue, list_first) -> None:
    def vectors(columns):
        return [f"({','.join(repr(float(n)) for n in column)})" for column in columns.T]

    directions, sizes, kinds = vectors(PLACE[:3, :3]), list(map(str, SHAPE)), ["domain"] * 3
    place = 0 if list_first else 3
    for items, item in ((directions, "none"), (sizes, str(len(gradients))), (kinds, "list")):
        items.insert(place, item)
    header = [
        "NRRD0005",
        "type: short",
        "dimension: 4",
        f"space: {space}",
        f"sizes: {' '.join(sizes)}",
        f"space directions: {' '.join(directions)}",
        f"kinds: {' '.join(kinds)}",
        "endian: little",
        "encoding: raw",
        "space origin: (10,20,30)",
        f"measurement frame: {' '.join(vectors(frame))}",
        "modality:=DWMRI",
        f"DWMRI_b-value:={bvalue}",
    ]
    for number, gradient in enumerate(gradients):
        values = " ".join(repr(float(n)) for n in gradient)
        header.append(f"DWMRI_gradient_{number:04d}:={values}")
    order = (2, 1, 0, 3) if list_first else (3, 2, 1, 0)
    voxels = np.ascontiguousarray(SERIES.transpose(order)).astype("<i2").tobytes()
    path.write_bytes(("\n".join(header) + "\n\n").encode() + voxels)


def test_a_series_comes_back_with_the_scene(scene, reload):
    frame = turn((10, -20, 5))
    node = series_node(scene, frame=frame)
    before = dwi_from_node(node)

    after = dwi_from_node(reload(scene).GetFirstNodeByName(node.GetName()))

    np.testing.assert_array_equal(after.volume.array, before.volume.array)
    np.testing.assert_allclose(after.volume.affine, before.volume.affine, atol=1e-9)
    np.testing.assert_allclose(after.bvecs, before.bvecs, atol=1e-9)
    weighted = BVALS > 50
    np.testing.assert_allclose(after.bvals[weighted], before.bvals[weighted], rtol=1e-6)


def test_directions_turn_with_the_transform(scene):
    node = scene.AddNewNodeByClass("vtkMRMLVectorVolumeNode")
    v1 = np.random.default_rng(6).normal(size=(*SHAPE, 3)).astype(np.float32)
    node.SetAndObserveImageData(image_of(v1))
    under(node, square(turn((0, 0, 40))))
    np.testing.assert_allclose(
        directions_from_node(node).array, v1 @ turn((0, 0, 40)).T, rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize(
    ("gradients", "bvals", "words"),
    [
        (None, None, "8 images, but 7 b-values"),  # what a new node has
        (GRADIENTS[:0], BVALS[:0], "no gradients"),
        (GRADIENTS[:5], BVALS, "8 images, but 8 b-values and 5 gradients"),
        (GRADIENTS, BVALS[:7], "7 b-values"),
        (GRADIENTS * 0, BVALS, "all zero"),
        (GRADIENTS, BVALS * 0, "all zero"),
        (GRADIENTS, BVALS * np.nan, "no valid numbers"),
        (GRADIENTS, -BVALS, "no valid numbers"),
    ],
)
def test_a_series_without_sound_gradients_is_refused(scene, gradients, bvals, words):
    with pytest.raises(BrainstemALSError, match=f"^DWI: .*{words}") as refusal:
        dwi_from_node(series_node(scene, gradients, bvals))
    assert refusal.value.code == ExitCode.UNSUITABLE_DIFFUSION
    assert "Doe" not in str(refusal.value)


def test_what_is_no_series_or_lies_where_no_direction_survives_is_refused(scene):
    scalar = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
    with pytest.raises(BrainstemALSError, match="not a diffusion-weighted series"):
        dwi_from_node(scalar)
    with pytest.raises(BrainstemALSError, match="no image data"):
        dwi_from_node(scene.AddNewNodeByClass("vtkMRMLDiffusionWeightedVolumeNode"))
    with pytest.raises(BrainstemALSError, match="8 values per voxel"):
        volume_from_node(series_node(scene), "T1")
    with pytest.raises(BrainstemALSError, match="measurement frame"):
        dwi_from_node(series_node(scene, frame=np.diag([1.0, 1, 2])))
    stretched = series_node(scene)
    under(stretched, square(np.diag([1.0, 1, 1.2])))
    with pytest.raises(BrainstemALSError, match="stretches or shears") as refusal:
        dwi_from_node(stretched)
    assert refusal.value.code == ExitCode.UNSUITABLE_DIFFUSION
