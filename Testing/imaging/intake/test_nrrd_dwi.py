"""NRRD as Slicer writes it, and as its format allows."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from BrainstemALSLib.errors import BrainstemALSError
from BrainstemALSLib.imaging.intake.nifti_dwi import read_dwi

TURN = Rotation.from_euler("xyz", (10, 20, -5), degrees=True).as_matrix()
FRAME = Rotation.from_euler("xyz", (0, 15, 30), degrees=True).as_matrix()
SHAPE = (10, 12, 6)


def affine() -> np.ndarray:
    """In RAS."""
    matrix = np.eye(4)
    matrix[:3, :3] = TURN @ np.diag([-2.0, 2.0, 2.5])
    matrix[:3, 3] = (11, -7, 3)
    return matrix


def voxels(n: int) -> np.ndarray:
    return np.arange(np.prod(SHAPE) * n).reshape(*SHAPE, n) % 5000


def vectors(numbers) -> str:
    return " ".join("(" + ",".join(f"{x:.12g}" for x in row) + ")" for row in numbers)


def write(path, gradients, space="left-posterior-superior", list_first=False, frame=None, **extra):
    """Write an NRRD of Slicer's format; directions and frame as they stand in the header."""
    flip = np.diag([-1.0, -1.0, 1.0]) if space.startswith("left-posterior") else np.eye(3)
    axes = vectors((flip @ affine()[:3, :3]).T)
    n = extra.pop("n", len(gradients))
    array = voxels(n).astype("<i2")
    sizes = [n, *SHAPE] if list_first else [*SHAPE, n]
    order = (3, 0, 1, 2) if list_first else (0, 1, 2, 3)
    directions, kinds = (
        (f"none {axes}", "list space space space")
        if list_first
        else (f"{axes} none", "space space space list")
    )
    lines = [
        "NRRD0005",
        "type: int16",
        "dimension: 4",
        f"space: {space}",
        f"sizes: {' '.join(map(str, sizes))}",
        f"space directions: {directions}",
        f"kinds: {kinds}",
        "endian: little",
        "encoding: raw",
        f"space origin: {vectors([flip @ affine()[:3, 3]])}",
    ]
    if frame is not None:
        lines.append(f"measurement frame: {vectors(np.asarray(frame).T)}")
    pairs = {"modality": "DWMRI", "DWMRI_b-value": "1000"}
    for number, row in enumerate(gradients):
        if row is not None:
            pairs[f"DWMRI_gradient_{number:04d}"] = " ".join(f"{x:.9f}" for x in row)
    lines += [f"{key}:={value}" for key, value in {**pairs, **extra}.items()]
    header = ("\n".join(lines) + "\n\n").encode()
    path.write_bytes(header + array.transpose(order).tobytes(order="F"))
    return path


@pytest.mark.parametrize("list_first", [True, False])
@pytest.mark.parametrize("space", ["left-posterior-superior", "right-anterior-superior"])
def test_directions_in_ras(list_first, space, tmp_path, gradients):
    signs = (-1.0, -1.0, 1.0) if space.startswith("left") else (1.0, 1.0, 1.0)
    stored = (gradients.bvecs * signs) @ FRAME  # the frame brings it back to the space
    found = read_dwi(write(tmp_path / "x.nrrd", stored, space, list_first, FRAME))
    assert np.allclose(found.bvecs, gradients.bvecs, atol=1e-6)
    assert np.allclose(found.bvals, gradients.bvals)
    assert np.allclose(found.volume.affine, affine(), atol=1e-6)
    assert np.array_equal(found.volume.array, voxels(8))
    assert found.volume.array.dtype == np.float32


def test_length_of_a_gradient_is_its_weighting(tmp_path, gradients):
    stored = gradients.bvecs * np.sqrt([0, 1, 1, 1, 0.5, 0.5, 0.25, 0.25])[:, None]
    found = read_dwi(write(tmp_path / "x.nrrd", stored, "right-anterior-superior"))
    assert np.allclose(found.bvals, [0, 1000, 1000, 1000, 500, 500, 250, 250], atol=1e-3)
    assert np.allclose(np.linalg.norm(found.bvecs[1:], axis=1), 1.0)


def test_repeats(tmp_path, gradients):
    rows = [gradients.bvecs[0], gradients.bvecs[1], None, None, *gradients.bvecs[4:]]
    found = read_dwi(
        write(tmp_path / "x.nrrd", rows, "right-anterior-superior", DWMRI_NEX_0001="3")
    )
    assert np.allclose(found.bvecs[1:4], gradients.bvecs[1], atol=1e-6)
    assert np.allclose(found.bvecs[4:], gradients.bvecs[4:], atol=1e-6)


def test_b_matrix(tmp_path, gradients):
    direction = gradients.bvecs[3]
    matrix = 700.0 * np.outer(direction, direction)
    text = " ".join(
        f"{matrix[i, j]:.6f}" for i, j in ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2))
    )
    rows = [None if n == 3 else row for n, row in enumerate(gradients.bvecs)]
    found = read_dwi(
        write(tmp_path / "x.nrrd", rows, "right-anterior-superior", **{"DWMRI_B-matrix_0003": text})
    )
    assert found.bvals[3] == pytest.approx(700, abs=0.1)
    assert abs(found.bvecs[3] @ direction) == pytest.approx(1, abs=1e-5)
    assert found.bvals[1] == pytest.approx(1000, abs=0.01)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"modality": "CT"}, "no diffusion gradients"),
        ({"DWMRI_b-value": "much"}, "gradients in the header of this DWI are damaged"),
        ({"DWMRI_gradient_0002": "1 0"}, "damaged"),
        ({"DWMRI_gradient_0002": "nan 0 1"}, "damaged"),
        ({"DWMRI_gradient_0008": "0 0 1"}, "has 9 gradients, but the image has 8 volumes"),
        ({"n": 9}, "has 8 gradients, but the image has 9 volumes"),
    ],
)
def test_wrong_headers(change, said, tmp_path, gradients):
    path = write(tmp_path / "x.nrrd", gradients.bvecs, **change)
    with pytest.raises(BrainstemALSError) as caught:
        read_dwi(path)
    assert said in caught.value.problem
    assert caught.value.subject == "x.nrrd"


def test_a_frame_that_is_no_rotation(tmp_path, gradients):
    path = write(tmp_path / "x.nrrd", gradients.bvecs, frame=2 * np.eye(3))
    with pytest.raises(BrainstemALSError, match="not a rotation"):
        read_dwi(path)


def test_a_file_that_breaks_off(tmp_path, gradients):
    path = write(tmp_path / "x.nrrd", gradients.bvecs)
    path.write_bytes(path.read_bytes()[:-3000])
    with pytest.raises(BrainstemALSError, match="incomplete or damaged"):
        read_dwi(path)


def test_what_slicer_writes(tmp_path, gradients):
    slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")
    import vtk
    from vtk.util.numpy_support import numpy_to_vtk

    scene = slicer.vtkMRMLScene()
    node = scene.AddNewNodeByClass("vtkMRMLDiffusionWeightedVolumeNode", "series")
    image = vtk.vtkImageData()
    image.SetDimensions(*SHAPE)
    stored = voxels(8).astype(np.int16).transpose(2, 1, 0, 3).reshape(-1, 8)
    image.GetPointData().SetScalars(numpy_to_vtk(np.ascontiguousarray(stored), deep=True))
    matrix = vtk.vtkMatrix4x4()
    matrix.DeepCopy(affine().ravel())
    node.SetIJKToRASMatrix(matrix)
    node.SetAndObserveImageData(image)
    node.SetNumberOfGradients(8)
    bvals = [0.0, 1000.0, 1000.0, 1000.0, 1000.0, 500.0, 500.0, 500.0]
    for n, (b, direction) in enumerate(zip(bvals, gradients.bvecs, strict=True)):
        node.SetBValue(n, b)
        node.SetDiffusionGradient(n, list(direction @ FRAME))
    node.SetMeasurementFrameMatrix(*FRAME.ravel())
    storage = slicer.vtkMRMLNRRDStorageNode()
    scene.AddNode(storage)
    path = tmp_path / "series.nrrd"
    storage.SetFileName(str(path))
    assert storage.WriteData(node)
    found = read_dwi(path)
    assert np.allclose(found.bvals, bvals, atol=1e-6)
    assert np.allclose(found.bvecs, gradients.bvecs, atol=1e-6)
    assert np.allclose(found.volume.affine, affine(), atol=1e-6)
    assert np.array_equal(found.volume.array, voxels(8))
    scene.Clear(True)
