"""How well the order in which a simulated disease spreads is found, and how well it could be.

    python -m training.evaluation.spread_order [--repeats 10] [--seed 501]

The true order is that of the mean places of the structures on the simulator's clock, weighted by
how many patients of each onset there are. Structures that are left out cannot be compared; how many
are placed, and how many of those the simulator spares, stands beside.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from BrainstemALSLib.cohort.tables import Cohort
from BrainstemALSLib.cohort_analysis.spread import FALSE_EVENTS, spread_order
from BrainstemALSLib.cohort_analysis.spread_section import READABLE
from BrainstemALSLib.errors import BrainstemALSError

from ..cohort.config import load_config
from ..cohort.errors import measured_errors
from ..cohort.scenario import Scenario
from ..cohort.simulate import simulate
from ..cohort.truth import Truth
from . import commands
from .spread_order_ceiling import oracle_places, pure_places
from .spread_order_page import page_of

SIZES = (100, 200, 400)
DISEASE = (1.0, 2.0, 3.0)
"""Effects as published, and larger ones, which tell how large they would have to be."""
LARGE = 1600
"""Patients of a cohort that tells whether more of them would do."""
ASKED = 200
BOOTSTRAPS = 10


@dataclass(frozen=True)
class Found:
    """Kendall's tau of one cohort with the truth; NaN where it was not asked for.

    ``tau`` is that of the order found, ``model`` of the event-based model alone, ``oracle`` and
    ``exact`` of the oracle from measured and from true values, ``pure`` of the change alone.
    """

    tau: float
    placed: int
    spared: int
    agreement: float
    model: float
    oracle: float
    exact: float
    pure: float


def true_order(cohort: Cohort, truth: Truth) -> dict[str, float]:
    """Return the mean place of each structure over the patients of a cohort, months."""
    patients = cohort.participants[cohort.participants["group"] == "ALS"]
    share = patients["onset"].value_counts(normalize=True)
    table = truth.order.pivot(index="structure", columns="onset", values="place_months")
    weights = share.reindex(table.columns).fillna(0.0)
    return (table.fillna(table.max().max()) @ weights).to_dict()


def tau_of(order: list[str], places: dict[str, float]) -> float:
    """Return Kendall's tau-b of an order with the true places; NaN for fewer than two of them."""
    from scipy.stats import kendalltau

    true = [places[stem] for stem in order if stem in places]
    return float(kendalltau(true, range(len(true))).statistic) if len(true) > 1 else float("nan")


def one_repeat(
    patients: int, scenario: Scenario, seed: int, whole: bool = False, errors: Path | None = None
) -> Found | None:
    """Return what one cohort gives; None where the order is refused.

    Parameters
    ----------
    patients : int
        Half as many controls.
    scenario : Scenario
    seed : int
    whole : bool
        With the bootstrap, the event-based model alone, and the ceilings.
    errors : Path, optional
        Measured errors instead of the configured ones.
    """
    cohort, truth = simulate(load_config(), patients // 2, patients, 0, seed, scenario, errors)
    try:
        found = spread_order(cohort, seed, BOOTSTRAPS if whole else 0)
    except BrainstemALSError:
        return None
    places = true_order(cohort, truth)
    spared = sum(stem not in places for stem in found.events)
    ceilings = [float("nan")] * 4
    if whole:
        events = [stem for stem in found.events if stem in places]
        model = spread_order(cohort, seed, 0, use_rates=False).events
        known = [oracle_places(cohort, truth, events, error) for error in (True, False)]
        known.append(pure_places(truth, events))
        orders = [list(model), *(sorted(events, key=one.__getitem__) for one in known)]
        ceilings = [tau_of(order, places) for order in orders]
    tau = tau_of(list(found.events), places)
    return Found(tau, len(found.events), spared, found.agreement, *ceilings)


def main(arguments: list[str] | None = None) -> int:
    """Run the command."""
    parser = commands.arguments(__doc__ or "", models=False)
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--seed", type=int, default=501)
    options = parser.parse_args(arguments)
    seeds = range(options.seed, options.seed + options.repeats)
    cells: dict[tuple[float, int, float], list[Found | None]] = {}
    wanted = [(d, n, 1.0) for d in DISEASE for n in SIZES]
    wanted += [(1.0, ASKED, 0.0), (1.0, LARGE, 1.0)]
    for disease, size, error in wanted:
        scenario = Scenario(disease=disease, measurement_error=error)
        whole = size == ASKED and error > 0
        some = seeds[: max(len(seeds) // 2, 1)] if size == LARGE else seeds
        cells[disease, size, error] = [one_repeat(size, scenario, seed, whole) for seed in some]
        taus = [one.tau for one in cells[disease, size, error] if one]
        print(f"effects x {disease:g}, {size} patients, error x {error:g}: {np.mean(taus):.2f}")
    errors = measured_errors()
    real = [one_repeat(ASKED, Scenario(), s, errors=errors) for s in seeds] if errors else []
    more = range(options.seed, options.seed + 2 * options.repeats)
    null = [one_repeat(ASKED, Scenario(disease=0.0), seed) for seed in more]
    cohort, truth = simulate(load_config(), 1, 1000, 0, options.seed, Scenario())
    page = page_of(
        cells, null, true_order(cohort, truth), ASKED, options.seed,
        (READABLE, FALSE_EVENTS, BOOTSTRAPS, load_config()["imaging.order_sd"]), real,
    )  # fmt: skip
    commands.publish(page, options.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
