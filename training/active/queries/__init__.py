"""Query strategies: which exam, and which place in it, an expert should correct next."""

from .base import Choice, Strategy, ranked
from .candidates import Candidates, of_cases
from .diversity import CoreSet
from .foreground_random import ForegroundRandom
from .stratified import StratifiedPowerEntropy
from .uncertainty import Disagreement, Entropy

BASELINE = "random"
"""The strategy that every other one is measured against."""


def strategies(late: float = 0.0) -> dict[str, Strategy]:
    """Return every strategy by name, the baseline first.

    Parameters
    ----------
    late : float
        Share of the planned rounds that are done, 0-1; only ``clasp`` heeds it.
    """
    made = (ForegroundRandom(), Entropy(), Disagreement(), StratifiedPowerEntropy(late), CoreSet())
    return {strategy.name: strategy for strategy in made}


STRATEGIES = tuple(strategies())

__all__ = [
    "BASELINE",
    "STRATEGIES",
    "Candidates",
    "Choice",
    "CoreSet",
    "Disagreement",
    "Entropy",
    "ForegroundRandom",
    "Strategy",
    "StratifiedPowerEntropy",
    "of_cases",
    "ranked",
    "strategies",
]
