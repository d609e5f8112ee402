"""Where a result comes from: versions, inputs, models, device, options."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath

from .. import __version__
from ..imaging.person import Person
from ..segmentation.result import Segmentation
from .statements import RESEARCH_USE, SYNTHETIC_TRAINING

_PACKAGES = ("numpy", "scipy", "SimpleITK", "torch", "monai")


@dataclass(frozen=True)
class InputFile:
    """One input of an exam.

    Attributes
    ----------
    role : str
        ``t1``, ``fa``, ``md`` or ``dwi``.
    name : str or None
        File name; a folder in front is dropped when it is written, since it may carry an identity.
        None where the name itself may.
    sha256 : str
        Checksum of the file.
    """

    role: str
    name: str | None
    sha256: str


@dataclass(frozen=True)
class Provenance:
    """What only the caller knows of a result.

    Attributes
    ----------
    inputs : tuple of InputFile
        Images that were given.
    options : dict
        Options of the command; of a path only the last part is written.
    timings : dict
        Seconds by stage, beside those of the segmentation.
    person : Person
        What the source says of who was scanned.
    facts : dict
        How the diffusion was prepared.
    """

    inputs: tuple[InputFile, ...] = ()
    options: Mapping[str, object] = field(default_factory=dict)
    timings: Mapping[str, float] = field(default_factory=dict)
    person: Person = field(default_factory=Person)
    facts: Mapping[str, object] = field(default_factory=dict)


def provenance_record(
    provenance: Provenance, segmentation: Segmentation, now: datetime | None = None
) -> dict[str, object]:
    """Return the content of ``provenance.json``.

    Parameters
    ----------
    provenance : Provenance
        What the caller knows.
    segmentation : Segmentation
        Names its models, device and channels.
    now : datetime, optional
        Time of writing, time-zone aware; the present by default.
    """
    moment = (now or datetime.now(UTC)).astimezone(UTC)
    return {
        "software": {"name": "BrainstemALS", "version": __version__},
        "date_utc": moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "intended_use": RESEARCH_USE,
        "training_data": SYNTHETIC_TRAINING,
        "inputs": [
            {
                "role": item.role,
                "name": None if item.name is None else _last_part(item.name),
                "sha256": item.sha256,
            }
            for item in provenance.inputs
        ],
        "person": asdict(provenance.person),
        "diffusion": dict(provenance.facts),
        "modalities_used": list(segmentation.modalities),
        "model": segmentation.model,
        "device": segmentation.device,
        "device_reason": segmentation.device_reason,
        "options": {name: _without_folder(value) for name, value in provenance.options.items()},
        "timings_s": {**segmentation.timings, **provenance.timings},
        "versions": {"python": platform.python_version(), **_versions()},
        "system": f"{platform.system()} {platform.machine()}",
    }


def t1_checksum(path: Path) -> str | None:
    """Return the SHA-256 of the T1 that a ``provenance.json`` names.

    Returns
    -------
    str or None
        None where there is no such file, or it does not say.
    """
    try:
        inputs = json.loads(path.read_text(encoding="utf-8"))["inputs"]
        return next((str(item["sha256"]) for item in inputs if item["role"] == "t1"), None)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _versions() -> dict[str, str | None]:
    # From the installed packages' metadata: this layer must not import torch to name its version.
    found: dict[str, str | None] = {}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = None
    return found


def _without_folder(value: object) -> object:
    if isinstance(value, PurePath):
        return value.name
    if isinstance(value, str):
        return _last_part(value)
    if isinstance(value, (list, tuple)):
        return [_without_folder(item) for item in value]
    return value


def _last_part(text: str) -> str:
    if "/" not in text and "\\" not in text:
        return text
    return PureWindowsPath(PurePosixPath(text).name).name
