"""Does the group analysis find what was simulated: coverage of intervals, false discoveries.

``python -m training.evaluation.group_recovery`` simulates cohorts with a known effect and without
any, analyses each by the light path (models, no plots) and counts.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from BrainstemALSLib.cohort_analysis.comparisons import group_question
from BrainstemALSLib.cohort_analysis.design import Design, build_design
from BrainstemALSLib.cohort_analysis.linear import answer, with_rates
from BrainstemALSLib.cohort_analysis.mixed import fit_trajectory
from BrainstemALSLib.cohort_analysis.options import GroupOptions, Notes

from ..cohort.config import load_config
from ..cohort.scenario import Scenario
from ..cohort.simulate import simulate
from ..commands import finish
from .commands import arguments, publish
from .group_recovery_page import recovery_page

if TYPE_CHECKING:
    import pandas as pd

    from ..cohort.config import Config

REPEATS, CONTROLS, PATIENTS, SEED = 200, 60, 120, 1
PERMUTATIONS = 199
"""Enough to ask whether p <= 0.05 holds at its rate: 10 of 200 orders."""
MEASURES = ("volume", "fa", "md")
ASYMMETRIES = ("volume_asymmetry", "fa_asymmetry", "md_asymmetry")
SLOPES = (
    ("volume", "medullary_tegmentum_left"), ("volume", "pyramid_left"),
    ("volume", "basis_pontis_left"), ("volume", "superior_colliculus_left"),
    ("fa", "cst_crus_left"), ("fa", "pyramid_left"), ("md", "pyramid_left"),
    ("md", "superior_cerebellar_peduncle_left"),
)  # fmt: skip
"""Change over time is asked of these alone: affected early, affected late and spared ones."""


@dataclass
class Counts:
    """What was counted over repeats.

    Attributes
    ----------
    effects : list of dict
        One for each repeat and measure of a structure: estimate, interval, truth.
    slopes : list of dict
        The same for change over time.
    null : list of dict
        p-values, permutation p-values and q of each measure without any effect.
    seconds : float
        Time for the whole.
    """

    effects: list[dict[str, object]] = field(default_factory=list)
    slopes: list[dict[str, object]] = field(default_factory=list)
    null: list[dict[str, object]] = field(default_factory=list)
    seconds: float = 0.0


def count(
    config: Config, repeats: int, controls: int, patients: int, seed: int, mixed: bool = True
) -> Counts:
    """Simulate and analyse ``repeats`` cohorts with the configured effect and as many without.

    Every cohort has a seed of its own, derived from ``seed``.
    """
    counts, start = Counts(), time.monotonic()
    options = GroupOptions(permutations=0, seed=seed)
    for repeat, design, truth in _cohorts(config, Scenario(), repeats, controls, patients, seed):
        table = answer(group_question(design), design, options, Notes(), _keys(design, MEASURES))
        counts.effects += effect_rows(table, truth, repeat)
        if mixed:
            counts.slopes += slope_rows(design, truth, options, repeat)
    without = Scenario(disease=0.0)
    options = GroupOptions(permutations=PERMUTATIONS, seed=seed)
    for repeat, design, _ in _cohorts(config, without, repeats, controls, patients, seed + repeats):
        keys = _keys(design, (*MEASURES, *ASYMMETRIES))
        table = with_rates(answer(group_question(design), design, options, Notes(), keys))
        columns = ["measure", "structure", "family", "p", "p_permutation", "q", "q_permutation"]
        counts.null += table[columns].assign(repeat=repeat).to_dict("records")
    counts.seconds = time.monotonic() - start
    return counts


def effect_rows(table: pd.DataFrame, truth: pd.DataFrame, repeat: int) -> list[dict[str, object]]:
    """Return estimate, interval and truth of each structure whose truth is known.

    Parameters
    ----------
    table : pandas.DataFrame
        ALS against controls, of ``linear.answer``.
    truth : pandas.DataFrame
        ``Truth.effects`` of ``training.cohort``. Volumes are compared in per cent of the controls'
        adjusted mean, FA and MD in their unit.
    repeat : int
    """
    known = _known(truth, "at_first_visit")
    rows = []
    for line in table.to_dict("records"):
        key = line["measure"], line["structure"]
        if key not in known:
            continue
        names = ("difference", "low", "high")
        scale = 1.0
        if line["measure"] == "volume":
            names, scale = ("percent", "percent_low", "percent_high"), 100.0
        value, low, high = (line[name] for name in names)
        rows.append(_row(repeat, key, value, low, high, scale * known[key]))
    return rows


def slope_rows(
    design: Design, truth: pd.DataFrame, options: GroupOptions, repeat: int
) -> list[dict[str, object]]:
    """Return the same for the difference of yearly change; volumes in per cent of controls.

    The truth is the mean over all patients, those who did not come back included; the model sees
    those who came. What drop-out does to it is part of what is measured here.
    """
    from scipy import stats

    known = _known(truth, "per_year")
    rows = []
    for key in SLOPES:
        fit = fit_trajectory(design, key, options, Notes())
        if isinstance(fit, str) or not {"HC", "ALS"} <= set(fit.groups):
            rows.append(_row(repeat, key, np.nan, np.nan, np.nan, np.nan))
            continue
        weights = fit.slope("ALS") - fit.slope("HC")
        scale = truth_scale = 1.0
        if key[0] == "volume":
            scale, truth_scale = 100.0 / float(fit.mean("HC", np.zeros(1))[0][0]), 100.0
        value = scale * float(weights @ fit.beta)
        error = scale * float(np.sqrt(weights @ fit.covariance @ weights))
        reach = stats.t.ppf(1 - options.alpha / 2, fit.df) * error
        rows.append(
            _row(repeat, key, value, value - reach, value + reach, truth_scale * known[key])
        )
    return rows


def _row(repeat, key, value, low, high, truth) -> dict[str, object]:
    return {
        "repeat": repeat,
        "measure": key[0],
        "structure": key[1],
        "estimate": value,
        "low": low,
        "high": high,
        "truth": truth,
    }


def _known(truth: pd.DataFrame, column: str) -> dict[tuple[str, str], float]:
    everyone = truth[truth.onset == "all"]
    return dict(
        zip(zip(everyone.measure, everyone.structure, strict=True), everyone[column], strict=True)
    )


def _keys(design: Design, measures: tuple[str, ...]) -> list[tuple[str, str]]:
    from BrainstemALSLib.anatomy import by_key, composites

    regions = set(composites()) - set(by_key())
    return [key for key in design.measures_of(*measures) if key[1] not in regions]


def _cohorts(
    config: Config, scenario: Scenario, repeats: int, controls: int, patients: int, seed: int
) -> Iterator[tuple[int, Design, pd.DataFrame]]:
    for repeat in range(repeats):
        cohort, truth = simulate(config, controls, patients, 0, seed + repeat, scenario)
        yield repeat, build_design(cohort, Notes()), truth.effects


def main() -> None:
    parser = arguments(__doc__, models=False)
    parser.add_argument("--repeats", type=int, default=REPEATS)
    parser.add_argument("--controls", type=int, default=CONTROLS)
    parser.add_argument("--patients", type=int, default=PATIENTS)
    parser.add_argument("--seed", type=int, default=SEED)
    given = parser.parse_args()

    def command() -> None:
        sizes = given.controls, given.patients
        counts = count(load_config(None), given.repeats, *sizes, given.seed)
        publish(recovery_page(counts, given.repeats, *sizes, given.seed), given.out)

    finish(command)


if __name__ == "__main__":
    main()
