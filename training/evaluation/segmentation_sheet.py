"""All cases of one method and one kind of exam, summarised."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from .calibration import pooled, pooled_error, stacked
from .icc import icc_2_1
from .records import Record
from .score_table import interval_text
from .summary import Interval, Line, bootstrap_mean, bootstrap_over, groups, line_of, summarise

Results = Mapping[str, Mapping[str, Mapping[str, Record]]]
"""Method's short name to kind to case to record."""

SUMMARY_COLUMNS = (
    "method", "exam", "structure or group", "kind", "tier", "cases", "Dice", "Dice, 95 % interval",
    "NSD at 1 mm", "HD95 (mm)", "volume bias (%)", "volume error (%)", "ICC(2,1)", "ECE", "missed",
    "spurious",
)  # fmt: skip


class Sheet:
    """All cases of one method and one kind of exam.

    Parameters
    ----------
    method, kind : str
        Short names.
    records : mapping
        Case to record.
    seed : int
        Of the bootstrap.

    Attributes
    ----------
    lines : list of Line
        Summaries, as ``summarise`` gives them.
    bins : list of dict
        Calibration of the cases that have any.
    """

    def __init__(self, method: str, kind: str, records: Mapping[str, Record], seed: int):
        self.method, self.kind, self.records, self._seed = method, kind, records, seed
        self.lines = summarise({case: record.scores for case, record in records.items()}, seed)
        self.bins = [record.bins for record in records.values() if record.bins]

    def members(self, key: str) -> tuple[str, ...]:
        """Return the structures of a group, or the key itself."""
        return groups().get(key, (key,))

    def dice(self, key: str) -> Interval:
        """Return the mean Dice of a structure, composite or group."""
        return line_of(self.lines, key).dice

    def icc(self, key: str) -> float:
        """Return ICC(2,1) of true and found volumes; of a group, the mean over its structures."""
        found = [self._icc(member) for member in self.members(key)]
        known = [value for value in found if math.isfinite(value)]
        return sum(known) / len(known) if known else math.nan

    def _icc(self, key: str) -> float:
        scores = [r.scores[key] for r in self.records.values() if key in r.scores]
        volumes = [(score.truth_mm3, score.measured_mm3) for score in scores]
        return icc_2_1(np.array(volumes).reshape(-1, 2))

    def ece(self, key: str) -> float:
        """Return the calibration error, of a group the mean over its structures; NaN if unknown."""
        return pooled_error(stacked(self.bins, self.members(key)))

    def ece_interval(self, key: str) -> Interval:
        """Return the same with its bootstrap interval over subjects."""
        return bootstrap_over(stacked(self.bins, self.members(key)), pooled_error, self._seed)

    def overlooked(self, key: str) -> float:
        """Return the share (%) of true voxels with hardly any probability; of groups, the mean."""
        cases = [pooled(b[k] for b in self.bins if k in b) for k in self.members(key)]
        known = [c.overlooked_percent for c in cases if c.true]
        return sum(known) / len(known) if known else math.nan

    @property
    def auroc(self) -> Interval:
        """Mean area under the curve of error detection."""
        return bootstrap_mean([record.auroc for record in self.records.values()], self._seed)

    @property
    def refused(self) -> int:
        """Cases without a segmentation."""
        return sum(bool(record.refused) for record in self.records.values())

    @property
    def seconds(self) -> float:
        """Median time of a segmentation."""
        return float(np.median([record.seconds for record in self.records.values()]))

    def row(self, line: Line) -> tuple:
        """Return a row of ``SUMMARY_COLUMNS``."""
        return (
            self.method, self.kind, line.key, line.kind, line.tier, line.cases, line.dice.mean,
            interval_text(line.dice), line.nsd, line.hd95_mm, line.volume_bias_percent,
            line.volume_error_percent, self.icc(line.key), self.ece(line.key), line.missed,
            line.spurious,
        )  # fmt: skip
