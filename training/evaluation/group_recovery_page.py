"""The page of ``group_recovery``: coverage of intervals and false discoveries, with their marks."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from BrainstemALSLib.cohort_analysis.figure_style import structure_name
from BrainstemALSLib.cohort_analysis.mixed import AS_SEEN, EVERYBODY

from .tables import Page, Table

if TYPE_CHECKING:
    import pandas as pd

    from .group_recovery import Counts

NOMINAL, LEVEL = 0.95, 0.05
CONFIGURED, SITE_TERM = "as configured", "site as covariate"
MEASURED = "errors of the real segmentation"
WHOLE = 0.9
"""Share of the true difference that counts as found whole (own choice)."""
CLOSE = 0.02
"""How far the mean coverage may lie from 95 % to count as nominal (own choice)."""
SURE = 0.99
"""Of the binomial bands in which a single structure and a share of repeats may lie by chance; for
structures all together (Bonferroni). Own choice."""
UNITS = {"volume": "% of controls", "fa": "1", "md": "1e-3 mm2/s"}


def recovery_page(
    counts: Counts, repeats: int, controls: int, patients: int, seed: int
) -> Page:  # fmt: skip
    """Return the page."""
    import pandas as pd

    effects, slopes, null = (
        pd.DataFrame(rows) for rows in (counts.effects, counts.slopes, counts.null)
    )
    marks, by_measure, change, shares = [], [], [], []
    for scenario, rows in effects.groupby("scenario", sort=False):
        marks += _coverage_marks(f"{scenario}: 95 % intervals of ALS against controls", rows)
        by_measure += [[scenario, *line] for line in _by_measure(rows)]
        shares += affected_rows(scenario, "at the first visit", rows)
    for scenario, rows in slopes.groupby("scenario", sort=False) if len(slopes) else ():
        for name, analysis, truth in CHANGES:
            part = _toward(rows[rows.analysis == analysis], truth)
            text = f"{scenario}: 95 % intervals of the yearly change of {name}"
            marks += _coverage_marks(text, part)
            if (analysis, truth) != TAKEN_FOR_ALL:
                shares += affected_rows(scenario, f"yearly change of {name}", part)
            change += [[scenario, name, *line] for line in _structure_rows(coverage(part))]
    marks += _share_marks(shares)
    families = []
    for (scenario, site), rows in null.groupby(["scenario", "site"], sort=False):
        table = false_discoveries(rows)
        ran = null[null.scenario == scenario].repeat.nunique()
        families += [
            [scenario, site, f"{rows.repeat.nunique()} of {ran}", *line]
            for line in table[list(_FAMILY_COLUMNS)].to_numpy(object)
        ]
        if site == SITE_TERM:
            marks += _null_marks(scenario, table, rows.repeat.nunique())
    return Page(
        stem="group_recovery",
        title="Group analysis: what was simulated is found again",
        kind="simulated",
        data=f"Simulated cohorts of {controls} controls and {patients} patients: {repeats} with "
        f"the configured effects and {repeats} without (disease = 0); {repeats // 2} with "
        "effects, dropout to the power of 2 and four times the missing images and scores; "
        f"{repeats // 2} without effects and site_imbalance 0.9; {repeats // 2} with effects and "
        "the errors that the real segmentation made on simulated images (imaging_cohort.md). All "
        "others have assumed errors, which attenuate nothing",
        seed=seed,
        marks=marks,
        tables=[
            Table(
                "coverage", "Coverage by measure, ALS against controls at the first visit",
                ("scenario", "measure", "structures", "coverage", "Monte-Carlo from", "to",
                 "lowest", "highest", "unit", "mean bias", "its standard error", "largest bias",
                 "mean width of the interval"),
                by_measure,
            ),
            Table(
                "affected", "Affected structures: how much of the true difference is found",
                ("scenario", "question", "measure", "structures", "share of the difference found",
                 "Monte-Carlo from", "to", "coverage", "coverage from",
                 "coverage to"),
                shares,
            ),
            Table(
                "null", "Without any effect: errors by family",
                ("scenario", "scanners", "cohorts", "family", "tests in a cohort",
                 "p < 0.05, share of tests",
                 "its standard error", "permutation p <= 0.05, share of tests",
                 "any q < 0.05, share of cohorts", "any permutation q < 0.05, share of cohorts"),
                families,
            ),
        ],
        attachments=[
            Table(
                "slopes", "Coverage of the difference of yearly change, ALS against controls",
                ("scenario", "change of", *_HEADS), change,
            ),
            *(
                Table(
                    stem, f"Coverage by structure, ALS against controls at the first visit: {name}",
                    _HEADS, _structure_rows(coverage(effects[effects.scenario == name])),
                )
                for stem, name in (("structures", CONFIGURED), ("structures_measured", MEASURED))
            ),
        ],
        notes=[
            "Truth at the first visit: the mean change of the population, over the configured mix "
            "of onsets. Of the yearly change: of those who came back, the mean over them of a "
            "line through their true values at their visits, over all cohorts of the scenario; of "
            "all patients, the mean in the year after the first visit, as if all were followed.",
            "The definition was changed after a trial: the model of those who came back was first "
            "held against all patients, and its change of the basis pontis was too small. On "
            "other seeds the true change of those who came back was smaller too: the fast ones "
            "stay away or die. Both are reported since, and the first comparison stands here too, "
            "as 'those who came back, taken for all patients'.",
            "Volumes in per cent of the controls' adjusted mean, FA and MD in their unit.",
            "Least squares with HC2 errors and degrees of freedom of Bell and McCaffrey, adjusted "
            "for age, sex, site, and for volumes intracranial volume; change over time by mixed "
            "models. HC3 errors on n - k stood here before: on other seeds they found too much "
            "where patients and controls were at different scanners.",
            f"A binomial band of {SURE:.0%} says what chance may do to a share of so many "
            "cohorts. Measures of one cohort are not independent: Monte-Carlo intervals (95 %) and "
            "standard errors of means over measures are from the spread between cohorts.",
            "The limits of the marks 'p below 0.05' are from that spread since a trial in which "
            "MD missed fixed limits of 4-6 %.",
            "ComBat is a sensitivity analysis and has no mark. It could be learnt only in the "
            "cohorts that are counted beside it (two sites with 5 controls or more), and its "
            "shares are of those. Permutations were not made after it.",
            f"With the {MEASURED} the truth is still that of the tissue. That segmentation sees "
            "only a part of how far a volume, FA or MD is from the norm (slopes below 1 in "
            "imaging_errors.json), so differences and changes tend to come out too small. "
            "Its errors were measured on simulated images, never on real ones.",
            "Share of the difference found: the sum of estimates over the sum of true differences, "
            "of affected structures; of change, of the few structures that are asked. Its marks "
            f"are own ones: at least {WHOLE:.0%}.",
        ],
        threads=1,
    )  # fmt: skip


TAKEN_FOR_ALL = AS_SEEN, "truth"
CHANGES = (
    ("those who came back", AS_SEEN, "truth_seen"),
    ("all patients", EVERYBODY, "truth"),
    ("those who came back, taken for all patients", AS_SEEN, "truth"),
)
"""Name, analysis, and the truth that it is held against."""


def _toward(rows: pd.DataFrame, truth: str) -> pd.DataFrame:
    """Return rows with one truth for each measure: the mean over cohorts."""
    keys = [rows.measure, rows.structure]
    return rows.assign(truth=rows[truth].groupby(keys).transform("mean"))


def _coverage_marks(what: str, rows: pd.DataFrame) -> list[tuple[str, bool]]:
    table = coverage(rows)
    if table.empty:
        return [(f"{what} hold the truth: not estimated in any cohort", False)]
    overall = float(table.coverage.mean())
    low, high = monte_carlo(rows)
    least, most = band(rows.repeat.nunique(), NOMINAL, len(table))
    far = int(((table.coverage < least) | (table.coverage > most)).sum())
    worst = table.loc[(table.coverage - NOMINAL).abs().idxmax()]
    text = (
        f"{what} hold the truth in 93-97 %: {overall:.1%} (Monte-Carlo {low:.1%}-{high:.1%}) over "
        f"{len(table)} measures"
    )
    each = (
        f"{what}: no measure further from 95 % than chance ({least:.1%}-{most:.1%}): {far} of "
        f"{len(table)} are, the furthest {structure_name(worst.structure)} ({worst.measure}) with "
        f"{worst.coverage:.1%}"
    )
    return [(text, abs(overall - NOMINAL) <= CLOSE), (each, far == 0)]


def affected_rows(scenario: str, question: str, rows: pd.DataFrame) -> list[list[object]]:
    """Return, by measure, how much of the true difference affected structures show, and coverage.

    Intervals are those of means over cohorts, from their spread; the share is a ratio of sums, with
    the error of its numerator alone: the truth is the same in each cohort.
    """
    found = []
    rows = rows.dropna(subset=["estimate", "low", "high", "truth"])
    for measure, own in rows[rows.truth != 0].groupby("measure", sort=False):
        sums = own.groupby("repeat")[["estimate", "truth"]].sum()
        shares = sums.estimate / float(sums.truth.mean())
        share = float(sums.estimate.sum() / sums.truth.sum())
        reach = 1.96 * float(shares.std()) / math.sqrt(len(shares)) if len(shares) > 1 else math.nan
        held = float(coverage(own).coverage.mean())
        found.append([
            scenario, question, measure, own.structure.nunique(), share, share - reach,
            share + reach, held, *monte_carlo(own),
        ])  # fmt: skip
    return found


def _share_marks(shares: list[list[object]]) -> list[tuple[str, bool]]:
    """Return the marks of the measured errors: own ones."""
    marks = []
    for scenario, question, measure, count, share, low, high, held, *_ in shares:
        if scenario == MEASURED:
            short = "" if share >= WHOLE else f", short by {WHOLE - share:.0%}"
            marks.append((
                f"own mark, {scenario}, {question}, {measure}: at least {WHOLE:.0%} of the true "
                f"difference of {count} affected structures found: {share:.0%} "
                f"({low:.0%}-{high:.0%}){short}; their intervals hold the truth in {held:.1%}",
                share >= WHOLE,
            ))  # fmt: skip
    return marks


def _null_marks(scenario: str, table: pd.DataFrame, repeats: int) -> list[tuple[str, bool]]:
    _, most = band(repeats, LEVEL, 1)
    marks = []
    for line in table.to_dict("records"):
        marks.append((
            f"{scenario}, {line['family']}: any false discovery in at most 5 % of cohorts (up to "
            f"{most:.1%} by chance): {line['any_q']:.1%}",
            line["any_q"] <= most,
        ))  # fmt: skip
        marks.append((
            f"{scenario}, {line['family']}: p below 0.05 in 5 % of tests (within "
            f"{line['chance']:.1%}): {line['p']:.1%}, by permutation {line['p_permutation']:.1%}",
            all(abs(line[name] - LEVEL) <= line["chance"] for name in ("p", "p_permutation")),
        ))  # fmt: skip
    return marks


def monte_carlo(rows: pd.DataFrame) -> tuple[float, float]:
    """Return the 95 % interval of the mean coverage, from the spread between cohorts."""
    rows = rows.dropna(subset=["low", "high", "truth"])
    held = ((rows.low <= rows.truth) & (rows.truth <= rows.high)).groupby(rows.repeat).mean()
    reach = 1.96 * float(held.std()) / math.sqrt(len(held)) if len(held) > 1 else math.nan
    return float(held.mean()) - reach, float(held.mean()) + reach


_FAMILY_COLUMNS = ("family", "tests", "p", "p_error", "p_permutation", "any_q", "any_q_permutation")
_HEADS = (
    "structure", "measure", "unit", "cohorts", "truth", "mean estimate", "bias", "coverage",
    "interval excludes 0, share of cohorts",
)  # fmt: skip


def coverage(rows: pd.DataFrame) -> pd.DataFrame:
    """Return one row for each measure of a structure; repeats without an estimate are not counted.

    Columns: measure, structure, cohorts, truth, estimate, bias, coverage, found, width.
    """
    import pandas as pd

    columns = [
        "measure", "structure", "cohorts", "truth", "estimate", "bias", "coverage", "found", "width"
    ]  # fmt: skip
    if rows.empty:
        return pd.DataFrame(columns=columns)
    rows = rows.dropna(subset=["estimate", "low", "high", "truth"])
    rows = rows.assign(
        held=(rows.low <= rows.truth) & (rows.truth <= rows.high),
        away=(rows.low > 0) | (rows.high < 0),
        reach=rows.high - rows.low,
    )
    found = rows.groupby(["measure", "structure"], sort=False).agg(
        cohorts=("held", "size"),
        truth=("truth", "mean"),
        estimate=("estimate", "mean"),
        coverage=("held", "mean"),
        found=("away", "mean"),
        width=("reach", "mean"),
    )
    found["bias"] = found.estimate - found.truth
    return found.reset_index()[columns]


def false_discoveries(rows: pd.DataFrame) -> pd.DataFrame:
    """Return, by family, the share of tests and of cohorts in error at the nominal level.

    ``chance`` is how far the share of tests may lie from its rate: tests of one cohort share their
    people, so that its standard error is that of the cohorts' own shares.
    """
    import pandas as pd
    from scipy.stats import norm

    found = []
    for family, part in rows.groupby("family", sort=False):
        least = part.groupby("repeat")[["q", "q_permutation"]].min()
        shares = (part.p < LEVEL).groupby(part.repeat).mean()
        reach = norm.ppf(1 - (1 - SURE) / 2) * shares.std() / math.sqrt(len(shares))
        found.append({
            "family": family,
            "tests": int(part.groupby("repeat").size().median()),
            "p": float((part.p < LEVEL).mean()),
            "p_error": float(shares.std() / math.sqrt(len(shares))),
            "p_permutation": (
                float((part.p_permutation <= LEVEL + 1e-12).mean())
                if part.p_permutation.notna().any()
                else math.nan
            ),
            "chance": float(reach),
            "any_q": float((least.q < LEVEL).mean()),
            "any_q_permutation": (
                float((least.q_permutation < LEVEL).mean())
                if least.q_permutation.notna().any()
                else math.nan
            ),
        })  # fmt: skip
    return pd.DataFrame(found)


def band(repeats: int, rate: float, tests: int) -> tuple[float, float]:
    """Return between which shares a rate lies by chance, for all tests together."""
    from scipy.stats import binom

    tail = (1 - SURE) / (2 * max(tests, 1))
    return tuple(float(binom.ppf(q, repeats, rate)) / repeats for q in (tail, 1 - tail))


def _by_measure(rows: pd.DataFrame) -> list[list[object]]:
    found = []
    for measure, own in rows.groupby("measure", sort=False):
        part = coverage(own)
        bias = (own.estimate - own.truth).groupby(own.repeat).mean()
        found.append([
            measure,
            len(part),
            float(part.coverage.mean()),
            *monte_carlo(own),
            float(part.coverage.min()),
            float(part.coverage.max()),
            UNITS[measure],
            float(part.bias.mean()),
            float(bias.std()) / math.sqrt(len(bias)),
            float(part.bias.loc[part.bias.abs().idxmax()]),
            float(part.width.mean()),
        ])  # fmt: skip
    return found


def _structure_rows(table: pd.DataFrame) -> list[list[object]]:
    return [
        [
            structure_name(line["structure"]),
            line["measure"],
            UNITS[line["measure"]],
            int(line["cohorts"]),
            *(
                float(line[name]) if math.isfinite(line[name]) else math.nan
                for name in ("truth", "estimate", "bias", "coverage", "found")
            ),
        ]
        for line in table.to_dict("records")
    ]
