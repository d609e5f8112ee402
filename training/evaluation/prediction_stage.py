"""Measure the stages of new simulated patients: ``python -m training.evaluation.prediction_stage``.

King's stage from images beside what the clinic knows, the data-driven stage beside the simulator's
own clock, negative controls. Scanners are unknown to the norms. Two minutes on one core.
"""

from __future__ import annotations

from dataclasses import replace
from time import perf_counter

import numpy as np

from BrainstemALSLib.norms import Norms, fit_norms
from BrainstemALSLib.prediction.disease_stage import (
    DiseaseStageModel,
    predict_disease_stage,
    read_disease_stage,
)
from BrainstemALSLib.prediction.records import records_of
from BrainstemALSLib.prediction.stage import predict_stage
from BrainstemALSLib.prediction.stage_model import SETS, STAGES, StageModels, read_stage_models

from ..cohort.config import load_config
from ..cohort.errors import measured_errors
from ..cohort.scenario import Scenario
from ..cohort.simulate import simulate
from ..commands import finish
from ..prediction.stage import StagedVisits, staged_visits
from ..prediction.stage_fit import ranked_probability_score
from .commands import arguments, publish
from .tables import Page, Table

SEED, NULL_SEED, NORM_SEED = 45_001, 45_101, 45_201
PATIENTS, CONTROLS, STAGED_PEOPLE = 800, 200, 150
RESAMPLES = 1000
ECE_LIMIT, MILLISECONDS = 0.04, 100.0
BINS = 10


def weighted_kappa(probabilities: np.ndarray, stage: np.ndarray) -> float:
    """Return the quadratically weighted kappa of the most probable stage; NaN without variety."""
    from sklearn.metrics import cohen_kappa_score

    guess = probabilities.argmax(axis=1)
    if len(np.unique(np.concatenate([guess, stage]))) < 2:
        return float("nan")
    return float(cohen_kappa_score(stage, guess, weights="quadratic", labels=range(len(STAGES))))


def calibration_error(probabilities: np.ndarray, stage: np.ndarray) -> float:
    """Return the expected calibration error of "later than stage k", over all three k."""
    above = 1.0 - np.cumsum(probabilities, axis=1)[:, :-1]
    seen = stage[:, None] > np.arange(len(STAGES) - 1)
    p, y = above.ravel(), seen.ravel()
    place = np.minimum((p * BINS).astype(int), BINS - 1)
    off = [
        abs(p[place == b].mean() - y[place == b].mean()) * (place == b).mean()
        for b in range(BINS)
        if (place == b).any()
    ]
    return float(sum(off))


def resampled(values: np.ndarray, person: np.ndarray, rng: np.random.Generator) -> tuple:
    """Return the 95 % interval of a mean over visits, people drawn again."""
    names, index = np.unique(person, return_inverse=True)
    sums = np.bincount(index, values)
    counts = np.bincount(index)
    again = rng.integers(len(names), size=(RESAMPLES, len(names)))
    return tuple(np.quantile(sums[again].sum(1) / counts[again].sum(1), (0.025, 0.975)))


def king_rows(models: StageModels, visits: StagedVisits, seed: int) -> list[tuple]:
    """Rows of the table of models: score against the shares of the training, kappa, calibration."""
    rng = np.random.default_rng(seed)
    rows = []
    for key in SETS:
        if key not in models.models:
            continue
        model = models.models[key]
        values, there = visits.complete(model.predictors)
        p, stage, person = model.probabilities(values[there]), visits.stage[there], visits.person
        score = ranked_probability_score(p, stage)
        plain = ranked_probability_score(np.broadcast_to(models.shares, p.shape), stage)
        low, high = resampled(plain - score, person[there], rng)
        rows.append(
            (
                *key,
                int(there.sum()),
                float(score.mean()),
                float(plain.mean()),
                float(low),
                float(high),
                weighted_kappa(p, stage),
                calibration_error(p, stage),
            )
        )
    return rows


def added_by_images(models: StageModels, visits: StagedVisits, clinic: str, seed: int) -> tuple:
    """Return the gain in score of all images over the clinic alone, with its 95 % interval."""
    rng = np.random.default_rng(seed)
    with_images, without = models.models["all", clinic], models.models["none", clinic]
    values, there = visits.complete(with_images.predictors)
    less, _ = visits.complete(without.predictors)
    stage = visits.stage[there]
    gain = ranked_probability_score(without.probabilities(less[there]), stage)
    gain = gain - ranked_probability_score(with_images.probabilities(values[there]), stage)
    return float(gain.mean()), *resampled(gain, visits.person[there], rng)


def disease_rows(
    model: DiseaseStageModel, models: StageModels, norms: Norms, seed: int
) -> tuple[list[tuple], float]:
    """Rows of the data-driven stage against the clock and King's, and seconds of one person."""
    from scipy.stats import spearmanr

    cohort, truth = simulate(
        load_config(), CONTROLS, STAGED_PEOPLE, 0, seed, errors=measured_errors()
    )
    clock = truth.clocks.set_index(["participant_id", "session_id"]).brainstem_clock
    stages, clocks, kings, healthy, times = [], [], [], [], []
    for person in records_of(cohort):
        visit = next((v for v in person.visits if v.has_images), None)
        if visit is None:
            continue
        # The group is left out: of a control the model would say nothing.
        group, person = person.group, replace(person, site=None, group=None)
        begin = perf_counter()
        found = predict_disease_stage(person, visit, norms, model)
        if group == "ALS":
            predict_stage(person, visit, norms, models)
            times.append(perf_counter() - begin)
        if found.stage is None:
            continue
        if group == "HC":
            healthy.append(found.stage[0])
            continue
        stages.append(found.stage[0])
        clocks.append(clock[person.participant, visit.session])
        kings.append(float(visit.kings) if visit.kings else np.nan)
    known = np.isfinite(kings)
    rows = [
        ("brainstem clock of the simulator", len(stages), float(spearmanr(stages, clocks)[0])),
        (
            "King's stage", int(known.sum()),
            float(spearmanr(np.array(stages)[known], np.array(kings)[known])[0]),
        ),
    ]  # fmt: skip
    rows.append(("mean stage of patients", len(stages), float(np.mean(stages))))
    rows.append(("mean stage of controls", len(healthy), float(np.mean(healthy))))
    return rows, float(np.median(times))


def evaluate(patients: int = PATIENTS, seed: int = SEED) -> Page:
    """Return the page."""
    models, disease = read_stage_models(), read_disease_stage()
    norms = fit_norms(
        simulate(load_config(), 600, 0, 0, NORM_SEED, errors=measured_errors())[0],
        "simulated",
        NORM_SEED,
    )
    people = records_of(_cohort(seed, patients, None))
    visits = staged_visits(people, norms)
    null = staged_visits(
        records_of(_cohort(NULL_SEED, patients, Scenario(imaging_effect=0.0))), norms
    )
    kings = king_rows(models, visits, seed)
    added = [
        (name, clinic, *added_by_images(models, v, clinic, seed))
        for name, v in (("as configured", visits), ("imaging effect 0", null))
        for clinic in ("clinic", "clinic+fvc")
    ]
    staged, seconds = disease_rows(disease, models, norms, seed + 1)
    worst = max(row[-1] for row in kings)
    images = kings[0]
    return Page(
        stem="prediction_stage",
        title="Stage from the images: King's, and the data-driven one",
        kind="simulated",
        data=(
            f"{len(set(visits.person))} new patients with {len(visits.stage)} visits with images; "
            f"{'errors of the real segmentation' if measured_errors() else 'configured errors'}; "
            "scanners unknown to the norms."
        ),
        seed=seed,
        tables=(
            Table(
                "kings",
                "King's stage 1-4: ranked probability score (lower is better) beside that of the "
                "stages' shares, gain (95 %), weighted kappa, calibration error",
                (
                    "images",
                    "clinic",
                    "visits",
                    "score",
                    "score of shares",
                    "gain from",
                    "gain to",
                    "kappa",
                    "ECE",
                ),
                kings,
                digits=4,
            ),
            Table(
                "added",
                "What images add to the clinic: gain in ranked probability score (95 %)",
                ("world", "clinic", "gain", "from", "to"),
                added,
                digits=4,
            ),
            Table(
                "disease",
                f"Data-driven stage (0-{len(disease.events)} events): rank correlations and means",
                ("with", "people", "value"),
                staged,
            ),
        ),
        marks=(
            (
                f"Calibration error of every model at most {ECE_LIMIT}: {worst:.4f}",
                worst <= ECE_LIMIT,
            ),
            (
                f"Images alone beat the shares of the stages: gain {images[5]:.4f} to "
                f"{images[6]:.4f}",
                images[5] > 0,
            ),
            (
                "With the imaging effect at 0 images add nothing to the clinic: "
                f"{added[2][3]:.4f} to {added[2][4]:.4f}",
                added[2][3] <= 0,
            ),
            (
                f"Both stages of one person within {MILLISECONDS:.0f} ms: {1000 * seconds:.0f} ms",
                1000 * seconds < MILLISECONDS,
            ),
        ),
        notes=(
            "Clinic: bulbar onset, time since onset, age; FVC where named. The function scale is "
            "never a predictor, because King's stage is made of it. FVC goes with breathing, which "
            "stage 4 is defined by: with it, little is left for images.",
            "The order of events was learned with agreement "
            f"{disease.agreement:.2f} between refits: "
            + " > ".join(disease.events[k] for k in disease.orders[0])
            + ".",
            "The data-driven stage of controls shows what a brainstem without the disease gets: it "
            "is a stage of patients, no test for the disease.",
            "How much images say of the stage is a property of the simulator's settings, no "
            "evidence on patients.",
            f"King's: {models.training.statement}. Data-driven: {disease.training.statement}.",
        ),
        threads=1,
    )


def _cohort(seed: int, patients: int, scenario: Scenario | None):
    return simulate(load_config(), 0, patients, 0, seed, scenario, errors=measured_errors())[0]


def main() -> None:
    given = arguments(__doc__ or "", models=False).parse_args()
    finish(lambda: publish(evaluate(), given.out))


if __name__ == "__main__":
    main()
