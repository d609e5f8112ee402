"""Who segments asks the registry: the segmenter, the worker, the terminal."""

from __future__ import annotations

import json
import shutil

import pytest
from typer.testing import CliRunner

from BrainstemALSLib.assets import asset_path
from BrainstemALSLib.cli.app import app
from BrainstemALSLib.cli.environment import examine
from BrainstemALSLib.errors import ExitCode
from BrainstemALSLib.segmentation.registry import BUNDLED, ModelRegistry
from BrainstemALSLib.segmentation.segmenter import Segmenter
from BrainstemALSLib.worker.commands import Commands
from Testing.segmentation.registry.conftest import lineage_of, small_candidate


@pytest.fixture(autouse=True)
def own_folder(monkeypatch, root):
    monkeypatch.setenv("BRAINSTEM_ALS_MODELS", str(root))


@pytest.fixture
def real_candidate(tmp_path):
    """The bundled network under a version of its own."""
    folder = tmp_path / "real"
    folder.mkdir()
    for suffix in (".ts", ".json"):
        shutil.copy(asset_path(f"Models/structures{suffix}"), folder)
    card = json.loads((folder / "structures.json").read_text())
    (folder / "structures.json").write_text(json.dumps({**card, "version": "mine"}))
    return folder


def models(*arguments):
    return CliRunner().invoke(app, ["models", *arguments])


def test_the_segmenter_takes_the_model_in_use(registry, real_candidate):
    assert Segmenter(device="cpu").identity["structures"]["version"] != "mine"
    version = registry.promote(real_candidate, lineage_of())
    segmenter = Segmenter(device="cpu")
    assert segmenter.identity["structures"]["version"] == "mine"
    assert segmenter.findings == ()
    (version.folder / "structures.ts").write_bytes(b"damaged")
    segmenter = Segmenter(device="cpu")
    assert segmenter.identity["structures"]["version"] != "mine"
    assert "structures.ts is damaged" in segmenter.findings[0].message


def test_a_warm_worker_follows_a_change(registry, real_candidate):
    commands = Commands()
    params = {"device": "cpu", "model_dir": None}
    first = commands._warm_segmenter(params)
    assert commands._warm_segmenter(params) is first
    registry.promote(real_candidate, lineage_of())
    second = commands._warm_segmenter(params)
    assert second.identity["structures"]["version"] == "mine"
    registry.rollback()
    assert commands._warm_segmenter(params).identity == first.identity


def test_models_list_use_rollback_remove(registry, candidate):
    first = registry.promote(candidate, lineage_of(), {"outcome": "promote"})
    second = registry.promote(small_candidate(candidate, b"second"), lineage_of(first.id))
    listed = models("list")
    assert listed.exit_code == 0
    record = json.loads(models("list", "--json").stdout)
    assert record["in_use"] == second.id
    assert [one["gate"] for one in record["versions"] if one["id"] == first.id] == [
        {"outcome": "promote"}
    ]
    assert models("rollback").stdout == f"In use: {first.id}\n"
    assert models("use", "bundled").stdout == "In use: bundled\n"
    assert models("remove", second.id).stdout == f"Removed: {second.id}\n"
    refused = models("use", second.id)
    assert refused.exit_code == ExitCode.USAGE
    assert refused.stderr.startswith(f"brainstem-als: model {second.id}: there is no such version")


def test_a_damaged_version_is_named_in_the_list_and_by_doctor(registry, candidate, root):
    version = registry.promote(candidate, lineage_of())
    (version.folder / "structures.json").write_text("{")
    assert "structures.json is damaged" in " ".join(models("list").stdout.split())
    (told,) = [check for check in examine() if check.name == "Models"]
    assert version.id in told.found
    assert "models use" in told.remedy
    assert json.loads(models("list", "--json").stdout)["in_use"] == BUNDLED
    assert all(check.ok for check in examine() if check.name.startswith("Model "))


def test_a_new_user_sees_the_bundled_model(root):
    assert json.loads(models("list", "--json").stdout) == {
        "in_use": BUNDLED, "findings": [], "versions": [], "history": [],
    }  # fmt: skip
    assert models("rollback").exit_code == ExitCode.USAGE
    assert ModelRegistry().in_use().version == BUNDLED
