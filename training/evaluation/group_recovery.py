"""Does the group analysis find what was simulated: coverage of intervals, false discoveries.

``python -m training.evaluation.group_recovery`` simulates cohorts with a known effect and without
any, with scanners shared evenly or not, with few and with many missing, with assumed errors of
measurement and with those of the real segmentation; analyses each by the light path (models, no
plots) and counts.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from BrainstemALSLib.cohort_analysis.comparisons import group_question
from BrainstemALSLib.cohort_analysis.design import Design, build_design
from BrainstemALSLib.cohort_analysis.harmonise import harmonised
from BrainstemALSLib.cohort_analysis.linear import answer, with_rates
from BrainstemALSLib.cohort_analysis.mixed import change_over_time
from BrainstemALSLib.cohort_analysis.options import GroupOptions, Notes

from ..cohort.config import load_config
from ..cohort.errors import measured_errors
from ..cohort.scenario import Scenario
from ..cohort.simulate import simulate
from ..commands import finish
from .commands import arguments, publish
from .group_recovery_page import CONFIGURED, MEASURED, SITE_TERM, recovery_page

if TYPE_CHECKING:
    import pandas as pd

    from ..cohort.config import Config
    from ..cohort.truth import Truth

REPEATS, CONTROLS, PATIENTS, SEED = 200, 60, 120, 20_001
"""The seed is none that a trial has used."""
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
MISSING = "dropout twice, missing four times"
EVEN, UNEVEN = "no effect", "no effect, patients and controls at different scanners"
WITH_EFFECT = {CONFIGURED: Scenario(), MISSING: Scenario(dropout=2.0, missing=4.0)}
WITHOUT = {
    EVEN: Scenario(disease=0.0),
    UNEVEN: Scenario(disease=0.0, site_imbalance=0.9),
}
COMBAT = "ComBat, learnt from controls"


@dataclass
class Counts:
    """What was counted over repeats.

    Attributes
    ----------
    effects : list of dict
        One for each scenario, repeat and measure of a structure: estimate, interval, truth.
    slopes : list of dict
        The same for change over time: ``analysis`` and, besides ``truth`` (all patients),
        ``truth_seen`` (of those who came back).
    null : list of dict
        p-values, permutation p-values and q of each measure without any effect, by scenario and
        ``site`` (how scanners were dealt with).
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
    """Simulate and analyse ``repeats`` cohorts, or half as many, of each scenario.

    Every cohort has a seed of its own, derived from ``seed``; scenarios with an effect share
    theirs, and so do those without.
    """
    counts, start = Counts(), time.monotonic()
    options = GroupOptions(permutations=0, seed=seed)
    sizes = controls, patients
    for name, (scenario, errors) in with_effect().items():
        times = cohorts_of(name, repeats)
        for repeat, design, truth in _cohorts(config, scenario, times, *sizes, seed, errors):
            table = answer(
                group_question(design), design, options, Notes(), _keys(design, MEASURES)
            )
            rows = effect_rows(table, truth.effects, repeat)
            counts.effects += [{"scenario": name, **row} for row in rows]
            if mixed:
                rows = slope_rows(design, truth, options, repeat)
                counts.slopes += [{"scenario": name, **row} for row in rows]
    options = GroupOptions(permutations=PERMUTATIONS, seed=seed)
    for name, scenario in WITHOUT.items():
        times = cohorts_of(name, repeats)
        for repeat, design, _ in _cohorts(config, scenario, times, *sizes, seed + repeats):
            counts.null += [
                {"scenario": name, "repeat": repeat, **row} for row in null_rows(design, options)
            ]
    counts.seconds = time.monotonic() - start
    return counts


def with_effect() -> dict[str, tuple[Scenario, Path | None]]:
    """Return the scenarios with an effect: what differs, and the file of measured errors."""
    found: dict[str, tuple[Scenario, Path | None]] = {
        name: (scenario, None) for name, scenario in WITH_EFFECT.items()
    }
    if (errors := measured_errors()) is not None:
        found[MEASURED] = (Scenario(), errors)
    return found


def cohorts_of(scenario: str, repeats: int) -> int:
    """Return how many cohorts a scenario has: half as many where it is a harder one."""
    return repeats if scenario in (CONFIGURED, EVEN) else max(repeats // 2, 1)


def null_rows(design: Design, options: GroupOptions) -> list[dict[str, object]]:
    """Return p and q of every measure, with site as a covariate and after ComBat."""
    columns = ["measure", "structure", "family", "p", "p_permutation", "q", "q_permutation"]
    question, keys = group_question(design), _keys(design, (*MEASURES, *ASYMMETRIES))
    table = with_rates(answer(question, design, options, Notes(), keys))
    rows = table[columns].assign(site=SITE_TERM).to_dict("records")
    free = harmonised(design, Notes())
    if free is not None:
        terms = tuple(term for term in options.adjust if term != "site")
        without = replace(options, permutations=0, adjust=terms)
        table = with_rates(answer(question, free, without, Notes(), keys))
        rows += table[columns].assign(site=COMBAT).to_dict("records")
    return rows


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
    design: Design, truth: Truth, options: GroupOptions, repeat: int
) -> list[dict[str, object]]:
    """Return the difference of yearly change as it is reported; volumes in per cent of controls.

    There are two truths: the mean over all patients, those who did not come back included, in the
    year after the first visit; and that of those who came back, over their visits.
    """
    known = _known(truth.effects, "per_year")
    seen = seen_change(design, truth.values)
    table = change_over_time(design, options, Notes(), SLOPES)
    rows = []
    for line in table[table.contrast == "ALS - HC"].to_dict("records"):
        key = line["measure"], line["structure"]
        names, scale = ("per_year", "low", "high"), 1.0
        if key[0] == "volume":
            names, scale = ("percent_per_year", "percent_low", "percent_high"), 100.0
        row = _row(repeat, key, *(line[name] for name in names), scale * known[key])
        rows.append(row | {"analysis": line["analysis"], "truth_seen": scale * seen[key]})
    return rows


def seen_change(design: Design, values: pd.DataFrame) -> dict[tuple[str, str], float]:
    """Return the mean yearly change by disease of those patients who came back.

    Parameters
    ----------
    design : Design
    values : pandas.DataFrame
        ``Truth.values``.

    Returns
    -------
    dict
        Of ``SLOPES``: share of the volume without disease, FA, 1e-3 mm2/s; a straight line through
        the true values of each patient's usable visits, patients alike.
    """
    import pandas as pd

    table = values.merge(
        design.observations[["participant_id", "session_id", "months"]],
        on=["participant_id", "session_id"],
    )
    table = table[table.participant_id.map(design.people.group) == "ALS"]
    found = {}
    for measure, structure in SLOPES:
        own = table[(table.measure == measure) & (table.structure == structure)]
        usable = design.values[measure, structure].notna().to_numpy()
        rows = design.observations[usable][["participant_id", "session_id"]]
        own = own.merge(rows, on=["participant_id", "session_id"])
        change = own.value - own.without_disease
        if measure == "volume":
            change = change / own.without_disease
        own = pd.DataFrame({"id": own.participant_id, "years": own.months / 12.0, "change": change})
        middle = own.groupby("id")[["years", "change"]].transform("mean")
        years, change = own.years - middle.years, own.change - middle.change
        across = (years * change).groupby(own.id).sum() / (years**2).groupby(own.id).sum()
        found[measure, structure] = float(across[own.groupby("id").size() > 1].mean())
    return found


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
    config: Config, scenario: Scenario, repeats: int, controls: int, patients: int, seed: int,
    errors: Path | None = None,
) -> Iterator[tuple[int, Design, Truth]]:  # fmt: skip
    for repeat in range(repeats):
        cohort, truth = simulate(config, controls, patients, 0, seed + repeat, scenario, errors)
        yield repeat, build_design(cohort, Notes()), truth


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
