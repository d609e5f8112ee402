"""Results on disk: one JSON and one safetensors file per run, with what they depend on."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

Scores = dict[str, dict[str, float]]
"""Case to structure to Dice."""


@dataclass
class Result:
    """What a run came to.

    Attributes
    ----------
    run, method : str
        Names.
    labelled : int
        Anatomies whose labels it saw.
    fingerprint, evaluation : str
        Of what training and evaluation depended on.
    steps : int
    seconds : float
        Of processor time for training, without what it built on.
    built_on : str
        Run whose weights it began with; empty when it began at random.
    scores : dict
        Held-out case to structure to Dice; empty for a pretraining.
    real : dict
        Real image to structure to Dice.
    """

    run: str
    method: str
    labelled: int
    fingerprint: str
    steps: int
    seconds: float
    built_on: str = ""
    evaluation: str = ""
    scores: Scores = field(default_factory=dict)
    real: Scores = field(default_factory=dict)


class Store:
    """Results of one study, in a folder."""

    def __init__(self, folder: Path):
        self.folder = folder

    def result(self, run: str) -> Result | None:
        """Return what is stored of a run; None when nothing is."""
        path = self._path(run, "json")
        return Result(**json.loads(path.read_text(encoding="utf-8"))) if path.exists() else None

    def weights(self, run: str) -> dict[str, torch.Tensor]:
        """Return the weights of a stored run."""
        return load_file(self._path(run, "safetensors"))

    def save(self, result: Result, weights: dict[str, torch.Tensor] | None = None) -> None:
        """Write a result; the weights first, so that a result never lacks them."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if weights is not None:
            partial = self._path(result.run, "safetensors.partial")
            save_file({name: tensor.clone() for name, tensor in weights.items()}, partial)
            os.replace(partial, self._path(result.run, "safetensors"))
        partial = self._path(result.run, "json.partial")
        partial.write_text(json.dumps(asdict(result), indent=1), encoding="utf-8")
        os.replace(partial, self._path(result.run, "json"))

    def _path(self, run: str, ending: str) -> Path:
        return self.folder / f"{run}.{ending}"
