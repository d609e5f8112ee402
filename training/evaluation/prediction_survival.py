"""Measure the survival model on held-out simulated patients; three minutes of one core.

``python -m training.evaluation.prediction_survival``
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from BrainstemALSLib.prediction.survival_predictors import CLINICAL

from ..cohort.scenario import Scenario
from ..commands import finish
from ..prediction.survival import CONTROLS, PATIENTS, SEED, fit_survival
from ..prediction.survival_fit import Times
from . import prediction_survival_scores as scores
from .commands import arguments, publish
from .prediction_survival_parts import (
    TRAINING,
    People,
    both_models,
    coverage,
    cox_risks,
    encals_risks,
    model_risks,
    permuted_images,
    simulated_people,
    true_risks,
)
from .prediction_survival_tables import (
    AFTER,
    AT12,
    CEILING,
    CLINIC,
    COX,
    COX_FULL,
    ENCALS,
    FULL,
    all_scores,
    calibration_tables,
    causes_table,
    coverage_table,
    decision_table,
    discrimination_table,
    encals_table,
    interval,
    marks_of,
    notes_of,
    words,
)
from .tables import Page, Table


@dataclass(frozen=True)
class Plan:
    """How much is computed, and on which people; tests take fewer and others.

    Attributes
    ----------
    train, test, controls : int
    coverage_people : int
        Of each training cohort of the intervals.
    replicates : int
        Of each bootstrap.
    train_seed, test_seed, draw_seed : int
    null_seeds : tuple of int
        Training and test of the negative control.
    coverage_test_seed : int
        Whom the intervals are of: others for each training cohort.
    coverage_seeds : tuple of int
        Training cohorts of the intervals.
    """

    train: int = PATIENTS
    test: int = 3000
    controls: int = CONTROLS
    coverage_people: int = 300
    replicates: int = 400
    train_seed: int = SEED
    test_seed: int = 20261211
    draw_seed: int = 20261230
    null_seeds: tuple[int, int] = (20261221, 20261222)
    coverage_test_seed: int = 20261240
    coverage_seeds: tuple[int, ...] = tuple(range(20261231, 20261237))

    @property
    def seeds(self) -> str:
        """All of them, for people."""
        several = ", ".join(
            map(str, (*self.null_seeds, self.coverage_test_seed, *self.coverage_seeds))
        )
        return (
            f"training {self.train_seed}, test {self.test_seed}, bootstrap {self.draw_seed}, "
            f"negative control and intervals {several}"
        )


def added_value(test: People, models, test_raw: np.ndarray, m: np.ndarray) -> dict[str, tuple]:
    """Return what images add to the clinical model's scores, with intervals (paired)."""
    data = test.follow_up
    with_images, without = (
        all_scores(data, model_risks(model, test_raw, test.times, AFTER), m) for model in models
    )
    return {name: interval(with_images[name] - without[name]) for name in with_images}


def null_labels(train: People, test: People, rng: np.random.Generator, m: np.ndarray) -> tuple:
    """Return the AUC at 12 months of a model of permuted outcomes, asked for permuted outcomes."""

    def shuffled(times: Times) -> Times:
        return times.take(rng.permutation(len(times.entry)))

    model = fit_survival(train.patients.values, shuffled(train.times), TRAINING, 0, strength=1000.0)
    times = shuffled(test.times)
    data = scores.Censored(times.exit - times.entry, times.event)
    risk = model_risks(model, test.raw, Times(np.full_like(times.entry, 20.0), times.exit,
                                              times.event, times.cause), AFTER)  # fmt: skip
    return interval(scores.auc(data, risk[:, AT12], m, 12.0))


def survival_page(plan: Plan) -> Page:
    """Measure everything; returns the page."""
    rng = np.random.default_rng(plan.draw_seed)
    train = simulated_people(plan.train, plan.controls, plan.train_seed)
    test = simulated_people(plan.test, plan.controls, plan.test_seed)
    data = test.follow_up
    m = scores.bootstrap(len(data.time), plan.replicates, rng)
    full, clinic = both_models(train.patients.values, train.times, plan.train_seed)
    risks = {
        FULL: model_risks(full, test.raw, test.times, AFTER),
        CLINIC: model_risks(clinic, test.raw, test.times, AFTER),
    }
    ours = dict(risks)
    risks[COX_FULL] = cox_risks(full, train, test, AFTER, slice(None))
    risks[COX] = cox_risks(full, train, test, AFTER, slice(0, len(CLINICAL)))
    risks[CEILING] = true_risks(test.truth["lp"].to_numpy(), test.times, AFTER)
    found = {
        ("all", name, len(data.time)): all_scores(data, table, m) for name, table in risks.items()
    }
    published = encals_risks(test.raw, test.times, AFTER)
    asked = ~np.isnan(published[:, 0])
    part = scores.Censored(data.time[asked], data.event[asked])
    m_part = scores.bootstrap(int(asked.sum()), plan.replicates, rng)
    for name, table in {**ours, ENCALS: published}.items():
        key = ("with every input of ENCALS", name, int(asked.sum()))
        found[key] = all_scores(part, table[asked], m_part)
    gains = {"images as simulated": added_value(test, (full, clinic), test.raw, m)}
    mixed = permuted_images(train, rng), permuted_images(test, rng)
    gains["images of somebody else"] = added_value(
        test, both_models(mixed[0], train.times, plan.train_seed), mixed[1].raw, m
    )
    nothing = Scenario(imaging_effect=0.0)
    sizes = zip((plan.train, plan.test), plan.null_seeds, strict=True)
    null = [simulated_people(size, plan.controls, seed, nothing) for size, seed in sizes]
    m_null = scores.bootstrap(len(null[1].times.exit), plan.replicates, rng)
    gains["imaging effect 0 (negative control)"] = added_value(
        null[1],
        both_models(null[0].patients.values, null[0].times, plan.train_seed),
        null[1].raw,
        m_null,
    )
    names = list(next(iter(gains.values())))
    added = Table(
        "added",
        "What images add to the clinical model (simulated): paired 95 % bootstrap intervals",
        ("world", *names),
        [(world, *(words(gain[name], 4) for name in names)) for world, gain in gains.items()],
    )
    covered = []
    each = plan.coverage_people
    asked_for = simulated_people(
        # A few have no follow-up and are left out.
        each * len(plan.coverage_seeds) + each // 10,
        plan.controls, plan.coverage_test_seed, true_z=True,
    )  # fmt: skip
    for k, seed in enumerate(plan.coverage_seeds):
        other = simulated_people(plan.train, plan.controls, seed)
        model = fit_survival(other.patients.values, other.times, TRAINING, seed)
        covered.append(coverage(model, asked_for, range(k * each, (k + 1) * each)))
    covers, shares = coverage_table(covered)
    calibrated, figures = calibration_tables(data, ours, m, rng)
    labels = null_labels(train, test, rng, m)
    anchors, off = encals_table()
    tables = [discrimination_table(found), added, *calibrated, decision_table(data, ours, m),
              causes_table(full, test), covers, anchors]  # fmt: skip
    marks = marks_of(gains, figures, shares, labels, off, covered)
    return Page(
        stem="prediction_survival",
        title="Survival and respiratory failure",
        kind="simulated",
        data=f"{len(train.patients)} simulated patients taught, {len(data.time)} others asked; "
        f"errors of measurement {test.errors}; {test.patients.norms}",
        seed=plan.test_seed,
        tables=tables,
        marks=marks,
        notes=notes_of(full, plan.seeds),
        threads=1,
    )


def main() -> None:
    given = arguments(__doc__, models=False).parse_args()
    finish(lambda: publish(survival_page(Plan()), given.out))


if __name__ == "__main__":
    main()
