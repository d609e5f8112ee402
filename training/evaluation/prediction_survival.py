"""Measure the survival model on held-out simulated patients; two minutes of one core.

``python -m training.evaluation.prediction_survival``
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from BrainstemALSLib.prediction.survival_model import SurvivalModel, read_survival
from BrainstemALSLib.prediction.survival_predictors import CLINICAL

from ..cohort.scenario import Scenario
from ..commands import finish
from ..prediction.survival import CONTROLS, PATIENTS, SEED, fit_survival
from ..prediction.survival_fit import Times
from ..prediction.survival_recalibration import recalibrated, with_domain
from ..prediction.survival_truth import (
    INTERVALS,
    RECALIBRATION,
    SET_ASIDE,
    People,
    set_aside,
    simulated_people,
    true_risks_of,
    widening,
)
from . import prediction_survival_scores as scores
from .commands import arguments, publish
from .prediction_survival_marks import is_bundled, marks_of, notes_of
from .prediction_survival_parts import (
    TRAINING,
    aft_risks,
    both_models,
    coverage,
    cox_risks,
    encals_risks,
    follow_up,
    model_risks,
    own_risks,
    people_risks,
    permuted_images,
)
from .prediction_survival_tables import (
    AFTER,
    AFTS,
    AT12,
    CEILING,
    CLINIC,
    COX,
    COX_FULL,
    EARLIER,
    ENCALS,
    FULL,
    added_table,
    all_scores,
    calibration_tables,
    causes_table,
    coverage_table,
    decision_table,
    discrimination_table,
    encals_table,
    ideal_error,
    interval,
    paired_table,
    visit_scores,
    visits_table,
)
from .prediction_survival_tails import tail_tables, tails_of
from .tables import Page


@dataclass(frozen=True)
class Plan:
    """How much is computed, and on which people; tests take fewer and others.

    Attributes
    ----------
    train, test, controls : int
    aside : int
        Of each cohort of which the intervals' widths, and the recalibration are learned.
    coverage_people : int
        Of each visit, at most, of whom intervals are asked.
    replicates : int
        Of each bootstrap.
    train_seed, test_seed, draw_seed : int
    null_seeds : tuple of int
        Training and test of the negative control.
    """

    train: int = PATIENTS
    test: int = 2500
    controls: int = CONTROLS
    aside: int = SET_ASIDE
    coverage_people: int = 700
    replicates: int = 200
    train_seed: int = SEED
    test_seed: int = 20261271
    draw_seed: int = 20261272
    null_seeds: tuple[int, int] = (20261273, 20261274)

    @property
    def seeds(self) -> str:
        """All of them, for people."""
        intervals = ", ".join(str(self.train_seed + more) for more in INTERVALS)
        several = " and ".join(map(str, self.null_seeds))
        return (
            f"training {self.train_seed}, set aside {self.train_seed + RECALIBRATION} "
            f"(recalibration) and {intervals} (intervals), test {self.test_seed}, "
            f"bootstrap {self.draw_seed}, negative control {several}"
        )


def added_value(test: People, models, test_raw: np.ndarray, m: np.ndarray) -> dict[str, tuple]:
    """Return what images add to the clinical model's scores, with intervals (paired)."""
    data = follow_up(test)
    return gained(
        *(all_scores(data, model_risks(model, test_raw, test.times, AFTER), m) for model in models)
    )


def gained(more: dict[str, np.ndarray], less: dict[str, np.ndarray]) -> dict[str, tuple]:
    """Return paired differences of scores, with intervals."""
    return {name: interval(more[name] - less[name]) for name in more}


def other_world(plan: Plan) -> list[People]:
    """Return the same people with the outcomes that the simulator drew."""
    sizes = (
        (plan.train, plan.train_seed),
        (plan.test, plan.test_seed),
        (plan.aside, plan.train_seed + RECALIBRATION),
    )
    return [simulated_people(n, plan.controls, seed, follow=0.0) for n, seed in sizes]


def own_widening(model: SurvivalModel, plan: Plan) -> np.ndarray:
    """Return the factors of the model that comes along where it is this one, else learn them."""
    if is_bundled(model):
        return read_survival().widening
    few = plan.aside < SET_ASIDE
    aside = set_aside(plan.aside, plan.controls, plan.train_seed, few)
    return widening(model, aside, plan.train_seed + 1)


def of_visits(plan, world, train, asked, aside, model, rng, visits, counts, ideal) -> None:
    """Score a world's model from each visit, and the one that reads the first visit only."""
    if model is None:
        model = fit_survival(train.patients.values, train.times, TRAINING, plan.train_seed)
        model = recalibrated(model, aside)
    learned = train.take(train.rows(1))
    first = fit_survival(learned.patients.values, learned.times, TRAINING, plan.train_seed)
    first = recalibrated(first, aside, first=True)
    for number in (1, 2, 3):
        rows = asked.rows(number)
        people, before = asked.take(rows), asked.first_raw[rows]
        counts[world, number] = len(rows)
        data = follow_up(people)
        m = scores.bootstrap(len(rows), plan.replicates, rng)
        year = np.array([12.0])
        for name, risk in (
            (FULL, people_risks(model, people, year)),
            (EARLIER, model_risks(first, before, people.times, year, number)),
        ):
            visits[world, number, name] = visit_scores(data, risk[:, 0], m)
            # Random numbers of its own: the others stay as they were without it.
            chance = np.random.default_rng(plan.draw_seed + number)
            ideal[world, number, name] = np.mean(
                [ideal_error(risk[:, 0], chance) for _ in range(100)]
            )


def null_labels(train: People, test: People, rng: np.random.Generator, m: np.ndarray) -> tuple:
    """Return the AUC at 12 months of a model of permuted outcomes, asked for permuted outcomes."""

    def shuffled(times: Times) -> Times:
        return times.take(rng.permutation(len(times.entry)))

    model = fit_survival(train.patients.values, shuffled(train.times), TRAINING, 0, strength=1000.0)
    times = shuffled(test.times)
    data = scores.Censored(times.exit - times.entry, times.event)
    alike = replace(times, entry=np.full_like(times.entry, 20.0))
    risk = model_risks(model, test.raw, alike, AFTER)
    return interval(scores.auc(data, risk[:, AT12], m, 12.0))


def survival_page(plan: Plan) -> Page:
    """Measure everything; returns the page."""
    rng = np.random.default_rng(plan.draw_seed)
    train = simulated_people(plan.train, plan.controls, plan.train_seed)
    asked = simulated_people(plan.test, plan.controls, plan.test_seed, true_z=True)
    full, clinic = both_models(train.patients.values, train.times, plan.train_seed)
    aside = simulated_people(plan.aside, plan.controls, plan.train_seed + RECALIBRATION)
    full = with_domain(recalibrated(full, aside), train.patients)
    learned, test = train.take(train.rows(1)), asked.take(asked.rows(1))
    data = follow_up(test)
    m = scores.bootstrap(len(data.time), plan.replicates, rng)
    ours = {name: people_risks(model, test, AFTER) for name, model in ((FULL, full),
                                                                     (CLINIC, clinic))}  # fmt: skip
    found = {name: all_scores(data, table, m) for name, table in ours.items()}
    others = {
        COX_FULL: cox_risks(full, learned, test, AFTER, slice(None)),
        COX: cox_risks(full, learned, test, AFTER, slice(0, len(CLINICAL))),
        **{name: aft_risks(kind, full, learned, test, AFTER) for kind, name in AFTS.items()},
        CEILING: own_risks(test, AFTER),
    }
    found |= {name: all_scores(data, table, m) for name, table in others.items()}
    published = encals_risks(test.raw, test.times, AFTER)
    known = ~np.isnan(published[:, 0])
    part = scores.Censored(data.time[known], data.event[known])
    m_part = scores.bootstrap(int(known.sum()), plan.replicates, rng)
    beside = {
        name: all_scores(part, table[known], m_part)
        for name, table in {**ours, ENCALS: published}.items()
    }
    gains = {"images as simulated": gained(found[FULL], found[CLINIC])}
    mixed = permuted_images(train, rng), permuted_images(test, rng)
    gains["images of somebody else, refitted"] = added_value(
        test, both_models(mixed[0], train.times, plan.train_seed), mixed[1].raw, m
    )
    nothing = Scenario(imaging_effect=0.0)
    sizes = zip((plan.train, plan.test), plan.null_seeds, strict=True)
    null = [simulated_people(size, plan.controls, seed, nothing) for size, seed in sizes]
    taught, null_test = null[0], null[1].take(null[1].rows(1))
    m_null = scores.bootstrap(len(null_test.times.exit), plan.replicates, rng)
    models = both_models(taught.patients.values, taught.times, plan.train_seed)
    gains["imaging effect 0 (negative control), refitted"] = added_value(
        null_test, models, null_test.raw, m_null
    )
    visits, counts, ideal = {}, {}, {}
    own = {1.0: (train, asked, aside, full), 0.0: (*other_world(plan), None)}
    for world, given in own.items():
        of_visits(plan, world, *given, rng, visits, counts, ideal)
    full = replace(full, widening=own_widening(full, plan))
    covered = {}
    for number in (1, 2, 3):
        people = asked.take(asked.rows(number))
        rows = np.arange(min(plan.coverage_people, len(people.times.exit)))
        truths = true_risks_of(people, full, plan.draw_seed)
        others = {
            months: true_risks_of(people, full, plan.draw_seed, months)[0] for months in (6.0, 24.0)
        }
        covered[number] = coverage(full, people, truths, rows, others)
    tails = tails_of(full, asked, plan.replicates, plan.draw_seed + 10)
    calibrated, figures = calibration_tables(data, ours, m, rng)
    labels = null_labels(learned, test, rng, m)
    anchors, off = encals_table()
    tables = [
        discrimination_table(
            {("all", name, len(data.time)): v for name, v in found.items()}
            | {("with every input of ENCALS", n, int(known.sum())): v for n, v in beside.items()}
        ),
        paired_table(found, beside), visits_table(visits, counts, ideal),
        added_table(gains), *calibrated, *tail_tables(tails), decision_table(data, ours, m),
        causes_table(full, test), coverage_table(covered), anchors,
    ]  # fmt: skip
    marks = marks_of(gains, figures, visits, ideal, covered, labels, off, tails)
    return Page(
        stem="prediction_survival",
        title="Survival and respiratory failure",
        kind="simulated",
        data=f"{len(train.patients)} visits of {train.patients.people} simulated patients taught, "
        f"{len(asked.patients)} of {asked.patients.people} others asked; outcomes drawn anew from "
        "each visit's findings; "
        f"errors of measurement {test.errors}; {test.patients.norms}",
        seed=plan.test_seed,
        tables=tables,
        marks=marks,
        notes=notes_of(full, plan.seeds, covered),
        threads=1,
    )


def main() -> None:
    given = arguments(__doc__, models=False).parse_args()
    finish(lambda: publish(survival_page(Plan()), given.out))


if __name__ == "__main__":
    main()
