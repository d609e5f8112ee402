"""The training loop: seeded, resumable, with progress bar, TensorBoard and a moving average."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch.utils.data import DataLoader, Dataset, Subset

from BrainstemALSLib.errors import BrainstemALSError, ExitCode

from .checkpoint import load_checkpoint, save_checkpoint
from .loss import dice_cross_entropy
from .objective import Objective

Sample = Callable[[int], tuple[torch.Tensor, torch.Tensor]]
FADED = 0.6  # share of the run after which class weights are gone


class RunEndedError(BrainstemALSError):
    """The run has done what it was asked for."""


@dataclass
class Schedule:
    """How long and how to train.

    Attributes
    ----------
    steps : int
        Optimiser steps in all.
    minutes : float
        Wall-clock limit of the run, resumed parts included; the schedule is shortened to fit.
    rate : float
        Peak learning rate of AdamW, after a linear warm-up and before a cosine decay.
    average : float
        Decay of the moving average of weights that is validated and exported.
    class_weights : tuple of float, optional
        Of classes that are rare in the image. They fade to 1 by ``FADED`` of the run: they make a
        network find small things early, and would leave it with too large ones.
    batch, workers, seed, validate_every, checkpoint_every
        As named.
    """

    steps: int = 2000
    minutes: float = math.inf
    rate: float = 2e-3
    average: float = 0.99
    batch: int = 1
    workers: int = 1
    seed: int = 1
    validate_every: int = 400
    checkpoint_every: int = 100
    warm_up: int = 50
    class_weights: tuple[float, ...] | None = None


class Samples(Dataset):
    """Samples by number: the same number is the same sample, so a resumed run goes on alike."""

    def __init__(self, sample: Sample, seed: int, length: int):
        self.sample, self.seed, self.length = sample, seed, length

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, number: int) -> tuple[torch.Tensor, torch.Tensor]:
        channels, classes = self.sample(self.seed * 10_000_019 + number)
        return torch.as_tensor(channels).as_subclass(torch.Tensor), classes[None]


def _weights(schedule: Schedule, progress: float, device: torch.device) -> torch.Tensor | None:
    """Class weights of this moment of the run."""
    if schedule.class_weights is None:
        return None
    power = max(0.0, 1.0 - progress / FADED)
    return torch.tensor(schedule.class_weights, device=device) ** power


def _single_thread(_: int) -> None:
    torch.set_num_threads(1)


def train(
    build: Callable[[], torch.nn.Module],
    sample: Sample,
    validate: Callable[[torch.nn.Module], dict[str, float]],
    folder: Path,
    schedule: Schedule,
    device: torch.device,
    fingerprint: str = "",
    objective: Objective = dice_cross_entropy,
) -> tuple[torch.nn.Module, dict]:
    """Train, or go on training, a network.

    Parameters
    ----------
    build : callable
        Returns the network, whose first weights then come from the seed; it takes (n, c, i, j, k)
        and returns logits (n, classes, i, j, k).
    sample : callable
        Number to (channels, classes).
    validate : callable
        Network to named figures, logged; ``dice`` among them.
    folder : Path
        Of the run: checkpoints and TensorBoard logs.
    schedule : Schedule
        How long.
    device : torch.device
        Where.
    fingerprint : str
        Of the data and the loss; a checkpoint of another one is not resumed.
    objective : callable
        The loss, see ``training.objective``.

    Returns
    -------
    (average, facts)
        The averaged network and what happened: steps, seconds, figures.

    Raises
    ------
    RunEndedError
        The run has ended already.
    BrainstemALSError
        It learned from other data.
    """
    from torch.utils.tensorboard import SummaryWriter
    from tqdm import tqdm

    torch.manual_seed(schedule.seed)
    network = build().to(device)
    average = copy.deepcopy(network).eval()
    optimizer = torch.optim.AdamW(network.parameters(), lr=schedule.rate, weight_decay=1e-4)
    facts = load_checkpoint(folder, network, average, optimizer) or {"step": 0, "seconds": 0.0}
    first, spent = facts["step"], facts["seconds"]
    if facts.get("fingerprint", fingerprint) != fingerprint:
        raise BrainstemALSError(
            folder,
            "this run learned from other data than is there now",
            "Name another run with --name, or remove its folder.",
            ExitCode.USAGE,
        )
    if first >= schedule.steps or spent / 60 >= schedule.minutes:
        raise RunEndedError(
            folder,
            f"this run has ended, after {first} steps and {spent / 60:.0f} minutes",
            "Give more --steps and --minutes to go on, or name another run with --name.",
            ExitCode.USAGE,
        )
    numbers = range(first * schedule.batch, schedule.steps * schedule.batch)
    data = Samples(sample, schedule.seed, schedule.steps * schedule.batch)
    loader = DataLoader(
        Subset(data, list(numbers)),
        schedule.batch,
        num_workers=schedule.workers,
        worker_init_fn=_single_thread,
        prefetch_factor=4 if schedule.workers else None,
    )
    log = SummaryWriter(folder / "tensorboard")
    started = time.monotonic()
    figures: dict[str, float] = facts.get("figures", {})
    step = first
    # The clock, not only the step, drives the decay: on a slow machine the run still ends annealed.
    for step, (channels, classes) in enumerate(
        tqdm(loader, initial=first, total=schedule.steps), first + 1
    ):
        elapsed = (spent + time.monotonic() - started) / 60
        progress = max(step / schedule.steps, elapsed / schedule.minutes)
        rate = schedule.rate * min(
            step / schedule.warm_up, 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))
        )
        for group in optimizer.param_groups:
            group["lr"] = max(rate, 1e-6)
        with torch.autocast(device.type, torch.bfloat16):
            logits = network(channels.to(device))
        weight = _weights(schedule, progress, device)
        loss = objective(logits, classes.to(device), weight)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()
        decay = min(schedule.average, step / (step + 10))
        with torch.no_grad():
            for kept, new in zip(average.parameters(), network.parameters(), strict=True):
                kept.lerp_(new, 1 - decay)
        log.add_scalar("loss", float(loss.detach()), step)
        log.add_scalar("rate", rate, step)
        done = step == schedule.steps or progress >= 1
        if done or step % schedule.validate_every == 0:
            figures = validate(average)
            print(f"step {step}: loss {float(loss.detach()):.3f}, {figures}", flush=True)
            for name, value in figures.items():
                log.add_scalar(f"validation/{name}", value, step)
        if done or step % schedule.checkpoint_every == 0:
            seconds = spent + time.monotonic() - started
            extra = {"seconds": seconds, "figures": figures, "fingerprint": fingerprint}
            extra["schedule"] = asdict(schedule)
            extra["schedule"]["minutes"] = str(schedule.minutes)
            save_checkpoint(folder, step, network, average, optimizer, extra)
        if done:
            break
    log.close()
    return average.eval(), {
        "steps": step,
        "seconds": round(spent + time.monotonic() - started),
        "figures": figures,
        "seed": schedule.seed,
    }
