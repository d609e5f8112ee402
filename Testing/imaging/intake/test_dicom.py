"""DICOM folders: places, gradients and persons come out as they were put in."""

from __future__ import annotations

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from pydicom.encaps import encapsulate, generate_frames
from pydicom.uid import JPEG2000Lossless, RLELossless

from BrainstemALSLib.imaging.intake import open_source
from BrainstemALSLib.imaging.person import Person

from . import dicom_files as files
from .conftest import codes, deviation

ROUNDING = 0.51  # pixels are whole numbers


@pytest.mark.parametrize("vendor", ["siemens", "philips", "ge", "uih"])
def test_places_and_directions_of_every_vendor(
    vendor, tmp_path, visit, t1_plane, dwi_plane, gradients
):
    files.t1_series(tmp_path, t1_plane, visit)
    files.dwi_series(tmp_path, dwi_plane, visit, gradients.bvals, gradients.bvecs, vendor)
    found = open_source(tmp_path)
    assert deviation(found.t1) < ROUNDING
    assert deviation(found.dwi.volume, found.dwi.volume.array[..., 0]) < ROUNDING
    assert np.allclose(found.dwi.bvals, gradients.bvals)
    # A direction and its opposite weight alike; which of them a scanner writes is of no matter.
    along = (found.dwi.bvecs * gradients.bvecs).sum(axis=1)
    assert np.allclose(np.abs(along[1:]), 1.0, atol=1e-4)
    assert not found.dwi.bvecs[0].any()
    assert found.dwi.phase_encoding.startswith("j")
    assert found.findings == ()


def test_volumes_go_with_their_gradients(exam_folder, dwi_plane, gradients):
    found = open_source(exam_folder).dwi
    for n, (b, direction) in enumerate(zip(gradients.bvals, gradients.bvecs, strict=True)):
        expected = found.volume.array[..., 0] * files.attenuation(b, direction)
        assert np.abs(found.volume.array[..., n] - expected).max() < 1.1


def test_mosaic(tmp_path, visit, t1_plane, dwi_plane, gradients):
    files.t1_series(tmp_path, t1_plane, visit)
    files.mosaic_series(tmp_path, dwi_plane, visit, gradients.bvals, gradients.bvecs)
    found = open_source(tmp_path)
    assert deviation(found.dwi.volume, found.dwi.volume.array[..., 0]) < ROUNDING
    assert np.allclose(found.dwi.bvecs, gradients.bvecs, atol=1e-4)
    assert found.findings == ()


def test_mosaic_without_one_of_its_volumes(tmp_path, visit, t1_plane, dwi_plane, gradients):
    files.t1_series(tmp_path, t1_plane, visit)
    files.mosaic_series(tmp_path, dwi_plane, visit, gradients.bvals, gradients.bvecs, skip=[3])
    found = open_source(tmp_path).dwi
    assert np.allclose(found.bvecs, np.delete(gradients.bvecs, 3, axis=0), atol=1e-4)


def test_mosaic_that_only_its_private_header_tells(tmp_path, visit, t1_plane, dwi_plane, gradients):
    files.t1_series(tmp_path / "a", t1_plane, visit)
    for path in files.mosaic_series(
        tmp_path / "b", dwi_plane, visit, gradients.bvals, gradients.bvecs
    ):
        ds = pydicom.dcmread(path)
        ds.ImageType = ds.ImageType[:-1]
        ds.save_as(path)
    found = open_source(tmp_path)
    assert deviation(found.dwi.volume, found.dwi.volume.array[..., 0]) < ROUNDING


def test_enhanced_multi_frame(tmp_path, visit, t1_plane, dwi_plane, gradients):
    files.enhanced_file(tmp_path, t1_plane, visit, 2)
    files.enhanced_file(tmp_path, dwi_plane, visit, 5, gradients.bvals, gradients.bvecs)
    found = open_source(tmp_path)
    assert deviation(found.t1) < ROUNDING
    assert deviation(found.dwi.volume, found.dwi.volume.array[..., 0]) < ROUNDING
    assert np.allclose(found.dwi.bvecs, gradients.bvecs, atol=1e-4)
    assert found.findings == ()


def test_one_multi_frame_file_is_a_source(tmp_path, visit, t1_plane):
    path = files.enhanced_file(tmp_path, t1_plane, visit, 2)
    found = open_source(path)
    assert deviation(found.t1) < ROUNDING
    assert found.name == "sub-exam"


@pytest.mark.parametrize("kind", ["axial", "coronal", "sagittal"])
def test_t1_of_every_plane(kind, tmp_path, visit):
    where = files.plane((48, 56, 40), (1.5, 1.5, 2.0), (-9, 4, 13), kind)
    files.t1_series(tmp_path, where, visit)
    assert deviation(open_source(tmp_path).t1) < ROUNDING


def test_t1_without_dcm2niix_comes_from_gdcm_and_diffusion_is_left_out(exam_folder, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "dcm2niix", None)
    found = open_source(exam_folder)
    assert deviation(found.t1) < ROUNDING
    assert found.dwi is None
    (finding,) = found.findings
    assert "only the T1" in finding.message
    assert "dcm2niix" in finding.message


def _recompress(path, syntax, encode):
    ds = pydicom.dcmread(path)
    encode(ds)
    ds.file_meta.TransferSyntaxUID = syntax
    ds.save_as(path)


def _to_jpeg2000(ds, folder):
    # SimpleITK has the encoder that pydicom lacks here; the stream is taken out of its file.
    image = sitk.GetImageFromArray(ds.pixel_array[None])
    target = folder / "encoded.dcm"
    sitk.WriteImage(image, str(target), useCompression=True)
    encoded = pydicom.dcmread(target)
    assert encoded.file_meta.TransferSyntaxUID == JPEG2000Lossless
    stream = next(generate_frames(encoded.PixelData, number_of_frames=1))
    ds.PixelData = encapsulate([stream])
    ds["PixelData"].is_undefined_length = True
    target.unlink()


def test_run_length_encoded(tmp_path, visit, t1_plane):
    for path in files.t1_series(tmp_path, t1_plane, visit):
        _recompress(path, RLELossless, lambda ds: ds.compress(RLELossless, generate_instance_uid=0))
    assert deviation(open_source(tmp_path).t1) < ROUNDING


def test_jpeg_2000(tmp_path, visit, t1_plane):
    for path in files.t1_series(tmp_path / "in", t1_plane, visit):
        _recompress(path, JPEG2000Lossless, lambda ds: _to_jpeg2000(ds, tmp_path))
    assert deviation(open_source(tmp_path / "in").t1) < ROUNDING


def test_person(exam_folder):
    assert open_source(exam_folder).person == Person(70.0, "female", None)


@pytest.mark.parametrize(
    ("age", "born", "expected"),
    [("067Y", "", 67.0), ("", "19510203", 70.2), ("096Y", "", 90.0), ("", "19200101", 90.0)],
)
def test_age_is_written_or_counted_and_cut_at_ninety(age, born, expected, tmp_path, t1_plane):
    person = files.Visit(age=age)
    person.identity["PatientBirthDate"] = born
    files.t1_series(tmp_path, t1_plane, person)
    assert open_source(tmp_path).person.age_years == pytest.approx(expected, abs=0.05)


def test_checksum_is_of_the_images_and_not_of_the_names(tmp_path, t1_plane):
    sums = []
    for name, planted in (("a", "One^Person"), ("b", "Other^Person")):
        person = files.Visit()
        person.identity["PatientName"] = planted
        files.t1_series(tmp_path / name, t1_plane, person)
        sums.append(open_source(tmp_path / name).checksums["t1"])
    assert sums[0] == sums[1]
    files.t1_series(tmp_path / "c", t1_plane, files.Visit(), edit=_brighter)
    assert open_source(tmp_path / "c").checksums["t1"] != sums[0]


def _brighter(ds, k):
    if k == 3:
        ds.PixelData = (np.frombuffer(ds.PixelData, "<u2") + 1).astype("<u2").tobytes()


def test_copies_of_files_count_once(exam_folder):
    for path in list((exam_folder / "a").iterdir())[:20]:
        (exam_folder / f"copy-{path.name}").write_bytes(path.read_bytes())
    found = open_source(exam_folder)
    assert deviation(found.t1) < ROUNDING
    assert found.findings == ()


def test_shells_in_two_series_are_put_together(tmp_path, visit, t1_plane, dwi_plane, gradients):
    files.t1_series(tmp_path, t1_plane, visit)
    files.dwi_series(tmp_path, dwi_plane, visit, gradients.bvals, gradients.bvecs, number=5)
    files.dwi_series(tmp_path, dwi_plane, visit, 2 * gradients.bvals, gradients.bvecs, number=6)
    found = open_source(tmp_path, dwi_series=[5, 6])
    assert found.dwi.bvals.tolist() == [*gradients.bvals, *(2 * gradients.bvals)]
    assert found.dwi.volume.array.shape[3] == 16
    alone = open_source(tmp_path)
    assert codes(alone.findings) == {"dwi_chosen"}
    assert "series 6 was taken" in alone.findings[0].message


def test_series_of_other_grids_are_not_put_together(
    tmp_path, visit, t1_plane, dwi_plane, gradients
):
    files.t1_series(tmp_path, t1_plane, visit)
    files.dwi_series(tmp_path, dwi_plane, visit, gradients.bvals, gradients.bvecs, number=5)
    turned = files.plane((20, 24, 10), (3.0, 3.5, 4.0), (0, 0, 0))
    files.dwi_series(tmp_path, turned, visit, gradients.bvals, gradients.bvecs, number=6)
    found = open_source(tmp_path, dwi_series=[5, 6])
    assert found.dwi is None
    assert "different grids" in found.findings[-1].message
