"""One DICOM series that dcm2niix splits into several images, and series that are named."""

from __future__ import annotations

import numpy as np
import pydicom
import pytest

from BrainstemALSLib.imaging.dwi import Dwi
from BrainstemALSLib.imaging.intake import open_source
from BrainstemALSLib.imaging.intake.dicom_parts import joined
from BrainstemALSLib.imaging.volume import Volume

from . import dicom_files as files
from .conftest import codes, deviation


@pytest.fixture
def folder(tmp_path, visit, t1_plane, dwi_plane, gradients):
    """Write a T1 and a diffusion series of some of whose volumes the echo time differs a little."""

    def write(volumes, write_series=files.dwi_series):
        files.t1_series(tmp_path / "a", t1_plane, visit)
        for path in write_series(
            tmp_path / "b", dwi_plane, visit, gradients.bvals, gradients.bvecs
        ):
            ds = pydicom.dcmread(path)
            if ds.AcquisitionNumber - 1 in volumes:
                ds.EchoTime += 0.3  # within what one stack may have, and dcm2niix splits it off
                ds.save_as(path)
        return tmp_path

    return write


@pytest.mark.parametrize("write_series", [files.dwi_series, files.mosaic_series])
def test_images_of_one_geometry_are_put_together(write_series, folder, gradients):
    found = open_source(folder(range(4, 8), write_series))
    assert found.findings == found.dwi.findings == ()
    assert found.dwi.volume.array.shape[3] == len(gradients.bvals)
    along = np.abs(found.dwi.bvecs @ gradients.bvecs.T)
    assert np.allclose(along.max(axis=0)[1:], 1.0, atol=1e-4)
    for n, b in enumerate(found.dwi.bvals):
        expected = files.attenuation(b, found.dwi.bvecs[n])
        assert deviation(found.dwi.volume, found.dwi.volume.array[..., n] / expected) < 3.0


def test_a_volume_that_cannot_be_put_with_the_others_is_named(folder, gradients):
    found = open_source(folder([7])).dwi
    assert np.allclose(found.bvecs, gradients.bvecs[:7], atol=1e-4)
    (finding,) = found.findings
    assert finding.code == "diffusion_volumes_left_out"
    assert finding.severity == "warning"
    assert "series 5" in finding.message
    assert "1 of 8 volumes" in finding.message


def test_an_average_of_the_scanner_is_not_missed(tmp_path, visit, t1_plane, dwi_plane, gradients):
    """Philips puts the average of all directions behind them, and dcm2niix takes it out."""
    files.t1_series(tmp_path / "a", t1_plane, visit)
    bvals = [*gradients.bvals, 1000.0]
    vectors = np.vstack([gradients.bvecs, np.zeros(3)])
    files.dwi_series(tmp_path / "b", dwi_plane, visit, bvals, vectors, "philips")
    found = open_source(tmp_path)
    assert found.dwi is not None
    assert found.dwi.findings == ()


def _part(bvals, step=1.0) -> Dwi:
    bvals = np.array(bvals, dtype=float)
    affine = np.diag([step, step, step, 1.0])
    vectors = np.where(bvals[:, None] > 0, [1.0, 0.0, 0.0], 0.0)
    return Dwi(Volume(np.zeros((4, 4, 4, len(bvals)), np.float32), affine), bvals, vectors)


def test_parts_of_another_grid_or_that_repeat_are_left_out():
    few, many, moved = _part([0, 1000]), _part([0, 1000, 1000]), _part([0, 1000], step=2.0)
    assert joined([few, many], 5).bvals.tolist() == [0, 1000, 1000, 0, 1000]
    assert joined([few, many], 0).bvals.tolist() == [0, 1000, 1000, 0, 1000]
    assert joined([few, many], 4) is many
    assert joined([moved, many], 5) is many


def test_a_t1_file_of_several_images(tmp_path, visit, t1_plane):
    path = files.enhanced_file(tmp_path, t1_plane, visit, 2, [0.0, 0.0], np.zeros((2, 3)))
    ds = pydicom.dcmread(path)
    ds.EchoPlanarPulseSequence, ds.EchoPulseSequence = "NO", "GRADIENT"
    ds.AcquisitionContrast, ds.MRAcquisitionType = "T1", "3D"
    ds.ImageType = ["ORIGINAL", "PRIMARY", "T1", "NONE"]
    shared = ds.SharedFunctionalGroupsSequence[0]
    del shared.MREchoSequence
    frames = ds.PerFrameFunctionalGroupsSequence
    for n, frame in enumerate(frames):
        del frame.MRDiffusionSequence
        echo = pydicom.Dataset()
        echo.EffectiveEchoTime = 3.7 if n < len(frames) // 2 else 3.9
        frame.MREchoSequence = [echo]
    ds.save_as(path)
    found = open_source(tmp_path, t1_series=2)
    assert deviation(found.t1) < 0.51
    assert codes(found.findings) == {"t1_repeated"}
    assert "2 images" in found.findings[0].message


@pytest.mark.parametrize("numbers", [(5, 5), [5, 5, 5]])
def test_a_series_that_is_named_twice_is_read_once(numbers, exam_folder, gradients):
    found = open_source(exam_folder, dwi_series=numbers)
    assert found.dwi.bvals.tolist() == gradients.bvals.tolist()
    assert found.names["dwi"] == "DWI (series 5)"


@pytest.mark.parametrize("numbers", [2, [5, 2]])
def test_a_series_without_weighting_that_is_named(numbers, exam_folder):
    found = open_source(exam_folder, dwi_series=numbers)
    assert found.dwi is None
    assert "dwi" not in found.names
    (finding,) = found.findings
    assert "(series 2)" in finding.message
    assert "no diffusion weighting" in finding.message
    assert "--dwi-series" in finding.action
