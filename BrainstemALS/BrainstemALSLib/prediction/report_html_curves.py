"""Charts over time: the visits with the forecast, and the risk with its band."""

from __future__ import annotations

from collections.abc import Sequence

from .predict import Prediction
from .progression import Forecast
from .records import VisitRecord
from .report_html_svg import (
    BLUE,
    DIM,
    GREEN,
    INK,
    ORANGE,
    Frame,
    band,
    dot,
    label,
    line,
    path,
    spaced,
    svg,
)
from .survival_result import Curve, EncalsResult

WIDTH = 344.0
TOTAL = 48
SHOWN_MONTHS = 24.0
"""Of the risk curve; what lies beyond rests on few."""


def timeline(prediction: Prediction) -> str:
    """Return the ALSFRS-R of all visits, with stage and FVC, and the forecast behind it."""
    visits = [(v.months or 0.0, v) for v in prediction.person.visits]
    forecast = prediction.progression if prediction.answers("progression") else None
    last = visits[-1][0]
    end = last + (forecast.horizons[-1].months if forecast else 6.0)
    frame = Frame((visits[0][0] - 1.0, end), TOTAL, (34.0, 6.0, WIDTH - 8, 102.0))
    parts = frame.axes(spaced(visits[0][0], end), (0, 12, 24, 36, 48), "")
    parts.append(label((frame.box[2], 125), "months since the first visit", "end", DIM, 8.5))
    if forecast is not None:
        parts += _forecast(frame, forecast, visits)
    x = frame.at(last, 0)[0]
    parts.append(line((x, frame.box[1]), (x, frame.box[3]), DIM, 1, "3 3"))
    seen = [(at, v.total) for at, v in visits if v.total is not None]
    if len(seen) > 1:
        parts.append(path([frame.at(*point) for point in seen], INK, 1.4))
    parts += [dot(frame.at(*point), INK, 3.2) for point in seen]
    parts += _under(frame, visits)
    return svg(WIDTH, 152, parts, "ALSFRS-R at the visits and forecast with 80 and 95 % bands")


def _forecast(
    frame: Frame, forecast: Forecast, visits: Sequence[tuple[float, VisitRecord]]
) -> list[str]:
    last, newest = visits[-1]
    months = [last + h.months for h in forecast.horizons]
    starts = [] if newest.total is None else [(last, newest.total)]
    ends = {
        name: [
            frame.at(*start) for start in starts
        ] + [
            frame.at(month, getattr(h.alsfrs, name))
            for month, h in zip(months, forecast.horizons, strict=True)
        ]
        for name in ("value", "low80", "high80", "low95", "high95")
    }  # fmt: skip
    return [
        band(ends["high95"], ends["low95"], BLUE, 0.14),
        band(ends["high80"], ends["low80"], BLUE, 0.24),
        path(ends["value"], BLUE),
    ]


def _under(frame: Frame, visits: Sequence[tuple[float, VisitRecord]]) -> list[str]:
    """King's stage and FVC below the visits, as far as they do not lie on one another."""
    parts = [label((frame.box[0] - 4, y), said, "end", DIM, 8.5)
             for y, said in ((136, "King's"), (148, "FVC %"))]  # fmt: skip
    before = -100.0
    for month, visit in visits:
        x = frame.at(month, 0)[0]
        if x - before < 20:
            continue
        before = x
        fvc = "\u2013" if visit.fvc is None else f"{visit.fvc:.0f}"
        parts += [label((x, 136), visit.kings or "\u2013", "middle", INK, 9.5, True),
                  label((x, 148), fvc, "middle", INK, 9.5)]  # fmt: skip
    return parts


def risk_chart(curve: Curve, encals: EncalsResult | None, event: str) -> str:
    """Return the risk of the end point by months after the visit, with its bands."""
    kept = [k for k, month in enumerate(curve.months) if month <= SHOWN_MONTHS + 1e-6]
    end = max(curve.months[k] for k in kept)
    frame = Frame((0.0, end), 1.0, (38.0, 6.0, WIDTH - 10, 104.0))
    parts = frame.axes(spaced(0.0, end), (), "")
    for tick in (0.0, 0.25, 0.5, 0.75, 1.0):
        y = frame.at(0, tick)[1]
        said = f"{100 * tick:.0f} %"
        parts.append(line((frame.box[0], y), (frame.box[2], y)))
        parts.append(label((frame.box[0] - 4, y + 3), said, "end", DIM, 8.5))

    def points(values: tuple[float, ...]) -> list[tuple[float, float]]:
        return [frame.at(curve.months[k], 1 - values[k]) for k in kept]

    parts += [
        band(points(curve.low95), points(curve.high95), ORANGE, 0.14),
        band(points(curve.low80), points(curve.high80), ORANGE, 0.24),
        path(points(curve.value), ORANGE),
    ]
    if encals is not None:
        parts += [dot(frame.at(month, risk), GREEN, 3.4, True)
                  for month, risk in encals.risks.items() if month <= end]  # fmt: skip
        key = frame.box[0] + 12
        parts.append(dot((key, 12), GREEN, 3.4, True))
        said = "ENCALS: published, clinical data only, no interval"
        parts.append(label((key + 8, 15), said, "start", DIM, 8.5))
    parts.append(label((frame.box[2], 127), "months after the last visit", "end", DIM, 8.5))
    return svg(WIDTH, 130, parts, f"Risk of {event}, with 80 and 95 % bands")
