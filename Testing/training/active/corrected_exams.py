"""Small corrected exams in a store, and a small model in use, for the tests of fine-tuning."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import torch

from BrainstemALSLib.anatomy import load_structures
from BrainstemALSLib.annotation import Approval, BoxGrid, CaseStore
from BrainstemALSLib.imaging.volume import Volume
from BrainstemALSLib.segmentation.registry import BUNDLED, Lineage, ModelRegistry
from training.active.finetune_data import Window
from training.active.finetune_loop import Setting
from training.active.finetune_replay import Replay
from training.export import export_structures
from training.networks import WindowNetwork, structure_network
from training.smoke import phantom_labels

KEYS = tuple(structure.key for structure in load_structures())
FILTERS = (8, 16, 24)
SMALL = Setting(steps=6, replay=0.5, checkpoint_every=2, window=(16, 16, 16))


def small_network() -> WindowNetwork:
    """A network with the product's inputs and outputs, and few weights."""
    return structure_network(FILTERS)


def exam(seed: int) -> tuple[Volume, Volume]:
    """T1 and true labels of a geometric brainstem at 1.5 mm."""
    labels = phantom_labels(seed)
    truth = np.where(labels.array < 100, labels.array, 0).astype(np.uint8)
    noise = np.random.default_rng(seed)
    level = noise.uniform(200, 600, 256)[labels.array]
    t1 = (level * (labels.array > 0) + noise.normal(20, 3, truth.shape)).clip(0)
    return Volume(t1.astype(np.float32), labels.affine), Volume(truth, labels.affine)


def approval(seed: int, subject: str = "ALS-001", **fields: object) -> Approval:
    """An expert's correction of a model that had drawn a cube too little."""
    t1, truth = exam(seed)
    prediction = truth.array.copy()
    middle = np.argwhere(prediction > 0).mean(0).astype(int)
    cube = tuple(slice(n - 2, n + 2) for n in middle)
    prediction[cube] = 0
    grid = BoxGrid(t1.shape, t1.affine, (0, 0, 0))
    given = {
        "images": {"t1": t1},
        "prediction": Volume(prediction, t1.affine),
        "correction": truth,
        "grid": grid,
        "exam_key": hashlib.sha256(str(seed).encode()).hexdigest(),
        "subject": subject,
        "annotator": "R-01",
        "keys": KEYS,
    }
    return Approval(**{**given, **fields})


def make_store(root: Path, count: int = 2, **fields: object) -> CaseStore:
    """A store with exams of one subject."""
    store = CaseStore(root)
    for seed in range(count):
        store.approve(approval(seed, **fields))
    return store


def small_models(root: Path, source: Path) -> ModelRegistry:
    """A registry in which the small network is in use."""
    torch.manual_seed(0)
    export_structures(small_network(), {"steps": 0}, 0, source)
    registry = ModelRegistry(root)
    registry.promote(source, Lineage(BUNDLED, ""))
    return registry


def small_replay() -> Replay:
    """Noise with a block in it, in place of anatomies."""

    def draw(number: int) -> Window:
        generator = torch.Generator().manual_seed(number)
        channels = torch.randn(6, *SMALL.window, generator=generator)
        classes = torch.zeros(SMALL.window, dtype=torch.int64)
        classes[4:12, 4:12, 4:12] = 1 + number % len(KEYS)
        return Window(channels, classes)

    return Replay("training anatomies", 2, draw, "blocks")
