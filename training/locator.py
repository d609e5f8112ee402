"""Trains the locator: finds brainstem, cerebellum and cerebrum in any T1 at 4 mm.

    python -m training.locator [--minutes 8] [--warm-start]

Sees whole heads (SynthSeg maps) and the boxes of the anatomies as cropped fields of view, rotated,
scaled, cut, with and without skull, in any contrast; now and then a part of the head without a
brainstem, or no head at all. Its sum of intracranial probability is the
product's estimate of intracranial volume.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, lru_cache, partial

import numpy as np
import torch
from scipy import ndimage
from torch.nn import functional as F

from BrainstemALSLib.anatomy import CONTEXT, load_structures
from BrainstemALSLib.imaging.volume import Volume
from BrainstemALSLib.segmentation.models import LOCATOR
from BrainstemALSLib.segmentation.preprocess import LOCATOR_SPACING_MM, normalise_t1

from . import anatomies
from . import labels as L
from .commands import finish, run_arguments, training_cases
from .data import work_dir
from .export import default_folder, export_locator
from .geometry_augmentation import Draw, rotation, smooth_field
from .loop import Schedule, train
from .networks import LOCATOR_CLASSES, locator_network
from .origin import note_origin, origin, run_seed, warm
from .samples import prepared_anatomy
from .synthesis import Anatomy

SIZES = ((64, 64, 64), (48, 64, 64), (56, 64, 48), (32, 32, 32))
FINE = 2  # images are drawn at half the voxel size and averaged: that is partial volume
MAX_TILT_DEG = 22.0
CLASS_WEIGHTS = (1.0, 1.0, 3.0, 10.0)  # the brainstem is one voxel in a thousand
BRAINSTEM_VALUE = 1  # any structure's value will do in a whole-head map
WHOLE_HEADS = 0.75
FAR = 0.2  # share of windows laid anywhere in the head, most without a brainstem
FAR_MM = 90.0
EMPTY = 0.12  # share of windows of noise and blobs
VALIDATION_SEED = 910_000_000


@lru_cache(maxsize=1)
def _classes() -> torch.Tensor:
    """uint8 (256,): label value to index in ``LOCATOR_CLASSES``."""
    table = torch.zeros(256, dtype=torch.long)
    for structure in load_structures():
        name = "cerebrum" if structure.parent == CONTEXT else "brainstem"
        table[structure.index] = LOCATOR_CLASSES.index(name)
    table[100:110] = LOCATOR_CLASSES.index("cerebrum")
    table[[L.CEREBELLAR_GREY, L.CEREBELLAR_WHITE]] = LOCATOR_CLASSES.index("cerebellum")
    table[L.SPINAL_CORD] = 0
    return table


def whole_head(case: str) -> Volume:
    """Whole-head labels (uint8, RAS) of a SynthSeg case, in the values of ``training.labels``."""
    source, affine, _ = anatomies.load_source_map(case)
    table = np.zeros(int(source.max()) + 1, np.uint8)
    for code, values in anatomies.SYNTHSEG_CONTEXT.items():
        for value in values:
            if value < len(table):
                table[value] = code
    for offset, value in enumerate(L.SYNTHSEG_EXTRACEREBRAL):
        if value < len(table):
            table[value] = L.EXTRACEREBRAL_FIRST + offset
    table[15] = L.CSF
    table[16] = BRAINSTEM_VALUE
    return Volume(table[source], affine)


@cache
def _head(case: str) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Whole-head labels (uint8), inverse affine and middle of the head."""
    head = whole_head(case)
    labels, affine = head.array, head.affine
    middle = affine[:3, :3] @ np.argwhere(labels > 0)[::997].mean(0) + affine[:3, 3]
    affine = torch.tensor(affine, dtype=torch.float32)
    return torch.from_numpy(labels), torch.linalg.inv(affine), torch.tensor(middle).float()


def locator_sample(
    case: str, draw: Draw, load: Callable[[str], Anatomy] = prepared_anatomy
) -> tuple[torch.Tensor, torch.Tensor]:
    """One pair: T1 (1, i, j, k) normalised, classes (i, j, k), at 4 mm."""
    if draw.chance(EMPTY):
        return _no_head(draw)
    if case.startswith("synthseg") and draw.chance(0.9):
        labels, inverse, centre = _head(case)
        size = SIZES[int(draw.number(0, 3))]
    else:
        anatomy = load(case)
        labels, inverse, centre = anatomy.labels, anatomy.inverse, anatomy.centre
        size = SIZES[3]
    step = LOCATOR_SPACING_MM / FINE
    shape = tuple(n * FINE for n in size)
    scale = 1 + 0.15 * draw.uniform(-1, 1, 3)
    turn = rotation(MAX_TILT_DEG * draw.uniform(-1, 1, 3)) * scale * step
    middle = centre + (FAR_MM if draw.chance(FAR) else 15.0) * draw.uniform(-1, 1, 3)
    matrix = inverse[:3, :3] @ turn
    offset = inverse[:3, :3] @ middle + inverse[:3, 3]
    offset = offset - matrix @ torch.tensor([(n - 1) / 2 for n in shape])
    seen = torch.from_numpy(
        ndimage.affine_transform(labels.numpy(), matrix.numpy(), offset.numpy(), shape, order=0)
    )
    mean = draw.uniform(0.0, 1.2, 256)
    if draw.chance(0.8):  # T1 order of tissues: white over grey over CSF
        white, grey = draw.number(0.8, 1.1), draw.number(0.45, 0.85)
        csf = draw.number(0.05, 0.4)
        mean[[L.CEREBRAL_WHITE, L.CEREBELLAR_WHITE]] = white
        mean[1:61] = white * draw.number(0.88, 1.0)
        mean[[L.CEREBRAL_GREY, L.CEREBELLAR_GREY]] = grey
        mean[[L.DEEP_GREY, L.THALAMUS, L.VENTRAL_DIENCEPHALON]] = (white + grey) / 2
        mean[[L.CSF, L.THIRD_VENTRICLE, 61, 62]] = csf
        mean[L.SPINAL_CORD] = white * 0.9
        mean[1:110] += 0.03 * draw.normal(109)
    mean[0] = 0.0 if draw.chance(0.8) else draw.number(0, 0.3)
    if draw.chance(0.4):
        mean[110:] = 0
        if draw.chance(0.5):
            mean[L.CSF] = 0
    image = mean[seen.long()] + 0.05 * draw.normal(*seen.shape) * (seen > 0)
    image = F.avg_pool3d(image[None, None], FINE)[0, 0]
    if draw.chance(0.5):
        image = image * torch.exp(0.3 * smooth_field(draw, size, 80.0, 1, LOCATOR_SPACING_MM)[0])
    image = (image + draw.number(0, 0.04) * draw.normal(*size)).clamp_min(0)
    target = _classes()[seen[1::FINE, 1::FINE, 1::FINE].long()]
    if draw.chance(0.3):  # field of view that stops inside the head
        axis = int(draw.number(0, 3))
        depth = int(draw.number(0.1, 0.4) * size[axis])
        start = 0 if draw.chance(0.5) else size[axis] - depth
        image.narrow(axis, start, depth).zero_()
        target.narrow(axis, start, depth).zero_()
    image = image ** draw.number(0.8, 1.25)
    if draw.chance(0.5):
        image, target = image.flip(0), target.flip(0)
    return normalise_t1(image)[None], target


def _no_head(draw: Draw) -> tuple[torch.Tensor, torch.Tensor]:
    """A pair in which there is nothing to find: noise or blobs, filling the view or a solid in it.

    The solid, a box or an ellipsoid of the size of a head, teaches that not everything that stands
    in an empty surrounding is a brain.
    """
    size = SIZES[int(draw.number(0, len(SIZES)))]
    noise = draw.normal(*size) * draw.number(0.02, 1.0)
    blobs = smooth_field(draw, size, draw.number(10, 70), 1, LOCATOR_SPACING_MM)[0]
    image = (draw.number(0, 2) + noise + draw.number(0, 1) * blobs).clamp_min(0)
    if draw.chance(0.7):
        axes = [torch.linspace(-1, 1, n) / draw.number(0.4, 1.1) for n in size]
        offset = torch.stack(torch.meshgrid(*axes, indexing="ij")) + draw.uniform(
            -0.3, 0.3, 3, 1, 1, 1
        )
        solid = (offset**2).sum(0) < 1 if draw.chance(0.5) else offset.abs().amax(0) < 1
        image = image * solid
    return normalise_t1(image)[None], torch.zeros(size, dtype=torch.long)


class LocatorSampler:
    """Pair by number over lists of whole heads and of boxes."""

    def __init__(self, cases: list[str], load: Callable[[str], Anatomy] = prepared_anatomy):
        self.heads = [case for case in cases if case.startswith("synthseg")]
        self.boxes, self.load = cases, load

    def __call__(self, number: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Pair of ``locator_sample``."""
        draw = Draw(torch.Generator().manual_seed(number))
        pool = self.heads if self.heads and draw.chance(WHOLE_HEADS) else self.boxes
        return locator_sample(pool[int(draw.number(0, len(pool)))], draw, self.load)


def validation(sampler: LocatorSampler, count: int = 12):
    """Return a function: network to Dice of the brainstem and error of its centre (mm)."""

    @torch.no_grad()
    def run(network: torch.nn.Module) -> dict[str, float]:
        stem = LOCATOR_CLASSES.index("brainstem")
        dice, error = [], []
        for number in range(count):
            image, target = sampler(VALIDATION_SEED + number)
            device = next(network.parameters()).device
            found = network(image[None].to(device)).argmax(1)[0].cpu() == stem
            truth = target == stem
            dice.append(float(2 * (found & truth).sum() / (found.sum() + truth.sum()).clamp_min(1)))
            if found.any() and truth.any():
                gap = found.nonzero().float().mean(0) - truth.nonzero().float().mean(0)
                error.append(float(gap.norm()) * LOCATOR_SPACING_MM)
        return {"dice": float(np.mean(dice)), "centre_mm_max": float(max(error, default=np.nan))}

    return run


def main() -> None:
    """Command line."""
    arguments = run_arguments(__doc__.splitlines()[0], LOCATOR, 1500, 8.0).parse_args()
    folder = work_dir() / "runs" / arguments.name
    bundled = default_folder() / f"{LOCATOR}.ts" if arguments.warm_start else None
    seed = run_seed(folder, bundled, arguments.seed)
    schedule = Schedule(
        arguments.steps, arguments.minutes, arguments.rate, seed=seed, workers=arguments.workers,
        validate_every=200, checkpoint_every=200, class_weights=CLASS_WEIGHTS,
    )  # fmt: skip
    training = training_cases()
    note_origin(folder, bundled, seed)
    network, facts = train(
        partial(warm, locator_network, bundled),
        LocatorSampler(training),
        validation(LocatorSampler(anatomies.built_cases(held_out=True))),
        folder,
        schedule,
        torch.device("cuda" if torch.cuda.is_available() else "cpu"),
        anatomies.data_fingerprint(training),
    )
    if not arguments.no_export:
        print(export_locator(network, facts | origin(folder), len(training)))


if __name__ == "__main__":
    finish(main)
