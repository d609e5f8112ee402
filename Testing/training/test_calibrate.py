"""A temperature is fitted where users see probabilities, and kept only when it is better."""

from __future__ import annotations

import json
import shutil
from types import SimpleNamespace

import numpy as np
import pytest

from BrainstemALSLib.anatomy import by_key
from BrainstemALSLib.assets import asset_path
from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.imaging.geometry import resample
from BrainstemALSLib.imaging.volume import Volume
from BrainstemALSLib.segmentation.models import STRUCTURES, find_model
from training import calibrate
from training.calibrate import Sampled, calibrated, expected_error, fitted, sampled
from training.evaluation.calibration import neighbourhood

KEYS = ("pyramid_left", "pyramid_right", "basis_pontis_left")


def honest(count: int, sharpness: float, seed: int = 1) -> Sampled:
    """Voxels whose truth is drawn from the softmax of logits, which are then made too sharp."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 1.5, (count, 4))
    probability = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    truth = (rng.random((count, 1)) > probability.cumsum(1)).sum(1).clip(0, 3)
    corners = np.repeat(sharpness * logits[:, None], 8, axis=1).astype(np.float16)
    return Sampled(corners, np.full((count, 8), 1 / 8, np.float32), truth)


@pytest.mark.parametrize("sharpness", [0.6, 1.8])
def test_the_temperature_undoes_what_made_the_network_too_sure_or_too_unsure(sharpness):
    parts = [honest(4000, sharpness, 1), honest(4000, sharpness, 2)]
    assert fitted(parts) == pytest.approx(sharpness, rel=0.05)
    found = calibrated(parts, 1.0)
    assert found["nll_after"] < found["nll_before"]
    assert found["ece_after"] < found["ece_before"] / 2
    assert expected_error(parts, found["temperature"]) < 0.02


def test_a_temperature_that_is_right_already_stays():
    assert calibrated([honest(4000, 1.5)], 1.5) is None


@pytest.fixture(scope="module")
def scene() -> tuple[Volume, Volume]:
    """Logits on a 1 mm box, and a truth on a grid that lies between its voxels."""
    rng = np.random.default_rng(3)
    affine = np.eye(4)
    affine[:3, 3] = [-10, -12, -14]
    logits = rng.normal(0, 1, (20, 24, 28, 4)).astype(np.float32)
    logits[..., 0] += 4
    logits[6:14, 8:16, 8:20, 1] += 9
    grid = np.diag([1.0, 0.9, 1.0, 1.0])
    grid[:3, 3] = [-9.4, -11.3, -13.7]
    labels = np.zeros((18, 24, 26), np.uint8)
    labels[6:11, 9:16, 8:19] = by_key()["pyramid_left"].index
    return Volume(logits, affine), Volume(labels, grid)


def test_sampled_probabilities_are_those_that_reach_the_t1(scene, monkeypatch):
    box, truth = scene
    monkeypatch.setattr(calibrate, "VOXELS", 10**6)  # all there are, in any order
    part = sampled(box, truth, KEYS, np.random.default_rng(1))
    assert set(np.unique(part.truth)) == {0, 1}
    assert part.probabilities(1.0)[part.truth == 1, 1].mean() > 0.8

    def on_the_t1(channel: int, temperature: float) -> np.ndarray:
        soft = np.exp(box.array / temperature)
        soft = np.ascontiguousarray((soft / soft.sum(-1, keepdims=True))[..., channel])
        outside = float(channel == 0)
        return resample(
            Volume(soft, box.affine), truth.shape, truth.affine, "linear", outside
        ).array

    near = neighbourhood(1 - on_the_t1(0, 1.0) > 0.5, truth)
    for temperature in (1.0, 2.0):
        found = part.probabilities(temperature)
        assert np.allclose(found.sum(1), 1, atol=1e-3)
        wanted = on_the_t1(1, temperature)[near]
        np.testing.assert_allclose(np.sort(found[:, 1]), np.sort(wanted), atol=2e-3)


def test_voxels_outside_the_box_are_left_out(scene):
    box, truth = scene
    cut = Volume(box.array[:, :, :14], box.affine)
    rng = np.random.default_rng(1)
    assert len(sampled(cut, truth, KEYS, rng).truth) < len(sampled(box, truth, KEYS, rng).truth)


class Overconfident:
    """A segmenter whose logits are those of the scene, three times too sharp."""

    keys = KEYS

    def __init__(self, box: Volume, refuse: bool = False):
        self.box, self.refuse, self.seen = Volume(3 * box.array, box.affine), refuse, []

    def logits(self, exam):
        self.seen.append(exam)
        if self.refuse:
            raise BrainstemALSError("T1", "no brainstem", "Use another.", ExitCode.NO_BRAINSTEM)
        return self.box


@pytest.fixture
def folder(tmp_path):
    for suffix in (".ts", ".json"):
        shutil.copy(asset_path(f"Models/{STRUCTURES}{suffix}"), tmp_path)
    return tmp_path


@pytest.fixture
def command(monkeypatch, scene, folder):
    """Run the command on the scene, with exams that it need not simulate; returns the segmenter."""
    from BrainstemALSLib.imaging.exam import Exam

    exam = Exam(t1=scene[1], fa=scene[1], md=scene[1], v1=scene[1])
    monkeypatch.setattr(calibrate, "training_cases", lambda: ["a", "b"])
    monkeypatch.setattr(calibrate.adapter, "simulate", lambda case, seed: (exam, scene[1]))

    def run(refuse: bool = False) -> SimpleNamespace:
        segmenter = Overconfident(scene[0], refuse)
        monkeypatch.setattr(calibrate.adapter, "segmenter", lambda *_: segmenter)
        calibrate.main(["--images", "3", "--model-dir", str(folder)])
        return segmenter

    return run


def test_the_sidecar_gets_the_temperature_and_what_it_rests_on(command, folder, capsys):
    before = json.loads((folder / "structures.json").read_text())
    segmenter = command()
    model = find_model(STRUCTURES, folder)
    facts = model.card["calibration"]
    assert model.temperature == facts["temperature"] > 1
    assert facts["images"] == 3
    assert facts["sha256"] == before["sha256"]
    assert facts["nll_after"] < facts["nll_before"]
    others = set(before) - {"temperature", "calibration"}
    assert {n: model.card[n] for n in others} == {n: before[n] for n in others}
    assert str(folder) not in json.dumps(facts)
    kinds = [(exam.fa is not None, exam.v1 is not None) for exam in segmenter.seen]
    assert kinds == [(True, True), (True, False), (False, False)]
    command()
    assert "stays" in capsys.readouterr().out
    assert find_model(STRUCTURES, folder).card["calibration"] == facts


def test_a_model_that_finds_nothing_is_refused(command, folder):
    before = (folder / "structures.json").read_bytes()
    with pytest.raises(SystemExit) as ended:
        command(refuse=True)
    assert ended.value.code == ExitCode.NO_BRAINSTEM
    assert (folder / "structures.json").read_bytes() == before
