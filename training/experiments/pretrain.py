"""Self-supervised pretraining, and what it gives at every budget of labels.

    python -m training.experiments.pretrain [--config FILE] [--scans FOLDER]

Two views of one unlabelled window have other contrasts, and other blocks of each are hidden. The
network restores the window as it was, where it was hidden (masked-image modelling: He et al. 2022,
doi:10.1109/CVPR52688.2022.01553; restoring changed grey values as well: Zhou et al. 2021, "Models
Genesis", doi:10.1016/j.media.2020.101840). Its features at one place have to agree between the two
views, and to differ from those at other places (voxel-wise InfoNCE, as in Yan et al. 2022, "SAM",
doi:10.1109/TMI.2022.3169003).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict

import torch
from torch.nn import functional as F

from BrainstemALSLib.segmentation.channels import CHANNELS, PLANES

from ..geometry_augmentation import Draw
from ..synthesis import mirror_table
from . import commands
from .batches import Exam, channels, choose, contrasted, draw_modalities, window
from .fitting import Plan, fit
from .networks import built, run_network
from .settings import SelfSupervised
from .study import Run, Study, Trained
from .supervised import curve_of

METHOD = "self_supervised"
REAL_SHARE = 0.25
"""Of the windows, from real T1s (our own choice): there are few of them, and they are the real
ones."""
DrawWindow = Callable[[Draw], tuple[Exam, tuple[str, ...]]]


class Pretext(torch.nn.Module):
    """A network whose head restores the input, and a projection of its features.

    Parameters
    ----------
    network : Headed
    width : int
        Features of its trunk, and of the projection.
    """

    def __init__(self, network: torch.nn.Module, width: int):
        super().__init__()
        self.network = network
        self.projection = torch.nn.Linear(width, width)

    def forward(self, channels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Restored planes and features, both (n, planes, i, j, k), of the channels."""
        features = self.network.trunk(channels)
        return self.network.head(features), features


def hidden_blocks(draw: Draw, shape: tuple[int, ...], block: int, share: float) -> torch.Tensor:
    """Return which voxels are hidden, bool (i, j, k): random cubes, a given share of all."""
    coarse = [-(-size // block) for size in shape]
    chosen = draw.uniform(0, 1, *coarse) < share
    for axis, size in enumerate(shape):
        chosen = chosen.repeat_interleave(block, axis).narrow(axis, 0, size)
    return chosen


def agreement(first: torch.Tensor, second: torch.Tensor, temperature: float) -> torch.Tensor:
    """Return InfoNCE of two lists of features (n, width): row by row the same place.

    The n-th row of one has to be closer to the n-th of the other than to all others, both ways.
    """
    first, second = (F.normalize(f.float(), dim=1) for f in (first, second))
    similarity = first @ second.T / temperature
    target = torch.arange(len(first))
    return (F.cross_entropy(similarity, target) + F.cross_entropy(similarity.T, target)) / 2


def pretext_loss(plan: SelfSupervised, draw_window: DrawWindow):
    """Return the loss of a step, see the top of the file."""

    def loss(network: Pretext, _: torch.nn.Module, draw: Draw, __: float) -> torch.Tensor:
        exam, modalities = draw_window(draw)
        target = channels(exam, modalities)
        there = torch.cat(
            [torch.full((PLANES[n],), float(n in modalities)) for n in CHANNELS]
        ).reshape(-1, 1, 1, 1)
        views, hidden = [], []
        for _view in range(2):
            seen = channels(contrasted(draw, exam, strong=True), modalities)
            mask = hidden_blocks(draw, seen.shape[1:], plan.block, plan.hidden)
            views.append(seen * ~mask)
            hidden.append(mask * there)
        restored, features = run_network(network, torch.stack(views))
        mask = torch.stack(hidden)
        error = F.smooth_l1_loss(restored.float(), target.expand_as(restored), reduction="none")
        reconstruction = (error * mask).sum() / mask.sum().clamp_min(1)
        place = torch.randint(seen[0].numel(), (plan.voxels,), generator=draw.generator)
        first, second = (
            network.projection(view.flatten(1)[:, place].T.float()) for view in features
        )
        return reconstruction + plan.consistency * agreement(first, second, plan.temperature)

    return loss


def unlabelled_windows(study: Study, real_share: float, cases: tuple[str, ...]) -> DrawWindow:
    """Return what draws windows of images whose labels are not looked at.

    Parameters
    ----------
    study : Study
    real_share : float
        Share of windows of real T1s, as opposed to simulated images.
    cases : tuple of str
        Anatomies whose simulated images are drawn.
    """
    bank, images, mirror = study.bank, study.settings.images, mirror_table()
    real = study.scan_bank if real_share else None
    names = list(study.scan_files) if real_share else []

    def one(draw: Draw) -> tuple[Exam, tuple[str, ...]]:
        from_real = bool(names) and draw.chance(real_share)
        tensors = real[choose(draw, names)] if from_real else bank[choose(draw, cases)]
        unlabelled = {"images": tensors["images"]}
        render = int(draw.number(0, len(tensors["images"])))
        exam, _ = window(draw, unlabelled, render, images, mirror)
        return exam, ("t1",) if from_real else draw_modalities(draw)

    return one


def train(study: Study, run: Run) -> Trained:
    """Pretrain; the weights that come out are those of the network, without the projection."""
    settings = study.settings
    plan, filters = settings.self_supervised, settings.network.filters
    pretext = Pretext(built(filters, sum(PLANES.values()), settings.seed), filters[0])
    draw_window = unlabelled_windows(study, REAL_SHARE, study.training_cases)
    fitted = fit(
        run.name, pretext, pretext_loss(plan, draw_window),
        Plan(plan.steps, plan.rate, settings.seed),
    )  # fmt: skip
    weights = {f"average.{k}": v for k, v in fitted.average.network.state_dict().items()}
    return Trained(weights, fitted.steps, fitted.seconds)


def pretraining(study: Study) -> Run:
    """Return the one pretraining that all budgets share."""
    return Run(
        name=f"{METHOD}-pretraining",
        method=METHOD,
        labelled=(),
        facts={"plan": asdict(study.settings.self_supervised), "real share": REAL_SHARE},
        train=train,
        unlabelled=True,
        real=True,
    )


def runs(study: Study) -> list[Run]:
    """Return the pretraining and the curve that begins with it."""
    first = pretraining(study)
    return [first, *curve_of(study, METHOD, first)]


if __name__ == "__main__":
    commands.one_method(__doc__, runs)
