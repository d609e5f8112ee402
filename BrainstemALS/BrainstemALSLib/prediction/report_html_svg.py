"""Charts of the report as inline SVG: no library, no file beside the page, sharp in print.

Sizes are in the units of the view box, about CSS pixels. Text comes escaped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .report_html_words import text

INK, DIM, RULE = "#1a1d21", "#5a6270", "#dde1e6"
# Okabe and Ito's colours (doi:10.1038/nmeth.1618), those that hold on white.
BLUE, ORANGE, GREEN = "#0072b2", "#d55e00", "#009e73"
Point = tuple[float, float]


@dataclass(frozen=True)
class Row:
    """One line of a chart of intervals.

    Attributes
    ----------
    label : str
    value, low, high : float
    faint : bool
        Drawn pale: not steady, or not significant.
    """

    label: str
    value: float
    low: float
    high: float
    faint: bool = False


def svg(width: float, height: float, parts: Sequence[str], title: str) -> str:
    """Return a picture with a title for screen readers."""
    return (
        f'<svg viewBox="0 0 {width:g} {height:g}" role="img" aria-label="{text(title)}">'
        f"<title>{text(title)}</title>{''.join(parts)}</svg>"
    )


def line(a: Point, b: Point, colour: str = RULE, width: float = 1, dash: str = "") -> str:
    """Return a straight line."""
    extra = f' stroke-dasharray="{dash}"' if dash else ""
    return (
        f'<line x1="{a[0]:.1f}" y1="{a[1]:.1f}" x2="{b[0]:.1f}" y2="{b[1]:.1f}" '
        f'stroke="{colour}" stroke-width="{width:g}"{extra}/>'
    )


def label(
    at: Point, said: str, anchor: str = "start", colour: str = INK, size: float = 9.5,
    bold: bool = False,
) -> str:  # fmt: skip
    """Return text at a place."""
    weight = ' font-weight="600"' if bold else ""
    return (
        f'<text x="{at[0]:.1f}" y="{at[1]:.1f}" text-anchor="{anchor}" fill="{colour}" '
        f'font-size="{size:g}"{weight}>{text(said)}</text>'
    )


def path(points: Sequence[Point], colour: str, width: float = 1.8) -> str:
    """Return a line through points."""
    joined = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline points="{joined}" fill="none" stroke="{colour}" stroke-width="{width:g}"/>'


def band(upper: Sequence[Point], lower: Sequence[Point], colour: str, opacity: float) -> str:
    """Return the area between two lines."""
    joined = " ".join(f"{x:.1f},{y:.1f}" for x, y in (*upper, *reversed(lower)))
    return f'<polygon points="{joined}" fill="{colour}" fill-opacity="{opacity:g}"/>'


def dot(at: Point, colour: str, radius: float = 3, hollow: bool = False) -> str:
    """Return a dot."""
    fill = "#ffffff" if hollow else colour
    return (
        f'<circle cx="{at[0]:.1f}" cy="{at[1]:.1f}" r="{radius:g}" fill="{fill}" '
        f'stroke="{colour}" stroke-width="1.4"/>'
    )


def interval_chart(
    rows: Sequence[Row], ends: tuple[float, float], ticks: Sequence[tuple[float, str]],
    title: str, sides: tuple[str, str], middle: float = 0.0,
    shade: tuple[float, float] | None = None, colours: tuple[str, str] = (BLUE, ORANGE),
    width: float = 344, names: float = 142,
) -> str:  # fmt: skip
    """Return values with intervals, one a line, about a middle.

    Parameters
    ----------
    rows : sequence of Row
    ends : tuple of float
        Of the axis; what lies beyond is drawn up to it, with an arrow.
    ticks : sequence of (float, str)
    title : str
    sides : tuple of str
        What lies to the left and to the right of the middle means.
    middle : float
    shade : tuple of float, optional
        What is shaded as usual.
    colours : tuple of str
        Of values below and above the middle.
    width, names : float
        Of the picture, and of the labels in it.
    """
    step, top = 13.0, 14.0
    height = top + step * len(rows) + 16
    left, right = names + 6, width - 6

    def x(value: float) -> float:
        share = (min(max(value, ends[0]), ends[1]) - ends[0]) / (ends[1] - ends[0])
        return left + share * (right - left)

    bottom = top + step * len(rows)
    parts = []
    if shade is not None:
        parts.append(
            f'<rect x="{x(shade[0]):.1f}" y="{top - 3:.1f}" width="{x(shade[1]) - x(shade[0]):.1f}"'
            f' height="{bottom - top + 3:.1f}" fill="#eef5f8"/>'
        )
    for value, said in ticks:
        parts += [line((x(value), top - 3), (x(value), bottom)),
                  label((x(value), bottom + 11), said, "middle", DIM, 8.5)]  # fmt: skip
    parts.append(line((x(middle), top - 3), (x(middle), bottom), DIM, 1.2))
    parts += [label((left, 8), sides[0], "start", DIM, 8.5),
              label((right, 8), sides[1], "end", DIM, 8.5)]  # fmt: skip
    for number, row in enumerate(rows):
        y = top + step * (number + 0.5)
        colour = colours[0] if row.value < middle else colours[1]
        parts.append(label((names, y + 3), row.label, "end", DIM if row.faint else INK))
        parts.append(line((x(row.low), y), (x(row.high), y), colour, 1.6, "2 2" * row.faint))
        for end, sign in ((row.low, -1), (row.high, 1)):
            if not ends[0] <= end <= ends[1]:
                tip = x(end)
                parts.append(path([(tip - 4 * sign, y - 3), (tip, y), (tip - 4 * sign, y + 3)],
                                  colour, 1.4))  # fmt: skip
        parts.append(dot((x(row.value), y), colour, 3, row.faint))
    return svg(width, height, parts, title)


def stage_chart(
    probabilities: dict[str, tuple[float, float, float]], clinical: str | None, title: str,
    width: float = 344,
) -> str:  # fmt: skip
    """Return stages as bars with intervals, the clinical stage marked."""
    step, top, left, right = 17.0, 2.0, 46.0, width - 92
    parts = []
    for tick in (0, 0.25, 0.5, 0.75, 1):
        at = left + tick * (right - left)
        bottom = top + step * len(probabilities)
        parts += [line((at, top), (at, bottom)),
                  label((at, bottom + 11), f"{100 * tick:.0f} %", "middle", DIM, 8.5)]  # fmt: skip
    for number, (stage, (value, low, high)) in enumerate(probabilities.items()):
        y = top + step * number + 2
        known = stage == clinical
        parts.append(label((left - 6, y + 10), f"Stage {stage}", "end", INK, 9.5, known))
        parts.append(
            f'<rect x="{left}" y="{y:.1f}" width="{value * (right - left):.1f}" height="13" '
            f'fill="{BLUE}" fill-opacity="{0.75 if known else 0.4}"/>'
        )
        middle = y + 6.5
        ends = left + low * (right - left), left + high * (right - left)
        parts.append(line((ends[0], middle), (ends[1], middle), INK, 1.4))
        parts += [line((end, middle - 3), (end, middle + 3), INK, 1.4) for end in ends]
        if known:
            parts.append(
                label((right + 6, y + 10), "\u25c4 clinical stage", "start", ORANGE, 9.5, True)
            )
    return svg(width, top + step * len(probabilities) + 16, parts, title)


@dataclass(frozen=True)
class Frame:
    """Axes of a chart over time.

    Attributes
    ----------
    months : tuple of float
        Left and right end.
    highest : float
        Upper end; the lower is 0.
    box : tuple of float
        Left, top, right and bottom of the field.
    """

    months: tuple[float, float]
    highest: float
    box: tuple[float, float, float, float]

    def at(self, month: float, value: float) -> Point:
        """Return the place of a value."""
        left, top, right, bottom = self.box
        share = (month - self.months[0]) / max(self.months[1] - self.months[0], 1e-9)
        height = min(max(value / self.highest, 0.0), 1.0)
        return left + share * (right - left), bottom - height * (bottom - top)

    def axes(self, months: Sequence[float], values: Sequence[float], unit: str) -> list[str]:
        """Return rules and numbers."""
        left, top, right, bottom = self.box
        parts = []
        for value in values:
            y = self.at(self.months[0], value)[1]
            parts += [line((left, y), (right, y)),
                      label((left - 4, y + 3), f"{value:g}{unit}", "end", DIM, 8.5)]  # fmt: skip
        for month in months:
            x = self.at(month, 0)[0]
            parts += [line((x, bottom), (x, bottom + 3), DIM),
                      label((x, bottom + 12), f"{month:g}", "middle", DIM, 8.5)]  # fmt: skip
        return [
            *parts,
            line((left, top), (left, bottom), DIM),
            line((left, bottom), (right, bottom), DIM),
        ]


def spaced(first: float, last: float, most: int = 8) -> list[float]:
    """Return round months between two."""
    span = max(last - first, 1.0)
    step = next(s for s in (3, 6, 12, 24, 60, 120, 1200) if span / s <= most)
    start = -(-first // step) * step
    return [start + step * n for n in range(int((last - start) // step) + 1)]
