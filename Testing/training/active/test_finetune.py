"""Fine-tuning: what nobody vouches for does not train, runs resume, the model in use stays."""

from __future__ import annotations

import copy
import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from BrainstemALSLib.annotation import CaseStore
from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.imaging.volume import Volume
from BrainstemALSLib.segmentation.models import STRUCTURES, find_model, load_network
from BrainstemALSLib.segmentation.registry import ModelRegistry, read_lineage
from training.active.finetune_data import Lesson, Window, read_lessons
from training.active.finetune_loop import learn
from training.active.finetune_loss import lesson_loss
from training.active.finetune_modes import FULL, LOW_RANK, MODES, learning, merged, open_to_learning
from training.active.finetune_replay import find_replay
from training.active.finetune_run import fine_tune, make_plan
from training.active.frozen_set import is_set_aside

from . import finetune_doomed
from .corrected_exams import (
    SMALL,
    approval,
    exam,
    make_store,
    small_models,
    small_network,
    small_replay,
)

pytestmark = pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")  # the small model's
LEARNS = next(f"ALS-{n}" for n in range(99) if not is_set_aside(f"ALS-{n}"))
ASIDE = next(f"ALS-{n}" for n in range(99) if is_set_aside(f"ALS-{n}"))


def silent(_stage: str, _fraction: float, _text: str) -> None:
    """Progress that nobody watches."""


@pytest.fixture(scope="module")
def registry(tmp_path_factory) -> ModelRegistry:
    """The small model is in use."""
    folder = tmp_path_factory.mktemp("models")
    return small_models(folder / "mine", folder / "source")


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> CaseStore:
    """Two exams that were approved as a whole."""
    return make_store(tmp_path_factory.mktemp("store"), subject=LEARNS)


def lesson(approved_all: bool = True) -> Lesson:
    t1, truth = exam(0)
    vouched = np.ones(truth.shape, np.uint8) * approved_all
    vouched[24:32, 24:32, 24:32] = 1
    return Lesson("a", {"t1": t1}, truth, Volume(vouched, truth.affine))


# What is learned from.


def test_unreviewed_voxels_do_not_train():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(1, 5, 4, 4, 4, generator=generator, requires_grad=True)
    vouched = torch.zeros(4, 4, 4, dtype=torch.bool)
    vouched[1:3, 1:3, 1:3] = True
    classes = torch.randint(0, 5, (4, 4, 4), generator=generator)
    others = torch.where(vouched, classes, (classes + 1) % 5)
    first = lesson_loss(logits, Window(torch.zeros(1), classes, vouched))
    first.backward()
    assert torch.equal(first, lesson_loss(logits, Window(torch.zeros(1), others, vouched)))
    assert (logits.grad[0, :, ~vouched] == 0).all()
    assert (logits.grad[0, :, vouched] != 0).any()


def test_a_window_that_nobody_vouches_for_has_a_loss_of_0():
    logits = torch.randn(1, 3, 2, 2, 2, requires_grad=True)
    nowhere = torch.zeros(2, 2, 2, dtype=torch.bool)
    loss = lesson_loss(logits, Window(torch.zeros(1), nowhere.long(), nowhere))
    loss.backward()
    assert float(loss.detach()) == 0
    assert (logits.grad == 0).all()


def test_the_old_model_speaks_where_the_image_is_known_and_nobody_vouches():
    generator = torch.Generator().manual_seed(1)
    shown, vouched = (torch.zeros(4, 4, 4, dtype=torch.bool) for _ in "ab")
    shown[:3] = True
    vouched[0] = True
    classes = torch.randint(0, 3, (4, 4, 4), generator=generator)
    window = Window(torch.zeros(1), classes, vouched, shown)
    old = 4 * torch.randn(1, 3, 4, 4, 4, generator=generator)
    logits = old.clone().requires_grad_(True)
    like_the_old = lesson_loss(logits, window, lambda: old)
    like_the_old.backward()
    assert (logits.grad[0, :, 3] == 0).all()  # nobody knows the image there
    other = old.clone()
    other[0, :, 1:3] = -other[0, :, 1:3]
    assert lesson_loss(other, window, lambda: old) > like_the_old + 0.5
    labels = torch.where(vouched, classes, (classes + 1) % 3)
    renamed = Window(torch.zeros(1), labels, vouched, shown)
    assert torch.equal(
        lesson_loss(old, renamed, lambda: old), lesson_loss(old, window, lambda: old)
    )


def test_a_few_changed_voxels_weigh_no_more_than_the_others():
    generator = torch.Generator().manual_seed(2)
    old = 2 * torch.randn(1, 3, 8, 8, 8, generator=generator)
    vouched = torch.zeros(8, 8, 8, dtype=torch.bool)
    vouched[4, 4, 4] = True
    classes = (old[0].argmax(0) + 1) % 3  # the expert says something else there
    logits = old.clone().requires_grad_(True)
    lesson_loss(logits, Window(torch.zeros(1), classes, vouched), lambda: old).backward()
    assert float(logits.grad[0, :, 4, 4, 4].abs().max()) < 4 / 8**3


def test_it_is_the_usual_loss_where_somebody_vouches_for_everything():
    logits = torch.randn(1, 3, 4, 4, 4)
    classes = torch.randint(0, 3, (4, 4, 4))
    everywhere = torch.ones(4, 4, 4, dtype=torch.bool)
    whole = lesson_loss(logits, Window(torch.zeros(1), classes))
    assert torch.equal(lesson_loss(logits, Window(torch.zeros(1), classes, everywhere)), whole)
    everywhere[0, 0, 0] = False
    sure = 50 * torch.nn.functional.one_hot(classes, 3).movedim(-1, 0)[None].float()
    nearly = lesson_loss(logits, Window(torch.zeros(1), classes, everywhere), lambda: sure)
    assert float(nearly) == pytest.approx(float(whole), abs=1e-4)


def test_labels_go_where_the_image_goes():
    truth = exam(0)[1]
    # An image of the labelled part alone, so that image and labels can be compared.
    part = Volume((truth.array > 0).astype(np.float32) * 100, truth.affine)
    everywhere = Volume(np.ones(truth.shape, np.uint8), truth.affine)
    one = Lesson("a", {"t1": part}, truth, everywhere)
    for number in range(4):
        window = one.draw(number, (32, 32, 32))
        bright = window.channels[0] > window.channels[0].mean()
        labelled = window.classes > 0
        overlap = 2 * (bright & labelled).sum() / (bright.sum() + labelled.sum())
        assert overlap > 0.9
    again = one.draw(3, (32, 32, 32))
    assert torch.equal(window.channels, again.channels)
    assert torch.equal(window.classes, again.classes)
    assert not torch.equal(window.classes, one.draw(2, (32, 32, 32)).classes)


def test_only_those_that_may_train_are_read(tmp_path):
    store = CaseStore(tmp_path)
    learned = store.approve(approval(0, LEARNS))
    store.approve(approval(1, ASIDE))
    partial = store.approve(approval(2, LEARNS, approved_all=False))
    few = store.approve(approval(3, LEARNS, keys=("red_nucleus_left",)))
    warnings: list[str] = []
    lessons, _ = read_lessons(tmp_path, warnings)
    assert {one.name: one.partial for one in lessons} == {
        learned.case_id: False,
        partial.case_id: True,
        few.case_id: True,  # what looks like background may be a structure it did not know
    }
    assert warnings == ["Kept aside to judge by, and not learned from: 1 exams."]


def test_a_store_without_anything_to_learn_is_refused(tmp_path):
    CaseStore(tmp_path).approve(approval(0, ASIDE))
    with pytest.raises(BrainstemALSError, match=r"no approved case to learn from; 1 exams"):
        read_lessons(tmp_path, [])


def test_without_anatomies_simulated_patients_are_replayed(monkeypatch, tmp_path):
    monkeypatch.setenv("BRAINSTEM_ALS_SHARED", str(tmp_path / "none"))
    monkeypatch.setenv("BRAINSTEM_ALS_DATA", str(tmp_path))
    found = find_replay(count=1)
    assert (found.source, found.count) == ("simulated patients", 1)
    window = found.draw(3)
    assert window.channels.shape == (6, 64, 80, 96)
    assert torch.equal(window.vouched, window.shown)
    assert len(window.classes.unique()) > 40
    assert torch.equal(window.classes, found.draw(3).classes)


# What may change.


@pytest.mark.parametrize("mode", MODES)
def test_a_mode_starts_from_the_old_answers_and_changes_no_more_than_it_may(mode, tmp_path):
    torch.manual_seed(1)
    network = small_network()
    before = copy.deepcopy(network)
    image = torch.randn(1, 6, 16, 16, 16)
    opened = open_to_learning(copy.deepcopy(network), mode)
    assert torch.allclose(opened(image), before(image), atol=1e-6)
    setting = replace(SMALL, mode=mode, rate=0.01)
    after, facts = learn(network, [lesson()], small_replay(), tmp_path, setting, "a", silent)
    old, new = before.state_dict(), after.state_dict()
    assert old.keys() == new.keys()  # merged: as plain as it came
    changed = {name for name in old if not torch.equal(old[name], new[name])}
    assert "body.output_block.conv.conv.weight" in changed
    encoder = {name for name in old if name.startswith(("body.input_block", "body.downsamples"))}
    assert bool(changed & encoder) == (mode == FULL)
    everything = sum(parameter.numel() for parameter in before.parameters())
    assert (facts["learning_parameters"] == everything) == (mode == FULL)


def test_an_addition_of_low_rank_is_merged_without_a_difference():
    network = open_to_learning(small_network(), LOW_RANK)
    with torch.no_grad():
        for parameter in learning(network):
            parameter.add_(0.1 * torch.randn_like(parameter))
        image = torch.randn(1, 6, 16, 16, 16)
        wanted = network(image)
        assert torch.allclose(merged(network)(image), wanted, atol=1e-4)


def test_it_learns(tmp_path):
    torch.manual_seed(1)
    setting = replace(SMALL, steps=40, mode=FULL, rate=0.01, replay=0.0)
    facts = learn(small_network(), [lesson()], small_replay(), tmp_path, setting, "a", silent)[1]
    assert facts["loss"]["last_tenth"] < 0.8 * facts["loss"]["first_tenth"]


# Runs that stop.


def test_a_stopped_run_goes_on_as_if_it_had_not_been_stopped(tmp_path):
    torch.manual_seed(1)
    network = small_network()

    def weights(folder: str, progress) -> torch.Tensor:
        lessons = [lesson(), lesson(approved_all=False)]
        out = learn(
            copy.deepcopy(network), lessons, small_replay(), tmp_path / folder, SMALL, "a", progress
        )[0]
        return torch.cat([parameter.ravel() for parameter in out.parameters()])

    calls = []

    def stop(_stage: str, _fraction: float, _text: str) -> None:
        calls.append(1)
        if len(calls) == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        weights("stopped", stop)
    assert json.loads((tmp_path / "stopped" / "latest.json").read_text())["step"] == 3
    assert torch.equal(weights("stopped", silent), weights("whole", silent))


def test_a_run_on_other_cases_and_a_damaged_one_are_refused(tmp_path):
    def go(fingerprint: str):
        return learn(
            small_network(), [lesson()], small_replay(), tmp_path, SMALL, fingerprint, silent
        )

    go("a")
    with pytest.raises(BrainstemALSError, match="other cases, another model or other settings"):
        go("b")
    (next(tmp_path.glob("*.safetensors"))).write_bytes(b"cut off")
    with pytest.raises(BrainstemALSError, match="damaged"):
        go("a")


def test_the_clock_ends_a_run_too(tmp_path):
    setting = replace(SMALL, steps=10_000, minutes=1e-4)
    facts = learn(small_network(), [lesson()], small_replay(), tmp_path, setting, "a", silent)[1]
    assert 1 <= facts["steps"] < 10_000


# The whole.


def test_a_candidate_says_where_it_comes_from(registry, store, tmp_path):
    plan = make_plan(store.root, SMALL, silent, registry, small_replay())
    found = fine_tune(plan, tmp_path, SMALL, silent, small_network)
    used = registry.in_use()
    lineage = read_lineage(found.folder)
    assert lineage == found.lineage
    assert lineage.parent == used.version
    assert lineage.parent_sha256 == find_model(STRUCTURES, used.folder).identity["sha256"]
    assert set(lineage.corrections) == {record.case_id for record in store.cases()}
    assert lineage.learned_from == "simulation and corrections"
    model = find_model(STRUCTURES, found.folder)
    assert model.channels == find_model(STRUCTURES, used.folder).channels
    assert model.card["learned_from"] == "simulation and corrections"
    assert "no image of a patient" not in model.card["intended_use"]
    assert model.card["version"].endswith(".c2")
    assert model.card["training"]["replay"]["source"] == "training anatomies"
    assert LEARNS not in json.dumps(model.card) + json.dumps(lineage.to_json())
    load_network(model, "cpu")
    # The gate's registry takes it as it is.
    assert registry.add(found.folder, lineage).problem == ""


def test_two_programs_do_not_share_a_run(registry, store, tmp_path):
    plan = make_plan(store.root, SMALL, silent, registry, small_replay())

    def again(stage: str, _fraction: float, _text: str) -> None:
        if stage == "learn":
            fine_tune(plan, tmp_path, SMALL, silent, small_network)

    with pytest.raises(BrainstemALSError, match="another program"):
        fine_tune(plan, tmp_path, SMALL, again, small_network)


@pytest.mark.parametrize("stage", ["learn", "export"])
def test_a_killed_run_leaves_the_model_and_goes_on(registry, store, tmp_path, stage):
    root = Path(finetune_doomed.__file__).parents[3]
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(root / "BrainstemALS"), str(root)]),
        "OMP_NUM_THREADS": "1",
    }
    run = tmp_path / "run"
    process = subprocess.Popen(
        [sys.executable, finetune_doomed.__file__, store.root, registry.root, run, stage],
        stdout=subprocess.PIPE,
        env=environment,
    )
    with process:
        assert process.stdout.readline().strip() == b"here"
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    used = registry.in_use()
    assert used.findings == ()
    load_network(find_model(STRUCTURES, used.folder), "cpu")
    kept = json.loads((run / "latest.json").read_text())["step"]
    assert 6 <= kept <= finetune_doomed.STEPS
    setting = replace(SMALL, steps=finetune_doomed.STEPS)
    plan = make_plan(store.root, setting, silent, registry, small_replay())
    steps = []
    candidate = fine_tune(plan, run, setting, lambda *told: steps.append(told), small_network)
    learned = [stage for stage, *_ in steps].count("learn")
    assert learned == finetune_doomed.STEPS - kept
    assert find_model(STRUCTURES, candidate.folder).path.exists()
    assert candidate.lineage.training["steps"] == finetune_doomed.STEPS


# The command.


def test_the_command_fine_tunes_the_model_in_use(store, tmp_path, monkeypatch, capsys):
    from training.active import finetune

    monkeypatch.setenv("BRAINSTEM_ALS_MODELS", str(tmp_path / "none"))
    out = tmp_path / "run"
    monkeypatch.setattr(
        sys, "argv",
        ["finetune", "--store", str(store.root), "--out", str(out), "--steps", "1",
         "--replay", "0", "--device", "cpu"],
    )  # fmt: skip
    finetune.main()
    assert "2 exams to learn from, 0 replayed (nothing)" in capsys.readouterr().out
    assert read_lineage(out / "candidate").parent == "bundled"
    assert (tmp_path / "none").exists() is False


@pytest.mark.parametrize("wrong", [["--replay", "1"], ["--steps", "0"], ["--rate", "-1"]])
def test_the_command_refuses_in_a_sentence(wrong, store, tmp_path, monkeypatch, capsys):
    from training.active import finetune

    given = ["finetune", "--store", str(store.root), "--out", str(tmp_path / "run"), *wrong]
    monkeypatch.setattr(sys, "argv", given)
    with pytest.raises(SystemExit) as ended:
        finetune.main()
    assert ended.value.code == ExitCode.USAGE
    assert "out of range" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
