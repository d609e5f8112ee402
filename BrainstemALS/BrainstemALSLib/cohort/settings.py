"""What one run of a cohort may be told, as plain data that travels to the workers."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from .. import __version__

SEGMENTER = "BrainstemALSLib.segmentation.segmenter:Segmenter"


@dataclass(frozen=True)
class Settings:
    """How every visit of a cohort is processed.

    Attributes
    ----------
    device : str
        ``auto``, ``cpu`` or ``cuda``.
    model_dir : Path or None
        Folder of models instead of those in use.
    models : tuple of (str, str)
        Role and checksum of the models that are meant; a worker that has others refuses.
    flip, denoise, gibbs, motion, unwarp, register : bool
    phase_encoding : str or None
        As ``brainstem-als segment`` takes them.
    probabilities : bool
        Write the probability maps.
    segmenter : str
        Module and class of the segmenter; made with ``device``, ``model_dir`` and ``flip``.
    """

    device: str = "auto"
    model_dir: Path | None = None
    models: tuple[tuple[str, str], ...] = ()
    flip: bool = True
    denoise: bool = False
    gibbs: bool = False
    motion: bool = True
    unwarp: bool = False
    phase_encoding: str | None = None
    register: bool = True
    probabilities: bool = True
    segmenter: str = field(default_factory=lambda: SEGMENTER)

    def options(self) -> dict[str, object]:
        """Return what goes into the provenance."""
        return {**asdict(self), "model_dir": self.model_dir and self.model_dir.name, "models": None}

    def fingerprint(self) -> str:
        """Return a digest of all that changes results: options, models, version of the code.

        The device is not among them: a CPU and a GPU give the same outlines but for rounding.
        """
        parts = asdict(self)
        for name in ("device", "model_dir"):
            del parts[name]
        text = json.dumps({**parts, "version": __version__}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


def model_checksums(model_dir: Path | None) -> tuple[tuple[str, str], ...]:
    """Return role and checksum of the models in a folder, or of those in use.

    Raises
    ------
    BrainstemALSError
        MODEL_UNAVAILABLE: a model is missing or damaged.
    """
    from ..segmentation.models import LOCATOR, STRUCTURES, find_model
    from ..segmentation.registry import models_in_use

    folder = models_in_use().folder if model_dir is None else model_dir
    return tuple(
        (name, find_model(name, folder).identity["sha256"]) for name in (LOCATOR, STRUCTURES)
    )
