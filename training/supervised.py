"""Trains the baseline: a plain U-Net in the manner of nnU-Net, supervised on the same labels.

    python -m training.supervised [--minutes 25] [--steps 2000] [--name unet]

What the usual recipe makes of the same labelled anatomies (Isensee et al. 2021, nnU-Net,
doi:10.1038/s41592-020-01008-z): one labelled exam per anatomy, simulated once with a fixed seed, so
of one contrast each; nnU-Net's augmentation; Dice + cross-entropy; random weights. It has the size
of our network, and nothing of what ours is made of: no images drawn anew for every step, no
position of the voxel, no prior on neighbours or regions, no pretraining.

Where it departs from nnU-Net it is to its advantage, or so that it can be compared: only left and
right are mirrored, and their names with them; diffusion is left out as often as in our training, so
that one network can be scored with and without; optimiser, averaged weights, fading class weights
and window are those of our own run (``training.loop``), which has no deep supervision either.

Writes to ``data/runs/NAME``, where ``Segmenter(model_dir=...)`` finds it beside our locator.
"""

from __future__ import annotations

import argparse
import random
import shutil
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import numpy as np
import torch

from BrainstemALSLib.anatomy import load_structures
from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.imaging.geometry import box_around, resample
from BrainstemALSLib.imaging.volume import Volume
from BrainstemALSLib.segmentation.channels import CHANNELS, PLANES
from BrainstemALSLib.segmentation.inference import network_input
from BrainstemALSLib.segmentation.models import LOCATOR
from BrainstemALSLib.segmentation.preprocess import SPACING_MM, WINDOW_MM

from .anatomies import built_cases, data_fingerprint, load_anatomy
from .checkpoint import load_checkpoint
from .commands import finish, training_cases
from .data import work_dir
from .evaluation.simulate import simulate_exam
from .export import default_folder, export_structures
from .loop import Schedule, train
from .networks import STRUCTURE_FILTERS, unet
from .origin import note_origin, origin, run_seed
from .samples import mirrored, prepared_anatomy
from .synthesis import MODALITY_SETS, Anatomy, channel_table
from .train import VALIDATION_SAMPLES, Validation, class_weights

EXAM_SEED = 41
"""Of the one exam that each anatomy has; evaluation draws others, of other anatomies."""
MARGIN = 8  # voxels kept around the window, so that turning it brings in few empty corners
RECIPE = "plain U-Net supervised on one simulated exam per anatomy, nnU-Net's augmentation"


class Windows:
    """The exam of each anatomy on the window with a margin, simulated once and kept on disk.

    Parameters
    ----------
    folder : Path
        Of the kept windows.
    load : callable
        Name of an anatomy to its label volume.
    """

    def __init__(self, folder: Path, load: Callable[[str], Volume] = load_anatomy):
        self.folder, self.load = folder, load

    def __call__(self, case: str) -> tuple[torch.Tensor, torch.Tensor]:
        """Channels, float32 (planes, i, j, k), and classes, int64 (i, j, k)."""
        paths = [self.folder / f"{case}_{name}.npy" for name in ("channels", "classes")]
        if not all(path.exists() for path in paths):
            self._prepare(case, paths)
        channels, classes = (np.load(path, allow_pickle=False) for path in paths)
        return torch.from_numpy(channels).float(), torch.from_numpy(classes).long()

    def _prepare(self, case: str, paths: Sequence[Path]) -> None:
        anatomy = self.load(case)
        seed = int(np.random.SeedSequence([EXAM_SEED, *case.encode()]).generate_state(1)[0])
        exam, truth, _ = simulate_exam(anatomy, seed)
        shape = tuple(n + 2 * MARGIN for n in WINDOW_MM)
        affine = box_around(Anatomy.from_volume(anatomy).centre.numpy(), shape, SPACING_MM)
        channels = network_input(exam, affine, shape, CHANNELS, CHANNELS)[0].half().numpy()
        labels = resample(truth, shape, affine, "nearest").array.astype(np.int64)
        classes = channel_table()[labels].numpy().astype(np.uint8)
        self.folder.mkdir(parents=True, exist_ok=True)
        for path, array in zip(paths, (channels, classes), strict=True):
            unfinished = path.with_suffix(".partial")
            with unfinished.open("wb") as handle:  # to a name, numpy would add .npy
                np.save(handle, array, allow_pickle=False)
            unfinished.replace(path)


@cache
def _transforms():
    """nnU-Net's augmentation in MONAI's transforms: moving an exam, changing an image's values.

    Probabilities and ranges are those of nnU-Net 2 (github.com/MIC-DKFZ/nnUNet, commit 017de4a,
    ``nnUNetTrainer.get_training_transforms``). There most changes are decided once for an exam and
    drawn for each image; here each image decides for itself, as often: blur and low resolution,
    which there reach half the images of an exam, have half the probability.
    """
    from monai import transforms as M

    both = ("channels", "classes")
    moving = M.Compose(
        [
            M.RandAffined(
                both,
                prob=0.2,
                rotate_range=[np.pi / 6] * 3,
                mode=("bilinear", "nearest"),
                padding_mode="zeros",
            ),
            M.RandZoomd(
                both,
                prob=0.2,
                min_zoom=0.7,
                max_zoom=1.4,
                mode=("trilinear", "nearest-exact"),
                padding_mode="constant",
            ),
            M.CenterSpatialCropd(both, WINDOW_MM),
        ]
    )
    values = M.Compose(
        [
            M.RandGaussianNoise(prob=0.1, std=0.1**0.5),  # a variance of up to 0.1
            M.RandGaussianSmooth(*[(0.5, 1.0)] * 3, prob=0.1),
            M.RandScaleIntensity(0.25, prob=0.15),
            M.RandScaleIntensityFixedMean(prob=0.15, factors=0.25, preserve_range=True),
            M.RandSimulateLowResolution(prob=0.125, zoom_range=(0.5, 1.0)),
            M.RandAdjustContrast(prob=0.1, gamma=(0.7, 1.5), invert_image=True, retain_stats=True),
            M.RandAdjustContrast(prob=0.3, gamma=(0.7, 1.5), retain_stats=True),
        ]
    )
    return moving, values


class FixedExams:
    """Training pair by number: the one exam of an anatomy, augmented or as it is.

    Parameters
    ----------
    cases : list of str
        Names of anatomies.
    windows : callable
        Name to (channels, classes) with a margin, see ``Windows``.
    augment : bool
        Move, change and mirror it and leave images out; without, cases come in turn.
    """

    def __init__(
        self,
        cases: list[str],
        windows: Callable[[str], tuple[torch.Tensor, torch.Tensor]],
        augment: bool = True,
    ):
        self.cases, self.windows, self.augment = cases, windows, augment

    def __call__(self, number: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Channels, float32 (planes, i, j, k), and classes, int64 (i, j, k), on the window."""
        if not self.augment:
            inner = (..., *(slice(MARGIN, MARGIN + n) for n in WINDOW_MM))
            channels, classes = self.windows(self.cases[number % len(self.cases)])
            return channels[inner].contiguous(), classes[inner].contiguous()
        chance = random.Random(number)
        channels, classes = self.windows(chance.choice(self.cases))
        moving, values = _transforms()
        moving.set_random_state(number)
        moved = moving({"channels": channels, "classes": classes[None]})
        classes = _plain(moved["classes"])[0].round().long()
        values.set_random_state(number)
        images = moved["channels"].split([PLANES[name] for name in CHANNELS])
        images = [_plain(values(_plain(image))).float() for image in images]
        sets, weights = zip(*MODALITY_SETS, strict=True)
        shown = chance.choices(sets, weights)[0]
        channels = torch.cat(
            [
                image if name in shown else torch.zeros_like(image)
                for name, image in zip(CHANNELS, images, strict=True)
            ]
        )
        return mirrored(channels, classes) if chance.random() < 0.5 else (channels, classes)


def _plain(tensor: torch.Tensor) -> torch.Tensor:
    return torch.as_tensor(tensor).as_subclass(torch.Tensor)


def plain_network(filters: tuple[int, ...] = STRUCTURE_FILTERS) -> torch.nn.Module:
    """Our network without the coordinates: T1, FA, MD, V1 to background and every structure."""
    return unet(sum(PLANES.values()), 1 + len(load_structures()), filters)


def export_baseline(network: torch.nn.Module, facts: dict, cases: int, folder: Path) -> Path:
    """Write the model into the folder of its run, beside a copy of the bundled locator.

    Parameters
    ----------
    network, facts, cases
        As for ``export_structures``.
    folder : Path
        Of the run; then a ``model_dir`` of ``Segmenter``.
    """
    path = export_structures(network, facts | {"recipe": RECIPE}, cases, folder)
    for suffix in (".ts", ".json"):
        shutil.copy(default_folder() / f"{LOCATOR}{suffix}", folder)
    return path


def _exported_checkpoint(folder: Path, cases: int) -> Path:
    network, average = plain_network(), plain_network()
    facts = load_checkpoint(folder, network, average, None)
    if facts is None:
        raise BrainstemALSError(
            folder, "this run has no checkpoint", "Train first.", ExitCode.USAGE
        )
    told = {name: facts[name] for name in ("step", "seconds", "figures")}
    told = {"steps": told.pop("step"), **told, "seed": facts["schedule"]["seed"]}
    return export_baseline(average, told | origin(folder), cases, folder)


def main(arguments: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--name", default="unet", help="of the run: its folder under data/runs")
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--minutes", type=float, default=25.0, help="resumed parts included")
    parser.add_argument("--seed", type=int)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--rate", type=float, default=2e-3, help="peak learning rate")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--export-only", action="store_true", help="export the last checkpoint")
    options = parser.parse_args(arguments)

    def work() -> None:
        from tqdm import tqdm

        folder = work_dir() / "runs" / options.name
        training = training_cases()
        if options.export_only:
            print(_exported_checkpoint(folder, len(training)))
            return
        held_out = built_cases(held_out=True)[:VALIDATION_SAMPLES]
        fingerprint = data_fingerprint(training + held_out)
        windows = Windows(folder / f"windows-{fingerprint[:12]}")
        for case in tqdm(training + held_out, desc="Exams"):
            windows(case)
        seed = run_seed(folder, None, options.seed)
        note_origin(folder, None, seed, priors=[])
        device = torch.device(options.device)
        schedule = Schedule(
            options.steps,
            options.minutes,
            options.rate,
            seed=seed,
            workers=options.workers,
            class_weights=class_weights([prepared_anatomy(case) for case in training[::6]]),
        )
        network, facts = train(
            plain_network,
            FixedExams(training, windows),
            Validation(FixedExams(held_out, windows, augment=False), device, len(held_out)),
            folder,
            schedule,
            device,
            fingerprint,
        )
        print(export_baseline(network, facts | origin(folder), len(training), folder))

    finish(work)


if __name__ == "__main__":
    main()
