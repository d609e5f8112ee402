"""Where the data lie."""

import pytest

from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from training.data import repository, shared_data, work_dir


def test_variables_name_the_folders(monkeypatch, tmp_path):
    monkeypatch.setenv("BRAINSTEM_ALS_SHARED", str(tmp_path))
    monkeypatch.setenv("BRAINSTEM_ALS_DATA", str(tmp_path / "built" / "here"))
    assert shared_data() == tmp_path
    assert work_dir() == tmp_path / "built" / "here"
    assert work_dir().is_dir()


def test_absent_shared_data_is_refused_without_naming_folders(monkeypatch, tmp_path):
    monkeypatch.setenv("BRAINSTEM_ALS_SHARED", str(tmp_path / "absent"))
    with pytest.raises(BrainstemALSError) as refusal:
        shared_data()
    assert refusal.value.code == ExitCode.USAGE
    assert "BRAINSTEM_ALS_SHARED" in str(refusal.value)
    assert str(tmp_path) not in str(refusal.value)


def test_built_data_lie_in_the_repository_by_default(monkeypatch):
    monkeypatch.delenv("BRAINSTEM_ALS_DATA", raising=False)
    assert work_dir() == repository() / "data"
    assert (repository() / "training").is_dir()
