"""Predict people whose simulated images went through the real segmentation.

    python -m training.cohort.imaging
    brainstem-als cohort data/cohort/imaging/bids data/cohort/imaging/results participant
    python -m training.evaluation.prediction_chain

Every answer is compared with that of the same person's true values. About a minute of one core.
"""

from __future__ import annotations

from pathlib import Path
from time import perf_counter, process_time

import numpy as np

from BrainstemALSLib.norms import Norms, bundled_norms
from BrainstemALSLib.prediction.explain import LARGEST
from BrainstemALSLib.prediction.models import PARTS, Models, read_models
from BrainstemALSLib.prediction.predict import Prediction, predict
from BrainstemALSLib.prediction.records import PersonRecord

from ..cohort.errors import MEASURED as ERRORS
from ..cohort.imaging import default_folder
from ..commands import finish
from .commands import arguments, publish
from .prediction_chain_answers import MONTHS, place_rows, reasons_of, sign_rows
from .prediction_chain_people import Chain, read_chain, without_head
from .prediction_chain_scores import (
    FEATURE_COLUMNS,
    HELD_COLUMNS,
    feature_rows,
    held_rows,
    scored,
)
from .prediction_chain_tables import (
    CALIBRATED,
    GROUPS,
    HEADLESS,
    MEASURED,
    TRUE,
    Answers,
    answer_rows,
    change_rows,
    class_rows,
    interval_rows,
    marks_of,
    run_rows,
    stage_rows,
    time_rows,
)
from .tables import Page, Table

EXPLAINED = ("classification", "stage", "survival")
RESAMPLING = 0
ENDS = ("from", "to")


def ask(chain: Chain, norms: Norms, models: Models) -> Answers:
    """Predict everybody; what nobody has foreseen is raised."""
    patients, controls = (sum(p.group == g for p in chain.people) for g in ("ALS", "HC"))
    prior = patients / (patients + controls) if patients and controls else None

    def one(person: PersonRecord) -> Prediction:
        return predict(person, norms, models, prior=prior, strict=True)

    one(chain.people[0].calibrated)  # what is read or built once
    measured = [one(person.measured) for person in chain.people]
    true = [one(person.true) for person in chain.people]
    headless = [one(without_head(person.measured)) for person in chain.people]
    asked, seconds = [], []
    for person in chain.people:
        begin = perf_counter(), process_time()
        asked.append(one(person.calibrated))
        seconds.append((perf_counter() - begin[0], process_time() - begin[1]))
    found = {HEADLESS: headless, MEASURED: measured, CALIBRATED: asked, TRUE: true}
    return Answers(found, np.array(seconds))


def chain_page(folder: Path, norms: Norms, models: Models) -> Page:
    """Measure everything; returns the page.

    Raises
    ------
    BrainstemALSError
        As ``prediction_chain_people.read_chain``.
    """
    chain = read_chain(folder, norms)
    answers = ask(chain, norms, models)
    kinds = ([getattr(p, k) for p in chain.people] for k in ("measured", "calibrated", "true"))
    z = scored(*kinds, norms, models.measurement)
    every = [reasons_of(part, answers.of[CALIBRATED], answers.of[TRUE]) for part in EXPLAINED]
    seed = RESAMPLING
    tables = {
        "answers": Table(
            "answers",
            "How many the parts answer for (%), and why not (codes of findings, and people)",
            ("part", "people", "n", "images alone", "as measured", *ENDS, "calibrated", *ENDS,
             "true values", "why not, as measured", "why not, calibrated"),
            answer_rows(answers, seed), digits=0,
        ),
        "features": Table(
            "features",
            "z-scores of the imaging predictors less those of the true values, calibrated but for "
            "the first bias; SD as stated with a value, and as predictions draw with",
            FEATURE_COLUMNS, feature_rows(z, seed), digits=2,
        ),
        "held": Table(
            "held", "Intervals of calibrated z-scores that hold the true ones (%)",
            HELD_COLUMNS, held_rows(z, seed), digits=1,
        ),
        "classification": Table(
            "classification", "Patients against controls",
            ("measures", "patients", "controls", "AUC", *ENDS, "Brier", *ENDS, "ECE", *ENDS,
             "ECE of exact probabilities"),
            class_rows(answers, seed),
        ),
        "stage": Table(
            "stage",
            "King's stage 1-4 from images alone: ranked probability score (lower is better) beside "
            "that of the stages' shares in the training",
            ("measures", "patients", "score", *ENDS, "score of shares", "gain", *ENDS),
            stage_rows(answers, models, seed),
        ),
        "runs": Table(
            "runs", "Runs of King's stages that hold the clinical one (%)",
            ("level (%)", "measures", "patients", "hold (%)", *ENDS, "stages, mean"),
            run_rows(answers, seed), digits=1,
        ),
        "intervals": Table(
            "intervals", "Stated intervals that hold what the true values give (%)",
            ("of", "level (%)", "measures", "people", "hold (%)", *ENDS, "median width"),
            interval_rows(answers, seed), digits=2,
        ),
        "changes": Table(
            "changes", "How far answers are from those of the true values (absolute)",
            ("answer", "measures", "people", "median", *ENDS, "95th percentile", *ENDS,
             "median width of its 80 % interval"),
            change_rows(answers, seed), digits=2,
        ),
        "time": Table(
            "time", "One whole prediction (ms)",
            ("by", "people", "n", "median", *ENDS, "longest"), time_rows(answers, seed), digits=1,
        ),
        "signs": Table(
            "signs",
            "Imaging contributions: how often another measurement was said to keep the sign, and "
            "how often it is that of the true values (%)",
            ("contributions", "n", "said", "found", *ENDS), sign_rows(every, seed), digits=1,
        ),
        "largest": Table(
            "largest",
            f"The {LARGEST} largest contributions from measured and from true values; places: "
            "among them or not, of imaging contributions (%)",
            ("part", "people", "all the same (%)", *ENDS, "the same, mean", "places said to stay",
             "places found the same", *ENDS),
            place_rows(every, seed), digits=1,
        ),
    }  # fmt: skip
    counts = {g: sum(p.group == g for p in chain.people) for g in GROUPS}
    visits = sum(v.has_images for p in chain.people for v in p.measured.visits)
    return Page(
        stem="prediction_chain",
        title="Predictions of people whose images went through the real segmentation",
        kind="simulated",
        data=(
            f"{visits} visits of {counts['ALS']} patients, {counts['HC']} controls and "
            f"{counts['MIMIC']} mimics: painted T1, FA and MD of held-out anatomies, segmented by "
            "the bundled network (imaging_cohort.md); clinical data and intracranial volume from "
            "the simulator."
        ),
        seed=chain.seed,
        tables=list(tables.values()),
        marks=marks_of(tables),
        notes=notes(answers, models, norms),
        threads=1,
    )


def notes(answers: Answers, models: Models, norms: Norms) -> list[str]:
    """Return what a reader has to know beside the numbers."""
    classes = [p.classification for p in answers.of[CALIBRATED] if p.answers("classification")]
    alone = sum(one.used == "volumes" for one in classes)
    others = [p for p in answers.of[CALIBRATED] if p.person.group != "ALS"]
    parts = [part for part in PARTS if part != "classification"]
    any_of = sum(any(p.answers(part) for part in parts) for p in others)
    return [
        "NOT INDEPENDENT: the errors that the models' training people were simulated with "
        f"(training/cohort/{ERRORS}), from which the size of errors beside what is stated was "
        "learned too, were measured on these very images. What the page adds is the whole chain: "
        "real files, structures that are missing, errors that go together as they do, and no "
        "assumption on their form. How it does on images of another kind is not known.",
        "Few people: figures hold no more than their intervals say. Intervals are 95 % bootstraps "
        f"over people (seed {RESAMPLING}), visits of one stay together; where all or none answer, "
        "a bootstrap has no width. That of an ECE lies too high, for drawing people twice makes "
        "bins uneven.",
        "The images show no whole head, so no intracranial volume is measured. The simulator's is "
        "entered, with the error and the stated standard deviation of its tables, as a clinic "
        "would enter it from another tool. Without it (images alone) no volume has a score.",
        "As measured: as it comes, scored by the bundled norms. Their people are simulated at the "
        "level of published volumes; the painted anatomies draw their borders elsewhere, and 2 mm "
        "voxels mix tissues, so all people are moved together (first bias of the table). The "
        "figures of that row say what happens at a place whose images differ and which does not "
        "notice: nearly everybody gets numbers, and they are wrong. A finding warns of it wherever "
        "simulated norms score a real person.",
        "Calibrated: each measure moved by the mean distance of the cohort's controls from what "
        "the norms expect, as a place with controls of its own would do; a control is moved by the "
        "others, and the standard error of the level is added to the stated deviation. The "
        "intervals of this page take the levels as they are. Predictions draw with less than what "
        "is stated, so of that standard error too they take a part only. Marks are of this row.",
        "True values: those of the simulator without scanner and error, scored by the same norms, "
        "asked with the same models; measures that the segmentation lacks are left out there too. "
        "Scanners are unknown to the norms in all three, and the stated deviation holds what "
        "scanners differ by, of which the calibration takes out the part that all share.",
        "Intervals of answers hold more than the error of measurement (the fit above all), and the "
        "true values are asked with the same fit: they should hold the answer more often than "
        "their level says. The mark is that they do not hold it less often.",
        f"The classification answers from volumes alone for {alone} of {len(classes)}, where FA of "
        "a structure too thin for 2 mm voxels is missing. Its prior is the share of patients among "
        "patients and controls here. Mimics are too few for any figure but whether it answers.",
        "Stages, forecast, survival and references are of patients; of the controls and mimics "
        f"{any_of} of {len(others)} got an answer from any. Outcomes are not shown to the models.",
        "King's stage: of the patients whose clinical stage at that visit is 1 to 4. "
        "Classification and stages read the last visit with images.",
        f"ALSFRS-R: the median forecast for {MONTHS} months after the last visit, beside the width "
        "of its interval; risk: of the end point within that time; the probability of ALS has the "
        "width of its 95 % interval. The clinical data are the same in all three.",
        "Signs: of contributions whose imaging predictor was measured. Times: after one prediction "
        "that was not counted, from calibrated measures; where the clock is far above the "
        "processor, the machine did other things meanwhile.",
        f"Norms: {norms.population.statement}. "
        + " ".join(
            f"{name}: {getattr(model, 'statement', model.training.statement)}."
            for name in ("classification", "stage", "disease_stage", "progression", "survival")
            if (model := getattr(models, name)) is not None
        ),
    ]


def main() -> None:
    parser = arguments(__doc__ or "", models=False)
    parser.add_argument("--cohort", type=Path, help="instead of data/cohort/imaging")
    given = parser.parse_args()

    def command() -> None:
        folder = given.cohort or default_folder()
        publish(chain_page(folder, bundled_norms(), read_models()), given.out)

    finish(command)


if __name__ == "__main__":
    main()
