"""What the worker can do. The models stay loaded between requests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import BrainstemALSError, ExitCode
from ..imaging import diffusion_maps
from ..imaging.exam import Exam, exam_from_volumes
from ..imaging.finding import SEVERITIES, Finding
from ..imaging.volume import Volume
from ..measurement import Measures, measure
from ..measurement.corrected import corrected
from ..measurement.records import measures_record
from ..measurement.unfamiliar import unfamiliar
from ..pipeline import ExamResult, Progress, run_exam
from ..segmentation.field_of_view import filled_extent
from ..segmentation.registry import models_folder
from ..segmentation.result import Segmentation
from .exchange import read_array, read_volume_record
from .failures import broken_package
from .outcome import MAPS, Outcome, save_outcome
from .predicting import Predicting
from .requests import correction_files, read_series

if TYPE_CHECKING:
    from ..segmentation.segmenter import Segmenter

# Where the stages begin in the whole request, from timings on two CPU cores with the models loaded;
# loading them, once per process, takes a few seconds.
_LOAD, _RUN, _WRITE = 0.08, 0.12, 0.97


class Commands:
    """Carries out requests, one at a time."""

    def __init__(self) -> None:
        self._segmenter: Segmenter | None = None
        self._settings: tuple[object, ...] | None = None
        self._predicting = Predicting()

    def run(self, command: str, params: dict[str, Any], progress: Progress) -> dict[str, Any]:
        """Carry out ``segment``, ``measure`` or ``predict`` and return the data of its result.

        Parameters
        ----------
        command : str
        params : dict
            As the functions of ``requests`` return them.
        progress : callable
            Called with stage, fraction 0-1 and text.

        Raises
        ------
        BrainstemALSError
            What the pipeline refuses. Other exceptions are for ``failures.refusal_of``.
        """
        commands = {
            "segment": self._segment,
            "measure": self._measure,
            "predict": self._predict,
        }
        return commands[command](params, progress)

    def _segment(self, params: dict[str, Any], progress: Progress) -> dict[str, Any]:
        """Data: ``Outcome.record()``; the arrays are beside the inputs, see ``save_outcome``."""
        folder = Path(params["folder"])
        progress("read", 0.0, "Reading the images")
        exam = _exam(folder, params)
        progress("load", _LOAD, "Loading the model")
        segmenter = self._warm_segmenter(params)
        device = segmenter.device

        def inner(stage: str, fraction: float, text: str) -> None:
            progress(stage, _RUN + (_WRITE - _RUN) * fraction, text)

        result = run_exam(exam, segmenter, inner)
        if segmenter.device != device:  # the GPU was full; it may have room the next time
            self._segmenter = None
        progress("write", _WRITE, "Handing over the results")
        data = save_outcome(folder, *_outcome(result, segmenter.findings))
        progress("done", 1.0, "Done")
        return data

    def _warm_segmenter(self, params: dict[str, Any]) -> Segmenter:
        model_dir = params.get("model_dir")
        # Another version may have been put into use since the last request.
        used = str(models_folder()) if model_dir is None else model_dir
        settings = (params.get("device", "auto"), used, bool(params.get("flip", True)))
        if self._segmenter is None or self._settings != settings:
            self._segmenter = None  # two models in memory at a time are not needed
            _load_torch()
            from ..segmentation.segmenter import Segmenter

            device, _, flip = settings
            self._segmenter = Segmenter(
                device, None if model_dir is None else Path(model_dir), flip
            )
            self._settings = settings
        return self._segmenter

    def _measure(self, params: dict[str, Any], progress: Progress) -> dict[str, Any]:
        """Data: ``measures``."""
        progress("measure", 0.0, "Measuring")
        expert, predicted = (
            np.array(read_array(path)) for path in correction_files(Path(params["folder"]))
        )
        entropy = np.broadcast_to(np.float32(0), predicted.shape)  # nothing is measured on it
        outcome = Outcome.from_record(params["outcome"], predicted, entropy)
        probabilities = None
        if params["probabilities"] is not None and Path(params["probabilities"]).is_file():
            probabilities = read_array(params["probabilities"])
        segmentation = _segmentation(outcome, probabilities)
        labels = _on_grid(expert, tuple(params["offset"]), outcome.shape)
        after = corrected(segmentation, labels, outcome.field_of_view)
        # Of the T1, measuring needs the grid alone, which is that of the labels.
        measures = measure(after, after.labels, maps=_maps(Path(params["folder"]), params))
        measures = _with_findings(measures, outcome.exam_findings)
        progress("done", 1.0, "Done")
        return {"measures": measures_record(measures)}

    def _predict(self, params: dict[str, Any], progress: Progress) -> dict[str, Any]:
        """Data: see ``Predicting.run``."""
        data = self._predicting.run(params, progress)
        progress("done", 1.0, "Done")
        return data


def _load_torch() -> None:
    try:
        import torch  # noqa: F401
    except ModuleNotFoundError:
        raise
    except (ImportError, OSError, AttributeError) as problem:  # a broken installation of it
        raise broken_package("torch", problem) from problem


def _exam(folder: Path, params: dict[str, Any]) -> Exam:
    images: dict[str, Any] = {
        role: read_volume_record(folder, params[role])
        for role in ("t1", "fa", "md", "tensors")
        if role in params
    }
    if "dwi" in params:
        images["dwi"] = read_series(folder, params["dwi"])
    exam = exam_from_volumes(**images)
    known = tuple(Finding(**one) for one in params.get("findings", ()))
    return replace(exam, findings=(*exam.findings, *known))


def _maps(folder: Path, params: dict[str, Any]) -> dict[str, Volume]:
    """Maps to measure. Those of a scene are as the user loaded them: MD in either unit."""
    maps = {role: read_volume_record(folder, record) for role, record in params["maps"].items()}
    scaled = {"fa": diffusion_maps.fractional_anisotropy, "md": diffusion_maps.mean_diffusivity}
    return {
        role: scaled[role](role.upper(), volume) if role in scaled else volume
        for role, volume in maps.items()
    }


def _with_findings(measures: Measures, about_images: Sequence[Finding]) -> Measures:
    """Measures with the findings about the images among their own, worst first."""
    findings = dict.fromkeys((*about_images, *measures.findings))
    ordered = sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity))
    return replace(measures, findings=tuple(ordered))


def _outcome(result: ExamResult, of_models: Sequence[Finding]) -> tuple[Outcome, np.ndarray]:
    """Outcome on the box of the probabilities, outside of which nothing is labelled, and these."""
    exam, found = result.exam, result.segmentation
    probabilities = found.probabilities
    box = _window(found.offset, probabilities.array.shape[:3])
    outcome = Outcome(
        labels=Volume(found.labels.array[box], probabilities.affine),
        entropy=Volume(found.entropy.array[box], probabilities.affine),
        offset=found.offset,
        shape=tuple(int(n) for n in exam.t1.shape),
        affine=exam.t1.affine,
        probabilities=None,
        probabilities_offset=found.offset,
        keys=found.keys,
        modalities=found.modalities,
        unused=found.unused,
        resampled=found.resampled,
        field_of_view=filled_extent(exam.t1),
        device=found.device,
        device_reason=found.device_reason,
        model=found.model,
        intracranial_mm3=found.intracranial_mm3,
        touches_border=found.touches_border,
        measures=result.measures,
        timings={**found.timings, **result.timings},
        maps={role: getattr(exam, role) for role in MAPS if getattr(exam, role) is not None},
        exam_findings=(*exam.findings, *of_models, *unfamiliar(found)),
    )
    return outcome, probabilities.array


def _segmentation(outcome: Outcome, probabilities: np.ndarray | None) -> Segmentation:
    """The model's segmentation again, as far as it is measured."""
    affine = outcome.affine.copy()
    affine[:3, 3] += affine[:3, :3] @ outcome.probabilities_offset
    return Segmentation(
        labels=Volume(
            _on_grid(outcome.labels.array, outcome.offset, outcome.shape), outcome.affine
        ),
        entropy=outcome.entropy,
        probabilities=None if probabilities is None else Volume(probabilities, affine),
        keys=outcome.keys,
        confidence={},
        intracranial_mm3=outcome.intracranial_mm3,
        modalities=outcome.modalities,
        unused=outcome.unused,
        resampled=outcome.resampled,
        device=outcome.device,
        device_reason=outcome.device_reason,
        model=outcome.model,
    )


def _window(offset: tuple[int, ...], size: tuple[int, ...]) -> tuple[slice, ...]:
    return tuple(slice(a, a + n) for a, n in zip(offset, size, strict=True))


def _on_grid(box: np.ndarray, offset: tuple[int, ...], shape: tuple[int, ...]) -> np.ndarray:
    """Labels of a box on the whole grid of the T1."""
    if box.ndim != 3 or min(offset) < 0 or (np.add(offset, box.shape) > shape).any():
        raise BrainstemALSError(
            "correction",
            "it does not lie in the T1 that was segmented",
            "Measure the correction with the segmentation that it was made from.",
            ExitCode.MISMATCHED_IMAGES,
        )
    whole = np.zeros(shape, box.dtype)
    whole[_window(offset, box.shape)] = box
    return whole
