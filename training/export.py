"""Exports a trained network as TorchScript (half precision) with its JSON sidecar."""

from __future__ import annotations

import hashlib
import json
import os
from datetime import UTC, datetime
from pathlib import Path

import torch

from BrainstemALSLib import __version__
from BrainstemALSLib.anatomy import load_structures
from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.segmentation import models
from BrainstemALSLib.segmentation import preprocess as P
from BrainstemALSLib.segmentation.channels import CHANNELS, PLANES

from .data import repository
from .evaluation.tables import command_line
from .networks import LOCATOR_CLASSES
from .origin import total

MAX_BYTES = 30 * 1024**2
LICENCE = "CC BY-SA 4.0"
TRAINING_DATA = (
    "Allen Human Reference Atlas - 3D (CC BY 4.0)",
    "CIT168 subcortical atlas (CC BY 4.0)",
    "HCP842 tractography atlas (CC BY-SA 4.0; HCP Open Access terms)",
    "Harvard-Oxford Atlas 2.0 manual subcortical maps (3D Slicer licence; HCP Open Access terms)",
    "SynthSeg training label maps (Apache-2.0)",
    "ICBM 2009a symmetric T1: registration, CSF mask and planning of tissue contrast; never a "
    "training image",
)
INTENDED_USE = (
    "Research use only, not a medical device. Learned from images simulated from atlases and "
    "public label maps; no image of a patient was used."
)


def _write(network: torch.nn.Module, example: torch.Tensor, card: dict, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    network = network.cpu().eval().float()
    with torch.no_grad():
        traced = torch.jit.trace(network, example, check_trace=False)
        wanted = network(example)
    path = folder / f"{card['name']}.ts"
    partial = path.with_suffix(".ts.partial")
    traced.half().save(str(partial))
    size = partial.stat().st_size
    if size > MAX_BYTES:
        partial.unlink()
        raise RuntimeError(f"the exported model has {size / 1024**2:.1f} MiB, more than allowed")
    with torch.no_grad():
        found = torch.jit.load(str(partial)).float()(example)
    agreement = float((found.argmax(1) == wanted.argmax(1)).float().mean())
    if agreement < 0.995:
        partial.unlink()
        raise RuntimeError(f"half precision changes {100 * (1 - agreement):.2f} % of the voxels")
    card = {
        "format": models.SIDECAR_FORMAT,
        **card,
        "version": f"{__version__}+{datetime.now(UTC):%Y%m%d}",
        "sha256": hashlib.sha256(partial.read_bytes()).hexdigest(),
        "licence": LICENCE,
        "training_data": TRAINING_DATA,
        "learned_from": "simulation",
        "intended_use": INTENDED_USE,
        "export_agreement": round(agreement, 5),
    }
    # A new description: what was measured on other weights (``OF_THE_WEIGHTS``) is gone with them.
    sidecar = _draft(path, card)
    os.replace(partial, path)
    os.replace(sidecar, path.with_suffix(".json"))
    return path


def _draft(path: Path, card: dict) -> Path:
    """Write a description beside the one that it shall replace; returns its path."""
    draft = path.with_suffix(".json.partial")
    draft.write_text(json.dumps(card, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    return draft


OF_THE_WEIGHTS = ("temperature", "calibration", "familiarity")
"""Parts of a sidecar that are measured on a finished model, see ``add_to_sidecar``."""


def add_to_sidecar(model: models.ModelFile, facts: dict) -> None:
    """Add to the description of a model what was measured on its weights, all of it or nothing.

    Parameters
    ----------
    model : ModelFile
        As ``find_model`` returned it before the measurement.
    facts : dict
        Of ``OF_THE_WEIGHTS``; those that are there already are replaced, others stay.

    Raises
    ------
    BrainstemALSError
        The weights are no longer those that were measured, or the model is damaged.
    ValueError
        A fact that is none of ``OF_THE_WEIGHTS``.
    """
    if not set(facts) <= set(OF_THE_WEIGHTS):
        raise ValueError(f"only {', '.join(OF_THE_WEIGHTS)} can be added, not {', '.join(facts)}")
    now = models.find_model(model.card["name"], model.path.parent)
    if now.card["sha256"] != model.card["sha256"]:
        raise BrainstemALSError(
            model.path,
            "the model was replaced while it was measured",
            "Measure it again.",
            ExitCode.USAGE,
        )
    os.replace(_draft(model.path, now.card | facts), model.path.with_suffix(".json"))


def default_folder() -> Path:
    """Where the bundled models lie."""
    return repository() / "Resources" / "Models"


def export_structures(
    network: torch.nn.Module, facts: dict, cases: int, folder: Path | None = None
) -> Path:
    """Write the structure network and its sidecar; returns the TorchScript file.

    Parameters
    ----------
    network : torch.nn.Module
        Trained network.
    facts : dict
        What training reports: steps, seconds, figures, seed, and ``origin``.
    cases : int
        Anatomies it learned from.
    folder : Path, optional
        Instead of the bundled models' folder.
    """
    normalisation = {
        "t1": "clip to 0.5-99.5 percentile, standardise",
        "fa": f"(FA - {P.FA_CENTRE}) / {P.FA_SCALE}",
        "md": f"(MD [1e-3 mm2/s] - {P.MD_CENTRE}) / {P.MD_SCALE}",
        "v1": f"(|V1| FA - {P.COLOUR_CENTRE}) / {P.COLOUR_SCALE}, one plane per RAS axis",
    }
    card = {
        "name": models.STRUCTURES,
        "channels": [
            {"name": name, "planes": PLANES[name], "normalisation": normalisation[name]}
            for name in CHANNELS
        ],
        "missing_channel": "zeros after normalisation; T1 is always needed",
        "spacing_mm": P.SPACING_MM,
        "window": P.WINDOW_MM,
        "keys": [structure.key for structure in load_structures()],
        "training": _training(facts, cases),
    }
    example = torch.randn(1, sum(PLANES.values()), *P.WINDOW_MM)
    return _write(network, example, card, folder or default_folder())


def export_locator(
    network: torch.nn.Module, facts: dict, cases: int, folder: Path | None = None
) -> Path:
    """Write the locator and its sidecar; parameters as for ``export_structures``."""
    card = {
        "name": models.LOCATOR,
        "channels": [{"name": "t1", "normalisation": "clip to 0.5-99.5 percentile, standardise"}],
        "spacing_mm": P.LOCATOR_SPACING_MM,
        "classes": LOCATOR_CLASSES,
        "training": _training(facts, cases),
    }
    return _write(network, torch.randn(1, 1, 48, 64, 64), card, folder or default_folder())


def _training(facts: dict, cases: int) -> dict:
    """Part ``training`` of a sidecar: this run and, where others went before it, all together."""
    out = {"anatomies": cases, "command": command_line(), **facts}
    if out.get("history"):
        out |= {f"total_{name}": total(out, name) for name in ("steps", "seconds")}
    return out
