"""The page of ``spread_order``: its tables and marks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import t as student

from .tables import Page, Table

if TYPE_CHECKING:
    from .spread_order import Found

    Cells = Mapping[tuple[float, int, float], Sequence[Found | None]]

MARK = 0.8
MEASURED = "errors of the real segmentation"
CEILINGS = (
    ("this method", "tau"),
    ("event-based model alone, without rates", "model"),
    ("oracle: each patient's clock, extent and curve known; measured values", "oracle"),
    ("the same oracle; values without error of measurement", "exact"),
    ("change alone: no error, no difference between healthy people", "pure"),
)


def interval(values: Sequence[float]) -> tuple[float, float, float]:
    """Return mean and 95 % interval of the mean (t); NaN where there are too few."""
    known = np.array(values, float)
    known = known[np.isfinite(known)]
    if len(known) < 2:
        return (float(known.mean()) if len(known) else float("nan")), float("nan"), float("nan")
    half = float(student.ppf(0.975, len(known) - 1) * known.std(ddof=1) / np.sqrt(len(known)))
    return float(known.mean()), float(known.mean()) - half, float(known.mean()) + half


def size_rows(
    cells: Cells, measured: Sequence[Found | None] = (), asked: int = 0
) -> Iterator[tuple]:
    """Yield the rows of the main table, cohorts with measured errors last."""
    rows: list[tuple[tuple, Sequence[Found | None]]] = [
        ((disease, size, f"{error:g} x"), found) for (disease, size, error), found in cells.items()
    ]
    if measured:
        rows.append(((1.0, asked, MEASURED), measured))
    for (disease, size, error), found in rows:
        there = [one for one in found if one is not None]
        taus = [one.tau for one in there]
        low, high = np.nanquantile(taus, [0.05, 0.95]) if taus else (np.nan, np.nan)
        placed = float(np.mean([one.placed for one in there])) if there else float("nan")
        spared = float(np.mean([one.spared for one in there])) if there else float("nan")
        yield (
            disease, size, error, len(found), len(there), *interval(taus), float(low), float(high),
            placed, spared,
        )  # fmt: skip


def page_of(
    cells: Cells,
    null: Sequence[Found | None],
    places: Mapping[str, float],
    asked: int,
    seed: int,
    figures: tuple[float, float, int, float],
    measured: Sequence[Found | None] = (),
) -> Page:
    """Return the page.

    Parameters
    ----------
    cells : mapping
        Effects times published, patients, error times configured, to the cohorts' results.
    null : sequence
        Cohorts without disease.
    places : mapping
        The true order: structure to months on the clock.
    asked : int
        Patients that the issue names.
    seed : int
    figures : tuple
        Agreement below which the report warns, false discovery rate of events, bootstrap samples,
        standard deviation of the places between patients (months).
    measured : sequence
        Cohorts of the size asked for with the errors that the real segmentation made.
    """
    readable, rate, bootstraps, own = figures
    whole = {key[0]: [f for f in found if f] for key, found in cells.items() if _full(key, asked)}
    ceilings = [
        (disease, name, len(found), *interval([getattr(one, field) for one in found]))
        for disease, found in whole.items()
        for name, field in CEILINGS
    ]
    published = [one for one in cells[1.0, asked, 1.0] if one]
    mean, low, high = interval([one.tau for one in published])
    oracle = interval([one.oracle for one in published])
    given = [one for one in null if one]
    events = sum(one.placed for one in given)
    ordered = sorted(places, key=places.__getitem__)
    gaps = [float("nan"), *np.diff([places[stem] for stem in ordered])]
    true_rows = [
        (n, s, places[s], g) for n, (s, g) in enumerate(zip(ordered, gaps, strict=True), 1)
    ]
    everyone = [one for found in whole.values() for one in found]
    warned = [
        (name, len(some), *interval([one.tau for one in some]))
        for name, some in (
            (f"below {readable:g}: warned", [o for o in everyone if o.agreement < readable]),
            (f"{readable:g} or more", [o for o in everyone if o.agreement >= readable]),
        )
    ]
    spread = ("mean tau", "95 % from", "95 % to")
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
                "Kendall's tau between the order found and the true one. Simulated.",
                (
                    "effects times published", "patients", "error of measurement, times assumed",
                    "cohorts",
                    "orders found", *spread, "5 % of cohorts", "95 % of cohorts",
                    "structures placed", "of those spared in truth",
                ),
                list(size_rows(cells, measured, asked)),
                2,
            ),
            Table(
                "ceiling",
                f"What could be reached with {asked} patients, over the structures that were "
                "placed. Simulated.",
                ("effects times published", "who", "cohorts", *spread),
                ceilings,
                2,
            ),
            Table(
                "truth",
                "The true order: mean place on the brainstem clock over 1000 patients, and how far "
                "it lies behind the one before. Simulated.",
                ("rank", "structure", "place, months", "behind the one before, months"),
                true_rows,
                1,
            ),
            Table(
                "warning",
                f"What low agreement of the bootstrap warns of: cohorts of {asked} patients, all "
                "effects. Simulated.",
                ("agreement of the bootstrap", "cohorts", *spread),
                warned,
                2,
            ),
        ],
        marks=[
            (
                f"Kendall tau at least {MARK} with {asked} patients, effects as published: "
                f"{mean:.2f} (95 % {low:.2f} to {high:.2f}), {_short(mean)}",
                mean >= MARK,
            ),
            *_measured_mark(measured, asked),
            (
                f"an oracle that knows each patient's clock and extent: {oracle[0]:.2f} "
                f"(95 % {oracle[1]:.2f} to {oracle[2]:.2f})",
                None,
            ),
            *(
                (f"the same mark with effects {d:g} times as large: "
                 f"{interval([one.tau for one in found])[0]:.2f}", None)
                for d, found in whole.items()
                if d > 1
            ),
            (
                f"without disease no order: {len(given)} of {len(null)} cohorts got one, "
                f"{events} false events in all",
                len(given) <= rate * len(null),
            ),
        ],
        notes=[
            "95 % is the t interval of the mean over cohorts; 5 % and 95 % of cohorts are "
            "quantiles. Marks that are called not measured are not asked for.",
            "The method was chosen on cohorts of seeds 1001 to 1024; none of them is on this page.",
            "The oracle cannot be built in life. It tells about how much of the order a cohort of "
            "this size holds and is no strict bound: it does not take off what spared structures "
            "share, which this method does. Change alone shows that the truth has an order.",
            "Errors of measurement are assumed ones, small and without bias, but for the "
            f"row with the {MEASURED}: those that it made on simulated images (imaging_cohort.md; "
            "differences are found in part only). No cohort has the gaps that thin structures "
            "leave in FA and MD.",
            "Events, and the deviations from controls that they rest on, are chosen once on the "
            "whole cohort, not in each bootstrap sample: standard deviations of places are too "
            "small. In that choice a patient counts once for each visit.",
            f"Patients differ in their own place of each structure by {own:g} months (standard "
            "deviation), and onset shifts it: no single order is true for all, and neighbours that "
            "lie closer than that are near ties.",
            "A warning is given where orders of the bootstrap agree by a mean tau below "
            f"{readable:g}; {bootstraps} samples here.",
        ],
        threads=1,
    )  # fmt: skip


def _measured_mark(measured: Sequence[Found | None], asked: int) -> Iterator[tuple[str, bool]]:
    taus = [one.tau for one in measured if one is not None]
    if taus:
        mean, low, high = interval(taus)
        text = (
            f"own mark, the same with the {MEASURED} ({asked} patients, {len(taus)} of "
            f"{len(measured)} cohorts with an order): {mean:.2f} (95 % {low:.2f} to {high:.2f}), "
        )
        yield text + _short(mean), mean >= MARK


def _full(key: tuple[float, int, float], asked: int) -> bool:
    return key[1] == asked and key[2] > 0


def _short(tau: float) -> str:
    return "reached" if tau >= MARK else f"short by {MARK - tau:.2f}"
