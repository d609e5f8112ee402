"""BIDS: which files are taken, what they inherit, and who was scanned."""

from __future__ import annotations

import json

import nibabel as nib
import numpy as np
import pytest

from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.imaging.diffusion.gradients import ras_to_fsl
from BrainstemALSLib.imaging.intake import open_source
from BrainstemALSLib.imaging.person import Person

from .conftest import codes, write_series
from .test_nifti_dwi import affine, write_gradients


def write_t1(folder, name, level=300.0):
    """Write a T1 of random voxels around a level, to tell one from another."""
    (folder / "anat").mkdir(parents=True, exist_ok=True)
    array = np.random.default_rng(1).normal(level, 5, (30, 30, 30)).astype(np.float32)
    image = nib.Nifti1Image(array, np.diag([-3.0, 3.0, 3.0, 1.0]))
    image.set_qform(image.affine, 1)
    image.set_sform(image.affine, 1)
    nib.save(image, folder / "anat" / name)


@pytest.fixture
def subject(tmp_path, gradients):
    """A subject with one session: T1, diffusion, gradients at the top of the dataset."""
    root = tmp_path / "dataset"
    folder = root / "sub-01" / "ses-02"
    write_t1(folder, "sub-01_ses-02_T1w.nii.gz")
    write_series(folder / "dwi", affine(), name="sub-01_ses-02_dwi.nii.gz")
    (root / "dataset_description.json").write_text("{}")
    write_gradients(root, gradients.bvals, ras_to_fsl(gradients.bvecs, affine()))
    (root / "participants.tsv").write_text(
        "participant_id\tage\tsex\nsub-01\t61\tF\nsub-02\t44\tM\n"
    )
    (root / "sub-01" / "sub-01_sessions.tsv").write_text(
        "session_id\tacq_time\nses-01\t2019-01-01T10:00:00\nses-02\t2019-03-02T09:00:00\n"
    )
    return root / "sub-01"


def refused(*args, **choices) -> BrainstemALSError:
    with pytest.raises(BrainstemALSError) as caught:
        open_source(*args, **choices)
    return caught.value


def test_subject(subject, gradients):
    found = open_source(subject)
    assert found.name == "sub-01_ses-02"
    assert found.names == {
        "t1": "sub-01_ses-02_T1w.nii.gz",
        "dwi": "sub-01_ses-02_dwi.nii.gz",
    }
    assert found.person == Person(61.0, "female", 60)
    assert np.allclose(found.dwi.bvecs, gradients.bvecs, atol=1e-5)
    assert found.findings == ()
    assert set(found.checksums) == {"t1", "dwi"}


def test_session_folder(subject):
    assert open_source(subject / "ses-02").name == "sub-01_ses-02"


def test_the_nearest_file_is_inherited(subject, gradients):
    near = subject / "ses-02"
    write_gradients(near, 2 * gradients.bvals, ras_to_fsl(gradients.bvecs, affine()))
    (subject.parent / "dwi.json").write_text(json.dumps({"PhaseEncodingDirection": "j-"}))
    found = open_source(subject).dwi
    assert found.bvals.max() == 2000
    assert found.phase_encoding == "j-"


def test_files_of_other_entities_are_not_inherited(subject, gradients):
    near = subject / "ses-02" / "dwi"
    table = ras_to_fsl(gradients.bvecs, affine())
    write_gradients(near, 3 * gradients.bvals, table, "sub-01_ses-02_run-2_dwi")
    assert open_source(subject).dwi.bvals.max() == 1000


def test_several_sessions_need_a_choice(subject):
    write_t1(subject / "ses-01", "sub-01_ses-01_T1w.nii.gz")
    refusal = refused(subject)
    assert refusal.code == ExitCode.USAGE
    assert "ses-01, ses-02" in refusal.problem
    found = open_source(subject, session="01")
    assert found.person.days_since_first_visit == 0
    assert found.dwi is None
    assert open_source(subject, session="ses-02").person.days_since_first_visit == 60
    assert "no session ses-09" in refused(subject, session="09").problem


def test_a_whole_dataset(subject):
    assert "whole dataset" in refused(subject.parent).problem


def test_plain_before_processed_and_the_last_run(subject):
    folder = subject / "ses-02"
    (folder / "anat" / "sub-01_ses-02_T1w.nii.gz").unlink()
    write_t1(folder, "sub-01_ses-02_rec-norm_run-3_T1w.nii.gz", 100)
    write_t1(folder, "sub-01_ses-02_run-1_T1w.nii.gz", 200)
    write_t1(folder, "sub-01_ses-02_run-2_T1w.nii", 400)
    found = open_source(subject)
    assert found.names["t1"] == "sub-01_ses-02_run-2_T1w.nii"
    assert found.t1.array.mean() == pytest.approx(400, abs=1)
    (finding,) = found.findings
    assert finding.message == "There are 3 T1-weighted images; run-2_T1w was taken."


def test_the_series_with_most_directions(subject, gradients):
    folder = subject / "ses-02" / "dwi"
    (folder / "sub-01_ses-02_dwi.nii.gz").unlink()
    table = ras_to_fsl(gradients.bvecs, affine())
    for direction, n in (("AP", 2), ("PA", 8)):
        stem = f"sub-01_ses-02_dir-{direction}_dwi"
        write_series(folder, affine(), n=n, name=f"{stem}.nii.gz")
        write_gradients(folder, gradients.bvals[:n], table[:n], stem)
    found = open_source(subject)
    assert "dir-PA" in found.names["dwi"]
    assert codes(found.findings) == {"dwi_chosen"}


@pytest.fixture
def two_series(subject, gradients):
    """The folder of two series: AP with 8 volumes, which is the better one, and PA with 7."""
    folder = subject / "ses-02" / "dwi"
    (folder / "sub-01_ses-02_dwi.nii.gz").unlink()
    (subject.parent / "dwi.bvec").unlink()
    table = ras_to_fsl(gradients.bvecs, affine())
    for direction, n in (("AP", 8), ("PA", 7)):
        stem = f"sub-01_ses-02_dir-{direction}_dwi"
        write_series(folder, affine(), n=n, name=f"{stem}.nii.gz")
        write_gradients(folder, gradients.bvals[:n], table[:n], stem)
    return folder


@pytest.mark.parametrize("damage", ["image", "bvec"])
def test_the_next_series_where_the_best_cannot_be_read(damage, subject, two_series):
    best = two_series / "sub-01_ses-02_dir-AP_dwi.nii.gz"
    if damage == "image":
        best.write_bytes(best.read_bytes()[:-5000])
    else:
        best.with_name("sub-01_ses-02_dir-AP_dwi.bvec").unlink()
    found = open_source(subject)
    assert found.dwi.volume.array.shape[3] == 7
    assert found.names["dwi"] == "sub-01_ses-02_dir-PA_dwi.nii.gz"
    chosen, refused_one = found.findings
    assert chosen.message == "There are 2 diffusion series; dir-PA_dwi was taken."
    assert refused_one.code == "dwi_not_read"
    assert "(dir-AP_dwi) could not be read, another one was taken" in refused_one.message
    assert "sub-01" not in refused_one.message


def test_several_series_of_which_none_can_be_read(subject, two_series):
    for path in two_series.glob("*.bvec"):
        path.unlink()
    found = open_source(subject)
    assert found.dwi is None
    assert "dwi" not in found.names
    assert [finding.code for finding in found.findings] == ["dwi_not_read"] * 2
    assert all("only the T1 is used" in finding.message for finding in found.findings)


def test_a_series_without_weighting_is_no_replacement(subject, two_series):
    (two_series / "sub-01_ses-02_dir-AP_dwi.bvec").unlink()
    (two_series / "sub-01_ses-02_dir-PA_dwi.bval").write_text("0 0 0 0 0 0 0")
    assert open_source(subject).dwi is None


def test_preprocessed_derivative(subject, gradients):
    folder = subject / "ses-02" / "dwi"
    stem = "sub-01_ses-02_desc-preproc_dwi"
    (folder / "sub-01_ses-02_dwi.nii.gz").rename(folder / f"{stem}.nii.gz")
    found = open_source(subject)
    assert found.dwi.corrected == {"denoising", "gibbs", "motion"}


def test_missing_gradients_leave_the_t1(subject):
    (subject.parent / "dwi.bvec").unlink()
    found = open_source(subject)
    assert found.dwi is None
    (finding,) = found.findings
    assert "no bvec file" in finding.message
    assert "only the T1" in finding.message
    assert "sub-01" not in finding.message


def test_without_t1(subject):
    (subject / "ses-02" / "anat" / "sub-01_ses-02_T1w.nii.gz").unlink()
    refusal = refused(subject)
    assert refusal.subject == "sub-01_ses-02"
    assert "no T1-weighted image" in refusal.problem


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ("n/a\tn/a", Person()),
        ("93\tM", Person(90.0, "male")),
        ("89+\tother", Person(89.0, "other")),
        ("-3\tfemale", Person(None, "female")),
    ],
)
def test_participants(row, expected, subject):
    (subject / "sub-01_sessions.tsv").unlink()
    (subject.parent / "participants.tsv").write_text(f"participant_id\tage\tsex\nsub-01\t{row}\n")
    assert open_source(subject).person == expected


def test_tables_that_cannot_be_read_are_not_missed(subject):
    (subject.parent / "participants.tsv").write_bytes(b"\xff\xfe\x00\x01")
    (subject / "sub-01_sessions.tsv").write_text("session_id\n\n\t\t\n")
    assert open_source(subject).person == Person()


def test_a_session_below_a_patients_folder_is_no_bids(tmp_path):
    folder = tmp_path / "Plantedname" / "ses-01"
    write_t1(folder, "sub-01_T1w.nii.gz")
    assert "lanted" not in str(refused(folder))


def test_choices_of_dicom(subject):
    assert refused(subject, visit=1).code == ExitCode.USAGE
    assert refused(subject, t1_series=1).code == ExitCode.USAGE
