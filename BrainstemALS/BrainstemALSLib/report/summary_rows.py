"""One row per structure or left/right pair: what the terminal and the panel show of a measure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ..anatomy import CONTEXT, REGIONS
from ..measurement import Measures
from ..measurement.asymmetry import Asymmetry
from ..measurement.confidence import confidence_word
from ..measurement.volumes import StructureVolume
from .wording import short_name

WHOLE = ""
"""Group of the composites, which come first."""


@dataclass(frozen=True)
class SummaryRow:
    """A structure, a composite, or the two sides of either.

    Attributes
    ----------
    group : str
        Region or ``context``; ``WHOLE`` for composites.
    keys : tuple of str
        Keys of what the row shows: one, or left and right.
    name : str
        Short name; with its side where only one side of a pair is there.
    tier : str
        Evidence tier of the less known side.
    left_mm3, right_mm3, total_mm3 : float or None
        Soft volumes; left and right only of what has sides.
    spread_mm3 : float or None
        Half range, see ``StructureVolume``; sides added.
    index_percent : float or None
        Asymmetry, positive when the left is larger.
    has_sides : bool
        Whether left, right and index apply at all.
    confidence : float
        Of the less known side; NaN where nothing is labelled.
    word : str
        The same as a word: ``high``, ``moderate``, ``low`` or ``none``.
    """

    group: str
    keys: tuple[str, ...]
    name: str
    tier: str
    left_mm3: float | None
    right_mm3: float | None
    total_mm3: float | None
    spread_mm3: float | None
    index_percent: float | None
    has_sides: bool
    confidence: float
    word: str


def summary_rows(measures: Measures) -> Iterator[SummaryRow]:
    """Yield the rows: composites first, then the structures of each region.

    Parameters
    ----------
    measures : Measures
        As ``measure`` returns them.
    """
    pairs = {pair.key: pair for pair in measures.asymmetries}
    composites = [row for row in measures.volumes if row.kind == "composite"]
    yield from _group(WHOLE, composites, pairs)
    for region in (*REGIONS, CONTEXT):
        rows = [r for r in measures.volumes if r.kind == "structure" and r.parent == region]
        yield from _group(region, rows, pairs)


def volume_text(value: float | None) -> str:
    """Return a volume in mm3 as it is shown: no decimals from 100 on.

    Examples
    --------
    >>> volume_text(1234.5), volume_text(12.34), volume_text(None)
    ('1,234', '12.3', 'n/a')
    """
    if value is None:
        return "n/a"
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def _group(
    group: str, rows: list[StructureVolume], pairs: dict[str, Asymmetry]
) -> Iterator[SummaryRow]:
    by_key = {row.key: row for row in rows}
    for row in rows:
        if row.side == "right" and _stem(row) + "_left" in by_key:
            continue  # shown beside its left
        sides = [row]
        if row.side == "left" and _stem(row) + "_right" in by_key:
            sides.append(by_key[_stem(row) + "_right"])
        yield _row(group, sides, pairs.get(_stem(row)))


def _row(group: str, sides: list[StructureVolume], pair: Asymmetry | None) -> SummaryRow:
    name = short_name(sides[0].name)
    has_sides = sides[0].side in ("left", "right")
    if has_sides and len(sides) == 1:
        name = f"{name}, {sides[0].side}"
    volumes = {row.side: row.volume_soft_mm3 for row in sides}
    # The weaker side decides: a pair is no better known than its worse half.
    weakest = min(sides, key=lambda row: row.confidence if row.confidence == row.confidence else -1)
    return SummaryRow(
        group=group,
        keys=tuple(row.key for row in sides),
        name=name,
        tier=weakest.tier,
        left_mm3=volumes.get("left"),
        right_mm3=volumes.get("right"),
        total_mm3=_sum(row.volume_soft_mm3 for row in sides),
        spread_mm3=_sum(row.half_range_mm3 for row in sides),
        index_percent=pair.index_percent if has_sides and pair is not None else None,
        has_sides=has_sides,
        confidence=weakest.confidence,
        word=confidence_word(weakest.confidence, weakest.tier),
    )


def _stem(row: StructureVolume) -> str:
    return row.key.removesuffix(f"_{row.side}")


def _sum(values: Iterable[float | None]) -> float | None:
    known = list(values)
    return None if any(value is None for value in known) else sum(known)
