"""A run can start from an exported model, and says so."""

from __future__ import annotations

import json

import pytest
import torch

from BrainstemALSLib.assets import asset_path
from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.segmentation.channels import CHANNELS, PLANES
from training.networks import COORDINATES, WindowNetwork, locator_network, structure_network, unet
from training.origin import history, next_seed, note_origin, origin, run_seed, total, warm

LOCATOR = asset_path("Models") / "locator.ts"


def test_a_warm_network_is_the_exported_one():
    """The same numbers come out, as far as half precision kept them."""
    image = torch.randn(1, 1, 16, 16, 16)
    exported = torch.jit.load(str(LOCATOR)).float().eval()
    with torch.no_grad():
        torch.testing.assert_close(warm(locator_network, LOCATOR).eval()(image), exported(image))


@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
def test_a_network_that_took_fewer_images_goes_on_as_it_was(tmp_path):
    """Whatever the images show that it did not know."""
    old = WindowNetwork(unet(3 + COORDINATES, 5, (4, 8, 8)))
    path = tmp_path / "structures.ts"
    image = torch.randn(1, sum(PLANES.values()), 16, 16, 16)
    torch.jit.trace(old.eval(), image[:, :3]).save(str(path))
    channels = [{"name": name} for name in CHANNELS[:3]]
    path.with_suffix(".json").write_text(json.dumps({"channels": channels}))
    new = warm(lambda: WindowNetwork(unet(sum(PLANES.values()) + COORDINATES, 5, (4, 8, 8))), path)
    with torch.no_grad():
        torch.testing.assert_close(new.eval()(image), old(image[:, :3]))
        assert new.body.input_block.conv1.conv.weight[:, 3:6].abs().max() == 0


def test_another_network_is_refused_in_one_sentence():
    with pytest.raises(BrainstemALSError, match="without --warm-start"):
        warm(structure_network, LOCATOR)


def test_a_file_that_is_no_model_is_refused(tmp_path):
    path = tmp_path / "model.ts"
    path.write_bytes(b"no model")
    with pytest.raises(BrainstemALSError, match="without --warm-start"):
        warm(locator_network, path)


def test_the_origin_is_written_once(tmp_path):
    """A run that goes on keeps what it began with."""
    note_origin(tmp_path, LOCATOR, 5)
    note_origin(tmp_path, None, 6)
    card = json.loads(LOCATOR.with_suffix(".json").read_text())
    assert origin(tmp_path)["history"][-1]["sha256"] == card["sha256"]
    assert origin(tmp_path)["seed"] == 5


def run(sha: str, steps: int, seed: int | None, **more) -> dict:
    return {"sha256": sha, "steps": steps, "seconds": 10 * steps, "seed": seed, **more}


def card_of(last: dict) -> dict:
    training = {name: value for name, value in last.items() if name != "sha256"}
    return {"sha256": last["sha256"], "training": training}


NESTED = run("c", 30, 1, warm_start=run("b", 20, 4, warm_start=run("a", 10, None)))


def test_a_chain_of_runs_is_told_first_run_first_whichever_way_its_card_holds_it():
    chain = history(card_of(NESTED))
    assert [(one["sha256"], one["steps"], one["seed"]) for one in chain] == [
        ("a", 10, None), ("b", 20, 4), ("c", 30, 1),
    ]  # fmt: skip
    later = history(card_of(run("d", 40, 7, history=chain)))
    assert later[:3] == chain
    assert later[3]["sha256"] == "d"
    assert total({"steps": 40, "history": chain}, "steps") == 100


def test_the_origin_of_an_early_run_is_told_like_a_later_one(tmp_path):
    (tmp_path / "origin.json").write_text(json.dumps({"command": "x", "warm_start": NESTED}))
    told = origin(tmp_path)
    assert told["history"] == history(card_of(NESTED))
    assert "warm_start" not in told


def test_a_new_seed_draws_no_image_that_was_drawn():
    """Neither as they were drawn first, number by number, nor by halves, each window twice."""
    for used in ([1], [1, 3], [2, 5], [1, 3, 4, 7]):
        card = card_of(run("z", 1, used[-1], history=[run(str(s), 1, s) for s in used[:-1]]))
        new = next_seed(card)
        drawn = {s * factor for s in used for factor in (1, 0.5)}
        assert not {new, new / 2} & drawn


def test_a_warm_run_gets_a_fresh_seed_keeps_it_and_refuses_a_used_one(tmp_path):
    model = tmp_path / "structures.ts"
    model.with_suffix(".json").write_text(json.dumps(card_of(NESTED)))
    folder = tmp_path / "run"
    assert run_seed(folder, None, None) == 1
    assert run_seed(folder, None, 8) == 8
    fresh = run_seed(folder, model, None)
    assert fresh == 3
    with pytest.raises(BrainstemALSError, match="seed 4") as refused:
        run_seed(folder, model, 4)
    assert refused.value.code is ExitCode.USAGE
    note_origin(folder, model, fresh)
    assert run_seed(folder, model, None) == fresh
    with pytest.raises(BrainstemALSError, match="began with seed 3"):
        run_seed(folder, model, 9)


def test_a_run_whose_seed_only_its_checkpoint_knows_keeps_it(tmp_path):
    (tmp_path / "origin.json").write_text(json.dumps({"command": "x"}))
    (tmp_path / "latest.json").write_text(json.dumps({"step": 1, "schedule": {"seed": 6}}))
    assert run_seed(tmp_path, LOCATOR, None) == 6
