"""A small brainstem and a segmenter that knows it."""

import numpy as np
import pytest

from BrainstemALSLib.anatomy import by_key, load_structures
from BrainstemALSLib.imaging.exam import Exam
from BrainstemALSLib.imaging.volume import Volume
from BrainstemALSLib.segmentation.result import Segmentation


def slab_anatomy(spacing=1.5):
    """Every structure as a cube of its own, on a box, in white matter with fluid around."""
    affine = np.diag([spacing, spacing, spacing, 1.0])
    affine[:3, 3] = -30.0
    array = np.full((44, 44, 44), 104, np.uint8)
    array[3:41, 3:41, 3:41] = 100
    for number, structure in enumerate(load_structures()):
        i, j, k = np.array(np.unravel_index(number, (4, 4, 4))) * 9 + 5
        array[i : i + 6, j : j + 6, k : k + 6] = structure.index
    return Volume(array, affine)


class KnowingSegmenter:
    """Returns given labels, moved by whole voxels along i, brought to the grid of the T1."""

    def __init__(self, labels: Volume, shift: int = 0):
        self.labels = Volume(np.roll(labels.array, shift, axis=0), labels.affine)
        self.seen: list[Exam] = []

    def segment(self, exam: Exam, progress=None, place=None) -> Segmentation:
        from training.evaluation.grids import on_grid

        self.seen.append(exam)
        labels = on_grid(self.labels, exam.t1)
        keys = tuple(by_key())
        indices = np.array([s.index for s in load_structures()])
        probabilities = (labels.array[..., None] == indices).astype(np.float16)
        modalities = tuple(n for n in ("t1", "fa", "md") if getattr(exam, n) is not None)
        return Segmentation(
            labels=labels,
            entropy=Volume(np.zeros(labels.shape, np.float32), labels.affine),
            probabilities=Volume(probabilities, labels.affine),
            keys=keys,
            confidence=dict.fromkeys(keys, 1.0),
            intracranial_mm3=None,
            modalities=modalities,
            device="cpu",
            device_reason="a test",
            model={"structures": {"name": "knowing", "version": "0", "sha256": "0" * 64}},
        )


@pytest.fixture(scope="session")
def anatomy():
    return slab_anatomy()


@pytest.fixture
def knowing():
    """The class of segmenters whose answer is known."""
    return KnowingSegmenter
