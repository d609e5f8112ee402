"""Supervised runs: from random weights, or from the trunk of a pretraining."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict

import torch

from BrainstemALSLib.anatomy import load_structures

from ..geometry_augmentation import Draw
from ..objective import objective
from .batches import Labelled
from .fitting import Loss, Plan, faded, fit
from .networks import Headed, built, run_network
from .scoring import Predict
from .settings import Settings
from .study import Run, Study, Trained, part_of

CLASSES = 1 + len(load_structures())
SCRATCH = "scratch"


def segmentation_loss(sampler: Labelled, batch: int, priors: Iterable[str] = ()) -> Loss:
    """Return Dice + cross-entropy on labelled samples.

    Parameters
    ----------
    sampler : Labelled
    batch : int
        Samples of a step.
    priors : iterable of str
        ``hierarchy`` and ``adjacency``, see ``training.objective``; what may touch is learned from
        the sampler's own labels.
    """
    weights = sampler.weights()
    score = objective(priors, sampler.label_maps())

    def loss(
        network: torch.nn.Module, _: torch.nn.Module, draw: Draw, progress: float
    ) -> torch.Tensor:
        channels, classes = sampler.batch(draw, batch)
        return score(run_network(network, channels), classes, faded(weights, progress))

    return loss


def training_plan(settings: Settings) -> Plan:
    """Return how long and how fast a run with brainstem labels learns."""
    plan = settings.training
    return Plan(plan.steps, plan.rate, settings.seed, plan.average, plan.warm_up)


def first_network(study: Study, run: Run) -> Headed:
    """Return the network as a run begins with it."""
    settings = study.settings
    return built(settings.network.filters, CLASSES, settings.seed, study.start(run))


def train(study: Study, run: Run) -> Trained:
    """Learn from labelled images alone, with the priors that the run's facts name."""
    batch = study.settings.training.batch
    loss = segmentation_loss(study.sampler(run), batch, run.facts["priors"])
    plan = training_plan(study.settings)
    return Trained.of(fit(run.name, first_network(study, run), loss, plan))


def network_predictor(kind: str) -> Callable[[Study, Run, dict[str, torch.Tensor]], Predict]:
    """Return what makes a segmenter of stored weights: the ``average`` or the ``last``."""

    def predictor(study: Study, run: Run, weights: dict[str, torch.Tensor]) -> Predict:
        network = built(study.settings.network.filters, CLASSES, 0)
        network.load_state_dict(part_of(weights, kind))
        network.eval()

        @torch.no_grad()
        def predict(channels: torch.Tensor) -> torch.Tensor:
            return run_network(network, channels[None])[0].argmax(0)

        return predict

    return predictor


def curve_of(study: Study, method: str, pretraining: Run | None) -> list[Run]:
    """Return one supervised run for each budget of labels.

    Parameters
    ----------
    study : Study
    method : str
        On the page.
    pretraining : Run or None
        Whose trunk they begin with.
    """
    return [supervised_run(study, method, cases, pretraining) for cases in study.budgets()]


def supervised_run(
    study: Study,
    method: str,
    cases: Sequence[str],
    pretraining: Run | None = None,
    priors: tuple[str, ...] = (),
) -> Run:
    """Return one supervised run."""
    return Run(
        name=f"{method}-{len(cases):02d}",
        method=method,
        labelled=tuple(cases),
        facts={"training": asdict(study.settings.training), "priors": priors},
        train=train,
        predictor=network_predictor("average"),
        built_on=pretraining,
    )


def runs(study: Study) -> list[Run]:
    """Return the curve without pretraining."""
    return curve_of(study, SCRATCH, None)
