"""Mean teacher: a few labels, and a teacher that unlabelled images must agree with.

    python -m training.experiments.mean_teacher [--config FILE] [--scans FOLDER]

The teacher is the moving average of the student's weights; on unlabelled images the student, which
sees another contrast and other noise, has to give the teacher's probabilities (Tarvainen & Valpola
2017, arXiv:1703.01780). One run takes simulated images of the other anatomies, a second one real
T1s as well.
"""

from __future__ import annotations

import math
from dataclasses import asdict

import torch

from ..geometry_augmentation import Draw
from ..loss import dice_cross_entropy
from . import commands
from .batches import channels, contrasted
from .fitting import Loss, faded, fit
from .networks import run_network
from .pretrain import unlabelled_windows
from .study import Run, Study, Trained
from .supervised import first_network, network_predictor, training_plan

METHOD = "mean_teacher"
WITH_REAL = "mean_teacher_real"


def ramp(progress: float, share: float) -> float:
    """Weight of the consistency, 0-1: grows as exp(-5 (1 - t)^2) over a share of the run.

    Of Laine & Aila 2017, arXiv:1610.02242, as Tarvainen & Valpola use it.
    """
    return math.exp(-5 * (1 - min(1.0, progress / share)) ** 2)


def teacher_loss(study: Study, run: Run) -> Loss:
    """Return the supervised loss plus the squared distance to the teacher's probabilities."""
    plan, batch = study.settings.mean_teacher, study.settings.training.batch
    sampler = study.sampler(run)
    weights = sampler.weights()
    others = tuple(case for case in study.training_cases if case not in run.labelled)
    real_share = plan.real_share if run.real else 0.0
    draw_window = unlabelled_windows(study, real_share, others or run.labelled)

    def loss(
        student: torch.nn.Module, teacher: torch.nn.Module, draw: Draw, progress: float
    ) -> torch.Tensor:
        labelled, classes = sampler.batch(draw, batch)
        exam, modalities = draw_window(draw)
        own, teachers = (
            channels(contrasted(draw, exam, strong), modalities)[None] for strong in (True, False)
        )
        logits = run_network(student, torch.cat([labelled, own]))
        with torch.no_grad():
            wanted = run_network(teacher, teachers).float().softmax(1)
        found = logits[batch:].float().softmax(1)
        # Summed over classes: their mean would be small because there are many.
        distance = ((found - wanted) ** 2).sum(1).mean()
        return (
            dice_cross_entropy(logits[:batch], classes, faded(weights, progress))
            + plan.weight * ramp(progress, plan.ramp) * distance
        )

    return loss


def train(study: Study, run: Run) -> Trained:
    """Learn from labelled and unlabelled images; the teacher is what is scored."""
    plan = training_plan(study.settings)
    return Trained.of(fit(run.name, first_network(study, run), teacher_loss(study, run), plan))


def runs(study: Study) -> list[Run]:
    """Return the run on simulated images, and the one with real T1s."""
    cases = study.labelled(study.settings.mean_teacher.labelled)
    return [
        Run(
            name=f"{method}-{len(cases):02d}",
            method=method,
            labelled=cases,
            facts={
                "training": asdict(study.settings.training),
                "plan": asdict(study.settings.mean_teacher),
            },
            train=train,
            predictor=network_predictor("average"),
            unlabelled=True,
            real=method == WITH_REAL,
        )
        for method in (METHOD, WITH_REAL)
    ]


if __name__ == "__main__":
    commands.one_method(__doc__, runs)
