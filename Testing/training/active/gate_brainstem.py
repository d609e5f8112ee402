"""A made-up brainstem for the gate's tests: every structure a block on its own side and height."""

from __future__ import annotations

import numpy as np

from BrainstemALSLib.anatomy import CONTEXT, load_structures
from BrainstemALSLib.imaging.volume import Volume
from training.active.gate_scores import SIMULATED, Prediction, ValidationCase
from training.active.gate_simulated import SimulatedModel

HEIGHTS = {"medulla": 6, "pons": 26, "midbrain": 46}


def brainstem(block: int = 5) -> Volume:
    """Blocks in RAS at 1 mm: regions one above the other, left at negative x, 4th ventricle last.

    Each region is a layer of columns; a column holds a structure in front of the next one.
    """
    array = np.zeros((44, 72, 66), np.uint8)
    columns = {"left": (6, 12), "midline": (19,), "right": (26, 32)}
    filled: dict[tuple, int] = {}
    for structure in load_structures():
        region = "pons" if structure.parent == CONTEXT else structure.parent
        number = filled.get((region, structure.side), 0)
        filled[region, structure.side] = number + 1
        places = columns[structure.side]
        i = places[number % len(places)]
        j = 60 - 7 * (number // len(places))
        if structure.parent == CONTEXT:
            j = 4 + 6 * number
        k = HEIGHTS[region]
        array[i : i + block, j : j + block, k : k + 2 * block] = structure.index
    affine = np.eye(4)
    affine[:3, 3] = (-21.5, -30.0, -30.0)
    return Volume(array, affine)


def cases(count: int = 8) -> list[ValidationCase]:
    """Exams of as many subjects, all with the same truth."""
    truth = brainstem()
    return [ValidationCase(f"anatomy-{n}", f"anatomy-{n}", SIMULATED, truth) for n in range(count)]


def model(level_mm: float = 0.6, seed: int = 1) -> SimulatedModel:
    return SimulatedModel("in use", np.full(len(load_structures()), level_mm), seed)


class Changed:
    """A predictor whose labels are changed by a function of the array, or that says nothing."""

    def __init__(self, inner, change=None, keys=None, problem=""):
        self.name, self.inner = "candidate", inner
        self.change, self.problem = change, problem
        self.keys = inner.keys if keys is None else keys

    def predict(self, case: ValidationCase) -> Prediction:
        if self.problem:
            return Prediction(None, self.problem)
        labels = self.inner.predict(case).labels
        return Prediction(Volume(self.change(labels.array.copy()), labels.affine))
