"""A sketch of the brainstem that shows where the evidence sits; the map proper is in Slicer.

Shapes are drawn by hand, to no scale. Orange speaks for ALS, blue against, the darker the more;
volumes of a whole part colour its ground, tracts and nuclei lie on it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import exp

from .explain_map import Evidence
from .report_html_svg import BLUE, DIM, INK, ORANGE, label, svg

FULL = 0.7
"""Log-odds from which on the colour is full: a doubling of the odds."""
_GROUND = {
    "midbrain": "M62 10 L138 10 Q146 34 134 52 L66 52 Q54 34 62 10 Z",
    "pons": "M60 54 L140 54 Q158 78 140 106 L60 106 Q42 78 60 54 Z",
    "medulla": "M68 108 L132 108 Q128 142 116 172 L84 172 Q72 142 68 108 Z",
}
_RIGHT_FRONT = {
    "corticospinal_tract": "M78 16 L90 16 L92 100 L96 108 L96 112 L86 112 L80 100 Z",
    "pyramid": "M86 113 L97 113 L98 160 L91 160 Z",
}
_RIGHT_BACK = {
    "superior_cerebellar_peduncle": "M80 30 L89 27 L84 84 L72 88 Z",
    "dorsal_medullary_complex": "M86 118 Q92 112 97 118 L98 142 Q92 146 89 140 Z",
}
WIDTH, HEIGHT = 344.0, 204.0


def evidence_map(evidence: Sequence[Evidence]) -> str:
    """Return the sketch from the front and from behind."""
    values = {one.structure: one.log_odds for one in evidence}
    parts = [
        _view(values, _RIGHT_FRONT, 0, "from the front", patients_right_first=True),
        _view(values, _RIGHT_BACK, 144, "from behind", patients_right_first=False),
        *_legend(),
    ]
    return svg(WIDTH, HEIGHT, parts, "Sketch of the brainstem, coloured by evidence for ALS")


def _view(
    values: Mapping[str, float], shapes: Mapping[str, str], left: float, said: str,
    patients_right_first: bool,
) -> str:  # fmt: skip
    parts = [_shape(_GROUND[name], values.get(name), name) for name in _GROUND]
    near, far = ("right", "left") if patients_right_first else ("left", "right")
    for stem, drawn in shapes.items():
        parts.append(_shape(drawn, values.get(f"{stem}_{near}"), f"{stem} {near}"))
        mirrored = _shape(drawn, values.get(f"{stem}_{far}"), f"{stem} {far}")
        parts.append(f'<g transform="translate(200 0) scale(-1 1)">{mirrored}</g>')
    parts += [
        label((46, 20), near[0].upper(), "middle", DIM, 9.5, True),
        label((154, 20), far[0].upper(), "middle", DIM, 9.5, True),
        label((100, 188), said, "middle", DIM, 9),
    ]
    return f'<g transform="translate({left - 30:g} 0)">{"".join(parts)}</g>'


def _shape(drawn: str, value: float | None, name: str) -> str:
    said = name.replace("_", " ")
    if value is None:
        fill = '#ffffff" stroke-dasharray="2 2'
        title = f"{said}: not used"
    else:
        colour, share = (ORANGE if value > 0 else BLUE), min(abs(value) / FULL, 1.0)
        fill = f'{colour}" fill-opacity="{0.04 + 0.8 * share:.2f}'
        title = f"{said}: odds times {exp(value):.2f}"
    return (
        f'<path d="{drawn}" fill="#ffffff"/><path d="{drawn}" fill="{fill}" stroke="{INK}" '
        f'stroke-width="0.8"><title>{title}</title></path>'
    )


def _legend() -> list[str]:
    left, top = 290.0, 24.0
    parts = [label((left - 8, 14), "odds of ALS", "start", DIM, 8.5)]
    for number, value in enumerate((FULL, FULL / 2, 0.0, -FULL / 2, -FULL)):
        colour, share = (ORANGE if value > 0 else BLUE), abs(value) / FULL
        y = top + 15 * number
        parts.append(
            f'<rect x="{left - 8}" y="{y}" width="14" height="11" fill="{colour}" '
            f'fill-opacity="{0.04 + 0.8 * share:.2f}" stroke="{INK}" stroke-width="0.5"/>'
        )
        parts.append(label((left + 10, y + 9), f"\u00d7 {exp(value):.1f}", "start", INK, 9))
    return parts
