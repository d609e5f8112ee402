"""A stopped run goes on exactly where it was, and no pickle is ever written."""

from __future__ import annotations

import json

import torch

from training.checkpoint import load_checkpoint, save_checkpoint


def _parts(seed: int):
    torch.manual_seed(seed)
    network = torch.nn.Linear(4, 3)
    average = torch.nn.Linear(4, 3)
    return network, average, torch.optim.AdamW(network.parameters(), lr=1e-2)


def _step(network, optimizer, number: int) -> None:
    generator = torch.Generator().manual_seed(number)
    loss = network(torch.randn(5, 4, generator=generator)).square().sum()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def test_resumed_training_equals_uninterrupted_training(tmp_path):
    network, average, optimizer = _parts(1)
    for number in range(6):
        _step(network, optimizer, number)
        if number == 2:
            save_checkpoint(tmp_path, 3, network, average, optimizer, {"seconds": 1.0})

    resumed, other_average, other_optimizer = _parts(99)
    facts = load_checkpoint(tmp_path, resumed, other_average, other_optimizer)
    assert facts["step"] == 3
    for number in range(3, 6):
        _step(resumed, other_optimizer, number)
    for wanted, found in zip(network.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(wanted, found)


def test_only_the_latest_checkpoint_stays_and_nothing_is_a_pickle(tmp_path):
    network, average, optimizer = _parts(1)
    for step in (1, 2):
        _step(network, optimizer, step)
        save_checkpoint(tmp_path, step, network, average, optimizer, {})
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["checkpoint-000002.safetensors", "latest.json"]
    assert json.loads((tmp_path / "latest.json").read_text())["step"] == 2


def test_an_empty_folder_has_no_checkpoint(tmp_path):
    assert load_checkpoint(tmp_path, *_parts(1)) is None
