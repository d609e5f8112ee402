"""What a candidate has to show before it replaces the model in use, in numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from BrainstemALSLib.anatomy import load_structures

PROMOTE, REJECT, NEEDS_MORE = "promote", "reject", "needs_more_cases"
OUTCOMES = (PROMOTE, REJECT, NEEDS_MORE)
MARGINS = {"A": 0.01, "B": 0.02}
"""Dice a structure may lose, by tier: own choice, no source sets one for brainstem structures.

Twice as much where a structure needs a prior: those are small, so that one voxel more or less moves
their Dice further.
"""
PROVENANCE = "own choice"
CONFIDENCE = 0.95
"""One-sided; own choice."""
RESAMPLES = 4000
MIN_SUBJECTS = 6
"""Own choice: with fewer, a bootstrap has too few different samples to say anything."""
SMALLEST_GAIN = 0.002
"""Mean Dice that is worth changing a model for; own choice. A candidate that certainly gains less
is rejected, so that nobody waits for more cases in vain."""

PATIENT_LOSS = 2.0
"""Times its margin that a structure may lose in simulated patients; own choice. They are one
anatomy, so that no bound can be drawn and what is lost there by chance has to be let through."""


@dataclass(frozen=True)
class Rules:
    """The numbers of one judgement; the defaults are those above.

    Attributes
    ----------
    margins : mapping of str to float
        Dice that a structure may lose, by tier.
    confidence : float
        One-sided, of every bound.
    resamples : int
        Of the bootstrap.
    min_subjects : int
        With fewer nothing is promoted.
    smallest_gain : float
        Mean Dice over the target structures that is worth a change.
    patient_loss : float
        Times its margin that a structure may lose in simulated patients.
    """

    margins: Mapping[str, float] = field(default_factory=lambda: dict(MARGINS))
    confidence: float = CONFIDENCE
    resamples: int = RESAMPLES
    min_subjects: int = MIN_SUBJECTS
    smallest_gain: float = SMALLEST_GAIN
    patient_loss: float = PATIENT_LOSS

    def margin_of(self, tier: str) -> float:
        """Return the margin of a tier; that of tier B where it has none of its own."""
        return self.margins.get(tier, self.margins["B"])


@dataclass(frozen=True)
class Line:
    """One structure, candidate minus model in use.

    Attributes
    ----------
    key, name, tier : str
        Structure.
    margin : float
        Dice it may lose.
    current, candidate : float
        Mean Dice over subjects.
    difference, low, high : float
        Mean paired difference with its one-sided bounds, each for itself.
    worst_high : float
        Upper bound that holds for all structures at once.
    target : bool
        Whether it is one that should get better.
    state : str
        ``not worse``, ``worse`` or ``not shown``; ``not there`` where no case has it.
    """

    key: str
    name: str
    tier: str
    margin: float
    current: float
    candidate: float
    difference: float
    low: float
    high: float
    worst_high: float
    target: bool
    state: str


@dataclass(frozen=True)
class Flagged:
    """How often a model called an exam unfamiliar, and of how many exams it could tell."""

    unfamiliar: int = 0
    compared: int = 0


@dataclass(frozen=True)
class Judgement:
    """What the gate found.

    Attributes
    ----------
    outcome : str
        ``promote``, ``reject`` or ``needs_more_cases``.
    reasons : tuple of str
        Sentences that name structures, the weightiest first.
    checks : tuple of (str, str)
        Hard checks: what was looked at, and what is wrong; empty where nothing is.
    lines : tuple of Line
        One per structure; empty when a check failed before anything could be scored.
    gain, gain_low, gain_high : float
        Mean Dice over the targets, candidate minus model in use, with one-sided bounds.
    cases, subjects : int
        How many were used; simulated patients are cases and no subjects.
    patients : int
        Simulated patients among the cases.
    kinds : tuple of str
        As in ``ValidationCase``.
    unfamiliar : tuple of Flagged
        Of the model in use and of the candidate.
    rules : Rules
    """

    outcome: str
    reasons: tuple[str, ...]
    checks: tuple[tuple[str, str], ...]
    lines: tuple[Line, ...] = ()
    gain: float = float("nan")
    gain_low: float = float("nan")
    gain_high: float = float("nan")
    cases: int = 0
    subjects: int = 0
    patients: int = 0
    kinds: tuple[str, ...] = ()
    unfamiliar: tuple[Flagged, Flagged] = (Flagged(), Flagged())
    rules: Rules = field(default_factory=Rules)


def names_of(keys: list[str] | tuple[str, ...], most: int = 4) -> str:
    """Return names of structures for a sentence, the first few of many."""
    names = {structure.key: structure.name for structure in load_structures()}
    shown = [names.get(key, key) for key in keys[:most]]
    if len(keys) > most:
        shown.append(f"{len(keys) - most} more")
    # Names have commas of their own.
    return " and ".join(filter(None, ("; ".join(shown[:-1]), *shown[-1:])))
