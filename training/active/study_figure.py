"""The picture of the label-efficiency study."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from .curves import Loops, corrected, exam_dice, pigeonhole, spent

COLOURS = ("#555555", "#d95f02", "#7570b3", "#1b9e77", "#e7298a", "#a6761d")


def draw_curves(
    loops: Mapping[tuple[str, str], Loops], units: Mapping[str, str], path: Path
) -> None:
    """Draw Dice over corrected exams (left) and over minutes (right), a row for each unit.

    Parameters
    ----------
    loops : mapping
        (unit, strategy) to its loops.
    units : mapping
        Unit to its heading, those that are drawn.
    path : Path
        PNG.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 3.6 * len(units)), layout="constrained", dpi=110)
    grid = figure.subplots(len(units), 2, squeeze=False, sharey=True)
    for row, (unit, heading) in enumerate(units.items()):
        for column, axis in enumerate((corrected, spent)):
            panel = grid[row][column]
            named = [strategy for of_unit, strategy in loops if of_unit == unit]
            for colour, strategy in zip(COLOURS, named, strict=False):
                one = loops[unit, strategy]
                values, x = exam_dice(one), axis(one).mean(0)
                bands = [pigeonhole(values[..., n]) for n in range(values.shape[-1])]
                low, high = ([getattr(b, end) for b in bands] for end in ("low", "high"))
                panel.plot(x, [b.mean for b in bands], "o-", color=colour, label=strategy)
                if np.isfinite(low).all():
                    panel.fill_between(x, low, high, color=colour, alpha=0.12, linewidth=0)
            panel.set_xlabel(("corrected exams", "minutes of the simulated expert")[column])
            panel.set_title(f"Simulated: {heading}", fontsize=10)
        grid[row][0].set_ylabel("mean Dice, held-out exams")
        grid[row][0].legend(fontsize=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, format="png")
