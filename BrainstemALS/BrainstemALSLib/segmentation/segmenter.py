"""Segments an exam: locate, infer in a box, bring everything back to the patient's own T1 grid."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np

from ..anatomy import CONTEXT, by_key
from ..errors import BrainstemALSError, ExitCode
from ..imaging.exam import Exam
from ..imaging.finding import Finding
from ..imaging.geometry import resample, same_grid
from ..imaging.volume import Volume
from . import models
from .device import choose_device
from .familiarity import about_model, familiarity, references
from .field_of_view import cut_faces
from .inference import BoxRun, usable_channels
from .locate import Location, locate
from .registry import models_in_use
from .result import Segmentation
from .uncertainty import EntropyAccumulator, confidence

Progress = Callable[[str, float, str], None]
Result = TypeVar("Result")

RECENTRE_MM = 4.0  # the box is laid anew when the brainstem lies further from its middle
MIN_BRAINSTEM_MM3 = 5000.0  # a third of the smallest adult brainstem: less is not a result
BOX_MARGIN_VOXELS = 2


class Segmenter:
    """Holds the loaded models; one object serves any number of exams.

    Parameters
    ----------
    device : str
        ``auto``, ``cpu`` or ``cuda``.
    model_dir : Path, optional
        Folder of models instead of those in use (``registry.models_in_use``). ``findings`` say
        where those are not the ones that were meant, and what a model cannot tell of an exam.
    flip : bool
        Average with the mirrored image: twice the network's time, steadier.
    temperature : float, optional
        Logits are divided by it; None for what the model's sidecar says (``training.calibrate``).

    Raises
    ------
    BrainstemALSError
        MODEL_UNAVAILABLE, DEVICE_UNAVAILABLE.
    ValueError
        The temperature is not a finite number above 0.
    """

    def __init__(
        self,
        device: str = "auto",
        model_dir: Path | None = None,
        flip: bool = True,
        temperature: float | None = None,
    ):
        if temperature is not None and not models.usable_temperature(temperature):
            raise ValueError(f"a temperature is a finite number above 0, not {temperature}")
        self.device, self.device_reason = choose_device(device)
        self.flip = flip
        self.findings: tuple[Finding, ...] = ()
        if model_dir is None:
            used = models_in_use()
            model_dir, self.findings = used.folder, used.findings
        files = {
            name: models.find_model(name, model_dir) for name in (models.LOCATOR, models.STRUCTURES)
        }
        if temperature is None:
            temperature = files[models.STRUCTURES].temperature
        self.temperature = float(temperature)
        self.identity = {name: file.identity for name, file in files.items()}
        # How it was asked belongs to what answered: the same weights give other volumes without.
        self.identity[models.STRUCTURES] |= {
            "mirrored": "averaged" if flip else "no",
            "temperature": f"{self.temperature:g}",
        }
        self.keys = tuple(files[models.STRUCTURES].card["keys"])
        self.channels = files[models.STRUCTURES].channels
        unknown = set(self.keys) - set(by_key())
        if unknown:
            raise BrainstemALSError(
                files[models.STRUCTURES].path,
                f"the model knows structures unknown here ({', '.join(sorted(unknown))})",
                "Use the model that came with this version of BrainstemALS.",
                ExitCode.MODEL_UNAVAILABLE,
            )
        # A damaged entry is refused here, not after an exam has been segmented.
        self._familiar = references(
            files[models.STRUCTURES].card, files[models.STRUCTURES].path.with_suffix(".json")
        )
        self.findings += about_model(files[models.STRUCTURES].card, self._familiar)
        self._classes = tuple(files[models.LOCATOR].card["classes"])
        self._files = files
        self._load()

    def _load(self) -> None:
        self._networks = {
            name: models.load_network(file, self.device) for name, file in self._files.items()
        }

    def locate(self, exam: Exam) -> Location:
        """Find the brainstem in the T1 of an exam.

        Raises
        ------
        BrainstemALSError
            NO_BRAINSTEM.
        """
        return self._where_there_is_room(lambda: self._locate(exam))

    def _locate(self, exam: Exam) -> Location:
        return locate(
            exam.t1,
            self._networks[models.LOCATOR],
            self._classes,
            self.device,
            exam.names.get("t1", "T1"),
        )

    def segment(
        self, exam: Exam, progress: Progress | None = None, place: Location | None = None
    ) -> Segmentation:
        """Segment one exam.

        Parameters
        ----------
        exam : Exam
            T1 and, where there are any, FA, MD and V1 that lie on it.
        progress : callable, optional
            Called with stage, fraction 0-1 and text.
        place : Location, optional
            What ``locate`` found in this exam, so that it is not looked for twice.

        Raises
        ------
        BrainstemALSError
            NO_BRAINSTEM.
        """
        report = progress or (lambda *_: None)
        return self._where_there_is_room(lambda: self._segment(exam, report, place))

    def _where_there_is_room(self, work: Callable[[], Result]) -> Result:
        try:
            return work()
        except RuntimeError as error:
            # TorchScript rethrows OutOfMemoryError as a plain RuntimeError: only its text tells.
            if self.device == "cpu" or "out of memory" not in str(error):
                raise
        self._fall_back_to_cpu()
        return work()

    def _fall_back_to_cpu(self) -> None:
        import torch

        self.device, self.device_reason = "cpu", "the GPU ran out of memory"
        self._load()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def _segment(self, exam: Exam, progress: Progress, place: Location | None) -> Segmentation:
        name = exam.names.get("t1", "T1")
        clock = _Clock()
        progress("locate", 0.05, "Looking for the brainstem")
        place = place or self._locate(exam)
        clock.stop("locate")
        modalities, unused = usable_channels(exam, place.centre, self.channels)
        progress("infer", 0.2, "Segmenting")
        box = self._box(exam, place, modalities).probabilities(self.temperature)
        clock.stop("infer")
        progress("resample", 0.65, "Returning to the patient's grid")
        out = self._on_patient_grid(exam.t1, box, name, place, modalities, unused)
        clock.stop("resample")
        known = familiarity(exam, box, self.keys, modalities, self._familiar)
        clock.stop("familiarity")
        out.timings.update(clock.seconds)
        out.resampled.update(_on_other_grids(exam, modalities))
        progress("segmented", 0.9, "Segmented")
        return replace(out, familiarity=known)

    def _box(self, exam: Exam, place: Location, modalities: tuple[str, ...]) -> BoxRun:
        """The network's answer on a box that has the brainstem in its middle."""
        centre = place.centre
        for attempt in range(3):
            run = BoxRun(
                self._networks[models.STRUCTURES],
                exam,
                centre,
                modalities,
                self.channels,
                self.device,
            )
            middle = self._middle(run.probabilities(self.temperature))
            if middle is None or np.linalg.norm(middle - centre) <= RECENTRE_MM:
                break
            if attempt < 2:
                centre = middle
        if self.flip:  # only now: the plain look alone says where the box has to lie
            run.add_mirrored(self.keys)
        return run

    def logits(self, exam: Exam) -> Volume:
        """Logits on the box that ``segment`` uses, before temperature and softmax.

        Returns
        -------
        Volume
            float32 array of shape (i, j, k, 1 + structures), background first; RAS, 1 mm.

        Raises
        ------
        BrainstemALSError
            NO_BRAINSTEM.
        """

        def work() -> Volume:
            place = self._locate(exam)
            modalities, _ = usable_channels(exam, place.centre, self.channels)
            run = self._box(exam, place, modalities)
            return Volume(run.logits[0].movedim(0, -1).cpu().numpy(), run.affine)

        return self._where_there_is_room(work)

    def _middle(self, box: Volume) -> np.ndarray | None:
        """RAS centre of the brainstem in a box of class probabilities; None when there is none."""
        inside = [1 + n for n, key in enumerate(self.keys) if by_key()[key].parent != CONTEXT]
        stem = box.array[..., inside].sum(-1) > 0.5
        if not stem.any():
            return None
        return box.affine[:3, :3] @ np.argwhere(stem).mean(0) + box.affine[:3, 3]

    def _on_patient_grid(
        self,
        t1: Volume,
        box: Volume,
        name: str,
        place: Location,
        modalities: tuple[str, ...],
        unused: tuple[str, ...],
    ) -> Segmentation:
        start, stop = _covering(t1, box)
        shape = tuple(int(n) for n in stop - start)
        affine = t1.affine.copy()
        affine[:3, 3] = t1.affine[:3, :3] @ start + t1.affine[:3, 3]

        def on_grid(channel: int, default: float) -> np.ndarray:
            part = Volume(np.ascontiguousarray(box.array[..., channel]), box.affine)
            return resample(part, shape, affine, default=default).array

        background = on_grid(0, 1.0)
        best = np.zeros(shape, np.float32)
        labels = np.zeros(shape, np.uint8)
        entropy = EntropyAccumulator(shape, 1 + len(self.keys))
        entropy.add(background)
        probabilities = np.zeros((*shape, len(self.keys)), np.float16)
        for number, key in enumerate(self.keys):
            probability = on_grid(1 + number, 0.0)
            entropy.add(probability)
            probabilities[..., number] = probability
            better = probability > best
            labels[better] = by_key()[key].index
            np.maximum(best, probability, out=best)
        # Brainstem or not is decided before which structure: where several share a voxel, none of
        # them may beat the background although together they do.
        labels[background >= 0.5] = 0
        stem_values = [s.index for s in by_key().values() if s.parent != CONTEXT]
        stem = np.isin(labels, stem_values)
        if stem.sum() * t1.voxel_volume < MIN_BRAINSTEM_MM3:
            raise BrainstemALSError(
                name,
                "too little brainstem is in view to measure anything",
                "Use a T1 whose field of view holds the brainstem from the midbrain to below "
                "the medulla.",
                ExitCode.NO_BRAINSTEM,
            )
        whole = tuple(slice(a, b) for a, b in zip(start, stop, strict=True))
        full_labels = np.zeros(t1.shape[:3], np.uint8)
        full_labels[whole] = labels
        full_entropy = np.zeros(t1.shape[:3], np.float32)
        full_entropy[whole] = entropy.result
        return Segmentation(
            labels=Volume(full_labels, t1.affine),
            entropy=Volume(full_entropy, t1.affine),
            probabilities=Volume(probabilities, affine),
            keys=self.keys,
            confidence={key: confidence(best, labels, by_key()[key].index) for key in self.keys},
            intracranial_mm3=place.intracranial_mm3,
            modalities=modalities,
            unused=unused,
            device=self.device,
            device_reason=self.device_reason,
            model=self.identity,
            touches_border=cut_faces(np.isin(full_labels, stem_values), t1),
        )


def _on_other_grids(
    exam: Exam, modalities: tuple[str, ...]
) -> dict[str, tuple[float, float, float]]:
    maps = {name: getattr(exam, name) for name in modalities if name != "t1"}
    return {
        name: tuple(float(size) for size in volume.spacing)
        for name, volume in maps.items()
        if not same_grid(exam.t1, volume)
    }


class _Clock:
    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def stop(self, stage: str) -> None:
        now = time.perf_counter()
        self.seconds[stage], self._last = round(now - self._last, 3), now


def _covering(t1: Volume, box: Volume) -> tuple[np.ndarray, np.ndarray]:
    """First and past-the-last voxel of the T1 grid that hold a box, within the grid."""
    last = np.array(box.shape[:3]) - 1
    corners = np.array([[(n >> axis & 1) * last[axis] for axis in range(3)] for n in range(8)])
    ras = corners @ box.affine[:3, :3].T + box.affine[:3, 3]
    inverse = np.linalg.inv(t1.affine)
    voxels = ras @ inverse[:3, :3].T + inverse[:3, 3]
    size = np.array(t1.shape[:3])
    start = np.floor(voxels.min(0)).astype(int) - BOX_MARGIN_VOXELS
    stop = np.ceil(voxels.max(0)).astype(int) + 1 + BOX_MARGIN_VOXELS
    start = np.clip(start, 0, size - 1)
    return start, np.clip(stop, start + 1, size)
