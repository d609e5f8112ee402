"""DICOM folders with something wrong: a sentence that names it, and the T1 alone where it can."""

from __future__ import annotations

import numpy as np
import pydicom
import pytest
from pydicom.encaps import encapsulate
from pydicom.uid import HTJ2K, ExplicitVRLittleEndian

from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.imaging.intake import open_source
from BrainstemALSLib.imaging.intake.dicom import in_place
from BrainstemALSLib.imaging.intake.dicom_scan import scan
from BrainstemALSLib.imaging.volume import Volume

from . import dicom_files as files
from .conftest import codes, deviation

ROUNDING = 0.51


def refused(*args, **choices) -> BrainstemALSError:
    with pytest.raises(BrainstemALSError) as caught:
        open_source(*args, **choices)
    return caught.value


def test_damaged_files_amid_good_ones_are_counted(exam_folder):
    good = sorted((exam_folder / "a").iterdir())[4].read_bytes()
    (exam_folder / "broken.dcm").write_bytes(good[:700])
    (exam_folder / "garbage.dcm").write_bytes(b"\x07" * 5000)
    (exam_folder / "empty.dcm").write_bytes(b"")
    (exam_folder / "DICOMDIR").write_bytes(b"\0" * 300)
    (exam_folder / "letter.txt").write_text("no image")
    found = open_source(exam_folder)
    assert deviation(found.t1) < ROUNDING
    assert found.dwi is not None
    (finding,) = found.findings
    assert finding.message.startswith("3 DICOM files")


def test_a_slice_of_the_t1_that_breaks_off_is_missed(exam_folder):
    path = sorted((exam_folder / "a").iterdir())[10]
    path.write_bytes(path.read_bytes()[:-200])
    refusal = refused(exam_folder)
    assert refusal.subject == "series 2"
    assert "1 of 40 slices" in refusal.problem


def test_only_damaged_files(tmp_path):
    (tmp_path / "a.dcm").write_bytes(b"\0" * 128 + b"DICM" + b"\xff" * 300)
    refusal = refused(tmp_path)
    assert "none of its 1 DICOM files" in refusal.problem
    assert refusal.code == ExitCode.UNREADABLE_IMAGE


@pytest.mark.parametrize("content", [None, "notes.txt"])
def test_a_folder_without_dicom(content, tmp_path):
    if content:
        (tmp_path / content).write_text("hello")
    assert "no DICOM files" in refused(tmp_path).problem


def test_other_modalities_are_no_exam(tmp_path, visit, t1_plane):
    files.t1_series(tmp_path, t1_plane, visit, values={"Modality": "CT"})
    assert "no MR images" in refused(tmp_path).problem


@pytest.mark.parametrize("field", ["PatientID", "PatientName"])
def test_two_patients_in_one_folder(field, exam_folder, t1_plane):
    other = files.Visit()
    other.identity[field] = "Plantedother^Somebody"
    files.t1_series(exam_folder / "c", t1_plane, other, number=9)
    refusal = refused(exam_folder)
    assert "2 patients" in refusal.problem
    assert refusal.code == ExitCode.MISMATCHED_IMAGES
    assert "lanted" not in str(refusal)


def test_one_patient_written_in_two_ways(exam_folder, t1_plane):
    same = files.Visit()
    same.identity["PatientName"] = "PLANTEDNAME^QUIRIN^"
    files.t1_series(exam_folder / "c", t1_plane, same, number=9)
    assert codes(open_source(exam_folder).findings) == {"t1_chosen"}


def test_missing_slices_of_the_t1(tmp_path, visit, t1_plane):
    files.t1_series(tmp_path, t1_plane, visit, number=5, skip=[7, 8, 20])
    refusal = refused(tmp_path)
    assert refusal.subject == "series 5"
    assert "3 of 40 slices are missing" in refusal.problem
    assert refusal.code == ExitCode.UNSUITABLE_IMAGE


def test_a_whole_t1_is_taken_before_one_with_gaps(tmp_path, visit, t1_plane):
    files.t1_series(tmp_path, t1_plane, visit, number=2)
    files.t1_series(tmp_path, t1_plane, visit, number=3, skip=[7])
    found = open_source(tmp_path)
    assert found.names["t1"] == "T1 (series 2)"


def test_uneven_slices(tmp_path, visit, t1_plane):
    def shift(ds, k):
        if k == 12:
            position = t1_plane.position(k) + 0.8 * t1_plane.normal
            ds.ImagePositionPatient = [f"{x:.6f}" for x in position]

    files.t1_series(tmp_path, t1_plane, visit, edit=shift)
    assert "even distances" in refused(tmp_path).problem


def test_slices_dropped_at_the_end_of_the_stack(tmp_path, visit, t1_plane):
    def say(ds, k):
        ds.add_new(0x00210010, "LO", "GEMS_RELA_01")
        ds.add_new(0x0021104F, "SS", 40)

    files.t1_series(tmp_path, t1_plane, visit, skip=[38, 39], edit=say)
    found = open_source(tmp_path)
    assert codes(found.findings) == {"slices_missing_at_ends"}
    assert "2 of 40 slices" in found.findings[0].message
    assert deviation(found.t1) < ROUNDING


def test_volumes_that_lack_slices_are_left_out(tmp_path, visit, t1_plane, dwi_plane, gradients):
    files.t1_series(tmp_path, t1_plane, visit)
    files.dwi_series(
        tmp_path, dwi_plane, visit, gradients.bvals, gradients.bvecs, skip=[(3, 2), (3, 4)]
    )
    found = open_source(tmp_path)
    assert np.allclose(found.dwi.bvecs, np.delete(gradients.bvecs, 3, axis=0), atol=1e-4)
    assert found.findings == ()
    (finding,) = found.dwi.findings
    assert "1 of 8 volumes lack slices" in finding.message


@pytest.mark.parametrize(
    ("skip", "said"),
    [
        ([(n, 2) for n in range(1, 5)], "4 of 8 volumes lack slices"),
        ([(n, 4) for n in range(8)], "1 of 10 slices are missing"),
    ],
)
def test_diffusion_with_too_many_gaps_leaves_the_t1(
    skip, said, tmp_path, visit, t1_plane, dwi_plane, gradients
):
    files.t1_series(tmp_path, t1_plane, visit)
    files.dwi_series(tmp_path, dwi_plane, visit, gradients.bvals, gradients.bvecs, skip=skip)
    found = open_source(tmp_path)
    assert found.dwi is None
    (finding,) = found.findings
    assert said in finding.message
    assert "series 5" in finding.message
    assert "only the T1" in finding.message


def test_b_values_without_directions_leave_the_t1(tmp_path, visit, t1_plane, dwi_plane, gradients):
    files.t1_series(tmp_path, t1_plane, visit)
    for path in files.dwi_series(
        tmp_path / "b", dwi_plane, visit, gradients.bvals, gradients.bvecs
    ):
        ds = pydicom.dcmread(path)
        for tag in (0x0019100E, 0x00291010):
            ds.pop(tag, None)
        ds.save_as(path)
    found = open_source(tmp_path)
    assert found.dwi is None
    (finding,) = found.findings
    assert "no gradient directions" in finding.message
    assert "only the T1" in finding.message


def test_an_image_that_came_out_elsewhere_is_refused(exam_folder):
    ((series, _),) = scan(exam_folder).visits
    volume = open_source(exam_folder).t1
    shifted = volume.affine.copy()
    shifted[:3, 3] += shifted[:3, 2]
    for wrong in (Volume(volume.array[:, :, 1:], volume.affine), Volume(volume.array, shifted)):
        with pytest.raises(BrainstemALSError, match="does not lie where its headers say"):
            in_place(wrong, series)
    assert in_place(volume, series) is volume


def test_one_series_of_two_orientations(tmp_path, visit, t1_plane):
    files.t1_series(tmp_path / "a", t1_plane, visit, series="1.2.3.4.5")
    other = files.plane((48, 56, 12), (1.5, 1.5, 2.0), (0, 0, 0), "axial")
    files.t1_series(tmp_path / "b", other, visit, series="1.2.3.4.5")
    found = open_source(tmp_path)
    assert codes(found.findings) == {"series_split"}
    assert deviation(found.t1) < ROUNDING


def test_two_visits_need_a_choice(tmp_path, t1_plane):
    for date in ("20210504", "20220101"):
        files.t1_series(tmp_path / date, t1_plane, files.Visit(date=date))
    refusal = refused(tmp_path)
    assert refusal.code == ExitCode.USAGE
    assert "2 visits" in refusal.problem
    assert "--visit" in refusal.remedy
    assert "2021" not in str(refusal)
    assert "2022" not in str(refusal)
    assert open_source(tmp_path, visit=1).person.days_since_first_visit == 0
    second = open_source(tmp_path, visit=2)
    assert second.person.days_since_first_visit == 242
    assert second.name == "sub-exam_ses-2"
    assert "no visit 3" in refused(tmp_path, visit=3).problem


def test_studies_of_one_day_are_one_visit(tmp_path, t1_plane, dwi_plane, gradients):
    files.t1_series(tmp_path / "a", t1_plane, files.Visit())
    files.dwi_series(tmp_path / "b", dwi_plane, files.Visit(), gradients.bvals, gradients.bvecs)
    found = open_source(tmp_path)
    assert found.dwi is not None
    assert found.person.days_since_first_visit is None


def test_studies_without_dates_are_not_mixed(tmp_path, t1_plane):
    for name in "ab":
        files.t1_series(tmp_path / name, t1_plane, files.Visit(date=""))
    assert "several studies" in refused(tmp_path).problem


def _without_date(ds, k):
    if k % 2:
        del ds.StudyDate


def test_one_study_that_partly_lacks_its_date(tmp_path, visit, t1_plane, dwi_plane, gradients):
    files.t1_series(tmp_path / "a", t1_plane, visit, edit=_without_date)
    undated = files.Visit(date="", study=visit.study)
    files.dwi_series(tmp_path / "b", dwi_plane, undated, gradients.bvals, gradients.bvecs)
    found = open_source(tmp_path)
    assert deviation(found.t1) < ROUNDING
    assert found.dwi is not None
    assert found.findings == ()
    assert found.person.days_since_first_visit is None


def test_two_studies_that_partly_lack_their_dates(tmp_path, t1_plane):
    for date in ("20210504", "20220101"):
        files.t1_series(tmp_path / date, t1_plane, files.Visit(date=date), edit=_without_date)
    assert "2 visits" in refused(tmp_path).problem
    found = open_source(tmp_path, visit=2)
    assert deviation(found.t1) < ROUNDING
    assert found.person.days_since_first_visit == 242


def test_a_study_without_a_date_beside_one_with(tmp_path, t1_plane):
    for date in ("20210504", ""):
        files.t1_series(tmp_path / f"a{date}", t1_plane, files.Visit(date=date))
    assert "several studies" in refused(tmp_path).problem


def test_a_series_that_is_not_there(exam_folder):
    refusal = refused(exam_folder, t1_series=77)
    assert refusal.problem == "there is no series 77"
    assert "2, 5" in refusal.remedy
    assert "no series 78" in refused(exam_folder, dwi_series=78).problem


def test_diffusion_only(tmp_path, visit, dwi_plane, gradients):
    files.dwi_series(tmp_path, dwi_plane, visit, gradients.bvals, gradients.bvecs)
    refusal = refused(tmp_path)
    assert "none of its 1 series is a T1" in refusal.problem
    assert "--t1-series" in refusal.remedy


def _pretend(paths, syntax):
    """Say that pixels are compressed in a way that no reader here knows."""
    for path in paths:
        ds = pydicom.dcmread(path)
        assert ds.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
        ds.PixelData = encapsulate([b"\xff\x4f\xff\x51" + b"\x01" * 400])
        ds["PixelData"].is_undefined_length = True
        ds.file_meta.TransferSyntaxUID = syntax
        ds.save_as(path)


def test_a_compression_that_is_not_known_is_named(tmp_path, visit, t1_plane):
    _pretend(files.t1_series(tmp_path, t1_plane, visit), HTJ2K)
    refusal = refused(tmp_path)
    assert "High-Throughput JPEG 2000" in refusal.problem
    assert "gdcmconv" in refusal.remedy


def test_compressed_diffusion_that_is_not_known_leaves_the_t1(exam_folder):
    _pretend((exam_folder / "b").iterdir(), HTJ2K)
    found = open_source(exam_folder)
    assert found.dwi is None
    assert "High-Throughput JPEG 2000" in found.findings[0].message


def test_maps_that_are_given_win_over_a_series(exam_folder, tmp_path):
    given = tmp_path / "fa.nii.gz"
    given.write_bytes(b"read later")
    found = open_source(exam_folder, fa=given)
    assert found.dwi is None
    assert found.fa == given


def test_choices_of_another_kind_of_source(exam_folder):
    assert refused(exam_folder, session="02").code == ExitCode.USAGE
