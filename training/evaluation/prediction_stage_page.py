"""The page of the stages: tables, marks, and what they mean."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from BrainstemALSLib.prediction.disease_stage import LEVEL, WIDEST, DiseaseStageModel
from BrainstemALSLib.prediction.stage_model import StageModels

from .prediction_stage_driven import COUNT, TOLD, Driven
from .prediction_stage_scores import RESAMPLES
from .tables import Page, Table

ECE_LIMIT, COVERAGE_OFF, MILLISECONDS = 0.04, 3.0, 100.0
HARM = 0.002
"""Loss of ranked probability score, a hundredth of it, that images may do where they say nothing,
and the widest interval that shows it: own choices, made before the page was run."""
FEW = 30
"""Visits below which a group is not called the worst."""
LOW_HIGH = ("from", "to")


@dataclass(frozen=True, eq=False)
class Figures:
    """Rows of all tables.

    Attributes
    ----------
    kings, sets, given, intervals, added : list of tuple
    driven : Driven
    milliseconds : float
    timed : int
    """

    kings: list[tuple]
    sets: list[tuple]
    given: list[tuple]
    intervals: list[tuple]
    added: list[tuple]
    driven: Driven
    milliseconds: float
    timed: int


def page_of(
    figures: Figures, models: StageModels, disease: DiseaseStageModel, large: int, data: str,
    seed: int,
) -> Page:  # fmt: skip
    """Return the page."""
    return Page(
        stem="prediction_stage",
        title="Stage from the images: King's, and the data-driven one",
        kind="simulated",
        data=data,
        seed=seed,
        tables=_tables(figures, disease),
        marks=_marks(figures),
        notes=(*_worst(figures), *_notes(models, disease, large)),
        threads=1,
    )


def _tables(figures: Figures, disease: DiseaseStageModel) -> tuple[Table, ...]:
    return (
        Table(
            "kings",
            "King's stage 1-4: ranked probability score (lower is better), gain over the stages' "
            "shares, weighted kappa, calibration error (ECE), each with its 95 % interval",
            ("images", "clinic", "people", "visits", "score", *LOW_HIGH, "gain", *LOW_HIGH,
             "kappa", *LOW_HIGH, "ECE", *LOW_HIGH),
            figures.kings, digits=4,
        ),
        Table(
            "sets",
            "Runs of neighbouring stages: how many hold the clinical stage (%), how many would if "
            "bare probabilities with a random end were used (%), and how many stages are in a run",
            ("images", "clinic", "level (%)", "visits", "held", *LOW_HIGH, "random end", *LOW_HIGH,
             "stages", *LOW_HIGH),
            figures.sets, digits=2,
        ),
        Table(
            "sets_given",
            "Runs of images alone, as panel and report show them, by run and by clinical stage: "
            "how many hold the clinical stage (%)",
            ("level (%)", "of", "visits", "held", *LOW_HIGH),
            figures.given, digits=1,
        ),
        Table(
            "intervals",
            "Intervals of King's stage: how many hold what is said of the same visits measured "
            "without error (%), and how wide they are",
            ("images", "clinic", "of", "said by", "level (%)", "visits", "held", *LOW_HIGH,
             "width", *LOW_HIGH),
            figures.intervals, digits=2,
        ),
        Table(
            "added",
            "What all images add: gain in ranked probability score over the clinic, or over the "
            "stages' shares",
            ("world", "compared with", "people", "visits", "gain", *LOW_HIGH),
            figures.added, digits=4,
        ),
        Table(
            "disease",
            f"Data-driven stage (0-{len(disease.events)} events), first images of each",
            ("figure", "people", "value", *LOW_HIGH),
            figures.driven.figures,
        ),
        Table(
            "disease_intervals",
            "Intervals of the data-driven stage: how many hold the truth (%), and how wide they "
            "are (events); of those who are left without a stage, what would have been told",
            ("truth", "whose", "level (%)", "people", "held", *LOW_HIGH, "width", *LOW_HIGH),
            figures.driven.intervals, digits=2,
        ),
        Table(
            "disease_counts",
            "The same by the simulator's count: how many get a stage (%), and how many intervals "
            "of these hold the count (%)",
            ("events past", "people", "with a stage", *LOW_HIGH, "80 % held", *LOW_HIGH,
             "95 % held", *LOW_HIGH),
            figures.driven.counts, digits=1,
        ),
        Table(
            "disease_order",
            "Order of events: mean place over the fits of the shipped model (people of the "
            "training drawn again), and 95 % of these places",
            ("event", "fits", "place", *LOW_HIGH),
            _order(disease), digits=1,
        ),
    )  # fmt: skip


def _order(disease: DiseaseStageModel) -> list[tuple]:
    places = disease.places + 1.0
    low, high = np.quantile(places, (0.025, 0.975), axis=0)
    return [
        (disease.events[k], len(places), *map(float, (places[:, k].mean(), low[k], high[k])))
        for k in disease.usual_order
    ]


def _marks(figures: Figures) -> tuple[tuple[str, bool], ...]:
    worst = max(row[13] for row in figures.kings)
    shown = next(row for row in figures.added if row[0] == "as configured" and "shares" in row[1])
    return (
        (f"Calibration error of every model at most {ECE_LIMIT}: {worst:.4f}", worst <= ECE_LIMIT),
        _within(
            "Runs of stages, every model, all visits together",
            [(row[2], row[4]) for row in figures.sets],
        ),
        *(
            _within(
                f"Intervals of King's mean stage and probabilities, {clinic}, against the {by} "
                "without error",
                [(r[4], r[6]) for r in figures.intervals if (r[1], r[3]) == (clinic, by)],
            )
            for clinic in dict.fromkeys(row[1] for row in figures.intervals)
            for by in ("large fit", "same model")
        ),
        *(
            _within(
                f"Intervals of the data-driven stage, all {whose}, against the {COUNT}",
                [(r[2], r[4]) for r in figures.driven.intervals if r[:2] == (COUNT, whose)],
            )
            for whose in TOLD
        ),
        (
            f"Images alone beat the shares of the stages: gain {shown[5]:.4f} to {shown[6]:.4f}",
            shown[5] > 0,
        ),
        *(_silent(row) for row in figures.added if row[0] != "as configured"),
        (
            f"Both stages of one person within {MILLISECONDS:.0f} ms: median "
            f"{figures.milliseconds:.0f} ms of {figures.timed} people",
            figures.milliseconds < MILLISECONDS,
        ),
    )


def _within(text: str, rows: list[tuple[float, float]]) -> tuple[str, bool]:
    level, held = max(rows, key=lambda row: abs(row[1] - row[0]))
    return (
        f"{text}, within {COVERAGE_OFF:g} points of their level: at most {abs(held - level):.1f} "
        f"off ({held:.1f} of {level:.0f} %)",
        abs(held - level) <= COVERAGE_OFF,
    )


def _silent(row: tuple) -> tuple[str, bool | None]:
    """Return the mark of a world where images say nothing; None: the interval is too wide."""
    world, other, low, high = row[0], row[1], row[5], row[6]
    silent = -HARM <= low <= 0 if high - low <= HARM else None if low <= 0 <= high else False
    what = "alone do not beat the" if other.startswith("shares") else "add nothing to"
    return (
        f"{world}: images {what} {other} (interval not above 0), and lose no more than {HARM:g}; "
        f"not measured where the interval is wider than {HARM:g}: {low:.4f} to {high:.4f}",
        silent,
    )


def _worst(figures: Figures) -> tuple[str, ...]:
    """Return what the level of all together hides."""
    found = []
    for word in ("run", "clinical stage"):
        rows = [r for r in figures.given if r[1].startswith(word) and r[0] == 80 and r[2] >= FEW]
        if rows:
            worst = min(rows, key=lambda row: row[3])
            found.append(_told(f"{worst[1]} (n {worst[2]})", worst))
    late = [r for r in figures.given if r[1] == "clinical stage 4" and r[0] == 95]
    found += [_told(f"{row[1]} at the level of 95 %", row) for row in late]
    rows = [row for row in figures.driven.counts if row[1] >= FEW]
    events = ""
    if rows:
        one = min(rows, key=lambda row: row[5])
        events = (
            f" Of the data-driven stage, a count of {one[0]}: {one[5]:.0f} % ({one[6]:.0f} to "
            f"{one[7]:.0f})."
        )
    return (
        "The marks of runs and intervals are of all together: that is what conformal prediction "
        "promises, not the same for each answer nor for each stage. The worst groups of "
        f"{FEW} or more at the level of 80 %: {'; '.join(found)}.{events} Images say little, so "
        "answers stay near the usual early stages and late ones are missed most: a late clinical "
        "stage often lies outside of the run. Where all of a group hold it, people drawn again "
        "give no width.",
    )


def _told(what: str, row: tuple) -> str:
    return f"{what}: {row[3]:.0f} % ({row[4]:.0f} to {row[5]:.0f})"


def _notes(models: StageModels, disease: DiseaseStageModel, large: int) -> tuple[str, ...]:
    return (
        "Panel and report show the model of images alone (all, or volumes without diffusion "
        "images). The others are for comparison and for programs.",
        "Clinic: bulbar onset, time since onset, age; FVC where named. The function scale is "
        "never a predictor, because King's stage is made of it. FVC goes with breathing, which "
        "stage 4 is defined by: with it, little is left for images.",
        f"Intervals of figures are over people drawn again ({RESAMPLES} times), visits of one "
        "person together. That of ECE leans to large values: people drawn again scatter more.",
        "Runs of stages are made wide enough on people of scanners held out of the fit "
        "(cross-fitted conformal). A run has whole stages, and one at the least: where the most "
        "probable stage alone holds more than the level, runs can only hold more. With a random "
        "end, bare probabilities would hold exactly the level if they were calibrated: that column "
        "judges them, not what is shown.",
        "Intervals of King's stage are of what another measurement and another fit might have "
        f"said. The large fit is the same form fitted to {large} other patients: it differs from "
        "the shipped model by what that one's fit leaves open. The same model does not, so "
        "intervals should hold its answer more often than their level, most of all with FVC, where "
        "measurement matters least. All visits share the one fit that was shipped: against the "
        "large fit, the rows with FVC are nearly one case, which may lie above or below the level.",
        "The simulator's count: an event is past when the patient's brainstem clock has come to "
        "where its structures are half way (training/prediction/stage_truth.py). How "
        "intervals are made was learned against this count on other simulated patients (as split "
        "conformal, with a few ways to widen in place of one), for those who get a stage; nothing "
        "like it is known of real ones. "
        f"Who gets none: the {100 * LEVEL:.0f} % interval would span "
        f"{WIDEST * len(disease.events):.0f} of {len(disease.events)} events or more. The same "
        "model without error is there for comparison: it shares what the order of events leaves "
        "open.",
        "Negative controls are refits: on patients of a world without a link between brainstem "
        "and course, and on stages dealt out anew. Both gain and harm would show.",
        f"The order of events was learned with agreement {disease.agreement:.2f} (Kendall's tau) "
        "between refits. An event whose place ranges from first to last has none that is known.",
        "A page on seed 45301 went before, where intervals of the data-driven stage were made "
        "otherwise; all patients got one. "
        "This page was made twice on its seed: the second time a mark and words were added.",
        "The data-driven stage of controls shows what a brainstem without the disease gets: it "
        "is a stage of patients, no test for the disease.",
        "How much images say of the stage is a property of the simulator's settings, no "
        "evidence on patients. All figures are of simulated people.",
        f"King's: {models.training.statement}. Data-driven: {disease.training.statement}.",
    )
