"""How a run began: its command, and the exported model whose weights it started from."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import torch

from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.segmentation.channels import CHANNELS, PLANES

from .evaluation.tables import command_line
from .networks import COORDINATES

FILE = "origin.json"


def warm(build: Callable[[], torch.nn.Module], model: Path | None) -> torch.nn.Module:
    """Build a network, with the weights of an exported model where one is named.

    Raises
    ------
    BrainstemALSError
        The file is missing, or holds another network than today's.
    """
    network = build()
    if model is None:
        return network
    try:
        weights = torch.jit.load(str(model), map_location="cpu").float().state_dict()
        card = json.loads(model.with_suffix(".json").read_text(encoding="utf-8"))
        old = [channel["name"] for channel in card["channels"]]
        network.load_state_dict(_with_new_channels(weights, network.state_dict(), old))
    except (KeyError, OSError, ValueError, RuntimeError) as error:
        raise BrainstemALSError(
            model,
            "no model that the network of this version can start from",
            "Train without --warm-start.",
            ExitCode.MODEL_UNAVAILABLE,
        ) from error
    return network


def _with_new_channels(
    weights: dict[str, torch.Tensor], wanted: dict[str, torch.Tensor], old: list[str]
) -> dict[str, torch.Tensor]:
    """Give a network that took fewer images the inputs for the others, with weights of 0.

    It then does what it did, whatever the new images show, until training gives them a say.
    """
    before = sum(PLANES[name] for name in old)
    out = {}
    for name, weight in weights.items():
        shape = wanted[name].shape
        if weight.shape == shape or weight.dim() < 2:
            out[name] = weight
            continue
        if old != list(CHANNELS[: len(old)]) or weight.shape[1] != before + COORDINATES:
            raise ValueError(f"{name} is of another network")
        new = torch.zeros(shape)
        new[:, :before] = weight[:, :before]
        new[:, -COORDINATES:] = weight[:, before:]
        out[name] = new
    return out


def note_origin(folder: Path, model: Path | None) -> None:
    """Write down how a run begins; a run that goes on keeps what it has."""
    path = folder / FILE
    if path.exists():
        return
    facts: dict = {"command": command_line()}
    if model is not None:
        card = json.loads(model.with_suffix(".json").read_text(encoding="utf-8"))
        facts["warm_start"] = {"sha256": card["sha256"], **card["training"]}
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(facts, indent=1), encoding="utf-8")


def origin(folder: Path) -> dict:
    """What ``note_origin`` wrote."""
    return json.loads((folder / FILE).read_text(encoding="utf-8"))
