"""How well the event-based model finds the order in which a simulated disease spreads.

    python -m training.evaluation.spread_order [--repeats 10] [--seed 1]

The true order is that of the mean places of the structures on the simulator's clock, weighted by
how many patients of each onset there are. Structures that the model leaves out cannot be compared;
how many it places stands beside.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

import numpy as np

from BrainstemALSLib.cohort.tables import Cohort
from BrainstemALSLib.cohort_analysis.spread import spread_order
from BrainstemALSLib.errors import BrainstemALSError

from ..cohort.config import load_config
from ..cohort.scenario import Scenario
from ..cohort.simulate import simulate
from ..cohort.truth import Truth
from . import commands
from .tables import Page, Table

SIZES = (100, 200, 400)
DISEASE = (1.0, 2.0, 3.0)
"""Effects as published, and larger ones, which tell how large they would have to be."""
MARK, ASKED = 0.8, 200
BOOTSTRAPS = 20


def true_order(cohort: Cohort, truth: Truth) -> dict[str, float]:
    """Return the mean place of each structure over the patients of a cohort, months."""
    patients = cohort.participants[cohort.participants["group"] == "ALS"]
    share = patients["onset"].value_counts(normalize=True)
    table = truth.order.pivot(index="structure", columns="onset", values="place_months")
    weights = share.reindex(table.columns).fillna(0.0)
    return (table.fillna(table.max().max()) @ weights).to_dict()


def one_repeat(patients: int, disease: float, seed: int) -> tuple[float, int, float] | None:
    """Return Kendall's tau with the truth, structures placed, and the bootstrap's agreement."""
    from scipy.stats import kendalltau

    scenario = Scenario(disease=disease)
    cohort, truth = simulate(load_config(), patients // 2, patients, 0, seed, scenario)
    try:
        found = spread_order(cohort, seed, BOOTSTRAPS)
    except BrainstemALSError:
        return None
    places = true_order(cohort, truth)
    shared = [places[stem] for stem in found.events if stem in places]
    if len(shared) < 2:
        return None
    tau = kendalltau(shared, range(len(shared))).statistic
    return float(tau), len(shared), found.agreement


def rows_of(repeats: int, seed: int) -> Iterator[tuple]:
    """Yield the rows of the table."""
    for disease in DISEASE:
        for size in SIZES:
            found = [one_repeat(size, disease, seed + number) for number in range(repeats)]
            there = np.array([one for one in found if one is not None], float)
            if not len(there):
                yield (disease, size, repeats, 0, *[float("nan")] * 5)
                continue
            low, high = np.quantile(there[:, 0], [0.05, 0.95])
            yield (
                disease, size, repeats, len(there), float(there[:, 0].mean()), float(low),
                float(high), float(there[:, 1].mean()), float(there[:, 2].mean()),
            )  # fmt: skip
            print(f"effects x {disease:g}, {size} patients: tau {there[:, 0].mean():.2f}")


def page_of(rows: list[tuple], repeats: int, seed: int) -> Page:
    """Return the page."""
    asked = {row[0]: row[4] for row in rows if row[1] == ASKED}
    return Page(
        stem="spread_order",
        title="Finding the order in which the disease spreads",
        kind="simulated",
        data="tabular cohorts of training.cohort, half as many controls as patients, all onsets, "
        "all visits.",
        seed=seed,
        tables=[
            Table(
                "tau",
                "Kendall's tau between the order found and the true one",
                (
                    "effects times published", "patients", "repeats", "orders found", "mean tau",
                    "5 %", "95 %", "structures placed", "agreement of the bootstrap",
                ),
                rows,
                2,
            )
        ],
        marks=[
            (
                f"Kendall tau at least {MARK} with {ASKED} patients, effects as published: "
                f"{asked[1.0]:.2f}",
                asked[1.0] >= MARK,
            ),
            *(
                (f"the same with effects {factor:g} times as large: {tau:.2f}", None)
                for factor, tau in asked.items()
                if factor > 1
            ),
        ],
        notes=[
            "5 % and 95 % are quantiles over the repeats. Marks that are called not measured are "
            "not asked for; they tell how large effects would have to be.",
            f"{BOOTSTRAPS} bootstrap samples of each cohort.",
            "Patients differ in their own order by a standard deviation that the configuration "
            "names, and onset shifts it: no single order is true for all.",
        ],
        threads=1,
    )  # fmt: skip


def main(arguments: list[str] | None = None) -> int:
    """Run the command."""
    parser = commands.arguments(__doc__ or "", models=False)
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    rows = list(rows_of(options.repeats, options.seed))
    commands.publish(page_of(rows, options.repeats, options.seed), options.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
