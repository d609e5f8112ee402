"""A segmenter without a network, and small BIDS datasets: light enough to be killed and restarted.

Run as a script it is ``brainstem-als`` with that segmenter: ``python -m Testing.cohort.light``.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from BrainstemALSLib.anatomy import load_structures
from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.imaging.volume import Volume
from BrainstemALSLib.imaging.writing import write_volume
from BrainstemALSLib.segmentation.result import Segmentation

HERE = "Testing.cohort.light:LightSegmenter"
SHAPE, SPACING = (52, 52, 52), 2.0
AFFINE = np.diag([SPACING, SPACING, SPACING, 1.0])
AFFINE[:3, 3] = -SPACING * (np.array(SHAPE) - 1) / 2
KEYS = tuple(structure.key for structure in load_structures() if structure.tier != "C")[:4]
BRIGHT = 400.0
"""A T1 whose brightest voxel is above this has no brainstem, so that a visit can fail."""


@dataclass(frozen=True)
class Place:
    """``segmentation.locate.Location``, whose module takes seconds to load torch."""

    centre: np.ndarray
    brainstem_mm3: float
    intracranial_mm3: float | None


class LightSegmenter:
    """Calls a block of voxels four structures, wherever it looks."""

    findings = ()
    loads = 0

    def __init__(self, device="auto", model_dir=None, flip=True):
        from BrainstemALSLib.cohort.settings import model_checksums

        type(self).loads += 1
        self.identity = {
            role: {"name": role, "version": "1", "sha256": sha}
            for role, sha in model_checksums(model_dir)
        }

    def locate(self, exam):
        return Place(np.zeros(3), 3e4, None)

    def segment(self, exam, progress=None, place=None):
        time.sleep(float(os.environ.get("LIGHT_SECONDS", "0")))
        if exam.t1.array.max() > BRIGHT:
            raise BrainstemALSError("T1", "there is none", "Look.", ExitCode.NO_BRAINSTEM)
        if os.environ.get("LIGHT_DIES") and exam.t1.array.max() > BRIGHT / 2:
            os._exit(9)
        shape = exam.t1.shape
        labels = np.zeros(shape, np.uint8)
        probabilities = np.zeros((*shape, len(KEYS)), np.float16)
        known = {structure.key: structure.index for structure in load_structures()}
        for number, key in enumerate(KEYS):
            window = np.s_[20 + 3 * number : 23 + 3 * number, 18:34, 18:34]
            labels[window] = known[key]
            probabilities[(*window, number)] = 0.95
        return Segmentation(
            labels=Volume(labels, exam.t1.affine),
            entropy=Volume(np.zeros(shape, np.float32), exam.t1.affine),
            probabilities=Volume(probabilities, exam.t1.affine),
            keys=KEYS,
            confidence=dict.fromkeys(KEYS, 0.95),
            intracranial_mm3=1.4e6,
            modalities=("t1",) if exam.fa is None else ("t1", "fa"),
            device="cpu",
            device_reason="the CPU was asked for",
            model=self.identity,
        )


def head(seed: int, brightest: float = 130.0) -> Volume:
    """A ball in noise: enough of a head for the checks of the reader."""
    rng = np.random.default_rng(seed)
    i, j, k = np.indices(SHAPE) - SHAPE[0] / 2
    ball = np.sqrt(i**2 + j**2 + k**2) < 22
    array = (100 * ball + rng.normal(20, 3, SHAPE)).astype(np.float32)
    array[26, 26, 26] = brightest
    return Volume(array, AFFINE)


def write_t1(folder: Path, name: str, seed: int, brightest: float = 130.0) -> Path:
    """Write a T1 into ``anat`` of a visit's folder."""
    (folder / "anat").mkdir(parents=True, exist_ok=True)
    path = folder / "anat" / f"{name}_T1w.nii.gz"
    write_volume(head(seed, brightest), path)
    return path


def dataset(root: Path, people: int, sessions: int = 1, **description: object) -> Path:
    """Make a BIDS dataset of ``sub-01`` and so on, with its tables."""
    root.mkdir(parents=True, exist_ok=True)
    content = {"Name": "light", "BIDSVersion": "1.10.0", **description}
    (root / "dataset_description.json").write_text(json.dumps(content))
    rows = ["participant_id\tgroup\tage\tsex\tsite"]
    for number in range(1, people + 1):
        who = f"sub-{number:02d}"
        group = "ALS" if number % 2 else "HC"
        rows.append(f"{who}\t{group}\t{50 + number}\t{'MF'[number % 2]}\tA")
        visits = ["session_id\tmonths"]
        for visit in range(1, sessions + 1):
            session = f"ses-{visit:02d}"
            visits.append(f"{session}\t{6 * (visit - 1)}")
            write_t1(root / who / session, f"{who}_{session}", 10 * number + visit)
        (root / who / f"{who}_sessions.tsv").write_text("\n".join(visits) + "\n")
    (root / "participants.tsv").write_text("\n".join(rows) + "\n")
    return root


def main() -> None:
    """Run the command line with the light segmenter."""
    from BrainstemALSLib.cli import main as command_line
    from BrainstemALSLib.cohort import settings

    settings.SEGMENTER = HERE
    command_line()


if __name__ == "__main__":
    main()
