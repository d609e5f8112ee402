"""seg.nrrd as 3D Slicer writes and reads it."""

from __future__ import annotations

import numpy as np
import pytest

from BrainstemALSLib.annotation.exchange.lookup import structures_of
from BrainstemALSLib.annotation.exchange.placing import place
from BrainstemALSLib.annotation.exchange.seg_nrrd import read_segmentation, write_segmentation
from BrainstemALSLib.errors import BrainstemALSError
from BrainstemALSLib.imaging.volume import Volume

LABELMAP = "Binary labelmap"
SHAPE = (20, 21, 22)
AFFINE = np.diag([-1.5, 1.25, 2.0, 1.0])
AFFINE[:3, 3] = (10.0, -20.0, -30.0)


def oriented(array):
    import slicer
    import vtk
    from vtk.util.numpy_support import numpy_to_vtk

    image = slicer.vtkOrientedImageData()
    image.SetExtent([bound for n in array.shape for bound in (0, n - 1)])
    image.AllocateScalars(vtk.VTK_UNSIGNED_CHAR, 1)
    flat = numpy_to_vtk(array.transpose(2, 1, 0).ravel(), deep=True)
    image.GetPointData().GetScalars().DeepCopy(flat)
    matrix = vtk.vtkMatrix4x4()
    matrix.DeepCopy(AFFINE.ravel())
    image.SetImageToWorldMatrix(matrix)
    return image


def saved(segments, path):
    """Save segments (name to mask) as Slicer does, cut to what is labelled."""
    import slicer

    scene = slicer.vtkMRMLScene()
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    segmentation = node.GetSegmentation()
    for name, mask in segments.items():
        segment = slicer.vtkSegment()
        segment.SetName(name)
        segment.AddRepresentation(LABELMAP, oriented(mask.astype(np.uint8)))
        segmentation.AddSegment(segment)
    segmentation.CollapseBinaryLabelmaps(False)
    storage = scene.AddNewNodeByClass("vtkMRMLSegmentationStorageNode")
    storage.SetCropToMinimumExtent(True)
    storage.SetFileName(str(path))
    assert storage.WriteData(node)
    scene.Clear(True)
    return path


def mask(*bounds):
    array = np.zeros(SHAPE, bool)
    array[tuple(slice(a, b) for a, b in bounds)] = True
    return array


def test_segments_of_slicer_become_structures(host, tmp_path):
    left, right = mask((5, 8), (6, 9), (7, 10)), mask((8, 12), (6, 9), (7, 11))
    path = saved({"Pyramid left": left, "PYR-R": right}, tmp_path / "a.seg.nrrd")
    image = read_segmentation(path)
    assert image.layers[0].shape == (7, 3, 4)  # Slicer cut it

    from BrainstemALSLib.annotation.exchange.lookup import Mapping

    labels, keys = structures_of(image, Mapping(by_name={("left", "pyramid"): 43}))
    whole = place(labels, SHAPE, AFFINE, path.name)

    np.testing.assert_array_equal(whole, 43 * left + 44 * right)
    assert keys == {"pyramid_left", "pyramid_right"}


def test_overlapping_segments_of_slicer_are_refused(host, tmp_path):
    segments = {
        "PYR-L": mask((5, 8), (6, 9), (7, 10)),
        "PYR-R": mask((7, 12), (6, 9), (7, 10)),
    }
    path = saved(segments, tmp_path / "a.seg.nrrd")
    image = read_segmentation(path)
    assert len(image.layers) == 2
    with pytest.raises(BrainstemALSError, match="9 voxels are both"):
        structures_of(image)


def test_slicer_reads_what_we_write(host, tmp_path):
    import slicer
    from vtk.util.numpy_support import vtk_to_numpy

    labels = np.zeros(SHAPE, np.uint8)
    labels[mask((5, 8), (6, 9), (7, 10))] = 43
    labels[mask((8, 12), (6, 9), (7, 11))] = 44
    path = tmp_path / "a.seg.nrrd"
    write_segmentation(Volume(labels, AFFINE), path, ("red_nucleus_left",))
    scene = slicer.vtkMRMLScene()
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    storage = scene.AddNewNodeByClass("vtkMRMLSegmentationStorageNode")
    storage.SetFileName(str(path))
    assert storage.ReadData(node)
    segmentation = node.GetSegmentation()
    ids = [segmentation.GetNthSegmentID(n) for n in range(segmentation.GetNumberOfSegments())]
    assert ids == ["red_nucleus_left", "pyramid_left", "pyramid_right"]
    segment = segmentation.GetSegment("pyramid_right")
    assert segment.GetName() == "Corticospinal tract in the medullary pyramid, right"
    assert segment.GetLabelValue() == 44
    image = slicer.vtkOrientedImageData()
    assert node.GetBinaryLabelmapRepresentation("pyramid_right", image)
    extent = image.GetExtent()
    shape = tuple(b - a + 1 for a, b in zip(extent[::2], extent[1::2], strict=True))
    array = vtk_to_numpy(image.GetPointData().GetScalars()).reshape(shape[::-1]).transpose(2, 1, 0)
    found = np.argwhere(array) + extent[::2]
    import vtk

    matrix = vtk.vtkMatrix4x4()
    image.GetImageToWorldMatrix(matrix)
    affine = np.array([[matrix.GetElement(i, j) for j in range(4)] for i in range(4)])
    points = found @ affine[:3, :3].T + affine[:3, 3]
    wanted = np.argwhere(labels == 44) @ AFFINE[:3, :3].T + AFFINE[:3, 3]
    assert len(points) == len(wanted)
    np.testing.assert_allclose(np.sort(points, axis=0), np.sort(wanted, axis=0), atol=1e-9)
    scene.Clear(True)
