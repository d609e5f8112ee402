from __future__ import annotations

import pytest

from BrainstemALSLib.errors import BrainstemALSError
from BrainstemALSLib.imaging.writing import write_volume
from BrainstemALSLib.longitudinal.sessions import Session, process_sessions
from BrainstemALSLib.longitudinal.writing import NAMES
from Testing.longitudinal.heads import LightSegmenter, head


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    folder = tmp_path_factory.mktemp("visits")
    paths = []
    for number, pose in enumerate([(1, -2, 1, 1, -1.5, 1), (-2, 1, 2, -1, 2, 0.5)]):
        paths.append(folder / f"visit{number}.nii.gz")
        write_volume(head(pose=pose, noise_seed=number).t1, paths[-1])
    broken = folder / "broken.nii.gz"
    broken.write_bytes(b"no image")
    return [paths[0], broken, paths[1]]


def test_a_broken_session_is_left_out_and_the_rest_written(images, tmp_path):
    sessions = [Session(path, 6.0 * n, scanner="A") for n, path in enumerate(images)]
    result = process_sessions(sessions, LightSegmenter(), tmp_path / "sub-1")
    assert result.left_out == (1,)
    assert result.findings[0].code == "visit_left_out"
    assert {value.visit for value in result.values} == {0, 2}
    assert {change.years for change in result.changes} == {1.0}
    assert all((tmp_path / "sub-1" / name).exists() for name in NAMES)


def test_a_stem_names_the_files_as_derivatives(images, tmp_path):
    sessions = [Session(path, 6.0 * n) for n, path in ((0, images[0]), (1, images[2]))]
    process_sessions(sessions, LightSegmenter(), tmp_path, stem="sub-1_ses-longitudinal")
    assert {path.name.split("_", 2)[2] for path in tmp_path.iterdir()} == {
        "desc-brainstem_changes.tsv", "desc-brainstem_changevalues.tsv",
        "desc-brainstem_changes.json", "desc-brainstem_T1w.nii.gz", "desc-brainstem_dseg.nii.gz",
    }  # fmt: skip


def test_one_good_session_is_not_enough(images, tmp_path):
    sessions = [Session(path, 6.0 * n) for n, path in enumerate(images[:2])]
    with pytest.raises(BrainstemALSError, match="only 1 can be used"):
        process_sessions(sessions, LightSegmenter(), tmp_path / "sub-1")
    assert not (tmp_path / "sub-1").exists()


def test_two_sessions_of_one_date_are_refused_before_reading(tmp_path):
    sessions = [Session(tmp_path / "none.nii", 3.0), Session(tmp_path / "nothing.nii", 3.0)]
    with pytest.raises(BrainstemALSError, match="visits 1 and 2 are on one date"):
        process_sessions(sessions, LightSegmenter(), tmp_path)
