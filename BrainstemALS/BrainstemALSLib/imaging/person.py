"""The little that is kept of who was scanned."""

from __future__ import annotations

from dataclasses import dataclass

OLDEST_AGE = 90.0
"""So few people are older that the age would say who it is; BIDS asks for the same."""


@dataclass(frozen=True)
class Person:
    """What of a header may pass the border: no name, no birth date, no identifier, no date.

    Attributes
    ----------
    age_years : float or None
        At the exam; 90 and more is kept as 90, because so few people are that old.
    sex : str or None
        ``female``, ``male`` or ``other``.
    days_since_first_visit : int or None
        Where the source holds earlier visits of the same person; 0 for the first.
    """

    age_years: float | None = None
    sex: str | None = None
    days_since_first_visit: int | None = None
