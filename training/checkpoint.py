"""Checkpoints without pickles: tensors as safetensors, everything else as JSON."""

from __future__ import annotations

import json
import os
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from BrainstemALSLib.durability import sync_file, write_whole


def _flatten(prefix: str, state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {f"{prefix}/{name}": tensor.detach().contiguous() for name, tensor in state.items()}


def save_checkpoint(
    folder: Path,
    step: int,
    network: torch.nn.Module,
    average: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    extra: dict,
) -> None:
    """Write a checkpoint; the previous one stays whole until this one is.

    Parameters
    ----------
    folder : Path
        Folder of the run.
    step : int
        Optimiser steps done.
    network, average : torch.nn.Module
        Weights, and their exponential moving average.
    optimizer : torch.optim.Optimizer
        AdamW; its state is stored by parameter number.
    extra : dict
        JSON-serialisable facts (configuration, best score ...).
    """
    folder.mkdir(parents=True, exist_ok=True)
    tensors = _flatten("network", network.state_dict()) | _flatten("average", average.state_dict())
    for number, state in optimizer.state_dict()["state"].items():
        tensors |= _flatten(f"optimizer/{number}", state)
    name = f"checkpoint-{step:06d}.safetensors"
    partial = folder / f"{name}.partial"
    save_file({key: tensor.clone() for key, tensor in tensors.items()}, partial)
    sync_file(partial)
    os.replace(partial, folder / name)
    pointer = json.dumps({"file": name, "step": step, **extra}, indent=1)
    write_whole(folder / "latest.json", pointer.encode())
    for old in folder.glob("checkpoint-*.safetensors"):
        if old.name != name:
            old.unlink()


def load_checkpoint(
    folder: Path,
    network: torch.nn.Module,
    average: torch.nn.Module,
    optimizer: torch.optim.Optimizer | None,
) -> dict | None:
    """Restore the latest checkpoint of a run, if there is one.

    Returns
    -------
    dict or None
        ``step`` and the extra facts; None when the folder has no checkpoint.
    """
    pointer = folder / "latest.json"
    if not pointer.exists():
        return None
    facts = json.loads(pointer.read_text())
    tensors = load_file(folder / facts["file"])

    def part(prefix: str) -> dict[str, torch.Tensor]:
        start = f"{prefix}/"
        return {k.removeprefix(start): v for k, v in tensors.items() if k.startswith(start)}

    network.load_state_dict(part("network"))
    average.load_state_dict(part("average"))
    if optimizer is not None:
        state = optimizer.state_dict()
        numbers = {key.split("/")[1] for key in tensors if key.startswith("optimizer/")}
        state["state"] = {int(number): part(f"optimizer/{number}") for number in numbers}
        optimizer.load_state_dict(state)
    return facts
