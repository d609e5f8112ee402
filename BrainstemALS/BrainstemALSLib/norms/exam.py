"""Scores one exam for the panel: all its measures at once, without pandas.

What concerns the whole exam (an age outside the norms, an unknown scanner) is said once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..errors import BrainstemALSError, ExitCode
from ..imaging.finding import SEVERITIES, Finding
from .score import Norms, NormScore

INTRACRANIAL = "intracranial"
_NEEDED = ("structure", "measure", "value")


@dataclass(frozen=True)
class ExamScores:
    """Where the measures of one exam stand among healthy people.

    Attributes
    ----------
    scores : tuple of NormScore
        One a row, in their order; those of the intracranial volume have none.
    findings : tuple of Finding
        What limits or forbids scores, each once with how many it concerns; the worst first.
    statement : str
        Whom the norms were fitted on; to be shown wherever a score is.
    simulated : bool
        Whether they were simulated people.
    """

    scores: tuple[NormScore, ...]
    findings: tuple[Finding, ...]
    statement: str
    simulated: bool

    def score(self, structure: str, measure: str) -> NormScore | None:
        """Return the score of a measure of a structure; None where the exam has none."""
        key = structure, measure
        return next((s for s in self.scores if (s.structure, s.measure) == key), None)


def score_exam(
    norms: Norms,
    rows: Iterable[Mapping[str, Any]],
    age: float | None,
    sex: str | None,
    icv: float | None = None,
    site: str | None = None,
    icv_uncertainty: float | None = None,
) -> ExamScores:
    """Score the measures of one exam.

    Parameters
    ----------
    norms : Norms
    rows : iterable of mapping
        As ``cohort.exam_measures.exam_rows`` gives them: ``structure``, ``measure``, ``value``, and
        where known ``unit``, ``uncertainty`` (standard deviation) and ``quality``.
    age, sex, site
        As ``Norms.score``: give no site for a real person where the norms are simulated.
    icv, icv_uncertainty : float, optional
        mm3; by default from the row ``intracranial``, ``volume``, unless its quality is ``bad``.

    Returns
    -------
    ExamScores

    Raises
    ------
    BrainstemALSError
        USAGE: a row lacks what it needs, stands there twice, or text stands for a number.
    """
    rows = [_checked(row) for row in rows]
    keys = [(row["structure"], row["measure"]) for row in rows]
    if len(set(keys)) < len(keys):
        twice = next(key for i, key in enumerate(keys) if key in keys[:i])
        raise _refuse(f"{', '.join(twice)} stands there twice", "Give each measure once.")
    if icv is None:
        head = next((r for r in rows if r["structure"] == INTRACRANIAL), {})
        if head.get("quality") != "bad" and head.get("unit", "mm3") == "mm3":
            icv, icv_uncertainty = head.get("value"), head.get("uncertainty")
    scores = []
    for row in rows:
        key = row["structure"], row["measure"]
        model = norms.model(*key)
        if row["structure"] == INTRACRANIAL:
            continue
        if row.get("quality") == "bad":
            scores.append(norms.abstain(*key, "norms-quality"))
        elif model and row.get("unit", model.unit) != model.unit:
            facts = {"unit": row["unit"], "wanted": model.unit}
            scores.append(norms.abstain(*key, "norms-unit", **facts))
        else:
            facts = row["value"], age, sex, icv, site, row.get("uncertainty"), icv_uncertainty
            scores.append(norms.score(*key, *facts))
    simulated = norms.population.source == "simulated"
    return ExamScores(tuple(scores), _once(scores), norms.population.statement, simulated)


def _checked(row: Mapping[str, Any]) -> Mapping[str, Any]:
    missing = [name for name in _NEEDED if name not in row] if isinstance(row, Mapping) else _NEEDED
    if missing:
        raise _refuse(f"a row of the exam has no {missing[0]}", "Measure the exam again.")
    return row


def _once(scores: list[NormScore]) -> tuple[Finding, ...]:
    """Return the findings of all scores, each code once, the worst and most frequent first."""
    found: dict[str, list[Finding]] = {}
    for score in scores:
        about = f"{score.structure}, {score.measure}: "
        for finding in score.findings:
            text = finding.message.removeprefix(about)
            found.setdefault(finding.code, []).append(replace(finding, message=text))
    merged = []
    for same in sorted(found.values(), key=lambda f: (SEVERITIES.index(f[0].severity), -len(f))):
        alone, share = len(same) == 1, f"{len(same)} of {len(scores)} measures"
        which = f"{same[0].structure}" if alone else share
        text = same[0].message if len(same) == len(scores) else f"{which}: {same[0].message}"
        structure = same[0].structure if alone else None
        merged.append(replace(same[0], message=text, structure=structure))
    return tuple(merged)


def _refuse(problem: str, remedy: str) -> BrainstemALSError:
    return BrainstemALSError("norms", problem, remedy, ExitCode.USAGE)
