"""What a sidecar says of a model, and what it must not keep of other weights."""

from __future__ import annotations

import json
import shutil

import pytest
import torch

from BrainstemALSLib.assets import asset_path
from BrainstemALSLib.errors import BrainstemALSError
from BrainstemALSLib.segmentation.models import LOCATOR, STRUCTURES, find_model, load_network
from training.export import add_to_sidecar, export_structures
from training.networks import structure_network

FACTS = {"steps": 3, "seconds": 4, "figures": {}, "seed": 2}

pytestmark = pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")


@pytest.fixture
def folder(tmp_path):
    for suffix in (".ts", ".json"):
        shutil.copy(asset_path(f"Models/{LOCATOR}{suffix}"), tmp_path)
    return tmp_path


def card_in(folder, name: str) -> dict:
    return json.loads((folder / f"{name}.json").read_text())


def test_new_weights_have_no_temperature_and_no_familiarity_of_the_old(tmp_path):
    torch.manual_seed(1)
    network = structure_network((4, 8, 8))
    history = [{"sha256": "a", "steps": 10, "seconds": 20, "anatomies": 5, "seed": 1}]
    export_structures(network, FACTS | {"history": history}, 7, tmp_path)
    model = find_model(STRUCTURES, tmp_path)
    load_network(model, "cpu")
    assert model.card["training"]["total_steps"] == 13
    assert model.card["training"]["total_seconds"] == 24
    add_to_sidecar(model, {"temperature": 1.5, "familiarity": {"mean": [0.0]}})
    assert find_model(STRUCTURES, tmp_path).temperature == 1.5
    export_structures(network, FACTS, 7, tmp_path)
    again = find_model(STRUCTURES, tmp_path)
    assert again.temperature == 1.0
    assert not {"temperature", "familiarity"} & set(again.card)
    assert "total_steps" not in again.card["training"]


def test_what_is_measured_is_added_and_the_rest_stays(folder):
    before = card_in(folder, LOCATOR)
    add_to_sidecar(find_model(LOCATOR, folder), {"temperature": 2.0})
    add_to_sidecar(find_model(LOCATOR, folder), {"calibration": {"images": 3}})
    assert card_in(folder, LOCATOR) == before | {"temperature": 2.0, "calibration": {"images": 3}}
    assert sorted(path.name for path in folder.iterdir()) == ["locator.json", "locator.ts"]


def test_a_model_that_was_replaced_meanwhile_is_left_alone(folder):
    measured = find_model(LOCATOR, folder)
    measured.card["sha256"] = "0" * 64
    before = card_in(folder, LOCATOR)
    with pytest.raises(BrainstemALSError, match="replaced"):
        add_to_sidecar(measured, {"temperature": 2.0})
    assert card_in(folder, LOCATOR) == before


def test_nothing_else_of_a_sidecar_can_be_rewritten(folder):
    with pytest.raises(ValueError, match="sha256"):
        add_to_sidecar(find_model(LOCATOR, folder), {"sha256": "0" * 64})
