"""A tuned model still warns of exams it does not know, and says that this was not fitted again."""

from __future__ import annotations

import json
import shutil

import pytest

from BrainstemALSLib.annotation import CaseStore
from BrainstemALSLib.assets import asset_path
from BrainstemALSLib.segmentation import familiarity as F
from BrainstemALSLib.segmentation.familiarity_properties import PARTS
from BrainstemALSLib.segmentation.models import STRUCTURES, find_model
from BrainstemALSLib.segmentation.registry import BUNDLED, Lineage, ModelRegistry
from BrainstemALSLib.segmentation.segmenter import Segmenter
from training.active.finetune_run import fine_tune, make_plan
from training.active.frozen_set import is_set_aside
from training.export import add_to_sidecar

from .corrected_exams import SMALL, make_store, small_models, small_network, small_replay

pytestmark = pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")  # the small model's
LEARNS = next(f"ALS-{n}" for n in range(99) if not is_set_aside(f"ALS-{n}"))
TEMPERATURE = 1.2


def silent(_stage: str, _fraction: float, _text: str) -> None:
    """Progress that nobody watches."""


def entry(weights: str, limit: float = 3.0) -> dict:
    """A description of familiar exams, as ``training.familiarity`` writes it."""
    parts = {}
    for name in ("contrast", "shape"):
        size = len(PARTS[name])
        parts[name] = {
            "properties": list(PARTS[name]),
            "mean": [0.0] * size,
            "precision": [[float(i == j) for j in range(size)] for i in range(size)],
            "limit": limit,
        }
    sets = {
        name: {"parts": parts, "spots": {"dark": 0.2, "bright": 0.2}}
        for name in (F.T1, F.DIFFUSION)
    }
    return {"format": F.FORMAT, "weights": weights, "temperature": TEMPERATURE, "sets": sets}


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> CaseStore:
    return make_store(tmp_path_factory.mktemp("store"), count=1, subject=LEARNS)


def registry_of(folder, described: bool) -> ModelRegistry:
    """The small model is in use, with or without temperature and description."""
    registry = small_models(folder / "first", folder / "source")
    if not described:
        return registry
    model = find_model(STRUCTURES, folder / "source")
    facts = {"temperature": TEMPERATURE, F.KEY: entry(model.card["sha256"])}
    add_to_sidecar(model, facts)
    described_ = ModelRegistry(folder / "described")
    described_.promote(folder / "source", Lineage(BUNDLED, ""))
    return described_


def tuned(registry, store, folder):
    plan = make_plan(store.root, SMALL, silent, registry, small_replay())
    return fine_tune(plan, folder, SMALL, silent, small_network).folder


def findings(candidate, folder):
    """What a segmenter with this candidate says of it."""
    shutil.copytree(candidate, folder)
    for suffix in (".ts", ".json"):
        shutil.copy(asset_path(f"Models/locator{suffix}"), folder)
    return Segmenter("cpu", folder).findings


@pytest.fixture(scope="module")
def described(tmp_path_factory, store):
    """Registry with a described model, and a candidate tuned from it."""
    folder = tmp_path_factory.mktemp("described")
    registry = registry_of(folder, described=True)
    return registry, tuned(registry, store, folder / "run")


def test_the_candidate_inherits_temperature_and_description(described, tmp_path):
    registry, candidate = described
    parent = find_model(STRUCTURES, registry.in_use().folder)
    model = find_model(STRUCTURES, candidate)
    assert model.card["sha256"] != parent.card["sha256"]
    assert model.temperature == TEMPERATURE
    found = model.card[F.KEY]
    assert found["weights"] == model.card["sha256"]
    assert found[F.INHERITED] == parent.card["sha256"]
    assert found["sets"] == parent.card[F.KEY]["sets"]
    assert all(F.references(model.card).values())
    (told,) = findings(candidate, tmp_path / "models")
    assert (told.severity, told.code) == ("info", F.NOT_FITTED)


def test_a_candidate_of_a_candidate_names_the_model_that_was_measured(described, store, tmp_path):
    registry, candidate = described
    first = registry.in_use()
    measured = find_model(STRUCTURES, first.folder).card["sha256"]
    registry.promote(candidate, Lineage(first.version, measured))
    try:
        again = find_model(STRUCTURES, tuned(registry, store, tmp_path / "run"))
    finally:
        registry.rollback()
    assert again.card[F.KEY][F.INHERITED] == measured
    assert again.card[F.KEY]["weights"] == again.card["sha256"]


def test_a_candidate_without_a_description_warns_that_it_has_none(store, tmp_path):
    candidate = tuned(registry_of(tmp_path, described=False), store, tmp_path / "run")
    card = json.loads((candidate / "structures.json").read_text())
    assert "temperature" not in card
    assert F.KEY not in card
    (told,) = findings(candidate, tmp_path / "models")
    assert (told.severity, told.code) == ("warning", F.NOT_KNOWN)


def test_what_is_fitted_to_the_candidate_replaces_what_it_inherited(described, tmp_path):
    _, candidate = described
    own = tmp_path / "own"
    shutil.copytree(candidate, own)
    model = find_model(STRUCTURES, own)
    # As training.calibrate, then training.familiarity, do with --model-dir.
    add_to_sidecar(model, {"temperature": 1.4, "calibration": {"temperature": 1.4}})
    assert not any(F.references(find_model(STRUCTURES, own).card).values())
    fitted = entry(model.card["sha256"], limit=5.0) | {"temperature": 1.4}
    add_to_sidecar(model, {F.KEY: fitted})
    card = find_model(STRUCTURES, own).card
    assert F.INHERITED not in card[F.KEY]
    assert F.INHERITED not in card["calibration"]
    assert F.references(card)[F.T1].parts["shape"].limit == 5.0
    assert findings(own, tmp_path / "models") == ()
