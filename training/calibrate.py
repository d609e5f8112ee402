"""Fits the temperature of the structure network, so that its probabilities mean what they say.

    python -m training.calibrate [--images 24] [--seed 31] [--model-dir DIR]

Logits are divided by one number before softmax (temperature scaling, Guo et al. 2017, "On
calibration of modern neural networks", arXiv:1706.04599): no voxel gets another most likely class
on the box, all get more or less sure. The number is the one with the least negative log-likelihood
on simulated exams of training anatomies, drawn with seeds that nothing else uses, in voxels of the
T1's grid near the brainstem, with the mirrored image averaged in: what users see. It goes into the
sidecar, beside the checksum of its weights, unless it is no better than what is there.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from BrainstemALSLib.anatomy import by_key
from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.imaging.geometry import resample
from BrainstemALSLib.imaging.volume import Volume
from BrainstemALSLib.segmentation import models

from .commands import finish, training_cases
from .evaluation import adapter
from .evaluation.calibration import bins_of, neighbourhood
from .evaluation.tables import command_line
from .export import add_to_sidecar, default_folder

IMAGES, SEED = 24, 31
VOXELS = 5000  # of each image, drawn at random: all would not fit into memory
BOUNDS = (0.25, 4.0)
LEAST_GAIN = 1e-3  # share of the loss: what sampling alone may give (our choice)
INPUTS = (lambda exam: exam, adapter.without_directions, adapter.t1_only)
"""What users bring, in turn: one temperature has to serve all."""


@dataclass(frozen=True, eq=False)
class Sampled:
    """Voxels of one T1 between the voxels of the network's box.

    Attributes
    ----------
    logits : numpy.ndarray
        float16, shape (voxels, 8, classes): of the eight voxels of the box around each.
    weights : numpy.ndarray
        float32, shape (voxels, 8): shares of the eight in linear interpolation; they add up to 1.
    truth : numpy.ndarray
        int, shape (voxels,): true class, 0 the background.
    """

    logits: np.ndarray
    weights: np.ndarray
    truth: np.ndarray

    def probabilities(self, temperature: float) -> np.ndarray:
        """Class probabilities as they reach the T1's grid, float32 (voxels, classes)."""
        from scipy.special import softmax

        at_corners = softmax(self.logits.astype(np.float32) / np.float32(temperature), axis=-1)
        return np.einsum("vc,vcn->vn", self.weights, at_corners)


def sampled(box: Volume, truth: Volume, keys: Sequence[str], rng: np.random.Generator) -> Sampled:
    """Draw voxels near the brainstem, true or found.

    Parameters
    ----------
    box : Volume
        Logits, float32 (i, j, k, 1 + structures), as ``Segmenter.logits`` returns them.
    truth : Volume
        True labels on the grid of the T1, at most as coarse as the box, for nothing is averaged
        here; values are ``Structure.index``.
    keys : sequence of str
        Structures of the network's outputs 1...
    rng : numpy.random.Generator
        Which voxels.
    """
    from scipy.special import softmax

    inside = Volume(1 - softmax(box.array, axis=-1)[..., 0], box.affine)
    found = resample(inside, truth.shape, truth.affine).array > 0.5
    voxels = np.argwhere(neighbourhood(found, truth))
    matrix = np.linalg.inv(box.affine) @ truth.affine
    places = voxels @ matrix[:3, :3].T + matrix[:3, 3]
    size = np.array(box.shape[:3])
    seen = ((places >= 0) & (places <= size - 1)).all(1)
    chosen = np.flatnonzero(seen)
    chosen = rng.choice(chosen, min(VOXELS, len(chosen)), replace=False)
    voxels, places = voxels[chosen], places[chosen]
    first = np.minimum(places.astype(int), size - 2)
    share = (places - first).astype(np.float32)
    corners = np.indices((2, 2, 2)).reshape(3, 8).T
    weights = np.where(corners, share[:, None], 1 - share[:, None]).prod(-1)
    around = first[:, None] + corners
    classes = np.zeros(256, int)
    for number, key in enumerate(keys, start=1):
        classes[by_key()[key].index] = number
    return Sampled(
        box.array[tuple(around.transpose(2, 0, 1))].astype(np.float16),
        weights,
        classes[truth.array[tuple(voxels.T)]],
    )


def negative_log_likelihood(parts: Sequence[Sampled], temperature: float) -> float:
    """Mean over all voxels, in nats."""
    sums = [
        -np.log(
            np.maximum(
                part.probabilities(temperature)[np.arange(len(part.truth)), part.truth], 1e-7
            )
        ).sum(dtype=float)
        for part in parts
    ]
    return float(sum(sums) / sum(len(part.truth) for part in parts))


def expected_error(parts: Sequence[Sampled], temperature: float) -> float:
    """Expected calibration error of the label given, 0-1; bins of ``evaluation.calibration``."""
    said, right = [], []
    for part in parts:
        probability = part.probabilities(temperature)
        # As ``Segmenter`` labels: the background where it has half, else the likeliest structure.
        label = np.where(probability[:, 0] >= 0.5, 0, 1 + probability[:, 1:].argmax(1))
        said.append(probability[np.arange(len(label)), label])
        right.append(label == part.truth)
    return bins_of(np.clip(np.concatenate(said), 0, 1), np.concatenate(right)).error


def fitted(parts: Sequence[Sampled]) -> float:
    """Return the temperature with the least negative log-likelihood, within ``BOUNDS``."""
    from scipy.optimize import minimize_scalar

    found = minimize_scalar(
        lambda logarithm: negative_log_likelihood(parts, float(np.exp(logarithm))),
        bounds=np.log(BOUNDS),
        method="bounded",
        options={"xatol": 2e-3},
    )
    return round(float(np.exp(found.x)), 3)


def drawn(cases: Sequence[str], images: int, seed: int, segmenter) -> list[Sampled]:
    """Simulate and segment exams of anatomies spread over all, and draw voxels of each.

    An exam in which no brainstem is found is left out.
    """
    parts = []
    for number in range(images):
        case = (
            cases[number * len(cases) // images]
            if images < len(cases)
            else cases[number % len(cases)]
        )
        sequence = np.random.SeedSequence([seed, number])
        exam, truth = adapter.simulate(case, int(sequence.generate_state(1)[0]))
        try:
            logits = segmenter.logits(INPUTS[number % len(INPUTS)](exam))
        except BrainstemALSError as refusal:
            if refusal.code != ExitCode.NO_BRAINSTEM:
                raise
            print(f"{case}: left out, {refusal}")
            continue
        parts.append(sampled(logits, truth, segmenter.keys, np.random.default_rng(sequence)))
        print(f"{number + 1}/{images} {case}", flush=True)
    if not parts:
        raise BrainstemALSError(
            "calibration",
            "the model found no brainstem in any simulated exam",
            "Train it longer before it is calibrated.",
            ExitCode.NO_BRAINSTEM,
        )
    return parts


def calibrated(parts: Sequence[Sampled], present: float) -> dict | None:
    """Fit, and compare with the temperature that is in use.

    Returns
    -------
    dict or None
        ``temperature``, and of it and of the present one the negative log-likelihood (nats a voxel)
        and the expected calibration error; None where the present one is as good.
    """
    temperature = fitted(parts)
    before, after = (negative_log_likelihood(parts, t) for t in (present, temperature))
    if after > before * (1 - LEAST_GAIN):
        return None
    errors = [expected_error(parts, t) for t in (present, temperature)]
    return {
        "temperature": temperature,
        "temperature_before": present,
        "nll_before": round(before, 5),
        "nll_after": round(after, 5),
        "ece_before": round(errors[0], 5),
        "ece_after": round(errors[1], 5),
    }


def main(arguments: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=IMAGES)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--model-dir", type=Path, help="folder instead of the bundled models'")
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"))
    options = parser.parse_args(arguments)

    def work() -> None:
        folder = options.model_dir or default_folder()
        model = models.find_model(models.STRUCTURES, folder)
        segmenter = adapter.segmenter(options.device, folder)
        parts = drawn(training_cases(), options.images, options.seed, segmenter)
        found = calibrated(parts, model.temperature)
        if found is None:
            print(f"Temperature {model.temperature:g} stays: none has a lower likelihood loss.")
            return
        facts = {
            **found,
            "images": len(parts),
            "voxels": sum(len(part.truth) for part in parts),
            "inputs": "T1 + FA + MD + V1, T1 + FA + MD, T1 only, in turn; simulated, of training "
            "anatomies",
            "seed": options.seed,
            "date": f"{datetime.now(UTC):%Y-%m-%d}",
            "sha256": model.card["sha256"],
            "command": command_line(),
        }
        add_to_sidecar(model, {"temperature": found["temperature"], "calibration": facts})
        for name, value in found.items():
            print(f"{name}: {value:g}")
        if found["ece_after"] > found["ece_before"]:
            print("The likelihood gains, the expected calibration error does not: see the pages.")
        print(
            f"Written: {model.path.with_suffix('.json').name}. What is measured on probabilities "
            "has changed: run training.familiarity and the evaluation again."
        )

    finish(work)


if __name__ == "__main__":
    main()
