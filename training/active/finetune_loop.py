"""The loop of fine-tuning: seeded, resumable, with progress, and stopped between two steps."""

from __future__ import annotations

import copy
import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError

from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.segmentation.preprocess import WINDOW_MM

from ..checkpoint import load_checkpoint, save_checkpoint
from ..geometry_augmentation import Draw
from .finetune_data import Lesson, Window
from .finetune_loss import lesson_loss
from .finetune_modes import FROZEN, RATES, learning, merged, open_to_learning
from .finetune_replay import Replay

Progress = Callable[[str, float, str], None]
"""Stage, fraction 0-1 and text; what it raises stops the run, which can go on later."""
WARM_UP = 20
AVERAGE = 0.99  # as training.loop: decay of the average that is exported


@dataclass(frozen=True)
class Setting:
    """How to fine-tune; the defaults are our own choices, sized for two cores.

    Attributes
    ----------
    steps : int
        Optimiser steps in all.
    minutes : float
        Wall clock, resumed parts included; on a slow machine the schedule is shortened to fit.
    mode : str
        See ``finetune_modes``.
    replay : float
        Share of the steps that replay an exam.
    rate : float or None
        Peak learning rate; that of the mode where None.
    seed : int
    checkpoint_every : int
        Steps; a killed run loses fewer.
    device : str
        ``cpu`` or ``cuda``.
    window : tuple of 3 int
        Of what is learned from, mm; smaller for tests alone.
    """

    steps: int = 400
    minutes: float = 15.0
    mode: str = FROZEN
    replay: float = 0.5
    rate: float | None = None
    seed: int = 1
    checkpoint_every: int = 20
    device: str = "cpu"
    window: tuple[int, int, int] = WINDOW_MM

    @property
    def peak(self) -> float:
        """Learning rate in use."""
        return RATES[self.mode] if self.rate is None else self.rate

    @property
    def identity(self) -> dict:
        """What a run may not change when it goes on."""
        kept = ("mode", "replay", "seed", "window")
        return {name: asdict(self)[name] for name in kept} | {"rate": self.peak}


def learn(
    network: torch.nn.Module,
    lessons: Sequence[Lesson],
    replay: Replay,
    folder: Path,
    setting: Setting,
    fingerprint: str,
    progress: Progress,
) -> tuple[torch.nn.Module, dict]:
    """Fine-tune a network, or go on with it; a run that has ended only gives its outcome.

    Parameters
    ----------
    network : WindowNetwork
        With the weights of the model in use; changed.
    lessons : sequence of Lesson
    replay : Replay
    folder : Path
        Of the run; gets checkpoints.
    setting : Setting
    fingerprint : str
        Of what is learned from; a checkpoint of other things is not gone on with.
    progress : callable
        Called between steps. What it raises leaves a checkpoint and goes on to the caller.

    Returns
    -------
    (average, facts)
        The averaged network, as plain as it came, and what happened.

    Raises
    ------
    BrainstemALSError
        USAGE: the folder holds a run on other things.
    """
    device = torch.device(setting.device)
    old = copy.deepcopy(network).eval() if any(one.partial for one in lessons) else None
    network = open_to_learning(network, setting.mode, setting.seed).to(device).train()
    average = copy.deepcopy(network).eval()
    if old is not None:
        old.to(device)
    optimizer = torch.optim.AdamW(learning(network), lr=setting.peak, weight_decay=0.0)
    facts = _resumed(folder, network, average, optimizer, fingerprint)
    step, spent = facts.get("step", 0), facts.get("seconds", 0.0)
    losses: list[float] = facts.get("losses", [])
    started, saved = time.monotonic(), step

    def seconds() -> float:
        return spent + time.monotonic() - started

    def save() -> None:
        nonlocal saved
        if step > saved:
            told = {"seconds": seconds(), "fingerprint": fingerprint, "losses": losses}
            save_checkpoint(folder, step, network, average, optimizer, told)
            saved = step

    while step < setting.steps and seconds() < 60 * setting.minutes:
        done = max(step / setting.steps, seconds() / 60 / setting.minutes)
        try:
            progress("learn", done, _text(step, setting.steps, seconds(), done, len(losses) > 0))
        except BaseException:
            save()
            raise
        step += 1
        _set_rate(optimizer, setting.peak, step, done)
        window = _window(lessons, replay, setting, step)
        losses.append(round(_take_step(network, old, optimizer, window, device), 5))
        decay = min(AVERAGE, step / (step + 10))
        with torch.no_grad():
            for kept, new in zip(learning(average), learning(network), strict=True):
                kept.lerp_(new, 1 - decay)
        if step % setting.checkpoint_every == 0:
            save()
    save()
    told = {
        "steps": step,
        "seconds": round(seconds()),
        "seed": setting.seed,
        "mode": setting.mode,
        "rate": setting.peak,
        "learning_parameters": sum(parameter.numel() for parameter in learning(average)),
        "loss": {"first_tenth": _mean(losses, 0), "last_tenth": _mean(losses, -1)},
    }
    return merged(average.cpu()).requires_grad_(False).eval(), told


def _resumed(
    folder: Path,
    network: torch.nn.Module,
    average: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    fingerprint: str,
) -> dict:
    """Facts of the run in a folder, with its weights loaded; none for a new run."""
    try:
        pointer = json.loads((folder / "latest.json").read_bytes())
        if pointer["fingerprint"] == fingerprint:
            return load_checkpoint(folder, network, average, optimizer) or {}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        raise BrainstemALSError(
            folder,
            "the checkpoint of this run is damaged",
            "Remove the folder, and fine-tune anew.",
            ExitCode.UNREADABLE_IMAGE,
        ) from error
    raise BrainstemALSError(
        folder,
        "the run in this folder learns from other cases, another model or other settings",
        "Name another folder with --out, or remove this one.",
        ExitCode.USAGE,
    )


def _window(lessons: Sequence[Lesson], replay: Replay, setting: Setting, step: int) -> Window:
    """What to learn from in a step: the same however often the run was stopped."""
    number = setting.seed * 10_000_019 + step
    draw = Draw(torch.Generator().manual_seed(number))
    if draw.chance(setting.replay):
        return replay.draw(number)
    return lessons[int(draw.number(0, len(lessons)))].draw(number, setting.window)


def _take_step(
    network: torch.nn.Module,
    old: torch.nn.Module | None,
    optimizer: torch.optim.Optimizer,
    window: Window,
    device: torch.device,
) -> float:
    moved = {
        name: None if tensor is None else tensor.as_subclass(torch.Tensor).to(device)
        for name, tensor in vars(window).items()
    }
    window = Window(**moved)
    channels = window.channels[None]

    def answers() -> torch.Tensor:
        with torch.no_grad(), torch.autocast(device.type, torch.bfloat16):
            return old(channels)

    with torch.autocast(device.type, torch.bfloat16):
        logits = network(channels)
    loss = lesson_loss(logits, window, None if old is None else answers)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(learning(network), 5.0)
    optimizer.step()
    return float(loss.detach())


def _set_rate(optimizer: torch.optim.Optimizer, peak: float, step: int, done: float) -> None:
    """A linear warm-up and a cosine decay, driven by the clock where that is further."""
    rate = peak * min(step / WARM_UP, 0.5 * (1 + math.cos(math.pi * min(done, 1.0))))
    for group in optimizer.param_groups:
        group["lr"] = max(rate, 1e-7)


def _text(step: int, steps: int, seconds: float, done: float, any_: bool) -> str:
    text = f"Learning, step {step} of {steps}"
    if any_ and done > 0.02:
        text += f", about {math.ceil(seconds * (1 - done) / done / 60)} min left"
    return text


def _mean(losses: Sequence[float], part: int) -> float | None:
    """Mean of the first (0) or last (-1) tenth; None where there is no step."""
    if not losses:
        return None
    size = max(1, len(losses) // 10)
    chosen = losses[:size] if part == 0 else losses[-size:]
    return round(sum(chosen) / len(chosen), 4)
