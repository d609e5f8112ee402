"""What a group analysis may be told, and what it has to say besides its numbers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

SIMULATED, REAL, UNSTATED = "simulated", "real", "not stated"
MIN_GROUP = 5
"""Participants that a level needs to be compared (own choice): with fewer, robust errors rest on
almost no residual of that level."""
HARMONISE = ("none", "combat")


@dataclass(frozen=True)
class GroupOptions:
    """Choices of a group analysis.

    Attributes
    ----------
    seed : int
        Of permutations, bootstraps and the jitter of plots.
    permutations : int
        Freedman-Lane permutations of each contrast; 0 leaves them out. With 5000 (own choice) the
        smallest p-value is 0.0002, below what the first of 100 tests needs for a rate of 5 %.
    bootstraps : int
        Resamples of the spread order.
    alpha : float
        Nominal level of intervals and of the false discovery rate.
    adjust : tuple of str
        Covariates of ``covariates.TERMS``; ``icv`` is used for volumes only.
    harmonise : str
        Of ``HARMONISE``: ``none`` has site as a covariate; ``combat`` reads values that ComBat has
        freed of their site, learnt from controls (see ``harmonise``). What is not chosen stands in
        the sensitivity analysis.
    mixed, spread, sensitivity, figures : bool
        Whether these parts run; the light path of evaluations leaves them out.
    source : str
        ``simulated``, ``real`` or ``not stated``; shown on the report and in every table. A cohort
        that calls itself simulated is simulated whatever is said here.
    command : str
        As it was typed, without folders.
    """

    seed: int = 0
    permutations: int = 5000
    bootstraps: int = 200
    alpha: float = 0.05
    adjust: tuple[str, ...] = ("age", "sex", "icv", "site")
    harmonise: str = "none"
    mixed: bool = True
    spread: bool = True
    sensitivity: bool = True
    figures: bool = True
    source: str = UNSTATED
    command: str = ""


@dataclass
class Notes:
    """What was left out, dropped or did not work: each said once, with what it concerns.

    Attributes
    ----------
    found : dict
        (about, problem) to the list of analyses or structures concerned, in the order they came.
    """

    found: dict[tuple[str, str], list[str]] = field(default_factory=dict)

    def add(self, about: str, problem: str, concerns: str | Sequence[str] = ()) -> None:
        """Note a problem; the same one again only adds what it concerns."""
        concerned = self.found.setdefault((about, problem), [])
        for one in (concerns,) if isinstance(concerns, str) else concerns:
            if one and one not in concerned:
                concerned.append(one)

    def rows(self, most: int | None = 3) -> list[dict[str, object]]:
        """Return one row per kind of problem: about, problem, concerns, count.

        Problems that differ in their numbers alone are of one kind; the row has the lowest and the
        highest of each. ``count`` is how many analyses or structures a row concerns (0: it says
        itself), ``most`` how many of them it names; None for all.
        """
        kinds: dict[tuple[str, str], list[tuple[str, str]]] = {}
        for about, problem in self.found:
            kinds.setdefault((about.split()[0], _NUMBER.sub("#", problem)), []).append(
                (about, problem)
            )
        return [self._row(keys, most) for keys in kinds.values()]

    def _row(self, keys: list[tuple[str, str]], most: int | None) -> dict[str, object]:
        concerned = [name for key in keys for name in self.found[key]]
        concerned = list(dict.fromkeys(concerned))
        return {
            "about": _short(list(dict.fromkeys(about for about, _ in keys)), 3),
            "problem": _together([problem for _, problem in keys]),
            "concerns": _short(concerned, most or len(concerned)),
            "count": len(concerned),
        }


_NUMBER = re.compile(r"\d+(?:\.\d+)?")


def _together(problems: list[str]) -> str:
    """Return problems of one kind as one: numbers that differ become lowest to highest."""
    numbers = [_NUMBER.findall(problem) for problem in problems]
    ranges = []
    for values in zip(*numbers, strict=True):
        low, high = min(values, key=float), max(values, key=float)
        ranges.append(low if low == high else f"{low} to {high}")
    found = iter(ranges)
    return _NUMBER.sub(lambda _: next(found), problems[0])


def _short(names: list[str], most: int) -> str:
    text = ", ".join(names[:most])
    return f"{text} and {len(names) - most} more" if len(names) > most else text
