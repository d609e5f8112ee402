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
        old = [channel["name"] for channel in _card(model)["channels"]]
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


def note_origin(folder: Path, model: Path | None, seed: int | None = None, **facts: object) -> None:
    """Write down how a run begins; a run that goes on keeps what it has.

    Parameters
    ----------
    folder : Path
        Of the run.
    model : Path, optional
        Exported model whose weights it starts from.
    seed : int, optional
        Of its samples, see ``run_seed``.
    facts
        What else the sidecar shall say of the run.
    """
    path = folder / FILE
    if path.exists():
        return
    facts = {"command": command_line(), **facts}
    if seed is not None:
        facts["seed"] = seed
    if model is not None:
        facts["history"] = history(_card(model))
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(facts, indent=1), encoding="utf-8")


def origin(folder: Path) -> dict:
    """What ``note_origin`` wrote."""
    facts = json.loads((folder / FILE).read_text(encoding="utf-8"))
    earlier = facts.get("warm_start", {})
    if "steps" in earlier:  # written before there was a history
        del facts["warm_start"]
        facts["history"] = history({"sha256": earlier["sha256"], "training": earlier})
    return facts


def _card(model: Path) -> dict:
    return json.loads(model.with_suffix(".json").read_text(encoding="utf-8"))


RUN_FACTS = ("steps", "seconds", "anatomies", "seed", "command", "priors")


def history(card: dict) -> list[dict]:
    """Runs that weights went through, the first run first.

    Parameters
    ----------
    card : dict
        Sidecar of an exported model.

    Returns
    -------
    list of dict
        ``sha256`` of what each run exported, ``steps``, ``seconds``, ``anatomies``, ``seed`` and
        ``command``; None for what an early card does not say.
    """
    training = card["training"]
    own = {"sha256": card["sha256"], **{name: training.get(name) for name in RUN_FACTS}}
    if "history" in training:
        return [*training["history"], own]
    earlier = training.get("warm_start", {})  # the first cards held the whole card before them
    if "steps" not in earlier:
        return [own]
    return [*history({"sha256": earlier["sha256"], "training": earlier}), own]


def total(training: dict, name: str) -> int:
    """Sum of ``steps`` or ``seconds`` over the runs that weights went through.

    Parameters
    ----------
    training : dict
        Part ``training`` of a sidecar.
    name : str
        Which of the two.
    """
    return sum(run[name] or 0 for run in [*training.get("history", ()), training])


def next_seed(card: dict) -> int:
    """Return a seed that none of the runs of a model has used: the same seed draws the same images.

    Half and double of a used seed are left out too: since every drawn window is seen twice
    (``training.samples.MirroredTwice``), seed 2 draws what seed 1 drew before.
    """
    seed = 1
    while is_used(card, seed):
        seed += 1
    return seed


def is_used(card: dict, seed: int) -> bool:
    """Whether a run of a model has drawn the windows of a seed, see ``next_seed``."""
    used = {run["seed"] for run in history(card)} - {None}
    return bool({seed, 2 * seed} & used) or (seed % 2 == 0 and seed // 2 in used)


def run_seed(folder: Path, model: Path | None, asked: int | None) -> int:
    """Seed of a run that begins or goes on.

    Parameters
    ----------
    folder : Path
        Of the run; one that goes on keeps its seed.
    model : Path, optional
        Exported model whose weights it starts from.
    asked : int, optional
        By the user.

    Raises
    ------
    BrainstemALSError
        USAGE: the seed that was asked for is not that of the run that goes on, or a run that the
        weights went through has used it.
    """
    began = _began_with(folder)
    if began is not None:
        if asked not in (None, began):
            raise BrainstemALSError(
                folder,
                f"this run began with seed {began}, not {asked}",
                "Leave out --seed to go on with it, or name another run with --name.",
                ExitCode.USAGE,
            )
        return began
    if model is None:
        return 1 if asked is None else asked
    card = _card(model)
    if asked is not None and is_used(card, asked):
        raise BrainstemALSError(
            model,
            f"its weights have seen the images of seed {asked} already",
            "Leave out --seed: one that was not used is then chosen.",
            ExitCode.USAGE,
        )
    return next_seed(card) if asked is None else asked


def _began_with(folder: Path) -> int | None:
    """Seed of a run that is there: noted at its start or, before that was done, in a checkpoint."""
    if (folder / FILE).exists() and "seed" in origin(folder):
        return origin(folder)["seed"]
    pointer = folder / "latest.json"  # of training.checkpoint
    if not pointer.exists():
        return None
    return json.loads(pointer.read_text(encoding="utf-8")).get("schedule", {}).get("seed")
