"""The supervised baseline: one exam per anatomy, augmented, trained, exported where it can run."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from BrainstemALSLib.anatomy import load_structures
from BrainstemALSLib.segmentation.channels import CHANNELS, PLANES
from BrainstemALSLib.segmentation.inference import mirror_channels
from BrainstemALSLib.segmentation.preprocess import WINDOW_MM
from BrainstemALSLib.segmentation.segmenter import Segmenter
from training import supervised
from training.smoke import phantom_anatomy, phantom_labels
from training.supervised import MARGIN, FixedExams, Windows, plain_network

FA = 1  # plane of the channels


@pytest.fixture(scope="module")
def windows(tmp_path_factory) -> Windows:
    return Windows(tmp_path_factory.mktemp("windows"), lambda case: phantom_labels(int(case)))


def test_an_anatomy_has_one_exam_drawn_once(windows):
    first = windows("1")
    assert first[0].shape == (sum(PLANES.values()), *(n + 2 * MARGIN for n in WINDOW_MM))
    assert len(first[1].unique()) > 30
    kept = Windows(windows.folder, load=None)  # nothing to draw it from again
    for one, again in zip(first, kept("1"), strict=True):
        assert torch.equal(one, again)
    assert not torch.equal(first[0], windows("2")[0])


def test_a_number_is_always_the_same_pair_and_another_number_another(windows):
    sampler = FixedExams(["1"], windows)
    pair, again, other = sampler(7), sampler(7), sampler(8)
    for one, same in zip(pair, again, strict=True):
        assert torch.equal(one, same)
    assert not torch.equal(pair[0], other[0])
    assert pair[0].shape == (sum(PLANES.values()), *WINDOW_MM)
    assert pair[1].shape == WINDOW_MM
    assert pair[0].dtype == torch.float32
    assert pair[1].dtype == torch.int64


def test_labels_stay_with_the_image_and_mirroring_swaps_sides(windows):
    """A structure that is only ever left of the middle is so in mirrored pairs too."""
    sampler = FixedExams(["1"], windows)
    left, right = ([1 + n for n, s in enumerate(load_structures()) if s.side == side]
                   for side in ("left", "right"))  # fmt: skip
    plain = FixedExams(["1"], windows, augment=False)(0)
    partner = torch.tensor(mirror_channels(tuple(s.key for s in load_structures())))
    sides = 0
    for number in range(8):
        channels, classes = sampler(number)
        middles = [
            float(torch.isin(classes, torch.tensor(side)).nonzero()[:, 0].float().mean())
            for side in (left, right)
        ]
        assert middles[0] < middles[1]
        assert torch.isfinite(channels).all()
        sides += torch.equal(classes, partner[plain[1].flip(0)])
    assert sides, "no pair was mirrored and not moved"


def test_images_are_left_out_as_in_our_own_training(windows):
    sampler = FixedExams(["1"], windows)
    pairs = [sampler(number)[0] for number in range(8)]
    assert 0 < sum(bool(channels[FA].any()) for channels in pairs) < 8
    assert all(bool(channels[0].any()) for channels in pairs)


def test_without_augmentation_cases_come_in_turn_as_they_are(windows):
    sampler = FixedExams(["1", "2"], windows, augment=False)
    inner = (..., *(slice(MARGIN, MARGIN + n) for n in WINDOW_MM))
    for number, case in ((0, "1"), (1, "2"), (2, "1")):
        assert torch.equal(sampler(number)[0], windows(case)[0][inner])


@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
def test_the_command_trains_and_exports_a_model_that_runs(windows, monkeypatch, tmp_path):
    """On made-up anatomies and with few filters, through the command line."""
    monkeypatch.setenv("BRAINSTEM_ALS_DATA", str(tmp_path))
    monkeypatch.setattr(supervised, "training_cases", lambda: ["1"])
    monkeypatch.setattr(supervised, "built_cases", lambda held_out: ["2"])
    monkeypatch.setattr(supervised, "data_fingerprint", lambda cases: "f" * 64)
    monkeypatch.setattr(supervised, "prepared_anatomy", phantom_anatomy)
    monkeypatch.setattr(supervised, "plain_network", lambda: plain_network((4, 8, 8)))
    monkeypatch.setattr(supervised, "Windows", lambda folder: windows)
    folder = tmp_path / "runs" / "unet"
    supervised.main(["--steps", "1", "--workers", "0", "--device", "cpu"])
    card = json.loads((folder / "structures.json").read_text())
    assert card["training"]["steps"] == 1
    assert card["training"]["recipe"] == supervised.RECIPE
    assert card["training"]["seed"] == 1
    before = torch.jit.load(str(folder / "structures.ts")).state_dict()
    (folder / "structures.ts").unlink()
    supervised.main(["--export-only"])
    after = torch.jit.load(str(folder / "structures.ts")).state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert json.loads((folder / "structures.json").read_text())["training"]["steps"] == 1
    segmenter = Segmenter(device="cpu", model_dir=folder)
    assert segmenter.channels == CHANNELS
    assert np.isclose(segmenter.temperature, 1.0)
