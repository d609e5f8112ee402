"""Pretraining on other subcortical labels, and what it gives at every budget of labels.

    python -m training.experiments.transfer [--config FILE]

Learns thalamus, basal ganglia, ventral diencephalon, cerebellum and ventricles (``subcortical``)
from simulated T1, FA and MD; the brainstem is background. Then every budget fine-tunes encoder and
decoder with a new head on the brainstem's structures.
"""

from __future__ import annotations

from dataclasses import asdict

import torch

from BrainstemALSLib.imaging.checksum import sha256_of

from ..anatomies import data_fingerprint
from ..data import shared_data
from . import commands, subcortical
from .bank import Bank, image_facts
from .batches import Labelled
from .fitting import Plan, fit
from .networks import built
from .study import Run, Study, Trained
from .supervised import curve_of, segmentation_loss

METHOD = "transfer"
MODALITIES = ("t1", "fa", "md")


def banked(study: Study) -> tuple[Bank, list[str]]:
    """Return images of all maps, drawn as far as they lack, and the maps' names."""
    images, seed = study.settings.images, study.settings.seed + 2
    up = study.settings.transfer.raise_mm
    facts = [image_facts(images, seed, "subcortical_renders"), up]
    bank = Bank(study.folder / "subcortical", facts)
    cases = [*study.training_cases, subcortical.ALLEN]
    for case in cases:
        # An anatomy is built from its source map: what changes the one changes the other.
        allen = shared_data() / subcortical.ALLEN_FILE
        source = sha256_of(allen) if case == subcortical.ALLEN else data_fingerprint([case])
        bank.add(
            case, source,
            lambda case=case: subcortical.draw_images(
                subcortical.load_map(case), case, images, seed, up
            ),
        )  # fmt: skip
    return bank, cases


def train(study: Study, run: Run) -> Trained:
    """Learn the subcortical classes."""
    settings = study.settings
    plan, names = settings.transfer, subcortical.class_names()
    bank, cases = banked(study)
    classes = torch.arange(256)
    classes[len(names) + 1 :] = 0
    sampler = Labelled(bank, cases, settings.images, classes, subcortical.mirror(), MODALITIES)
    network = built(settings.network.filters, 1 + len(names), settings.seed)
    loss = segmentation_loss(sampler, settings.training.batch)
    return Trained.of(fit(run.name, network, loss, Plan(plan.steps, plan.rate, settings.seed)))


def pretraining(study: Study) -> Run:
    """Return the one pretraining that all budgets share."""
    return Run(
        name=f"{METHOD}-pretraining",
        method=METHOD,
        labelled=(),
        facts={
            "plan": asdict(study.settings.transfer),
            "renders": study.settings.images.subcortical_renders,
            "classes": subcortical.class_names(),
            "batch": study.settings.training.batch,
        },
        train=train,
        unlabelled=True,
    )


def runs(study: Study) -> list[Run]:
    """Return the pretraining and the curve that begins with it."""
    first = pretraining(study)
    return [first, *curve_of(study, METHOD, first)]


if __name__ == "__main__":
    commands.one_method(__doc__, runs)
