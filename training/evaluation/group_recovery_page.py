"""The page of ``group_recovery``: coverage of intervals and false discoveries, with their marks."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from BrainstemALSLib.cohort_analysis.figure_style import structure_name

from .tables import Page, Table

if TYPE_CHECKING:
    import pandas as pd

    from .group_recovery import Counts

NOMINAL, LEVEL = 0.95, 0.05
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
    by_structure, by_slope = coverage(effects), coverage(slopes)
    overall = float(by_structure.coverage.mean())
    low, high = band(repeats, NOMINAL, len(by_structure))
    outside = by_structure[(by_structure.coverage < low) | (by_structure.coverage > high)]
    marks = [
        (
            f"95 % intervals of ALS against controls hold the truth in 93-97 %: {overall:.1%} over "
            f"{len(by_structure)} measures of structures and {repeats} cohorts",
            abs(overall - NOMINAL) <= CLOSE,
        ),
        (
            f"no structure further from 95 % than chance ({low:.1%}-{high:.1%}): {len(outside)} of "
            f"{len(by_structure)} are",
            outside.empty,
        ),
    ]
    if len(by_slope):
        mean = float(by_slope.coverage.mean())
        marks.append((
            f"95 % intervals of the difference of yearly change hold the truth in 93-97 %: "
            f"{mean:.1%} over {len(by_slope)} measures",
            abs(mean - NOMINAL) <= CLOSE,
        ))  # fmt: skip
        low, high = band(repeats, NOMINAL, len(by_slope))
        far = int(((by_slope.coverage < low) | (by_slope.coverage > high)).sum())
        marks.append((
            f"no measure's yearly change further from 95 % than chance ({low:.1%}-{high:.1%}): "
            f"{far} of {len(by_slope)} are",
            far == 0,
        ))  # fmt: skip
    families = false_discoveries(null)
    _, most = band(repeats, LEVEL, 1)
    for line in families.to_dict("records"):
        marks.append((
            f"no effect, {line['family']}: any false discovery in at most 5 % of cohorts (up to "
            f"{most:.1%} by chance): {line['any_q']:.1%}",
            line["any_q"] <= most,
        ))  # fmt: skip
        marks.append((
            f"no effect, {line['family']}: p below 0.05 in 5 % of tests (within "
            f"{line['chance']:.1%}): {line['p']:.1%}, by permutation {line['p_permutation']:.1%}",
            all(abs(line[name] - LEVEL) <= line["chance"] for name in ("p", "p_permutation")),
        ))  # fmt: skip
    return Page(
        stem="group-recovery",
        title="Group analysis: what was simulated is found again",
        kind="simulated",
        data=f"{repeats} simulated cohorts of {controls} controls and {patients} patients with the "
        f"configured effects, and {repeats} without any (disease = 0)",
        seed=seed,
        marks=marks,
        tables=[
            Table(
                "coverage", "Coverage by measure, ALS against controls at the first visit",
                ("measure", "structures", "coverage", "lowest", "highest", "unit", "mean bias",
                 "largest bias", "mean width of the interval"),
                _by_measure(by_structure),
            ),
            Table(
                "null", "Without any effect: errors by family",
                ("family", "tests in a cohort", "p < 0.05, share of tests",
                 "permutation p <= 0.05, share of tests", "any q < 0.05, share of cohorts",
                 "any permutation q < 0.05, share of cohorts"),
                families[list(_FAMILY_COLUMNS)].to_numpy(object).tolist(),
            ),
            Table(
                "slopes", "Coverage of the difference of yearly change, ALS against controls",
                _HEADS, _structure_rows(by_slope),
            ),
            Table(
                "structures", "Coverage by structure, ALS against controls at the first visit",
                _HEADS, _structure_rows(by_structure),
            ),
        ],
        notes=[
            "Truth: the mean change of the population at the first visit, over the configured mix "
            "of onsets; of the yearly change, over all patients, also those who did not come back.",
            "Volumes in per cent of the controls' adjusted mean, FA and MD in their unit.",
            "Ordinary least squares with HC3 errors, adjusted for age, sex, site, and for volumes "
            "intracranial volume; change over time by mixed models.",
            f"A binomial band of {SURE:.0%} says what chance may do to a share of {repeats} "
            "cohorts; tests of one cohort are not independent of one another.",
        ],
        threads=1,
    )  # fmt: skip


_FAMILY_COLUMNS = ("family", "tests", "p", "p_permutation", "any_q", "any_q_permutation")
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
    rows = rows.dropna()
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
            "p_permutation": float((part.p_permutation <= LEVEL + 1e-12).mean()),
            "chance": float(reach),
            "any_q": float((least.q < LEVEL).mean()),
            "any_q_permutation": float((least.q_permutation < LEVEL).mean()),
        })  # fmt: skip
    return pd.DataFrame(found)


def band(repeats: int, rate: float, tests: int) -> tuple[float, float]:
    """Return between which shares a rate lies by chance, for all tests together."""
    from scipy.stats import binom

    tail = (1 - SURE) / (2 * max(tests, 1))
    return tuple(float(binom.ppf(q, repeats, rate)) / repeats for q in (tail, 1 - tail))


def _by_measure(table: pd.DataFrame) -> list[list[object]]:
    return [
        [
            measure,
            len(part),
            float(part.coverage.mean()),
            float(part.coverage.min()),
            float(part.coverage.max()),
            UNITS[measure],
            float(part.bias.mean()),
            float(part.bias.loc[part.bias.abs().idxmax()]),
            float(part.width.mean()),
        ]
        for measure, part in table.groupby("measure", sort=False)
    ]


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
