"""Draws the icon of the module: a brainstem in profile, with the corticospinal tract through it.

    python -m tools.draw_icon

Colours are those of the structures in ``Resources/Anatomy/structures.tsv``.
"""

from __future__ import annotations

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.path import Path as Outline

from BrainstemALSLib.anatomy import by_key

ICON = Path(__file__).resolve().parents[1] / "BrainstemALS/Resources/Icons/BrainstemALS.png"
SIZE = 128
EDGE = "#1f2d3d"
HALO = "#ffffff"
CEREBELLUM_COLOUR = "#cdb4db"
# Outlines in a square of 128, y upwards, seen from the left: front is on the left. Each list is a
# start and then cubic curves of two handles and an end.
MIDBRAIN = [
    (27, 119),
    [(42, 125), (62, 126), (74, 119)],
    [(83, 115), (85, 107), (78, 103)],
    [(87, 99), (86, 89), (75, 87)],
    [(68, 84), (62, 83), (58, 82)],
    [(48, 84), (40, 86), (32, 90)],
    [(23, 97), (19, 108), (27, 119)],
]
PONS = [
    (32, 90),
    [(42, 85), (52, 83), (62, 84)],
    [(71, 78), (74, 68), (68, 54)],
    [(60, 46), (48, 43), (37, 46)],
    [(2, 50), (1, 84), (32, 90)],
]
MEDULLA = [
    (37, 47),
    [(48, 43), (60, 46), (68, 54)],
    [(71, 38), (68, 22), (68, 9)],
    [(61, 6), (50, 6), (44, 9)],
    [(44, 20), (31, 30), (37, 47)],
]
CEREBELLUM = [
    (70, 82),
    [(82, 96), (108, 96), (118, 80)],
    [(128, 64), (124, 42), (108, 34)],
    [(94, 27), (80, 32), (76, 44)],
    [(78, 52), (72, 58), (76, 66)],
    [(72, 70), (68, 76), (70, 82)],
]
FOLIA = [
    [(82, 62), [(94, 64), (106, 72), (114, 81)]],
    [(82, 58), [(96, 58), (110, 58), (120, 60)]],
    [(82, 54), [(94, 50), (104, 44), (110, 38)]],
]
TRACT = [
    (44, 115),
    [(34, 100), (24, 84), (30, 66)],
    [(35, 52), (48, 46), (49, 32)],
    [(50, 24), (55, 19), (55, 15)],
]


def draw(size: int = SIZE) -> FigureCanvasAgg:
    """Return the drawing, ``size`` pixels wide and high, on a transparent ground."""
    figure = Figure(figsize=(1, 1), dpi=size, facecolor="none")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, 128), ylim=(0, 128))
    axes.axis("off")
    unit = 72 / 128  # points in a 128th of the icon
    shapes = (
        (CEREBELLUM, CEREBELLUM_COLOUR),
        (MEDULLA, _colour("medullary_tegmentum_left")),
        (MIDBRAIN, _colour("midbrain_tegmentum_left")),
        (PONS, _colour("crus_pontine_left")),
    )
    # A light rim first, so that the outline is seen on a dark panel too.
    for outline, _ in shapes:
        _add(axes, outline, HALO, HALO, 7 * unit)
    for outline, colour in shapes:
        _add(axes, outline, colour, EDGE, 3.2 * unit)
    for outline in FOLIA:
        _add(axes, outline, "none", EDGE, 2 * unit)
    for colour, width in ((EDGE, 11), (_colour("cst_pons_left"), 6.5)):
        _add(axes, TRACT, "none", colour, width * unit)
    return FigureCanvasAgg(figure)


def _add(axes: Axes, outline: list, face: str, edge: str, width: float) -> None:
    axes.add_patch(
        PathPatch(
            _path(outline),
            facecolor=face,
            edgecolor=edge,
            linewidth=width,
            joinstyle="round",
            capstyle="round",
        )
    )


def _path(outline: list) -> Outline:
    start, *curves = outline
    points = [start, *(point for curve in curves for point in curve)]
    return Outline(points, [Outline.MOVETO] + [Outline.CURVE4] * (len(points) - 1))


def _colour(key: str) -> str:
    return by_key()[key].color


def main() -> None:
    """Write the icon."""
    ICON.parent.mkdir(parents=True, exist_ok=True)
    # Without the version of matplotlib: the same drawing gives the same file.
    draw().print_png(str(ICON), metadata={"Software": None})
    print(ICON)


if __name__ == "__main__":
    main()
