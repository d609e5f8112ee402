"""Measure the classifier: ``python -m training.evaluation.prediction_classification``.

Three to four minutes of one core.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.special import expit, logit

from BrainstemALSLib.cohort.tables import Cohort
from BrainstemALSLib.norms import Norms, bundled_norms
from BrainstemALSLib.prediction.classification_model import (
    KIND,
    QUESTIONS,
    Classifiers,
    read_classifiers,
)
from BrainstemALSLib.prediction.model_files import bundled, read_model

from ..cohort.scenario import Scenario
from ..commands import finish
from ..prediction.classification import errors_used, norms_in_use, simulated_cohort
from ..prediction.classification_data import people_of, scored
from ..prediction.classification_fit import log_loss
from .commands import arguments, publish
from .prediction_classification_metrics import (
    BOOTSTRAPS,
    CENTRAL,
    COLUMNS,
    areas,
    chance_calibration_error,
    figures,
    mean_interval,
    reliability,
    sensitivity_interval,
)
from .prediction_classification_nested import (
    ADDITIVE,
    LOGISTIC,
    METHODS,
    NETWORK,
    OURS,
    OUTER,
    HeldOut,
    elsewhere,
    nested,
)
from .prediction_classification_new import (
    LEVELS,
    NewPeople,
    adds_up,
    coverage,
    many_people,
    mean_features,
    milliseconds,
    new_people,
    outside,
)
from .tables import Page, Table

SITES = 8
NESTED_SEEDS, NESTED_SIZES = (8201, 8202, 8203), (400, 400, 0)
NEW_SEEDS, NEW_SIZES = (8211, 8212, 8213), (1000, 1000, 500)
COVERAGE_SEEDS, COVERAGE_SIZES = tuple(range(8221, 8237)), (50, 50, 0)
TRUTH_SEED, TRUTH_SIZES, TRUTH_SITES = 8261, (3500, 3500, 0), 40
NULL_SEEDS, NULL_SIZES = tuple(range(8241, 8249)), (200, 200, 0)
PERMUTED_SEEDS = tuple(range(8251, 8259))
OTHER = 20
"""Added to a seed of ``PERMUTED_SEEDS``: the cohort that is asked."""
FEW = (100, 100, 0)
ECE_MARK, COVERAGE_OFF, LIMIT_MS, ADD_UP = 0.04, 3.0, 100.0, 1e-9
# Own choices: the issue names none.
GLASS_BOX_COST, NORMS_OFF = 0.02, 0.2


def nested_tables(found: HeldOut) -> tuple[list[Table], list[tuple[str, bool]]]:
    """Return methods with sites held out, what sets them apart from the first, and the mark."""
    rows = [(name, *figures(found.eta[name], found.y).row) for name in METHODS]
    all_areas = areas(np.stack([found.eta[name] for name in METHODS]), found.y)
    differences, best = [], (METHODS[0], 0.0, 0.0)
    for k, name in enumerate(METHODS[1:], 1):
        gain, half = all_areas.difference(k)
        loss = log_loss(found.eta[LOGISTIC], found.y) - log_loss(found.eta[name], found.y)
        half_loss = CENTRAL * float(loss.std(ddof=1)) / len(loss) ** 0.5
        differences.append((name, gain, half, float(loss.mean()), half_loss))
        if name not in OURS and gain > best[1]:
            best = name, gain, half
    columns = ("method", "AUC more", "+- of 95 %", "log loss less", "+- of 95 %, of it")
    mark = f"Glass box: AUC at most {GLASS_BOX_COST:g} below the best comparator (own choice): "
    mark += f"{best[1]:.3f} +- {best[2]:.3f} below {best[0]}"
    if best[0] == METHODS[0]:
        mark = f"Glass box: no comparator has a higher AUC (at most {GLASS_BOX_COST:g} allowed)"
    return [
        Table(
            "methods", "ALS against healthy, nested cross-validation with whole sites held out",
            ("method", *COLUMNS), rows,
        ),
        Table("differences", f"Against {LOGISTIC}, on the same people", columns, differences),
    ], [(mark, best[1] <= GLASS_BOX_COST)]  # fmt: skip


def pooled(cohorts: list[HeldOut]) -> HeldOut:
    """Return the people of several cohorts."""
    eta = {k: np.concatenate([c.eta[k] for c in cohorts]) for k in cohorts[0].eta}
    y, fold = (np.concatenate([getattr(c, part) for c in cohorts]) for part in ("y", "fold"))
    return HeldOut(eta, y, fold)


def frozen_tables(new: NewPeople) -> tuple[list[Table], list[tuple[str, bool]]]:
    """Return the frozen models on new people: figures and reliability, and the marks."""
    rows, marks, curve = [], [], []
    cases = (
        ("ALS or healthy, all features", new.evidence, "healthy"),
        ("ALS or healthy, volumes alone", new.volumes, "healthy"),
        ("ALS or mimic, all features", new.mimics, "mimics"),
    )
    for name, evidence, question in cases:
        asked = np.isin(new.group, ("ALS", *QUESTIONS[question][0])) & np.isfinite(evidence)
        eta, y = new.log_odds(evidence, question)[asked], new.patient[asked]
        found = figures(eta, y)
        intervals = [
            "{:.3f}-{:.3f}".format(*sensitivity_interval(eta, y, s, 0)) for s in (0.90, 0.95)
        ]
        chance = chance_calibration_error(expit(eta), 0)
        rows.append((name, *found.row, *intervals, chance))
        marks.append(
            (
                f"ECE at most {ECE_MARK:g}, {name}: {found.ece:.3f} "
                f"({chance:.3f} where probabilities are exactly right)",
                found.ece <= ECE_MARK,
            )
        )
        curve += [(name, *row) for row in reliability(expit(eta), y)]
    asked = np.isin(new.group, ("HC", "MIMIC")) & np.isfinite(new.evidence)
    apart = areas(new.evidence[asked], new.group[asked] == "MIMIC")
    marks.append(
        (
            "Simulated mimics differ from healthy people (0.5: they do not, and the answer "
            f"against mimics is one against health): AUC {apart.auc[0]:.3f} +- {apart.half():.3f}",
            None,
        )
    )
    columns = ("question", *COLUMNS, "95 % interval at 90 %", "95 % interval at 95 %")
    columns += ("ECE of exact probabilities",)
    caption = "The models that come along, frozen, on new people of scanners that nothing knew"
    curve_caption = "Reliability: tenths of the people by probability"
    return [
        Table("frozen", caption, columns, rows),
        Table(
            "reliability", curve_caption,
            ("question", "people", "mean probability", "share with ALS"), curve,
        ),
    ], marks  # fmt: skip


def subgroup_table(new: NewPeople) -> tuple[Table, Table]:
    """Return AUC and calibration in the large by subgroup, and the same of every site."""
    known = np.isfinite(new.evidence) & (new.group != "MIMIC")
    healthy, eta = new.group == "HC", new.log_odds(new.evidence)

    def row(name: str, rows: np.ndarray, matched: bool) -> tuple[object, ...]:
        rows = rows & known
        y = new.patient[rows]
        found = areas(eta[rows], y)
        said = float(expit(eta[rows]).mean()) if matched else None
        share = float(y.mean()) if matched else None
        mean = float(expit(eta[rows & new.patient]).mean())
        return (name, int(y.sum()), int((~y).sum()), float(found.auc[0]), found.half(), mean,
                said, share)  # fmt: skip

    rows = [row("everybody", known, True)]
    rows += [row(f"sex {s}", new.sex == s, True) for s in ("F", "M")]
    for label, values in (("onset", new.onset), ("King's stage", new.kings)):
        for value in sorted(set(values[new.patient & known].tolist()) - {""}):
            rows.append(row(f"{label} {value}", healthy | (values == value), False))
    sites = [row(f"site {s}", new.site == s, True) for s in sorted(set(new.site.tolist()))]
    order = sorted(sites, key=lambda r: r[3])
    for name, place in (("lowest", 0), ("median", len(order) // 2), ("highest", -1)):
        rows.append((f"site with the {name} AUC of {len(sites)}", *order[place][1:]))
    columns = ("subgroup", "ALS", "healthy", "AUC", "+- of 95 %", "mean probability of patients")
    columns += ("mean probability", "share with ALS")
    caption = "Subgroups of the new people; onsets and stages against all healthy people"
    return (
        Table("subgroups", caption, columns, [r for r in rows if r[1] > 1]),
        Table("sites", "Every site of the new people", columns, sites),
    )


def permuted(cohort: Cohort, seed: int) -> Cohort:
    """Return a cohort whose people have each other's group."""
    people = cohort.participants.copy()
    people["group"] = np.random.default_rng(seed).permutation(people["group"].to_numpy(object))
    return replace(cohort, participants=people)


def null_table(models: Classifiers, norms: Norms) -> tuple[Table, list[tuple[str, bool]]]:
    """Return AUCs where there is nothing to be found, and whether they hold 0.5."""
    none = Scenario(disease=0.0)

    def held_out(cohort: Cohort, seed: int) -> float:
        found = nested(cohort, seed, methods=(LOGISTIC,))
        return found.within(LOGISTIC)

    def other(seed: int) -> float:
        learned, asked = (
            permuted(simulated_cohort(s, NULL_SIZES, SITES), seed) for s in (seed, seed + OTHER)
        )
        return elsewhere(learned, asked, seed)

    def frozen(seed: int) -> float:
        found = new_people(models, norms, (seed,), NULL_SIZES, SITES, none)
        known = np.isfinite(found.evidence)
        return float(areas(found.evidence[known], found.patient[known]).auc[0])

    cases = {
        "labels permuted, fitted anew": [
            held_out(permuted(simulated_cohort(s, NULL_SIZES, SITES), s), s) for s in PERMUTED_SEEDS
        ],
        "labels permuted, learned in one cohort, asked in another": [
            other(seed) for seed in PERMUTED_SEEDS
        ],
        "no disease, fitted anew": [
            held_out(simulated_cohort(s, NULL_SIZES, SITES, none), s) for s in NULL_SEEDS
        ],
        "no disease, the frozen model": [frozen(s) for s in NULL_SEEDS],
    }
    rows, marks = [], []
    for name, values in cases.items():
        mean, half = mean_interval(np.array(values))
        rows.append((name, len(values), mean, half, min(values), max(values)))
        text = f"AUC 0.5 within the interval, {name}: {mean:.3f} +- {half:.3f}"
        marks.append((text, abs(mean - 0.5) <= half))
    columns = ("case", "cohorts", "mean AUC", "+- of 95 %", "lowest", "highest")
    return Table("null", "Negative controls: nothing to be found", columns, rows), marks


def coverage_part(models: Classifiers, norms: Norms) -> tuple[Table, list[tuple[str, bool]]]:
    """Return how often intervals hold the truth, and the marks."""
    truth = many_people(norms, TRUTH_SEED, TRUTH_SIZES, TRUTH_SITES)
    found = coverage(models, truth, norms, COVERAGE_SEEDS, COVERAGE_SIZES, SITES)
    rows, marks = [], []
    for level, held, width in zip(LEVELS, found.held, found.width, strict=True):
        mean, half = mean_interval(100.0 * held)
        rows.append((100.0 * level, found.people, len(held), mean, half, float(width.mean())))
        text = f"{100 * level:.0f} % intervals hold the truth within {COVERAGE_OFF:g} points: "
        marks.append((f"{text}{mean:.1f} +- {half:.1f} %", abs(mean - 100 * level) <= COVERAGE_OFF))
    columns = ("interval (%)", "people", "cohorts", "hold it (%)", "+- of 95 %", "mean width")
    caption = "Intervals of the probability against a model of many more people, asked about the "
    return Table("coverage", caption + "same people measured without scanner and error", columns,
                 rows), marks  # fmt: skip


def classification_page() -> Page:
    """Measure everything; returns the page."""
    models, norms = read_classifiers(), norms_in_use()
    content = read_model(bundled(KIND), KIND)[1]
    choice, fitted_with = content["choice"], content.get("errors", "")
    cohorts = [nested(simulated_cohort(s, NESTED_SIZES, SITES), s) for s in NESTED_SEEDS]
    methods, cost = nested_tables(pooled(cohorts))
    new = new_people(models, norms, NEW_SEEDS, NEW_SIZES, SITES)
    frozen, ece = frozen_tables(new)
    subgroups, sites = subgroup_table(new)
    covered, cover = coverage_part(models, norms)
    null, nothing = null_table(models, norms)
    few = people_of(simulated_cohort(NEW_SEEDS[0], FEW, SITES), 0)
    some = people_of(simulated_cohort(NEW_SEEDS[0], (300, 300, 300), SITES), 0)
    everybody = np.ones(len(some), bool)
    means = mean_features(some, scored(some, everybody, norms).z)
    with_bundled = mean_features(some, scored(some, everybody, bundled_norms()).z)
    # The asymmetry is a size: its mean in health is not 0.
    off, which = max((abs(row[1]), row[0]) for row in with_bundled[:-1])
    taken, gap = milliseconds(models, norms, few), adds_up(models, norms, few)
    refused = {c: new.codes.count(c) for c in sorted(set(new.codes))}
    errors = errors_used()
    marks = [
        *ece,
        *cover,
        *nothing,
        *cost,
        (f"One answer takes {taken:.1f} ms of processor time (less than {LIMIT_MS:g})",
         taken < LIMIT_MS),
        (f"Contributions add up to the log-odds: off by {gap:.1g} at most", gap <= ADD_UP),
        (f"The norms that come along fit this segmentation (own choice): mean z of new healthy "
         f"people within {NORMS_OFF:g}: {off:.2f} at most ({which})", off <= NORMS_OFF),
        (f"The models were fitted with these errors of measurement: {fitted_with}",
         fitted_with == errors),
    ]  # fmt: skip
    return Page(
        stem="prediction_classification",
        title="Classification: ALS against healthy people and mimics",
        kind="simulated",
        data=(
            f"simulated cohorts (training.cohort), errors of measurement {errors}. Cross-"
            f"validation: {len(NESTED_SEEDS)} cohorts of {NESTED_SIZES[0]} healthy and "
            f"{NESTED_SIZES[1]} ALS at {SITES} sites, {OUTER} folds of sites. New people: "
            f"{len(NEW_SEEDS)} cohorts of {NEW_SIZES[0]} healthy, {NEW_SIZES[1]} ALS and "
            f"{NEW_SIZES[2]} mimics at {SITES} sites each, first visit with images."
        ),
        seed=NESTED_SEEDS[0],
        tables=[
            *methods,
            *frozen,
            subgroups,
            covered,
            null,
            Table("features", "Mean features of new people, by the norms in use",
                  ("feature", "healthy", "mimics", "ALS", "Cohen's d of ALS"), means),
            Table("outside", "How many are refused an answer", ("case", "people", "refused (%)"),
                  outside(models, norms, few), digits=1),
        ],
        marks=marks,
        attachments=[sites],
        notes=[
            f"The models that come along: {models.form}, {models.training.statement}. Rule of the "
            f"choice, set before the fit: {choice['rule']}. Found on the training cohort: loss "
            f"lower by {choice['additive_loss_lower_by']:.4f} +- {choice['half_interval']:.4f}.",
            f"Seeds: cross-validation {NESTED_SEEDS}, new people {NEW_SEEDS}, intervals "
            f"{COVERAGE_SEEDS[0]}-{COVERAGE_SEEDS[-1]}, their truth {TRUTH_SEED}, permuted "
            f"{PERMUTED_SEEDS[0]}-{PERMUTED_SEEDS[-1]}, no disease {NULL_SEEDS[0]}-"
            f"{NULL_SEEDS[-1]}; none took part in fitting or choosing.",
            "An earlier version was fitted with 12 scanners and measured on seeds 8101-8161: ECE "
            "0.030, 0.046 (volumes alone) and 0.031, intervals of 95 % held 91.6 %, the AUC of "
            "permuted labels over all pairs of a cohort was 0.464 +- 0.031. Since then it is "
            "fitted with more scanners, pairs are of one fold (folds differ in what was learned, "
            "which lowers an AUC over all), and the seeds are new.",
            "Cross-validation: norms, penalties, calibration and comparators are learnt from the "
            "training sites of each fold alone, and the scanner of a held-out site is unknown to "
            f"all of them. {NETWORK}: one hidden layer on volume, FA and MD of all structures. "
            "A network that reads images has a page of its own (prediction_network.md).",
            "The error of measurement is drawn from one learned covariance of all predictors since "
            "this page was first made: the same matrix, other random draws; seeds are the same.",
            "Age and sex are no predictors: the norms have taken them out, and what is left is "
            "whom the simulator (or a study) invites. The row of age and sex alone is what that "
            "would be worth.",
            "Mimics: the simulator leaves their brainstems healthy; see their features. The page "
            "says nothing of real ones, and every answer against them says so.",
            "Probabilities are at the prevalence of the training "
            f"({100 * new.prevalence['healthy']:.0f} % against healthy people, "
            f"{100 * new.prevalence['mimics']:.0f} % against mimics); log-odds move with the "
            f"prior, here by {logit(0.1) - logit(new.prevalence['healthy']):+.2f} for 10 %.",
            "Intervals hold the error of the exam, what is unsure of norms and scanner, and the "
            "covariance of the coefficients; the truth is the log-odds that the model of many "
            "people gives to measures without error, by the same norms. They do not hold that the "
            "simulator may be wrong.",
            f"Sensitivities: threshold from the same healthy people; intervals from {BOOTSTRAPS} "
            f"bootstraps. People without an answer among the new ones: {refused or 'none'}.",
            f"{ADDITIVE} and boosting can bend; nothing in the simulated world bends much, so the "
            "page cannot show what bends are worth in real people.",
        ],
        threads=1,
    )  # fmt: skip


def main() -> None:
    given = arguments(__doc__, models=False).parse_args()
    finish(lambda: publish(classification_page(), given.out))


if __name__ == "__main__":
    main()
