"""Trains the structure network on synthetic exams of the built anatomies.

    python -m training.train [--minutes 45] [--steps 2000] [--warm-start]

Goes on where a stopped run of the same name ended. ``--warm-start`` begins a new run with the
weights of the bundled model, so that short sessions add up. Writes checkpoints and TensorBoard logs
to ``data/runs/NAME`` and, at the end, the TorchScript model and its sidecar (``training.export``).
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import torch

from BrainstemALSLib.anatomy import load_structures
from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.segmentation.models import STRUCTURES

from .anatomies import built_cases, data_fingerprint
from .checkpoint import load_checkpoint
from .commands import finish, run_arguments, training_cases
from .data import work_dir
from .export import default_folder, export_structures
from .loop import Schedule, train
from .networks import structure_network
from .objective import PRIORS, objective
from .origin import note_origin, origin, run_seed, warm
from .samples import CaseSampler, MirroredTwice
from .synthesis import Anatomy, channel_table

VALIDATION_SEED = 900_000_000  # far from every training number
VALIDATION_SAMPLES = 8


def class_weights(anatomies: list[Anatomy]) -> tuple[float, ...]:
    """Weights of the network's classes: one over the square root of their mean volume, mean 1.

    Nine voxels in ten are background; unweighted, the network learns nothing else for hours.
    """
    table, spacing = channel_table(), [float(a.affine[0, 0]) for a in anatomies]
    volume = torch.zeros(1 + len(load_structures()))
    for anatomy, size in zip(anatomies, spacing, strict=True):
        volume += (
            torch.bincount(table[anatomy.labels.long()].ravel(), minlength=len(volume)) * size**3
        )
    weights = 1 / (volume / len(anatomies)).clamp_min(1.0).sqrt()
    return tuple((weights / weights.mean()).tolist())


class Validation:
    """Mean Dice over structures on the same few held-out synthetic windows every time."""

    def __init__(self, sampler: CaseSampler, device: torch.device, count: int = VALIDATION_SAMPLES):
        self.sampler, self.device, self.count = sampler, device, count

    @torch.no_grad()
    def __call__(self, network: torch.nn.Module) -> dict[str, float]:
        """Mean Dice over the structures present, over all windows, and its lowest structure."""
        from monai.metrics import DiceMetric

        metric = DiceMetric(include_background=False, reduction="mean_batch", get_not_nans=False)
        for number in range(self.count):
            channels, classes = self.sampler(VALIDATION_SEED + number)
            channels = torch.as_tensor(channels).as_subclass(torch.Tensor)[None].to(self.device)
            with torch.autocast(self.device.type, torch.bfloat16):
                predicted = network(channels).argmax(1, keepdim=True)
            size = 1 + len(load_structures())
            one_hot = torch.nn.functional.one_hot
            metric(
                one_hot(predicted[:, 0], size).movedim(-1, 1),
                one_hot(classes[None].to(self.device), size).movedim(-1, 1),
            )
        per_structure = metric.aggregate()
        return {
            "dice": round(float(per_structure.nanmean()), 4),
            "lowest": round(float(per_structure[~per_structure.isnan()].min()), 4),
        }


def export_checkpoint(folder: Path, cases: int) -> Path:
    """Export the averaged weights of a run's last checkpoint; returns the TorchScript file.

    Raises
    ------
    BrainstemALSError
        The run has no checkpoint.
    """
    network, average = structure_network(), structure_network()
    facts = load_checkpoint(folder, network, average, None)
    if facts is None:
        raise BrainstemALSError(
            folder, "this run has no checkpoint", "Train first.", ExitCode.USAGE
        )
    told = {
        "steps": facts["step"],
        "seconds": round(facts["seconds"]),
        "figures": facts["figures"],
        "seed": facts["schedule"]["seed"],
        **origin(folder),
    }
    return export_structures(average, told, cases)


def main() -> None:
    """Command line."""
    parser = run_arguments(__doc__.splitlines()[0], STRUCTURES, 2000, 110.0)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument(
        "--priors", nargs="*", choices=PRIORS, default=list(PRIORS), help="beside the loss"
    )
    parser.add_argument("--export-only", action="store_true", help="export the last checkpoint")
    arguments = parser.parse_args()
    device = torch.device(arguments.device)
    folder: Path = work_dir() / "runs" / arguments.name
    training, held_out = training_cases(), built_cases(held_out=True)
    if arguments.export_only:
        print(export_checkpoint(folder, len(training)))
        return
    bundled = default_folder() / f"{STRUCTURES}.ts" if arguments.warm_start else None
    seed = run_seed(folder, bundled, arguments.seed)
    schedule = Schedule(
        arguments.steps, arguments.minutes, arguments.rate, seed=seed, workers=arguments.workers
    )
    sampler = CaseSampler(training)
    if not arguments.warm_start:  # a network that has learned already finds the small ones
        schedule.class_weights = class_weights([sampler.load(case) for case in training[::6]])
    print(f"{len(training)} anatomies to train on, {len(held_out)} held out")
    note_origin(folder, bundled, seed, priors=arguments.priors)
    network, facts = train(
        partial(warm, structure_network, bundled),
        MirroredTwice(sampler),
        Validation(CaseSampler(held_out), device),
        folder,
        schedule,
        device,
        f"{data_fingerprint(training)} {' '.join(arguments.priors)}".strip(),
        objective(arguments.priors, map(sampler.load, training)),
    )
    if not arguments.no_export:
        print(export_structures(network, facts | origin(folder), len(training)))


if __name__ == "__main__":
    finish(main)
