"""A model on disk as the gate sees it."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from pathlib import Path

import numpy as np

from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.segmentation import models
from BrainstemALSLib.segmentation.channels import PLANES
from BrainstemALSLib.segmentation.segmenter import Segmenter

from .gate_scores import Prediction, ValidationCase

_PROBES = ((0.0, 1.0), (3.0, 5.0))  # mean and spread of noise: as normalised images are, and odd


class ModelPredictor:
    """A ``gate_scores.Predictor`` of TorchScript models in a folder.

    Parameters
    ----------
    folder : Path
        With ``structures`` and, where it has its own, ``locator``.
    locator_from : Path
        Folder of the locator to use otherwise.
    device : str
        ``auto``, ``cpu`` or ``cuda``.
    name : str
        For the report.

    Raises
    ------
    BrainstemALSError
        MODEL_UNAVAILABLE: missing, damaged, wrong number of outputs, or a network whose outputs
        are not numbers.
    """

    def __init__(self, folder: Path, locator_from: Path, device: str = "auto", name: str = ""):
        self.name = name or folder.name
        # Kept as long as the segmenter, which reads its files again when a GPU is full.
        whole = _with_locator(folder, locator_from)
        if whole != folder:
            weakref.finalize(self, shutil.rmtree, whole, ignore_errors=True)
        self.segmenter = Segmenter(device, whole)
        self.keys = self.segmenter.keys
        self.identity = self.segmenter.identity
        _probe(self.segmenter)

    def predict(self, case: ValidationCase) -> Prediction:
        """Segment the exam of a case."""
        if case.exam is None:
            raise ValueError("this case has no images")
        try:
            found = self.segmenter.segment(case.exam)
        except BrainstemALSError as refusal:
            return Prediction(None, f"finds nothing ({refusal.problem})")
        if not np.isfinite(found.entropy.array).all():
            return Prediction(None, "gives values that are not numbers")
        return Prediction(found.labels, ratio=found.familiarity and found.familiarity.ratio)


def _with_locator(folder: Path, locator_from: Path) -> Path:
    """Folder with both models, as the registry will store them; this one where it has both."""
    own = (folder / "locator.ts").exists() or (folder / "locator.json").exists()
    if own or folder == locator_from:
        return folder
    roles = ((models.STRUCTURES, folder), (models.LOCATOR, locator_from))
    found = [models.find_model(role, source).path for role, source in roles]
    whole = Path(tempfile.mkdtemp(prefix="brainstem-als-gate-"))
    for path in found:
        shutil.copyfile(path, whole / path.name)
        shutil.copyfile(path.with_suffix(".json"), whole / path.with_suffix(".json").name)
    return whole


def _probe(segmenter: Segmenter) -> None:
    """Refuse a network that gives values that are not numbers, whatever the exams."""
    import torch

    network = segmenter._networks[models.STRUCTURES]
    planes = sum(PLANES[name] for name in segmenter.channels)
    generator = torch.Generator().manual_seed(0)
    for mean, spread in _PROBES:
        noise = mean + spread * torch.randn(1, planes, 32, 32, 32, generator=generator)
        with torch.inference_mode():
            if not bool(torch.isfinite(network(noise.to(segmenter.device))).all()):
                raise BrainstemALSError(
                    "candidate model",
                    "its network gives values that are not numbers",
                    "Train it again.",
                    ExitCode.MODEL_UNAVAILABLE,
                )
