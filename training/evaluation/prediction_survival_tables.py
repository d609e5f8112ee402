"""Tables, marks and notes of the page of the survival model."""

from __future__ import annotations

import numpy as np

from BrainstemALSLib.prediction.survival_model import CAUSES, RESPIRATORY
from BrainstemALSLib.prognosis import encals

from ..prediction.survival_truth import TRUTHS, People
from . import prediction_survival_scores as scores
from .prediction_survival_aft import LOGLOGISTIC, WEIBULL
from .prediction_survival_parts import Coverage, follow_up, respiratory_risk
from .tables import Table

AFTER = np.arange(1.0, 25.0)
"""Months after the visit: of the integrated Brier score, 12 and 24 among them."""
AT12, AT24 = 11, 23
UNO_LIMIT = 24.0
THRESHOLDS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6)
FULL, CLINIC = "this model, clinical and images", "this model, clinical"
COX_FULL, COX = "Cox, clinical and images", "Cox, clinical"
AFTS = {kind: f"AFT {kind}, clinical and images" for kind in (WEIBULL, LOGLOGISTIC)}
ENCALS = "ENCALS as published, first visit"
CEILING = "simulator's own risk, findings to come included"
EARLIER = "the same form, of first visits only, reading the first"
WORLDS = {1.0: "hazard follows each visit", 0.0: "hazard of the first visit (the simulator's own)"}
LOSS = 0.005
"""By which learned noise of images may lower Uno's C (own choice)."""
ECE_LIMIT, COVERAGE_LIMIT, ANCHOR_LIMIT = 0.04, 0.03, 0.02
SLOPE_RANGE = (0.8, 1.2)
"""Of the calibration slope (own choice: the issue names none)."""


def interval(replicates: np.ndarray) -> tuple[float, float, float]:
    """Return a figure and its 95 % bootstrap interval; the first replicate is the sample."""
    low, high = np.quantile(replicates[1:], (0.025, 0.975))
    return float(replicates[0]), float(low), float(high)


def words(values: tuple[float, float, float], digits: int = 3) -> str:
    """Return a figure with its interval."""
    return "{:.{d}f} ({:.{d}f} to {:.{d}f})".format(*values, d=digits)


def all_scores(data: scores.Censored, risks: np.ndarray, m: np.ndarray) -> dict[str, np.ndarray]:
    """Return every score's replicates of risks (n, k) by ``AFTER``."""
    ranked = risks[:, AT12]
    error = scores.integrated_brier(data, risks, AFTER)
    return {
        "Harrell's C": scores.harrell(data, ranked, m),
        "Uno's C": scores.uno(data, ranked, m, UNO_LIMIT),
        "AUC 12 months": scores.auc(data, ranked, m, 12.0),
        "AUC 24 months": scores.auc(data, risks[:, AT24], m, 24.0),
        "integrated Brier": scores.mean(error, m),
    }


def discrimination_table(found: dict[tuple[str, str, int], dict[str, np.ndarray]]) -> Table:
    """Return scores by people, model and number."""
    names = list(next(iter(found.values())))
    rows = [
        (who, model, n, *(words(interval(values[name])) for name in names))
        for (who, model, n), values in found.items()
    ]
    caption = (
        "Discrimination and error from the first visit (simulated), 95 % bootstrap intervals; "
        f"Harrell's C, Uno's C (to {UNO_LIMIT:.0f} months) and the first AUC rank by the "
        "12-month risk"
    )
    return Table("discrimination", caption, ("patients", "model", "n", *names), rows)


def calibration_tables(
    data: scores.Censored, risks: dict[str, np.ndarray], m: np.ndarray, rng: np.random.Generator
) -> tuple[list[Table], dict[str, dict[str, tuple]]]:
    """Return calibration at 12 months: deciles of the full model, and figures of each."""
    figures: dict[str, dict[str, tuple]] = {}
    rows = []
    for name, table in risks.items():
        risk = table[:, AT12]
        ece, slopes, offsets = [], [], []
        for weights in m[:201]:
            ece.append(scores.expected_error(scores.calibration(data, risk, 12.0, weights)))
            slope, offset = scores.slope_and_intercept(data, risk, 12.0, weights)
            slopes.append(slope)
            offsets.append(offset)
        ideal = [ideal_error(risk, rng) for _ in range(100)]
        parts = [interval(np.array(values)) for values in (ece, slopes, offsets)]
        figures[name] = dict(zip(("ece", "slope", "offset"), parts, strict=True))
        rows.append((name, *(words(part) for part in parts), float(np.mean(ideal))))
    columns = ("model", "ECE, ten bins", "slope", "intercept", "ECE of a perfect model, mean")
    caption = (
        "Calibration of the 12-month risk from the first visit (simulated); replicates of the ECE "
        "lie above it"
    )
    bins = scores.calibration(data, risks[FULL][:, AT12], 12.0, m[0])
    deciles = Table(
        "deciles",
        f"Deciles of the predicted 12-month risk, {FULL} (simulated)",
        ("predicted", "observed (Kaplan-Meier)", "share of the patients"),
        [tuple(map(float, row)) for row in bins],
    )
    return [Table("calibration", caption, columns, rows), deciles], figures


def ideal_error(risk: np.ndarray, rng: np.random.Generator) -> float:
    """Return the ECE where outcomes are drawn from the risks themselves: what chance leaves."""
    drawn = rng.uniform(size=len(risk)) < risk
    data = scores.Censored(np.where(drawn, 6.0, 24.0), drawn)
    return scores.expected_error(scores.calibration(data, risk, 12.0, np.ones(len(risk))))


def decision_table(data: scores.Censored, risks: dict[str, np.ndarray], m: np.ndarray) -> Table:
    """Return the decision curve at 12 months."""
    rows = []
    for threshold in THRESHOLDS:
        found = {
            name: scores.net_benefit(data, table[:, AT12], 12.0, threshold, m)
            for name, table in risks.items()
        }
        everybody = scores.net_benefit(data, np.ones(len(data.time)), 12.0, threshold, m)
        gain = found[FULL] - found[CLINIC]
        rows.append(
            (threshold, *(float(value[0]) for value in found.values()), float(everybody[0]),
             words(interval(gain), 4))
        )  # fmt: skip
    columns = ("threshold", *risks, "act on all", "images' gain (95 % interval)")
    caption = "Decision curve: net benefit of acting above a 12-month risk (simulated); none is 0"
    return Table("decision", caption, columns, rows, digits=4)


def paired_table(*groups: dict[str, dict[str, np.ndarray]]) -> Table:
    """Return this model's scores less those of each comparator, in groups of people."""
    names = list(groups[0][FULL])
    rows = {
        other: (other, *(words(interval(found[FULL][n] - values[n]), 4) for n in names))
        for found in reversed(groups)
        for other, values in found.items()
        if other != FULL
    }
    caption = (
        f"From the first visit: {FULL}, less each comparator on the same people (simulated), "
        "paired 95 % bootstrap intervals"
    )
    return Table("paired", caption, ("less", *names), list(rows.values()))


def added_table(gains: dict[str, dict[str, tuple]]) -> Table:
    """Return what images add in each world."""
    names = list(next(iter(gains.values())))
    return Table(
        "added",
        "From the first visit: what images add to the clinical model (simulated), paired 95 % "
        "bootstrap intervals",
        ("world", *names),
        [(world, *(words(gain[name], 4) for name in names)) for world, gain in gains.items()],
    )


def visit_scores(data: scores.Censored, risk: np.ndarray, m: np.ndarray) -> dict[str, np.ndarray]:
    """Return scores of a 12-month risk (n,), in replicates."""
    tables = [scores.calibration(data, risk, 12.0, weights) for weights in m[:201]]
    return {
        "Uno's C": scores.uno(data, risk, m, UNO_LIMIT),
        "Brier, 12 months": scores.mean(scores.brier(data, risk, 12.0), m),
        "ECE, 12 months": np.array([scores.expected_error(table) for table in tables]),
    }


def visits_table(found: dict[tuple[float, int, str], dict[str, np.ndarray]], sizes, ideal) -> Table:
    """Return scores by world, visit and model, and what reading the last visit adds."""
    rows = []
    for (world, number, model), values in found.items():
        gains = ["", ""]
        if model == FULL:
            earlier = found[world, number, EARLIER]
            names = ("Uno's C", "Brier, 12 months")
            gains = [words(interval(values[n] - earlier[n]), 4) for n in names]
        rows.append(
            (WORLDS[world], number, sizes[world, number], model,
             *(words(interval(v)) for v in values.values()),
             float(ideal[world, number, model]), *gains)
        )  # fmt: skip
    columns = ("world", "from visit", "n", "model", *next(iter(found.values())),
               "ECE of a perfect model, mean", "C less earlier model's",
               "Brier less earlier model's")  # fmt: skip
    caption = (
        "From visit 1, 2 and 3 (simulated), each world with models fitted in it; 95 % bootstrap "
        "intervals, the last columns paired"
    )
    return Table("visits", caption, columns, rows)


def causes_table(model, test: People) -> Table:
    """Return cumulative incidence of respiratory failure by thirds of its prediction."""
    rows = []
    time = follow_up(test).time
    wanted = tuple(CAUSES.index(cause) for cause in RESPIRATORY)
    for horizon in (12.0, 24.0):
        risk = respiratory_risk(model, test.raw, test.times, horizon)
        third = np.argsort(np.argsort(risk)) * 3 // len(risk)
        for k, name in enumerate(("lowest", "middle", "highest")):
            rows_in = third == k
            seen = scores.aalen_johansen(time[rows_in], test.times.cause[rows_in], wanted, horizon)
            rows.append((horizon, name, int(rows_in.sum()), float(risk[rows_in].mean()), seen))
    columns = ("months", "third", "n", "predicted", "observed (Aalen-Johansen)")
    caption = "Respiratory failure (NIV or tracheostomy before death) by thirds (simulated)"
    return Table("respiratory", caption, columns, rows)


def coverage_table(found: dict[int, Coverage]) -> Table:
    """Return how often intervals hold the truth, from each visit."""
    rows = []
    for number, part in found.items():
        everybody = np.ones_like(part.missing)
        for name in TRUTHS:
            for who, chosen in (
                ("all", everybody), ("no predictor missing", ~part.missing),
                ("a predictor missing", part.missing),
            ):  # fmt: skip
                ends = [share(part.held[name][k][chosen]) for k in range(2)]
                rows.append((number, name, who, int(chosen.sum()), *ends, part.width))
        place = np.argsort(np.argsort(part.risk, kind="stable")) * 5 // max(len(part.risk), 1)
        for fifth, word in enumerate(("lowest", "second", "middle", "fourth", "highest")):
            ends = [share(held[place == fifth]) for held in part.held[TRUTHS[0]]]
            rows.append((number, TRUTHS[0], f"{word} fifth of the risk",
                         int((place == fifth).sum()), *ends, part.width))  # fmt: skip
        for months, held in part.other.items():
            rows.append((number, f"the first, within {months:.0f} months", "all", len(held[0]),
                         *map(share, held), ""))  # fmt: skip
        within = share(part.range80)
        rows.append((number, "time of the event, in the 80 % range", "whose range has an end",
                     len(part.range80), "", within, part.width))  # fmt: skip
    columns = ("from visit", "the truth", "patients", "predictions", "in 95 % (interval)",
               "in 80 % (interval)", "median width of 95 %")  # fmt: skip
    caption = "Intervals of the 12-month risk (simulated), with 95 % Wilson intervals"
    return Table("coverage", caption, columns, rows)


def share(values: np.ndarray) -> str:
    """Return a share with its Wilson interval (Wilson 1927)."""
    n, z = len(values), 1.96
    if not n:
        return "n/a"
    p = float(values.mean())
    middle = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    return words((p, middle - half, middle + half))


def encals_table() -> tuple[Table, float]:
    """Return the published model's medians at the anchors, and the greatest distance."""
    rows = []
    for lp, months in encals.ANCHORS.items():
        found = float(encals.median_survival(lp))
        rows.append((lp, months, found, 100 * (found / months - 1)))
    caption = "ENCALS: medians (months from onset) at linear predictors against the anchors"
    columns = ("linear predictor", "anchor", "found", "off (%)")
    return Table("encals", caption, columns, rows, digits=2), max(abs(r[3]) for r in rows) / 100
