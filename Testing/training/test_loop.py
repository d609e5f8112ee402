"""The training loop: a seed is a seed, a run resumes, and does not mix with other data."""

from __future__ import annotations

import math

import pytest
import torch

from BrainstemALSLib.errors import BrainstemALSError
from training.loop import Schedule, train

CPU = torch.device("cpu")


def _build() -> torch.nn.Module:
    return torch.nn.Conv3d(1, 3, 3, padding=1)


def _sample(number: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(number)
    classes = torch.randint(0, 3, (6, 6, 6), generator=generator)
    return classes[None].float(), classes


def _validate(network: torch.nn.Module) -> dict[str, float]:
    return {"dice": float(next(network.parameters()).detach().sum())}


def _run(folder, steps: int, fingerprint: str = "a", **changes) -> torch.nn.Module:
    schedule = Schedule(steps, workers=0, warm_up=1, checkpoint_every=10**6, **changes)
    return train(_build, _sample, _validate, folder, schedule, CPU, fingerprint)[0]


def _weights(network: torch.nn.Module) -> torch.Tensor:
    return torch.cat([p.detach().ravel() for p in network.parameters()])


def test_the_same_seed_gives_the_same_weights_and_another_does_not(tmp_path):
    first, again = (_weights(_run(tmp_path / name, 3)) for name in "ab")
    assert torch.equal(first, again)
    assert not torch.equal(first, _weights(_run(tmp_path / "c", 3, seed=2)))


def test_training_learns(tmp_path):
    network = _run(tmp_path, 60, rate=0.05)
    image, classes = _sample(999)
    right = (network(image[None]).argmax(1)[0] == classes).float().mean()
    assert right > 0.6, "three classes by their own value: chance is 0.33"


def test_a_stopped_run_goes_on_from_its_checkpoint(tmp_path):
    _run(tmp_path, 2)
    _, facts = train(
        _build, _sample, _validate, tmp_path, Schedule(5, workers=0, warm_up=1), CPU, "a"
    )
    assert facts["steps"] == 5


def test_a_run_that_has_ended_is_not_run_or_exported_again(tmp_path):
    _run(tmp_path, 2)
    with pytest.raises(BrainstemALSError, match="has ended"):
        _run(tmp_path, 2)


def test_a_run_on_other_data_is_not_resumed(tmp_path):
    _run(tmp_path, 2)
    with pytest.raises(BrainstemALSError, match="other data"):
        _run(tmp_path, 4, fingerprint="b")


def test_class_weights_count(tmp_path):
    plain = _weights(_run(tmp_path / "plain", 3))
    weighted = _weights(_run(tmp_path / "weighted", 3, class_weights=(0.1, 1.0, 5.0)))
    assert not torch.allclose(plain, weighted)
    assert math.isfinite(float(weighted.sum()))
