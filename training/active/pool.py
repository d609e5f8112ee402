"""The pool: exams of a folder that may be corrected next, and what the model says of each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from BrainstemALSLib.anatomy import CONTEXT, by_key
from BrainstemALSLib.annotation import exam_key
from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.imaging.exam import exam_from_source
from BrainstemALSLib.imaging.geometry import box_around
from BrainstemALSLib.imaging.intake import open_source
from BrainstemALSLib.imaging.intake.bids import is_bids
from BrainstemALSLib.imaging.prepare import prepare
from BrainstemALSLib.segmentation import models
from BrainstemALSLib.segmentation.device import choose_device
from BrainstemALSLib.segmentation.inference import network_input, usable_channels
from BrainstemALSLib.segmentation.locate import locate
from BrainstemALSLib.segmentation.preprocess import SPACING_MM, WINDOW_MM

from .features import exported_features
from .members import MEMBERS, member_probabilities
from .summary import CaseSummary, summarise, winning_classes

IMAGES = (".nii", ".nii.gz", ".nrrd", ".mha")
RECENTRE_MM = 4.0  # as the segmenter does (segmentation.segmenter)


@dataclass(frozen=True)
class PoolExam:
    """Where an exam of the pool lies: what ``intake.open_source`` takes."""

    path: Path
    session: str | None = None


@dataclass(frozen=True, eq=False)
class Asked:
    """An exam of the pool, and what the model says of it."""

    exam: PoolExam
    key: str
    summary: CaseSummary


def exams_of(folder: Path) -> list[PoolExam]:
    """Return the exams of a folder, in the order of their names.

    Parameters
    ----------
    folder : Path
        A BIDS data set, every session of which is an exam; or a folder whose files are T1s and
        whose folders are BIDS subjects or DICOM exams.

    Raises
    ------
    BrainstemALSError
        USAGE: it is no folder, or nothing in it can be an exam.
    """
    if not folder.is_dir():
        raise BrainstemALSError(
            "pool", "this folder is not there", "Name the folder of the exams.", ExitCode.USAGE
        )
    found: list[PoolExam] = []
    of_bids = (folder / "dataset_description.json").is_file()
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue
        if path.is_file() and path.name.lower().endswith(IMAGES):
            found.append(PoolExam(path))
        elif path.is_dir() and path.name.startswith("sub-") and is_bids(path):
            sessions = [p.name.removeprefix("ses-") for p in sorted(path.glob("ses-*"))]
            found += [PoolExam(path, name) for name in sessions or [None]]
        elif path.is_dir() and not of_bids and any(p.is_file() for p in path.rglob("*")):
            found.append(PoolExam(path))
    if not found:
        raise BrainstemALSError(
            "pool",
            "no exam is in this folder",
            "Name a BIDS data set, or a folder of T1 images, BIDS subjects or DICOM exams.",
            ExitCode.USAGE,
        )
    return found


class PoolModel:
    """The models that are asked about the exams of a pool.

    Parameters
    ----------
    device : str
        ``auto``, ``cpu`` or ``cuda``.
    model_dir : Path, optional
        Folder of models instead of the bundled ones.
    members : int
        Predictions for each exam, see ``members``.

    Raises
    ------
    BrainstemALSError
        MODEL_UNAVAILABLE, DEVICE_UNAVAILABLE.
    """

    def __init__(self, device: str = "auto", model_dir: Path | None = None, members: int = MEMBERS):
        self.device, _ = choose_device(device)
        self.members = members
        locator = models.find_model(models.LOCATOR, model_dir)
        structures = models.find_model(models.STRUCTURES, model_dir)
        self.identity = {
            models.LOCATOR: locator.identity,
            models.STRUCTURES: structures.identity,
        }
        self.keys = tuple(structures.card["keys"])
        self._channels = structures.channels
        self._classes = tuple(locator.card["classes"])
        self._locator = models.load_network(locator, self.device)
        self._network = models.load_network(structures, self.device)
        self._features = exported_features(structures.path)

    def ask(self, exam: PoolExam, name: str, seed: int) -> Asked:
        """Read an exam and summarise what the model says of it.

        Raises
        ------
        BrainstemALSError
            It cannot be read, or shows no brainstem.
        """
        choices = {} if exam.session is None else {"session": exam.session}
        patient = exam_from_source(open_source(exam.path, **choices))
        key = exam_key(patient.t1)
        centre = locate(patient.t1, self._locator, self._classes, self.device, "T1").centre
        patient = prepare(patient, centre)
        used, _ = usable_channels(patient, centre, self._channels)
        affine, window = self._window(patient, centre, used)
        middle = self._middle(window, affine)
        if middle is not None and np.linalg.norm(middle - centre) > RECENTRE_MM:
            affine, window = self._window(patient, middle, used)
        predictions = member_probabilities(
            self._network, window, self.keys, self._channels, seed, self.members
        )
        features = None if self._features is None else self._features(window)
        return Asked(exam, key, summarise(name, predictions, affine, self.keys, features))

    def _window(self, patient, centre: np.ndarray, used: tuple[str, ...]):
        affine = box_around(centre, WINDOW_MM, SPACING_MM)
        window = network_input(patient, affine, WINDOW_MM, used, self._channels)
        return affine, window.to(self.device)

    def _middle(self, window, affine: np.ndarray) -> np.ndarray | None:
        """RAS centre of the brainstem in a window; None where there is none."""
        plain = member_probabilities(self._network, window, self.keys, self._channels, 0, 1)
        classes = winning_classes(next(plain))
        inside = [n for n, key in enumerate(self.keys, 1) if by_key()[key].parent != CONTEXT]
        voxels = np.argwhere(np.isin(classes, inside))
        if not len(voxels):
            return None
        return affine[:3, :3] @ voxels.mean(0) + affine[:3, 3]


def ask_all(
    model: PoolModel, exams: list[PoolExam], seed: int
) -> Iterator[Asked | BrainstemALSError]:
    """Ask the model about every exam; what cannot be read comes as its refusal.

    Parameters
    ----------
    model : PoolModel
    exams : list of PoolExam
    seed : int
        Of the ensemble; every exam has the same changes, so that exams can be compared.
    """
    for number, exam in enumerate(exams):
        try:
            yield model.ask(exam, f"exam-{number + 1}", seed)
        except BrainstemALSError as refusal:
            yield refusal
