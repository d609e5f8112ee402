"""A model is loaded only when it is whole."""

from __future__ import annotations

import json
import shutil

import pytest

from BrainstemALSLib.assets import asset_path
from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.segmentation.models import (
    LOCATOR,
    OUTPUTS,
    STRUCTURES,
    find_model,
    load_network,
)

MAX_BYTES = 30 * 1024**2


@pytest.fixture
def folder(tmp_path):
    for suffix in (".ts", ".json"):
        shutil.copy(asset_path(f"Models/{LOCATOR}{suffix}"), tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", [LOCATOR, STRUCTURES])
def test_bundled_models_are_whole_small_and_say_what_they_learned_from(name):
    model = find_model(name)
    assert model.path.stat().st_size <= MAX_BYTES
    assert model.card["learned_from"] == "simulation"
    assert "Research use only" in model.card["intended_use"]
    assert model.card["licence"] == "CC BY-SA 4.0"
    assert model.card["training"]["steps"] > 100


def _refusal(folder) -> BrainstemALSError:
    with pytest.raises(BrainstemALSError) as caught:
        find_model(LOCATOR, folder)
    assert caught.value.code is ExitCode.MODEL_UNAVAILABLE
    return caught.value


def test_missing_file(folder):
    (folder / "locator.ts").unlink()
    assert "missing" in str(_refusal(folder))


def test_altered_weights(folder):
    path = folder / "locator.ts"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    assert "checksum" in str(_refusal(folder))


def test_damaged_description(folder):
    (folder / "locator.json").write_text("{")
    assert "damaged" in str(_refusal(folder))


def test_description_without_checksum(folder):
    path = folder / "locator.json"
    card = json.loads(path.read_text())
    del card["sha256"]
    path.write_text(json.dumps(card))
    assert "damaged" in str(_refusal(folder))


def test_other_format(folder):
    path = folder / "locator.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "format": 99}))
    assert "format 99" in str(_refusal(folder))


@pytest.mark.parametrize(
    "classes", [5, ["background", 5], ["a", "a", "b", "c"]], ids=["number", "mixed", "twice"]
)
def test_outputs_without_proper_names(folder, classes):
    path = folder / "locator.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "classes": classes}))
    assert "damaged" in str(_refusal(folder))


@pytest.mark.parametrize("value", [1.37, 2])
def test_temperature(folder, value):
    assert find_model(LOCATOR, folder).temperature == 1.0
    path = folder / "locator.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "temperature": value}))
    assert find_model(LOCATOR, folder).temperature == value


@pytest.mark.parametrize("value", [0, -1.0, "1.2", None, True, [1.2], float("nan"), float("inf")])
def test_temperature_that_is_no_positive_number(folder, value):
    path = folder / "locator.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "temperature": value}))
    assert "damaged" in str(_refusal(folder))


@pytest.mark.parametrize("name", [LOCATOR, STRUCTURES])
def test_every_output_of_the_network_has_its_name(name, tmp_path):
    """One name less would give each later structure the label of its neighbour."""
    load_network(find_model(name), "cpu")
    for suffix in (".ts", ".json"):
        shutil.copy(asset_path(f"Models/{name}{suffix}"), tmp_path)
    path = tmp_path / f"{name}.json"
    card = json.loads(path.read_text())
    del card[OUTPUTS[name]][1]
    path.write_text(json.dumps(card))
    with pytest.raises(BrainstemALSError, match="outputs") as caught:
        load_network(find_model(name, tmp_path), "cpu")
    assert caught.value.code is ExitCode.MODEL_UNAVAILABLE
