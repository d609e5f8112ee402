"""The segmenter as the commands use it: loaded only once an image has passed its checks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..pipeline import Progress

if TYPE_CHECKING:
    from ..imaging.exam import Exam
    from ..imaging.finding import Finding
    from ..segmentation.locate import Location
    from ..segmentation.result import Segmentation
    from ..segmentation.segmenter import Segmenter


class LateSegmenter:
    """A ``pipeline.CanSegment`` that loads torch and the models at the first exam and keeps them.

    Nobody should wait seconds for torch to learn that an image is broken.

    Parameters
    ----------
    device : str
        ``auto``, ``cpu`` or ``cuda``.
    model_dir : Path, optional
        Folder of models to use instead of the bundled ones.
    flip : bool
        Average with the mirrored image: twice the network's time, steadier.
    threads : int, optional
        CPU threads of torch and ITK.
    """

    def __init__(
        self,
        device: str = "auto",
        model_dir: Path | None = None,
        flip: bool = True,
        threads: int | None = None,
    ):
        self._device, self._model_dir, self._flip = device, model_dir, flip
        self._threads = threads
        self._segmenter: Segmenter | None = None

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Of the models in use, see ``Segmenter``; empty before they are loaded."""
        return self._segmenter.findings if self._segmenter else ()

    def locate(self, exam: Exam) -> Location:
        """Find the brainstem; raises what ``Segmenter`` raises."""
        return self._loaded().locate(exam)

    def segment(
        self, exam: Exam, progress: Progress | None = None, place: Location | None = None
    ) -> Segmentation:
        """Segment an exam; raises what ``Segmenter`` raises."""
        return self._loaded().segment(exam, progress, place)

    def _loaded(self) -> Segmenter:
        if self._segmenter is None:
            self._segmenter = self._load()
        return self._segmenter

    def _load(self) -> Segmenter:
        if self._threads is not None:
            import SimpleITK as sitk
            import torch

            torch.set_num_threads(self._threads)
            sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(self._threads)
        from ..segmentation.segmenter import Segmenter

        return Segmenter(device=self._device, model_dir=self._model_dir, flip=self._flip)
