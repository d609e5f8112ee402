"""Measure the stages of new simulated patients: ``python -m training.evaluation.prediction_stage``.

King's stage from images beside what the clinic knows, whether runs of stages and intervals hold as
often as they say, the data-driven stage beside the simulator's own count of events, and worlds in
which images say nothing. Scanners are unknown to the norms. Two minutes on one free core.
"""

from __future__ import annotations

import numpy as np

from BrainstemALSLib.norms import Norms, bundled_norms
from BrainstemALSLib.prediction.disease_stage import read_disease_stage
from BrainstemALSLib.prediction.parts import Estimate
from BrainstemALSLib.prediction.stage_model import (
    LEVELS,
    STAGES,
    OrdinalModel,
    StageModels,
    read_stage_models,
)

from ..cohort.errors import measured_errors
from ..commands import finish
from ..prediction.stage import StagedVisits
from . import prediction_stage_page as page
from .commands import arguments, publish
from .prediction_stage_cases import (
    ADDED,
    CLEAN,
    SILENT,
    answers,
    fitted,
    gain_of_images,
    measured_twice,
    new_visits,
    permuted,
    refitted,
    shares_of,
    together,
)
from .prediction_stage_driven import driven_rows, milliseconds
from .prediction_stage_scores import (
    king_row,
    mean_of,
    over_people,
    percent_of,
    set_rows,
    set_rows_given,
)
from .tables import Page

SEED = 45_501
PATIENTS, LARGE, TWICE, NULL, DRIVEN = 2500, 3000, 1000, 3000, 1500
LARGE_PARTS = 3
SHOWN = "all", "images"
USED = SHOWN, ("all", "clinic+fvc")
"""Models whose intervals are measured: that which panel and report show, and the richest one."""


def king_tables(models: StageModels, visits: StagedVisits, seed: int) -> tuple[list, list]:
    """Return the rows of scores and of runs of stages."""
    scores, sets = [], []
    for key, model in models.models.items():
        values, there = visits.complete(model.predictors)
        given = values[there], visits.stage[there], visits.person[there], seed
        scores.append((*key, *king_row(model, models.shares, *given)))
        if key[0] != "none":
            sets += [(*key, *row) for row in set_rows(model, *given)]
    return scores, sets


def given_rows(model: OrdinalModel, visits: StagedVisits, seed: int) -> list[tuple]:
    """Return the rows of how many runs hold the stage, of each run and of each stage."""
    values, there = visits.complete(model.predictors)
    return set_rows_given(model, values[there], visits.stage[there], visits.person[there], seed)


def interval_rows(
    models: StageModels, large: dict[tuple[str, str], OrdinalModel], norms: Norms,
    seed: int, patients: int,
) -> list[tuple]:  # fmt: skip
    """Return rows of how often intervals hold what is said of the same people without error."""
    measured, clean = measured_twice(seed, patients), measured_twice(seed, patients, CLEAN)
    number, rows = np.arange(1, len(STAGES) + 1), []
    for key in USED:
        found, values, person = answers(measured, clean, norms, models, key)
        ends = np.array([[_row(answer.expected)] for answer in found])[:, 0]
        shares = np.array([[answer.probabilities[s][1:] for s in STAGES] for answer in found])
        for text, model in (("same model", models.models[key]), ("large fit", large[key])):
            true = model.probabilities(values)
            for level, place in zip(LEVELS, (0, 2), strict=True):
                low, high = ends[:, place], ends[:, place + 1]
                held = (low <= true @ number) & (true @ number <= high)
                threes = (
                    over_people(percent_of(held), person, seed),
                    over_people(mean_of(high - low), person, seed),
                )
                rows.append(
                    (*key, "mean stage", text, 100.0 * level, len(found), *threes[0], *threes[1])
                )
            held = (shares[..., 0] <= true) & (true <= shares[..., 1])
            wide = (shares[..., 1] - shares[..., 0]).mean(axis=1)
            threes = (
                over_people(percent_of(held.mean(axis=1)), person, seed),
                over_people(mean_of(wide), person, seed),
            )
            rows.append(
                (*key, "probabilities", text, 100.0 * LEVELS[-1], len(found), *threes[0],
                 *threes[1])
            )  # fmt: skip
    return rows


def added_rows(
    models: StageModels, visits: StagedVisits, norms: Norms, seed: int, patients: int
) -> list[tuple]:
    """Return rows of what images add in the world as it is, and in two where they say nothing."""
    learned = new_visits(seed, patients, norms)
    silent, silent_new = (new_visits(seed + k, patients, norms, SILENT) for k in (1, 2))
    dealt, dealt_new = permuted(learned, seed), permuted(visits, seed)
    worlds = (
        ("as configured", models.models, models.shares, visits),
        ("imaging effect 0, refit", refitted(silent, seed), shares_of(silent), silent_new),
        ("stages permuted, refit", refitted(dealt, seed), shares_of(dealt), dealt_new),
    )
    rows = []
    for world, found, shares, new in worlds:
        for clinic, other in ADDED:
            gain, person = gain_of_images(found, shares, new, clinic, other)
            three = over_people(mean_of(gain), person, seed)
            rows.append((world, other or "shares of the stages", len(set(person)), len(gain),
                         *three))  # fmt: skip
    return rows


def evaluate(seed: int = SEED, scale: float = 1.0) -> Page:
    """Return the page; ``scale`` makes every number of people smaller, for tests."""
    models, disease = read_stage_models(), read_disease_stage()
    norms = bundled_norms()
    sizes = [max(int(scale * n), 30) for n in (PATIENTS, LARGE, TWICE, NULL, DRIVEN)]
    patients, large_part, twice, null, driven = sizes
    visits = new_visits(seed, patients, norms)
    kings, sets = king_tables(models, visits, seed)
    large = together([new_visits(seed + 10 + k, large_part, norms) for k in range(LARGE_PARTS)])
    held = {key: fitted(large, key, seed) for key in USED}
    figures = page.Figures(
        kings,
        sets,
        given_rows(models.models[SHOWN], visits, seed),
        interval_rows(models, held, norms, seed + 20, twice),
        added_rows(models, visits, norms, seed + 30, null),
        driven_rows(disease, norms, seed + 40, driven),
        *milliseconds(models, disease, norms, seed + 50),
    )
    errors = "errors of the real segmentation" if measured_errors() else "configured errors"
    data = (
        f"{len(set(visits.person))} new patients with {len(visits.stage)} visits with images and a "
        f"stage, and others for intervals, controls and the data-driven stage; {errors}; scanners "
        "unknown to the norms, which are those that come along."
    )
    return page.page_of(figures, models, disease, len(set(large.person)), data, seed)


def _row(one: Estimate) -> tuple[float, float, float, float]:
    return one.low80, one.high80, one.low95, one.high95


def main() -> None:
    given = arguments(__doc__ or "", models=False).parse_args()
    finish(lambda: publish(evaluate(), given.out))


if __name__ == "__main__":
    main()
