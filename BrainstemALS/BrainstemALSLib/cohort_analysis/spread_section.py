"""The spread order in the report: its picture and its table, where the order could be estimated."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..errors import BrainstemALSError
from .figure_style import DIM, INK, new_figure, plain_axes, png, short_name
from .options import GroupOptions, Notes
from .spread import Spread, spread_order

if TYPE_CHECKING:
    import pandas as pd

    from ..cohort.tables import Cohort

COLUMNS = (
    "place", "structure", "mean_place", "place_sd", "share_at_place", "share_earlier_half",
    "left_out_because",
)  # fmt: skip
READABLE = 0.7
"""Mean Kendall tau of the bootstrap from which an order is shown without a warning. Own choice: in
simulated cohorts whose order was found badly it was lower (training.evaluation.spread_order).
"""


def estimate_spread(cohort: Cohort, options: GroupOptions, notes: Notes) -> Spread | None:
    """Return the order; None where it is not wanted or was refused, which is noted."""
    if not options.spread:
        return None
    try:
        found = spread_order(cohort, options.seed, options.bootstraps)
    except BrainstemALSError as refusal:
        notes.add("spread order", refusal.problem)
        return None
    warning = spread_warning(found)
    if warning:
        notes.add("spread order", warning)
    for structure, reason in found.reasons.items():
        notes.add("spread order", f"left out: {reason.split(' (')[0]}", structure)
    if not found.repeated:
        notes.add(
            "spread order",
            "too few patients were measured twice to compare what a structure loses with what it "
            "has lost; the order is that of the event-based model alone, which was worse in "
            "simulated cohorts",
        )
    return found


def spread_warning(spread: Spread) -> str:
    """Return why the order must not be read as one; empty where the bootstrap bears it out."""
    if spread.agreement >= READABLE:
        return ""
    if not spread.bootstraps:
        return "without a bootstrap nothing tells how sure the order is: read no order from it"
    return (
        "the orders of the bootstrap agree too little "
        f"(mean Kendall tau {spread.agreement:.2f}, below {READABLE:g}) to read an order from it"
    )


def spread_table(spread: Spread) -> pd.DataFrame:
    """Return one row for each event: its place and how sure the bootstrap is of it.

    Structures that were left out follow without a place, each with the reason.
    """
    import pandas as pd

    places = np.arange(1, len(spread.events) + 1)
    rows = []
    for place, (event, shares) in enumerate(zip(spread.events, spread.positions, strict=True), 1):
        mean = float(shares @ places)
        rows.append({
            "place": place,
            "structure": event,
            "mean_place": mean,
            "place_sd": float(np.sqrt(max(shares @ places**2 - mean**2, 0.0))),
            "share_at_place": float(shares[place - 1]),
            "share_earlier_half": float(shares[: len(places) // 2].sum()),
        })  # fmt: skip
    rows += [
        {"structure": stem, "left_out_because": reason} for stem, reason in spread.reasons.items()
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype({"place": "Int64"})


def draw_spread(spread: Spread, source: str) -> bytes:
    """Draw the positional variance: dark where an event is likely to have that place."""
    count = len(spread.events)
    side = min(0.28 * count, 4.6) + 0.3
    height = side + 1.45
    figure = new_figure(height)
    width = figure.get_size_inches()[0]
    axes = figure.add_axes((2.9 / width, 0.9 / height, side / width, side / height))
    plain_axes(axes)
    image = axes.imshow(spread.positions, cmap="Blues", vmin=0, vmax=1, aspect="equal")
    axes.set_yticks(range(count), [short_name(key) for key in spread.events])
    axes.set_xticks(range(count), [str(n) for n in range(1, count + 1)])
    axes.tick_params(length=0, labelsize=7)
    axes.set_xlabel("Place in the order", fontsize=7.5, color=INK)
    bar = figure.add_axes(
        ((2.9 + side + 0.2) / width, 0.9 / height, 0.14 / width, side / height)
    )  # fmt: skip
    figure.colorbar(image, cax=bar)
    bar.tick_params(labelsize=7, colors=INK)
    bar.set_ylabel("Share of the bootstrap", fontsize=7.5, color=INK)
    figure.text(
        0.01, 1 - 0.2 / height, "Order in which structures change", fontsize=9.5,
        fontweight="bold", color=INK, va="center",
    )  # fmt: skip
    warning = spread_warning(spread)
    if warning:
        figure.text(
            0.01, 1 - 0.4 / height, f"Warning: {warning}.", fontsize=7.5, color=INK, va="center"
        )
    again = (
        f"{spread.repeated} patients were measured more than once: their yearly change counts too"
        if spread.repeated
        else "too few patients were measured twice: event-based model alone"
    )
    figure.text(
        0.01, 0.15 / height,
        f"{spread.patients} patients, {spread.controls} controls, {spread.bootstraps} bootstrap "
        f"samples; mean Kendall tau with the order shown {spread.agreement:.2f};\n{again}.",
        fontsize=7.5, color=DIM, va="bottom",
    )  # fmt: skip
    return png(figure, source)
