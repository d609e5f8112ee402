"""The real worker, but for one thing: an exam is segmented once in a run of the tests.

Run as a script it is ``worker/__main__.py``. An exam that is new goes through the real pipeline;
what came of it is kept in a folder that all processes of one run of the tests share, and comes back
for the same images, settings and models with the same progress. The protocol, reading, handing
over, measuring corrections and all of the panel are the real ones every time: this is for tests of
what the panel does around a run. The run itself is asked without it: ``test_visit`` and
``test_losing``, and those of the worker and of the command line.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

FOLDER = "BRAINSTEM_ALS_TESTS_REMEMBER"
PAUSE = "BRAINSTEM_ALS_TESTS_PAUSE"
"""Seconds that a run that came back stays at "infer", for tests that do something meanwhile."""


class LazySegmenter:
    """A segmenter that is made, and torch imported, when an exam has to be segmented."""

    device = "cpu"

    def __init__(self, make: Callable[[], Any], settings: tuple[object, ...]):
        self.make, self.settings = make, settings
        self.findings: tuple[Any, ...] = ()


def remembering(run_exam: Callable[..., Any], folder: Path) -> Callable[..., Any]:
    """Return ``run_exam`` with a memory."""

    def run(exam: Any, lazy: LazySegmenter, progress: Callable[..., None]) -> Any:
        path = folder / f"{_key(exam, lazy.settings)}.pickle"
        if exam.dwi is None and path.exists():
            result, lazy.findings, told = pickle.loads(path.read_bytes())  # noqa: S301 - below
            for step in told:
                progress(*step)
                if step[0] == "infer":
                    time.sleep(float(os.environ.get(PAUSE, "0")))
            return result
        told = []

        def tell(*step: Any) -> None:
            told.append(step)
            progress(*step)

        real = lazy.make()
        result = run_exam(exam, real, tell)
        lazy.findings = real.findings
        # Two processes may come at once: each writes its own, and the last one stays.
        partial = path.with_suffix(f".{os.getpid()}")
        partial.write_bytes(pickle.dumps((result, real.findings, told), protocol=5))
        partial.replace(path)
        return result

    return run


def _key(exam: Any, settings: tuple[object, ...]) -> str:
    words = (settings, exam.names, exam.checksums, exam.person, exam.findings, exam.facts)
    key = hashlib.sha256(repr(words).encode())
    for role in ("t1", "fa", "md", "ad", "rd", "v1"):
        volume = getattr(exam, role)
        if volume is not None:
            key.update(f"{role} {volume.array.dtype} {volume.array.shape}".encode())
            key.update(np.ascontiguousarray(volume.array).data)
            key.update(np.ascontiguousarray(volume.affine).data)
    return key.hexdigest()


def commands() -> Any:
    """The real commands with that memory."""
    from BrainstemALSLib.segmentation.registry import models_folder
    from BrainstemALSLib.worker import commands as real

    class Remembering(real.Commands):
        def _warm_segmenter(self, params: dict[str, Any]) -> LazySegmenter:
            used = params.get("model_dir") or str(models_folder())
            settings = (params.get("device", "auto"), used, bool(params.get("flip", True)))
            warm = super()._warm_segmenter
            return LazySegmenter(lambda: warm(params), settings)

    real.run_exam = remembering(real.run_exam, Path(os.environ[FOLDER]))
    return Remembering()


if __name__ == "__main__":
    # As the worker has it: the folder of the library on the path, and not that of the script.
    here = Path(__file__).resolve()
    sys.path[:] = [name for name in sys.path if Path(name or ".").resolve() != here.parent]
    sys.path.insert(0, str(here.parents[2] / "BrainstemALS"))

    from BrainstemALSLib.worker.server import main

    main(commands=commands)
