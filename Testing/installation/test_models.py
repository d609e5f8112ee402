import hashlib
import json
import shutil

import pytest

from BrainstemALSLib.assets import asset_path
from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.installation.models import install_models
from BrainstemALSLib.segmentation.models import LOCATOR, STRUCTURES, find_model

PAIR = ("structures.ts", "structures.json")


@pytest.fixture
def another_model(tmp_path):
    """A folder with a structure model that is not the bundled one."""
    folder = tmp_path / "from a colleague"
    folder.mkdir()
    content = asset_path("Models/structures.ts").read_bytes() + b"another"
    (folder / "structures.ts").write_bytes(content)
    card = json.loads(asset_path("Models/structures.json").read_text(encoding="utf-8"))
    card["sha256"] = hashlib.sha256(content).hexdigest()
    (folder / "structures.json").write_text(json.dumps(card), encoding="utf-8")
    return folder


def test_a_model_comes_with_the_locator_it_needs(another_model, tmp_path):
    found = install_models(another_model, tmp_path / "mine")
    assert found.name.startswith(find_model(STRUCTURES, found).identity["sha256"][:12])
    assert find_model(STRUCTURES, found).path.read_bytes().endswith(b"another")
    assert find_model(LOCATOR, found).identity == find_model(LOCATOR).identity
    assert [path.name for path in (tmp_path / "mine").iterdir()] == [found.name]


def test_one_file_names_its_folder_and_twice_is_once(another_model, tmp_path):
    first = install_models(another_model / "structures.ts", tmp_path / "mine")
    again = install_models(another_model, tmp_path / "mine")
    assert first == again


@pytest.mark.parametrize("name", PAIR)
def test_a_file_that_is_missing_or_altered_changes_nothing(another_model, tmp_path, name):
    (another_model / name).write_bytes(b"{}")
    with pytest.raises(BrainstemALSError) as refusal:
        install_models(another_model, tmp_path / "mine")
    assert refusal.value.code == ExitCode.MODEL_UNAVAILABLE
    (another_model / name).unlink()
    with pytest.raises(BrainstemALSError, match="missing"):
        install_models(another_model, tmp_path / "mine")
    assert not (tmp_path / "mine").exists()


def test_a_locator_that_is_there_but_damaged_is_not_replaced_in_silence(another_model, tmp_path):
    shutil.copy(asset_path("Models/locator.json"), another_model)
    with pytest.raises(BrainstemALSError, match=r"locator\.ts"):
        install_models(another_model, tmp_path / "mine")


def test_the_bundled_models_are_never_written_over(another_model):
    before = {path.name: path.stat().st_mtime_ns for path in asset_path("Models").iterdir()}
    with pytest.raises(BrainstemALSError, match="bundled") as refusal:
        install_models(another_model, asset_path("Models") / "mine")
    assert refusal.value.code == ExitCode.OUTPUT_REFUSED
    assert {p.name: p.stat().st_mtime_ns for p in asset_path("Models").iterdir()} == before


def test_a_folder_that_cannot_be_made_is_a_sentence(another_model, tmp_path):
    (tmp_path / "mine").write_text("in the way")
    with pytest.raises(BrainstemALSError) as refusal:
        install_models(another_model, tmp_path / "mine" / "models")
    assert refusal.value.code == ExitCode.OUTPUT_REFUSED


def test_a_set_that_was_damaged_later_is_told(another_model, tmp_path):
    found = install_models(another_model, tmp_path / "mine")
    (found / "structures.ts").write_bytes(b"")
    with pytest.raises(BrainstemALSError, match="checksum"):
        install_models(another_model, tmp_path / "mine")
