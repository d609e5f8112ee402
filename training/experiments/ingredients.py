"""Ablation: the same supervised run with an ingredient less or more.

    python -m training.experiments.ingredients [--config FILE]

Without the moving average of weights; with the hierarchical loss; with that and the adjacency
prior. All are compared with the run without pretraining on the same labels.
"""

from __future__ import annotations

from dataclasses import replace

from . import commands
from .study import Run, Study, Trained
from .supervised import SCRATCH, network_predictor, supervised_run

NO_AVERAGING = "no_averaging"
HIERARCHY = "hierarchy"
ADJACENCY = "hierarchy_adjacency"


def _same_weights(study: Study, run: Run) -> Trained:
    """Take the weights of the run that this one is built on: only another part of them is used."""
    base = study.perform(run.built_on)
    return Trained(study.store.weights(run.built_on.name), base.steps, base.seconds)


def runs(study: Study) -> list[Run]:
    """Return the three ablations, and before them the run that they are compared with."""
    cases = study.labelled(study.settings.ingredients.labelled)
    base = supervised_run(study, SCRATCH, cases)
    return [
        base,
        replace(
            base,
            name=f"{NO_AVERAGING}-{len(cases):02d}",
            method=NO_AVERAGING,
            train=_same_weights,
            predictor=network_predictor("last"),
            built_on=base,
        ),
        supervised_run(study, HIERARCHY, cases, priors=("hierarchy",)),
        supervised_run(study, ADJACENCY, cases, priors=("hierarchy", "adjacency")),
    ]


if __name__ == "__main__":
    commands.one_method(__doc__, runs)
