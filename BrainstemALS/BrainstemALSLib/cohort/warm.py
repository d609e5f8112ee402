"""One segmenter per process, loaded at the first visit and kept, shared by all its threads."""

from __future__ import annotations

import importlib
import os
import sys
import threading
from typing import TYPE_CHECKING, Any

from ..errors import BrainstemALSError, ExitCode
from .settings import Settings

if TYPE_CHECKING:
    from ..imaging.exam import Exam
    from ..imaging.finding import Finding
    from ..pipeline import Progress
    from ..segmentation.locate import Location
    from ..segmentation.result import Segmentation

_KEPT: dict[Settings, SharedSegmenter] = {}
_GUARD = threading.Lock()
_LIMIT: list[int] = []


class SharedSegmenter:
    """A ``pipeline.CanSegment`` for several threads: reading overlaps, networks do not.

    Parameters
    ----------
    settings : Settings
    """

    def __init__(self, settings: Settings):
        self._settings = settings
        self._lock = threading.Lock()
        self._segmenter: Any = None

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Of the models in use; empty before they are loaded."""
        return self._segmenter.findings if self._segmenter else ()

    def locate(self, exam: Exam) -> Location:
        """Find the brainstem; raises what the segmenter raises."""
        with self._lock:
            return self._loaded().locate(exam)

    def segment(
        self, exam: Exam, progress: Progress | None = None, place: Location | None = None
    ) -> Segmentation:
        """Segment an exam; raises what the segmenter raises."""
        with self._lock:
            return self._loaded().segment(exam, progress, place)

    def _loaded(self) -> Any:
        if self._segmenter is None:
            module, name = self._settings.segmenter.split(":")
            make = getattr(importlib.import_module(module), name)
            made = make(
                device=self._settings.device,
                model_dir=self._settings.model_dir,
                flip=self._settings.flip,
            )
            found = {role: card["sha256"] for role, card in made.identity.items()}
            if any(found.get(role) != sha for role, sha in self._settings.models):
                raise BrainstemALSError(
                    "models", "a worker has other models than the run was started with",
                    "Use the same version on every machine, or name a folder with --model.",
                    ExitCode.MODEL_UNAVAILABLE,
                )  # fmt: skip
            _limit_torch()
            self._segmenter = made
        return self._segmenter


def shared_segmenter(settings: Settings) -> SharedSegmenter:
    """Return this process' segmenter for these settings; another one takes its place."""
    with _GUARD:
        if settings not in _KEPT:
            _KEPT.clear()
            _KEPT[settings] = SharedSegmenter(settings)
        return _KEPT[settings]


def limit_threads(threads: int) -> None:
    """Keep torch and ITK of this process to some threads; torch as soon as it is imported."""
    import SimpleITK as sitk

    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(threads)
    _LIMIT[:] = [threads]
    _limit_torch()


def _limit_torch() -> None:
    torch = sys.modules.get("torch")
    if torch is not None and _LIMIT:
        torch.set_num_threads(_LIMIT[0])


def cores() -> int:
    """Return how many cores this process may use; a batch system may have given it a few."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
