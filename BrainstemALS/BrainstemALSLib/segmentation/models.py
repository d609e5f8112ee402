"""The bundled models: TorchScript beside a JSON sidecar, loaded only when the checksum matches."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..assets import asset_path
from ..errors import BrainstemALSError, ExitCode
from .channels import PLANES

LOCATOR = "locator"
STRUCTURES = "structures"
SIDECAR_FORMAT = 1
# Parts of the sidecar that the code relies on: the value it needs, or None where any will do.
CONTRACT: dict[str, dict[str, Any]] = {
    LOCATOR: {"spacing_mm": 4.0, "classes": None, "channels": None},
    STRUCTURES: {"spacing_mm": 1.0, "window": [64, 80, 96], "keys": None, "channels": None},
}


# Part of the sidecar that names the network's outputs, and how many outputs have no name there.
OUTPUTS = {LOCATOR: "classes", STRUCTURES: "keys"}
_TRIAL = (32, 32, 32)  # the smallest image that every level of both networks can halve
_UNNAMED = {LOCATOR: 0, STRUCTURES: 1}  # the background of the structures


@dataclass(frozen=True)
class ModelFile:
    """A model that is on disk and whole.

    Attributes
    ----------
    path : Path
        TorchScript file.
    card : dict
        The sidecar: version, sha256, channels, spacing, label keys, training data, metrics.
    """

    path: Path
    card: dict[str, Any]

    @property
    def identity(self) -> dict[str, str]:
        """Name, version and checksum, for provenance."""
        return {name: str(self.card[name]) for name in ("name", "version", "sha256")}

    @property
    def channels(self) -> tuple[str, ...]:
        """Names of the images it takes, in the order of its inputs; the T1 is the first."""
        return tuple(channel["name"] for channel in self.card["channels"])

    @property
    def temperature(self) -> float:
        """What its logits are divided by before softmax; 1 where it was never calibrated."""
        return float(self.card.get("temperature", 1.0))


def _refuse(path: Path, problem: str, remedy: str) -> BrainstemALSError:
    return BrainstemALSError(path, problem, remedy, ExitCode.MODEL_UNAVAILABLE)


def find_model(name: str, folder: Path | None = None) -> ModelFile:
    """Find a model and check that it is whole.

    Parameters
    ----------
    name : str
        ``locator`` or ``structures``.
    folder : Path, optional
        Folder of models to use instead of the bundled ones.

    Raises
    ------
    BrainstemALSError
        MODEL_UNAVAILABLE: file missing, sidecar damaged or of another format, wrong checksum.
    """
    root = Path(folder) if folder else asset_path("Models")
    path, sidecar = root / f"{name}.ts", root / f"{name}.json"
    for file in (path, sidecar):
        if not file.is_file():
            raise _refuse(
                file,
                "the model file is missing",
                "Install BrainstemALS again, or name a folder that holds the models with --model.",
            )
    try:
        card = json.loads(sidecar.read_text(encoding="utf-8"))
        expected, written = card["sha256"], card["format"]
        str(card["name"]), str(card["version"])
        contract = {part: card[part] for part in CONTRACT[name]}
    except (ValueError, KeyError, TypeError) as error:
        raise _refuse(
            sidecar, "the model's description is damaged", "Copy the model and its .json again."
        ) from error
    if written != SIDECAR_FORMAT:
        raise _refuse(
            sidecar,
            f"the model has format {written}, this version reads {SIDECAR_FORMAT}",
            "Use a model made for this version of BrainstemALS.",
        )
    for part, wanted in CONTRACT[name].items():
        if wanted is not None and contract[part] != wanted:
            raise _refuse(
                sidecar,
                f"the model was made for {part} {contract[part]}, this version works with {wanted}",
                "Use a model made for this version of BrainstemALS.",
            )
    names = card[OUTPUTS[name]]
    if (
        not isinstance(names, list)
        or not all(isinstance(item, str) for item in names)
        or len(set(names)) != len(names)
        or not _known_channels(card["channels"])
        or not usable_temperature(card.get("temperature", 1.0))
    ):
        raise _refuse(
            sidecar, "the model's description is damaged", "Copy the model and its .json again."
        )
    with path.open("rb") as handle:
        found = hashlib.file_digest(handle, "sha256").hexdigest()
    if found != expected:
        raise _refuse(
            path,
            "the checksum differs from the one in its .json, so the model is damaged or altered",
            "Copy the model and its .json again from the release.",
        )
    return ModelFile(path, card)


def usable_temperature(value: object) -> bool:
    """Whether logits can be divided by a value: a finite number above 0."""
    return (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and math.isfinite(value)
        and value > 0
    )


def _known_channels(channels: object) -> bool:
    """Whether a sidecar's channels are images of ours, each once, the T1 first."""
    if not isinstance(channels, list) or not all(isinstance(c, dict) for c in channels):
        return False
    names = [channel.get("name") for channel in channels]
    return names[:1] == ["t1"] and len(set(names)) == len(names) and set(names) <= set(PLANES)


def load_network(model: ModelFile, device: Any) -> Any:
    """Load a checked model onto a device, ready for inference.

    Weights are stored in half precision to keep the extension small; a CPU computes in single.

    Raises
    ------
    BrainstemALSError
        MODEL_UNAVAILABLE: the file is whole but this version of PyTorch can't read it, or the
        sidecar names more or fewer outputs than the network has.
    """
    import torch

    try:
        network = torch.jit.load(str(model.path), map_location=device)
    except RuntimeError as error:
        raise _refuse(
            model.path,
            "this version of PyTorch cannot read the model",
            "Install PyTorch 2.4 or later, for example with `pip install 'torch>=2.4'`.",
        ) from error
    network = network.eval().float()
    name = model.card["name"]
    outputs, named = _outputs(network, model), len(model.card[OUTPUTS[name]]) + _UNNAMED[name]
    if outputs != named:
        raise _refuse(
            model.path.with_suffix(".json"),
            f"the description names {named} outputs, but the model has {outputs}",
            "Copy the model and its .json again.",
        )
    return network


def _outputs(network: Any, model: ModelFile) -> int | None:
    """Return the number of channels that come out, or None where nothing goes through."""
    import torch

    device = next(network.parameters()).device
    try:
        with torch.inference_mode():
            planes = sum(PLANES[name] for name in model.channels)
            image = torch.zeros(1, planes, *_TRIAL, device=device)
            return int(network(image).shape[1])
    except RuntimeError as error:
        if "out of memory" in str(error):
            raise
        return None
