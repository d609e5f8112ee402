"""Real networks in TorchScript, harmed as a bug would harm them, on a real average brain."""

from __future__ import annotations

import hashlib
import json
import shutil

import pytest
import torch

from BrainstemALSLib.assets import asset_path
from BrainstemALSLib.cli.icbm import icbm_path
from BrainstemALSLib.errors import BrainstemALSError
from BrainstemALSLib.imaging.exam import read_exam
from BrainstemALSLib.segmentation.registry import BUNDLED, Lineage, ModelsInUse
from training.active.frozen_set import FrozenSet
from training.active.gate import judge
from training.active.gate_command import judge_candidate
from training.active.gate_models import ModelPredictor
from training.active.gate_rules import REJECT
from training.active.gate_scores import SIMULATED, Prediction, ValidationCase

MODELS = asset_path("Models")


class Permuted(torch.nn.Module):
    """A network whose outputs are in another order."""

    def __init__(self, inner, order):
        super().__init__()
        self.inner = inner
        self.register_buffer("order", torch.tensor(order))

    def forward(self, image):
        return self.inner(image).index_select(1, self.order)


class Flipped(torch.nn.Module):
    """A network whose outputs are mirrored, left to right."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, image):
        return self.inner(image).flip(2)


class NoNumbers(torch.nn.Module):
    """A network that has lost its numbers."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, image):
        return self.inner(image) / 0.0 * 0.0


def network():
    return torch.jit.load(str(MODELS / "structures.ts")).float()


def keys():
    return json.loads((MODELS / "structures.json").read_text())["keys"]


def write(folder, module):
    folder.mkdir()
    shutil.copy(MODELS / "structures.json", folder)
    torch.jit.script(module).half().save(str(folder / "structures.ts"))
    card = json.loads((folder / "structures.json").read_text())
    card["sha256"] = hashlib.sha256((folder / "structures.ts").read_bytes()).hexdigest()
    (folder / "structures.json").write_text(json.dumps(card))
    return folder


@pytest.fixture(scope="module")
def current():
    """The bundled model, and what it finds in the average brain, which serves as the truth."""
    exam = read_exam(icbm_path("t1"))
    bundled = ModelPredictor(MODELS, MODELS, "cpu", BUNDLED)
    labels = bundled.segmenter.segment(exam).labels
    case = ValidationCase("ICBM", "ICBM", SIMULATED, labels, exam)

    class Known:
        name, keys = BUNDLED, bundled.keys

        def predict(self, case):
            return Prediction(case.truth)

    return Known(), case


def test_a_network_with_exchanged_outputs_is_rejected(current, tmp_path):
    known, case = current
    order = list(range(1 + len(keys())))
    first, second = (1 + keys().index(f"pyramid_{side}") for side in ("left", "right"))
    order[first], order[second] = second, first
    folder = write(tmp_path / "permuted", Permuted(network(), order))
    found = judge([case], known, ModelPredictor(folder, MODELS, "cpu"))
    assert found.outcome == REJECT
    (reason,) = found.reasons
    assert "medullary pyramid, left is drawn where" in reason


def test_a_network_that_mirrors_is_rejected(current, tmp_path):
    known, case = current
    folder = write(tmp_path / "flipped", Flipped(network()))
    found = judge([case], known, ModelPredictor(folder, MODELS, "cpu"))
    assert found.outcome == REJECT
    assert "left and right are exchanged" in found.reasons[0]


def test_a_network_without_numbers_is_refused_at_once(tmp_path):
    folder = write(tmp_path / "lost", NoNumbers(network()))
    with pytest.raises(BrainstemALSError, match="not numbers"):
        ModelPredictor(folder, MODELS, "cpu")


def test_a_network_with_one_output_less_is_rejected_with_its_reason(tmp_path):
    folder = write(tmp_path / "less", Permuted(network(), list(range(len(keys())))))
    used, nothing = ModelsInUse(BUNDLED, MODELS), FrozenSet((), "")
    found = judge_candidate(folder, used, nothing, Lineage(BUNDLED, "0" * 64), device="cpu")
    assert found.outcome == REJECT
    assert f"names {len(keys()) + 1} outputs, but the model has {len(keys())}" in found.reasons[0]
