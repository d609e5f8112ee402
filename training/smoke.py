"""The whole training chain on made-up anatomies in under 3 minutes: nothing outside is needed.

    python -m training.smoke [--steps 12]

Draws geometric anatomies, trains both networks a few steps, stops, resumes from the checkpoint,
exports to a temporary folder, loads the exported models as the product does and runs them. It
proves that the chain holds together; the models are thrown away and segment nothing.
"""

from __future__ import annotations

import argparse
import tempfile
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch

from BrainstemALSLib.anatomy import REGIONS, load_structures
from BrainstemALSLib.imaging.volume import Volume
from BrainstemALSLib.segmentation import models
from BrainstemALSLib.segmentation.inference import infer_box

from . import labels as L
from .evaluation.simulate import simulate_exam
from .export import export_locator, export_structures
from .locator import LocatorSampler, validation
from .loop import Schedule, train
from .networks import locator_network, structure_network
from .samples import CaseSampler
from .synthesis import Anatomy
from .train import Validation

SPACING = 1.5
SHAPE = (48, 56, 64)
# Rough half-widths (x, y, z) and centres of the regions, mm: enough to look like a brainstem.
REGION_CENTRE = {"midbrain": (0, 8, 24), "pons": (0, 6, 0), "medulla": (0, 0, -26)}
REGION_RADII = {"midbrain": (18, 13, 10), "pons": (18, 14, 14), "medulla": (8, 8, 14)}


@lru_cache(maxsize=8)
def phantom_anatomy(name: str) -> Anatomy:
    """Regions as ellipsoids, cut into structures around symmetric random seeds.

    Parameters
    ----------
    name : str
        Seed, as text.
    """
    return Anatomy.from_volume(phantom_labels(int(name)))


def phantom_labels(seed: int) -> Volume:
    """Label volume (uint8) of a geometric anatomy at 1.5 mm."""
    rng = np.random.default_rng(seed)
    axes = [(np.arange(n) - (n - 1) / 2) * SPACING for n in SHAPE]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), -1)
    out = np.full(SHAPE, L.CSF, np.uint8)
    out[points[..., 1] < -14] = L.CEREBELLAR_GREY
    out[points[..., 1] < -22] = L.CEREBELLAR_WHITE
    out[points[..., 2] > 36] = L.CEREBRAL_WHITE
    for region in REGIONS:
        centre = np.array(REGION_CENTRE[region]) + rng.normal(0, 1, 3)
        radii = np.array(REGION_RADII[region]) * rng.uniform(0.9, 1.1, 3)
        inside = (((points - centre) / radii) ** 2).sum(-1) < 1
        members = [s for s in load_structures() if s.parent == region]
        # One seed per pair, mirrored, so that left and right are symmetric.
        spread = {s.stem: rng.uniform(-0.7, 0.7, 3) * radii for s in members}
        side = {"left": -1.0, "right": 1.0, "midline": 0.0}
        seeds = [
            centre + np.array([side[s.side] * (2 + abs(spread[s.stem][0])), *spread[s.stem][1:]])
            for s in members
        ]
        distance = np.stack([((points[inside] - seed) ** 2).sum(-1) for seed in seeds])
        out[inside] = np.array([s.index for s in members], np.uint8)[distance.argmin(0)]
    affine = np.diag([SPACING] * 3 + [1.0])
    affine[:3, 3] = [axis[0] for axis in axes]
    return Volume(out, affine)


def run(steps: int, folder: Path) -> dict[str, float]:
    """Train, resume, export and load in a folder; returns first and last loss figures.

    Raises
    ------
    RuntimeError
        The chain does not hold together.
    """
    cpu = torch.device("cpu")
    training, held_out = (
        CaseSampler(["1", "2"], phantom_anatomy),
        CaseSampler(["3"], phantom_anatomy),
    )
    small = (8, 16, 24)
    figures = {}
    for part in (steps // 2, steps):  # the second call goes on where the first ended
        schedule = Schedule(
            part, workers=0, validate_every=10**6, checkpoint_every=10**6, warm_up=2
        )
        network, facts = train(
            lambda: structure_network(small), training, Validation(held_out, cpu, 1),
            folder / "structures", schedule, cpu,
        )  # fmt: skip
        if facts["steps"] != part:
            raise RuntimeError(f"training stopped at step {facts['steps']} instead of {part}")
        figures[f"dice_{part}"] = facts["figures"]["dice"]
    out = folder / "models"
    export_structures(network, facts, 2, out)
    boxes = LocatorSampler(["1", "2"], phantom_anatomy)
    locator, facts = train(
        lambda: locator_network((8, 16, 24)), boxes, validation(boxes, 1), folder / "locator",
        Schedule(steps, workers=0, validate_every=10**6, checkpoint_every=10**6), cpu,
    )  # fmt: skip
    export_locator(locator, facts, 2, out)
    exam, _, _ = simulate_exam(phantom_labels(3), seed=1)
    model = models.find_model(models.STRUCTURES, out)
    models.load_network(models.find_model(models.LOCATOR, out), "cpu")
    keys, channels = tuple(model.card["keys"]), model.channels
    box = infer_box(
        models.load_network(model, "cpu"),
        exam,
        np.zeros(3),
        channels,
        channels,
        keys,
        "cpu",
        True,
    )
    if not np.allclose(box.array.sum(-1), 1, atol=1e-3):
        raise RuntimeError("the exported model's probabilities do not sum to one")
    return figures


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=12)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = run(arguments.steps, Path(folder))
    print(f"smoke training passed: {figures}")


if __name__ == "__main__":
    main()
