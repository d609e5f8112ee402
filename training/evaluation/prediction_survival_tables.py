"""Tables, marks and notes of the page of the survival model."""

from __future__ import annotations

import numpy as np

from BrainstemALSLib.errors import BrainstemALSError
from BrainstemALSLib.prediction.survival_model import (
    CAUSES,
    RESPIRATORY,
    SurvivalModel,
    read_survival,
)
from BrainstemALSLib.prognosis import encals

from . import prediction_survival_scores as scores
from .prediction_survival_parts import TRUTHS, Coverage, People, respiratory_risk
from .tables import Table

AFTER = np.arange(1.0, 25.0)
"""Months after the visit: of the integrated Brier score, 12 and 24 among them."""
AT12, AT24 = 11, 23
UNO_LIMIT = 24.0
THRESHOLDS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6)
FULL, CLINIC = "this model, clinical and images", "this model, clinical"
COX_FULL, COX = "Cox, clinical and images", "Cox, clinical"
ENCALS, CEILING = "ENCALS as published", "simulator's own risk (ceiling)"
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
        "Discrimination and error from the visit on (simulated), 95 % bootstrap intervals; "
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
    caption = "Calibration of the 12-month risk (simulated); replicates of the ECE lie above it"
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


def causes_table(model, test: People) -> Table:
    """Return cumulative incidence of respiratory failure by thirds of its prediction."""
    rows = []
    time = test.times.exit - test.times.entry
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


def coverage_table(found: list[Coverage]) -> tuple[Table, dict[str, tuple[float, float]]]:
    """Return how often intervals hold the truth, over training cohorts."""
    rows, shares = [], {}
    for name in TRUTHS:
        for who in ("all", "no predictor missing", "a predictor missing"):
            chosen = [
                {"all": np.ones_like(c.missing), "no predictor missing": ~c.missing}.get(
                    who, c.missing
                )
                for c in found
            ]
            parts = [
                [_share(c.held[name][k][rows_in]) for c, rows_in in zip(found, chosen, strict=True)]
                for k in range(2)
            ]
            n = int(sum(rows_in.sum() for rows_in in chosen))
            rows.append((name, who, n, *(float(np.nanmean(p)) for p in parts),
                         float(np.min(parts[0])), float(np.max(parts[0]))))  # fmt: skip
            shares.setdefault(name, tuple(float(np.nanmean(p)) for p in parts))
    within = [_share(c.range80) for c in found]
    rows.append(("time of the event, in the 80 % range", "whose range has an end",
                 int(sum(len(c.range80) for c in found)), float("nan"), float(np.mean(within)),
                 float("nan"), float("nan")))  # fmt: skip
    shares["range80"] = (float("nan"), float(np.mean(within)))
    columns = ("the truth", "patients", "predictions", "in 95 %", "in 80 %",
               "95 %: least of the training cohorts", "95 %: most")  # fmt: skip
    caption = f"Intervals of the 12-month risk (simulated), {len(found)} training cohorts"
    return Table("coverage", caption, columns, rows), shares


def _share(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else float("nan")


def encals_table() -> tuple[Table, float]:
    """Return the published model's medians at the anchors, and the greatest distance."""
    rows = []
    for lp, months in encals.ANCHORS.items():
        found = float(encals.median_survival(lp))
        rows.append((lp, months, found, 100 * (found / months - 1)))
    caption = "ENCALS: medians (months from onset) at linear predictors against the anchors"
    columns = ("linear predictor", "anchor", "found", "off (%)")
    return Table("encals", caption, columns, rows, digits=2), max(abs(r[3]) for r in rows) / 100


def marks_of(gains, figures, shares, labels, off, covered) -> list[tuple[str, bool | None]]:
    """Return what was asked for, and whether it was reached."""
    ece, slope = figures[FULL]["ece"], figures[FULL]["slope"]
    low95, low80 = shares[TRUTHS[0]]
    null = gains["imaging effect 0 (negative control)"]["Uno's C"]
    other = gains["images of somebody else"]["Uno's C"]
    real = gains["images as simulated"]["Uno's C"]
    spent = max(c.milliseconds for c in covered)
    within = shares["range80"][1]
    return [
        (f"12-month ECE at most {ECE_LIMIT}: {words(ece)}", ece[0] <= ECE_LIMIT),
        (f"calibration slope in {SLOPE_RANGE[0]} to {SLOPE_RANGE[1]} (own mark): {words(slope)}",
         SLOPE_RANGE[0] <= slope[0] <= SLOPE_RANGE[1]),
        (f"95 % interval of the 12-month risk within 3 points: {100 * low95:.1f} %",
         abs(low95 - 0.95) <= COVERAGE_LIMIT),
        (f"80 % interval of the 12-month risk within 3 points: {100 * low80:.1f} %",
         abs(low80 - 0.80) <= COVERAGE_LIMIT),
        (f"80 % range of the time of the event within 3 points: {100 * within:.1f} %",
         abs(within - 0.80) <= COVERAGE_LIMIT),
        (f"images add to the clinical Uno's C, interval reported: {words(real, 4)}", True),
        (f"imaging effect 0: no added value, interval not above 0: {words(null, 4)}", null[1] <= 0),
        (f"images of somebody else: no added value, interval not above 0: {words(other, 4)}",
         other[1] <= 0),
        (f"labels permuted: AUC 0.5 in the interval: {words(labels)}",
         labels[1] <= 0.5 <= labels[2]),
        (f"a prediction takes under 100 ms, images scored included: {spent:.0f} ms (median)",
         spent < 100),
        (f"ENCALS medians at the anchors within 2 %: {100 * off:.2f} % at most",
         off <= ANCHOR_LIMIT),
        ("ENCALS medians of the published groups within 2 %: the paper's own figures weren't at "
         "hand", None),
    ]  # fmt: skip


def notes_of(full: SurvivalModel, seeds: str) -> list[str]:
    """Return what a reader should know; the model of the page is that which comes along."""
    try:
        same = np.allclose(read_survival().beta, full.beta, atol=1e-4)
    except (BrainstemALSError, ValueError):  # none yet, or another
        same = False
    return [
        f"The model that comes along {'is' if same else 'is NOT'} the one of this page (fitted "
        f"again here).",
        f"Seeds: {seeds}; none was used to choose anything.",
        "The simulator draws survival from the ENCALS equation, plus what images are made to know. "
        "ENCALS and a model of its form are therefore right here by construction; on real patients "
        "they need not be. How much images add is a parameter of the simulator "
        "(survival.imaging_log_odds, an own choice), seen through its errors of measurement.",
        "The anchors of ENCALS are medians computed from public code of users of the model, not "
        "from the paper's supplement. Our risk groups lie between remembered medians of the "
        "paper's groups, so these medians cannot check the implementation.",
        "Causes of the end are drawn independently of the person in the simulator: respiratory "
        "failure is predicted no better than the end itself.",
        "Intervals cover what coefficients, measurement and missing predictors leave open. The "
        "first truth of the table of intervals is what they are meant to hold. The second includes "
        "what no image shows; no interval of this model claims it.",
        "Where images say nothing, a model that was offered them can only lose a little: it has "
        "learned some noise. An interval wholly below 0 there is such a loss, and no added value.",
        "The people of the table of intervals are others than those of the other tables, and "
        "others for each training cohort; the 80 % range of times is judged where it ends within "
        "the follow-up. (A first run asked the same people of every training cohort and counted "
        "open ranges; that part was made anew with people not used before.)",
        "In bootstraps the models and the censoring curve are held fixed.",
    ]
