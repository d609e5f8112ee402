"""The optimiser of the study: short runs that are done again when they were interrupted.

``training.loop`` keeps checkpoints and knows one loss; here a run takes two minutes and every
method brings a loss of its own.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from BrainstemALSLib.errors import BrainstemALSError, ExitCode

from ..geometry_augmentation import Draw
from ..loop import FADED

Loss = Callable[[torch.nn.Module, torch.nn.Module, Draw, float], torch.Tensor]
"""Of (network, moving average, source of chance, share of the run that is done)."""


@dataclass(frozen=True)
class Plan:
    """How long and how fast to learn; the same meaning as in ``training.loop.Schedule``."""

    steps: int
    rate: float
    seed: int
    average: float = 0.99
    warm_up: int = 50


@dataclass(frozen=True)
class Fitted:
    """A network that has learned: its last weights, their moving average, and what it took.

    ``seconds`` are of processor time, so that a busy machine does not count.
    """

    last: torch.nn.Module
    average: torch.nn.Module
    steps: int
    seconds: float


def fit(name: str, network: torch.nn.Module, loss: Loss, plan: Plan) -> Fitted:
    """Minimise a loss with AdamW, a warm-up and a cosine decay.

    Parameters
    ----------
    name : str
        Of the run, for what is printed.
    network : torch.nn.Module
        Changed in place.
    loss : callable
    plan : Plan

    Raises
    ------
    BrainstemALSError
        The loss is no longer a number.
    """
    average = copy.deepcopy(network).eval()
    optimizer = torch.optim.AdamW(network.parameters(), lr=plan.rate, weight_decay=1e-4)
    torch.manual_seed(plan.seed)  # of what a loss draws by itself: the adjacency prior's blocks
    started, shown = time.process_time(), 0.0
    for step in range(1, plan.steps + 1):
        progress = step / plan.steps
        rate = plan.rate * min(step / plan.warm_up, 0.5 * (1 + math.cos(math.pi * progress)))
        for group in optimizer.param_groups:
            group["lr"] = max(rate, 1e-6)
        draw = Draw(torch.Generator().manual_seed(plan.seed * 10_000_019 + step))
        value = loss(network, average, draw, progress)
        if not math.isfinite(float(value.detach())):
            raise BrainstemALSError(
                name,
                f"the loss is no number at step {step}",
                "Lower its rate.",
                ExitCode.UNEXPECTED,
            )
        optimizer.zero_grad(set_to_none=True)
        value.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()
        decay = min(plan.average, step / (step + 10))
        with torch.no_grad():
            for kept, new in zip(average.parameters(), network.parameters(), strict=True):
                kept.lerp_(new, 1 - decay)
        shown = float(value.detach()) if step == 1 else 0.95 * shown + 0.05 * float(value.detach())
        if step % 100 == 0 or step == plan.steps:
            spent = time.process_time() - started
            print(f"  {name}: step {step}, loss {shown:.3f}, {spent:.0f} s", flush=True)
    return Fitted(network.eval(), average.eval(), plan.steps, time.process_time() - started)


def faded(weights: Sequence[float], progress: float) -> torch.Tensor:
    """Class weights of this moment of the run, as in ``training.loop``: gone by ``FADED`` of it."""
    return torch.tensor(weights) ** max(0.0, 1.0 - progress / FADED)
