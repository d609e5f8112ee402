"""What ``training.evaluation.longitudinal`` found, and the figures that its marks are made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from .longitudinal_cases import groups
from .tables import Table

ASKED_PERCENT = 30.0
RESAMPLES = 2000
OTHER_SCANNER, NO_CHANGE = "another scanner", "no change"
UNITS = {"volume": "%", "fa": "1", "md": "1e-3 mm2/s"}
REGION = "medulla"
"""What the simulated persons lose of."""
LIMITS_SD = 1.96
WAYS = ("independent", "longitudinal")
Interval = tuple[float, float, float]
"""A figure and the limits of its 95 % interval."""


@dataclass(frozen=True)
class Row:
    """One change of one structure.

    Attributes
    ----------
    case, series : str
    structure, measure : str
        As of ``longitudinal.Change``.
    true, independent, longitudinal : float
        Change per year: volumes in per cent of the mean, FA and MD in their unit. The last follows
        from the values of the visits, also where results give no change.
    beyond_error : bool or None
        What longitudinal processing says of it.
    low, high : float or None
        Limits of its 95 % interval.
    given : bool
        Whether results give the change: not where visits seem to differ in scanner.
    """

    case: str
    series: str
    structure: str
    measure: str
    true: float
    independent: float
    longitudinal: float
    beyond_error: bool | None
    low: float | None = None
    high: float | None = None
    given: bool = True


def reduction(rows: Sequence[Row], seed: int) -> Interval:
    """Return by how many per cent the error is smaller, with its interval over cases."""
    squares = [[(getattr(r, way) - r.true) ** 2 for way in WAYS] for r in rows]

    def less(sums: np.ndarray) -> float:
        alone, joint = np.sqrt(sums)
        return 100.0 * (1.0 - joint / alone) if alone > 0 else float("nan")

    return _over_cases(rows, squares, less, seed)


def found_share(rows: Sequence[Row], way: str, seed: int) -> Interval:
    """Return the share of the true changes that is found, per cent: a slope through the origin."""
    products = [[getattr(r, way) * r.true, r.true**2] for r in rows]
    return _over_cases(rows, products, lambda s: 100.0 * s[0] / s[1] if s[1] else np.nan, seed)


def mean_found(rows: Sequence[Row], way: str, seed: int) -> Interval:
    """Return the mean of what is found."""
    return _over_cases(rows, [[getattr(r, way), 1.0] for r in rows], lambda s: s[0] / s[1], seed)


def limits_of_agreement(differences: Sequence[float]) -> Interval:
    """Return the mean of differences between repeats, and 1.96 standard deviations either way.

    Bland and Altman 1986, doi:10.1016/S0140-6736(86)90837-8.
    """
    mean, reach = float(np.mean(differences)), LIMITS_SD * float(np.std(differences, ddof=1))
    return mean, mean - reach, mean + reach


def _over_cases(
    rows: Sequence[Row],
    terms: Sequence[Sequence[float]],
    figure: Callable[[np.ndarray], float],
    seed: int,
) -> Interval:
    """A figure of sums of terms over rows, its interval by drawing cases anew (bootstrap)."""
    names = np.array([row.case for row in rows])
    values = np.array(terms, float)
    sums = np.array([values[names == case].sum(0) for case in sorted(set(names.tolist()))])
    rng = np.random.default_rng(seed)
    drawn = [figure(sums[rng.integers(0, len(sums), len(sums))].sum(0)) for _ in range(RESAMPLES)]
    finite = [value for value in drawn if np.isfinite(value)]
    low, high = np.percentile(finite, (2.5, 97.5)) if finite else (np.nan, np.nan)
    return float(figure(sums.sum(0))), float(low), float(high)


def marks(rows: Sequence[Row], seed: int) -> list[tuple[str, bool | None]]:
    """Return what was asked for of one scanner, with what was reached, and of two scanners.

    Asked for: an error at least 30 % below that of independent segmentations, and no bias. A
    bias counts as none where the interval over cases holds 100 % of a loss, or no change (own
    choice).
    """
    whole = [r for r in rows if r.series != OTHER_SCANNER]
    members = set().union(*groups().values())
    regions = groups()["whole regions"]
    asked = (
        ("a volume change", "volume", members),
        ("a volume change, whole regions alone", "volume", regions),
        ("a change of FA", "fa", members),
        ("a change of MD", "md", members),
    )
    found: list[tuple[str, bool | None]] = []
    for what, measure, of in asked:
        text = (
            f"error of {what} at least {ASKED_PERCENT:g} % below that of independent "
            "segmentations, one scanner"
        )
        some = [r for r in whole if r.measure == measure and r.structure in of]
        less, low, high = reduction(some, seed) if some else (np.nan,) * 3
        if not np.isfinite(less):
            found.append((text, None))
            continue
        short = "" if less >= ASKED_PERCENT else f", short by {ASKED_PERCENT - less:.0f}"
        found.append((f"{text}: {less:.0f} % ({low:.0f} to {high:.0f}){short}", not short))
    return [*found, *_bias(whole, regions, seed), *_between_scanners(rows)]


def _bias(rows: Sequence[Row], regions: Sequence[str], seed: int) -> list[tuple[str, bool | None]]:
    found: list[tuple[str, bool | None]] = []
    lost = [r for r in rows if (r.structure, r.measure) == (REGION, "volume") and r.true != 0]
    if lost:
        share, low, high = found_share(lost, "longitudinal", seed)
        held = low <= 100 <= high
        off = "" if held else f", off by {abs(100 - share):.0f}"
        alone = "{:.0f} % ({:.0f} to {:.0f})".format(*found_share(lost, "independent", seed))
        found.append(
            (
                f"change unbiased: of the loss of the {REGION}, 100 % is found: {share:.0f} % "
                f"({low:.0f} to {high:.0f}){off}; independent segmentations find {alone}",
                held,
            )
        )
    still = [
        r for r in rows if (r.series, r.measure) == (NO_CHANGE, "volume") and r.structure in regions
    ]
    if still:
        mean, low, high = mean_found(still, "longitudinal", seed)
        held = low <= 0 <= high
        off = "" if held else f", off by {abs(mean):.2f}"
        text = "no change unbiased: whole regions that do not change, mean per year of 0 %"
        found.append((f"{text}: {mean:.2f} % ({low:.2f} to {high:.2f}){off}", held))
    return found


def _between_scanners(rows: Sequence[Row]) -> list[tuple[str, bool | None]]:
    given = {r.case: False for r in rows if r.series == OTHER_SCANNER}
    for row in rows:
        if row.series == OTHER_SCANNER:
            given[row.case] |= row.given
    if not given:
        return []
    text = "no change is given between two scanners that nobody names"
    return [
        (
            f"{text}: one is given in {sum(given.values())} of {len(given)} series",
            not any(given.values()),
        )
    ]


def shares_table(rows: Sequence[Row], seed: int) -> Table:
    """Return what share of a true change of volume is found, by group."""
    lines = []
    changed = [
        r for r in rows if r.measure == "volume" and r.series != OTHER_SCANNER and r.true != 0
    ]
    for name, members in {REGION: (REGION,), **groups()}.items():
        of = [r for r in changed if r.structure in members]
        if of:
            each = [figure for way in WAYS for figure in found_share(of, way, seed)]
            lines.append((name, len(of), *each))
    return Table(
        "shares",
        "Share of the true change of volume that is found, per cent (slope through the origin, "
        "weighted by the size of the change), with its 95 % interval; 100 is unbiased",
        ("structures", "n", "independent", "from", "to", "longitudinal", "from ", "to "),
        lines,
        0,
    )


def agreement_table(rows: Sequence[Row]) -> Table:
    """Return limits of agreement of repeats without change, by measure and group."""
    lines = []
    still = [r for r in rows if r.series == NO_CHANGE]
    for measure, unit in UNITS.items():
        for name, members in groups().items():
            of = [r for r in still if r.measure == measure and r.structure in members]
            if len(of) > 1:
                each = [
                    figure
                    for way in WAYS
                    for figure in limits_of_agreement([getattr(r, way) for r in of])
                ]
                lines.append((measure, unit, name, len(of), *each))
    return Table(
        "agreement",
        "Limits of agreement of two visits without change (Bland and Altman 1986, "
        "doi:10.1016/S0140-6736(86)90837-8): mean difference, and 1.96 standard deviations below "
        "and above it; second minus first visit, volumes in per cent of their mean",
        (
            "measure",
            "unit",
            "structures",
            "n",
            "independent: mean",
            "lower",
            "upper",
            "longitudinal: mean",
            "lower ",
            "upper ",
        ),
        lines,
    )
