import pytest

from BrainstemALSLib.cohort.discovery import find_visits, input_files
from BrainstemALSLib.errors import BrainstemALSError, ExitCode


def touch(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


@pytest.fixture
def root(tmp_path):
    """Two participants, one with two sessions, one without any; a description."""
    touch(
        tmp_path, "dataset_description.json", "sub-01/ses-01/anat/sub-01_ses-01_T1w.nii.gz",
        "sub-01/ses-02/anat/sub-01_ses-02_T1w.nii.gz", "sub-02/anat/sub-02_T1w.nii",
    )  # fmt: skip
    return tmp_path


def test_visits_are_found_with_and_without_session_folders(root):
    remarks = []
    visits = find_visits(root, remarks)
    assert [visit.key for visit in visits] == ["sub-01_ses-01", "sub-01_ses-02", "sub-02"]
    assert [visit.session for visit in visits] == ["ses-01", "ses-02", "ses-01"]
    assert [visit.place.as_posix() for visit in visits] == [
        "sub-01/ses-01/anat", "sub-01/ses-02/anat", "sub-02/anat",
    ]  # fmt: skip
    assert all(visit.has_t1 for visit in visits)
    assert remarks == []


def test_labels_choose_visits_with_and_without_their_prefix(root):
    found = find_visits(root, [], participants=["01"], sessions=["ses-02"])
    assert [visit.key for visit in found] == ["sub-01_ses-02"]


@pytest.mark.parametrize("labels", [{"participants": ["7"]}, {"sessions": ["ses-9"]}])
def test_a_label_that_is_not_there_is_refused(root, labels):
    with pytest.raises(BrainstemALSError, match="has no") as refusal:
        find_visits(root, [], **labels)
    assert refusal.value.code == ExitCode.USAGE


def test_a_folder_without_participants_is_no_dataset(tmp_path):
    with pytest.raises(BrainstemALSError, match="no folders of participants"):
        find_visits(tmp_path, [])
    with pytest.raises(BrainstemALSError, match="no such folder"):
        find_visits(tmp_path / "nowhere", [])


def test_a_missing_t1_a_lost_link_and_stray_images_are_named(root):
    touch(root, "sub-03/ses-01/dwi/sub-03_ses-01_dwi.nii.gz", "sub-01/anat/sub-01_T1w.nii.gz")
    link = root / "sub-04" / "anat" / "sub-04_T1w.nii.gz"
    link.parent.mkdir(parents=True)
    link.symlink_to("nowhere.nii.gz")
    remarks = []
    visits = {visit.key: visit for visit in find_visits(root, remarks)}
    assert not visits["sub-03_ses-01"].has_t1
    assert not visits["sub-04"].has_t1
    said = {(remark.participant, remark.problem.split(" (")[0]) for remark in remarks}
    assert ("sub-03", "there is no T1-weighted image") in said
    assert ("sub-04", "an image is a link to a file that is not there") in said
    assert ("sub-01", "it has images both in session folders and outside of them") in said


@pytest.mark.parametrize(
    "name",
    ["FA", "desc-tensor_FA", "param-fa_dwimap", "model-tensor_mdp-fa_dwimap", "space-T1w_desc-fa"],
)
def test_maps_of_derivatives_are_found(root, name):
    place = "derivatives/qsiprep/sub-01/ses-01/dwi/sub-01_ses-01_"
    touch(root, f"{place}{name}.nii.gz")
    visit = find_visits(root, [])[0]
    assert visit.fa == root / f"{place}{name}.nii.gz"
    assert visit.md is None


@pytest.mark.parametrize(
    "name", ["space-MNI152_FA", "desc-brainstem_param-fa_dwimap", "FAx", "alfa", "param-rd_dwimap"]
)
def test_other_images_are_no_maps_of_the_patient(root, name):
    touch(root, f"derivatives/p/sub-01/ses-01/dwi/sub-01_ses-01_{name}.nii.gz")
    assert find_visits(root, [])[0].fa is None


def test_maps_come_before_the_series_unless_asked_otherwise_and_a_mixture_is_named(root):
    touch(
        root, "derivatives/p/sub-01/ses-01/dwi/sub-01_ses-01_MD.nii.gz",
        "sub-01/ses-01/dwi/sub-01_ses-01_dwi.nii.gz", "sub-02/dwi/sub-02_dwi.nii.gz",
    )  # fmt: skip
    remarks = []
    first, _, last = find_visits(root, remarks)
    assert (first.md is not None, first.has_series, last.has_series) == (True, False, True)
    assert "maps in 1 visits, from series in 1" in remarks[-1].problem
    first, _, last = find_visits(root, [], diffusion="series")
    assert (first.md, first.has_series) == (None, True)
    first, _, last = find_visits(root, [], diffusion="none")
    assert (first.md, first.has_series, last.has_series) == (None, False, False)


def test_our_own_results_are_not_read_again(root):
    out = root / "derivatives" / "ours"
    touch(root, "derivatives/ours/sub-01/ses-01/dwi/sub-01_ses-01_FA.nii.gz")
    assert find_visits(root, [], leave_out=out)[0].fa is None
    assert find_visits(root, [])[0].fa is not None


def test_inherited_gradients_are_among_the_inputs(root):
    touch(
        root, "sub-01/ses-01/dwi/sub-01_ses-01_dwi.nii.gz", "dwi.bval", "sub-01/sub-01_dwi.bvec",
        "sub-01/ses-01/anat/sub-01_ses-01_T1w.json", "task-rest_bold.json",
    )  # fmt: skip
    names = {path.name for path in input_files(find_visits(root, [])[0], root)}
    assert names == {
        "sub-01_ses-01_T1w.nii.gz", "sub-01_ses-01_T1w.json", "sub-01_ses-01_dwi.nii.gz",
        "dwi.bval", "sub-01_dwi.bvec",
    }  # fmt: skip
