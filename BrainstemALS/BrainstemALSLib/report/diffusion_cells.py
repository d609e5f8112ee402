"""Diffusion values as the terminal and the panel show them: both sides of a pair in one cell."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..measurement import Measures
from ..measurement.diffusion_value import METRICS, DiffusionValue

MISSING = "n/a"
PLACES = "Expected places (tier C)"
"""Heading of the nuclei that are sampled."""


@dataclass(frozen=True)
class DiffusionCell:
    """One metric of a structure or of both sides of a pair.

    Attributes
    ----------
    values : tuple of DiffusionValue
        One, or left and right.
    index_percent : float or None
        Asymmetry, positive when the left is larger.
    """

    values: tuple[DiffusionValue, ...]
    index_percent: float | None

    @property
    def text(self) -> str:
        """Value, or left and right: ``0.52 / 0.55``."""
        return " / ".join(_number(row.value) for row in self.values)

    @property
    def uncertainty(self) -> str:
        """Uncertainty, of two sides the larger one; empty where there is none."""
        known = [row.uncertainty for row in self.values if row.uncertainty is not None]
        if not known:
            return ""
        return f"{max(known):.2f}" if max(known) >= 0.005 else "<.01"

    @property
    def index(self) -> str:
        """Asymmetry in per cent with its sign; empty where there is none."""
        return "" if self.index_percent is None else f"{self.index_percent:+.1f}"

    @property
    def detail(self) -> str:
        """What stands behind the cell, one line per side."""
        return "\n".join(_detail(row) for row in self.values)

    @property
    def has_value(self) -> bool:
        """Whether any side was measured."""
        return any(row.value is not None for row in self.values)


class DiffusionCells:
    """Finds the cells of an exam.

    Parameters
    ----------
    measures : Measures
        As ``measure`` returns them.
    """

    def __init__(self, measures: Measures):
        self._values = {(row.key, row.metric): row for row in measures.diffusion}
        self._pairs = {(pair.key, pair.metric): pair for pair in measures.diffusion_asymmetries}
        present = {row.metric for row in measures.diffusion}
        self.metrics = tuple(metric for metric in METRICS if metric in present)

    def __bool__(self) -> bool:
        return bool(self._values)

    def cell(self, keys: tuple[str, ...], metric: str) -> DiffusionCell | None:
        """Return the cell of a row, one key or left and right; None where nothing is measured."""
        values = tuple(self._values[key, metric] for key in keys if (key, metric) in self._values)
        if not values:
            return None
        pair = None
        if len(values) == 2:
            pair = self._pairs.get((keys[0].removesuffix("_left"), metric))
        return DiffusionCell(values, pair.index_percent if pair else None)

    def places(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Yield the names, without a side, and the keys of the nuclei that were sampled."""
        found: dict[str, tuple[str, list[str]]] = {}
        for row in self._values.values():
            if row.kind == "sampled":
                _name, keys = found.setdefault(
                    row.key.removesuffix(f"_{row.side}"),
                    (row.name.removesuffix(f", {row.side}"), []),
                )
                if row.key not in keys:
                    keys.append(row.key)
        yield from ((name, tuple(keys)) for name, keys in found.values())


def _number(value: float | None) -> str:
    return MISSING if value is None else f"{value:.2f}"


def _detail(row: DiffusionValue) -> str:
    unit = f" {METRICS[row.metric]}" if METRICS[row.metric] else ""
    start = row.metric.upper() + (f" {row.side}" if row.side in ("left", "right") else "")
    if row.value is None:
        return f"{start}: none, {row.remark}"
    spread = "" if row.uncertainty is None else f" ± {row.uncertainty:.3f}"
    text = f"{start}: {row.value:.3f}{spread}{unit}, {row.n_effective:.1f} effective voxels"
    return f"{text}; {row.remark}" if row.remark else text
