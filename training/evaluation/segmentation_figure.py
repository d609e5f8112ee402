"""Reliability diagrams: what probabilities said against how often it was so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .calibration import Bins
from .kinds import KINDS

FEWEST_VOXELS = 100
"""A bin with fewer isn't drawn: its share of right voxels is chance (our choice)."""
_MAIN = "t1_fa_md"


@dataclass(frozen=True, eq=False)
class Curve:
    """One line: method and kind of exam by their short names, and the bins of all cases."""

    method: str
    kind: str
    bins: Bins


def reliability_figure(curves: Sequence[Curve], path: Path) -> None:
    """Draw the model over all kinds of exam, and the methods beside each other, as a PNG.

    Parameters
    ----------
    curves : sequence of Curve
    path : Path
        Overwritten.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    first = curves[0].method
    panels = {
        f"{first}, by exam": [(KINDS[c.kind].words, c) for c in curves if c.method == first],
        f"methods, {KINDS[_MAIN].words}": [(c.method, c) for c in curves if c.kind == _MAIN],
    }
    figure = Figure(figsize=(11, 5.2), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    for place, (title, lines) in enumerate(panels.items(), start=1):
        axes = figure.add_subplot(1, 2, place)
        axes.plot([0, 1], [0, 1], color="0.6", linewidth=1, linestyle="--")
        for words, curve in lines:
            bins = curve.bins
            drawn = bins.voxels >= FEWEST_VOXELS
            said, right = (part[drawn] / bins.voxels[drawn] for part in (bins.said, bins.right))
            axes.plot(said, right, marker="o", markersize=3.5, linewidth=1.4,
                      label=f"{words}: ECE {bins.error:.3f}")  # fmt: skip
        axes.set(
            xlim=(0, 1), ylim=(0, 1), aspect="equal", title=title,
            xlabel="probability of the label given", ylabel="share of voxels that are right",
        )  # fmt: skip
        axes.grid(color="0.9", linewidth=0.6)
        axes.set_axisbelow(True)
        if lines:
            axes.legend(fontsize=7.5, loc="lower right", frameon=False)
    figure.suptitle("Reliability on simulated exams of held-out anatomies", fontsize=11)
    figure.savefig(path, format="png")
