"""What a group analysis may be told, and what it has to say besides its numbers."""

from __future__ import annotations

from dataclasses import dataclass, field

SIMULATED, REAL, UNSTATED = "simulated", "real", "not stated"
MIN_GROUP = 5
"""Participants that a level needs to be compared (own choice): with fewer, HC3 errors rest on
almost no residual of that level."""


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

    def add(self, about: str, problem: str, concerns: str = "") -> None:
        """Note a problem; the same one again only adds what it concerns."""
        concerned = self.found.setdefault((about, problem), [])
        if concerns and concerns not in concerned:
            concerned.append(concerns)

    def rows(self) -> list[dict[str, str]]:
        """Return one row per problem: about, problem, concerns."""
        return [
            {"about": about, "problem": problem, "concerns": _short(concerned)}
            for (about, problem), concerned in self.found.items()
        ]


def _short(names: list[str], most: int = 6) -> str:
    text = ", ".join(names[:most])
    return f"{text} and {len(names) - most} more" if len(names) > most else text
