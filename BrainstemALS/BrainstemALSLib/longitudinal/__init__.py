"""Visits of one person processed together, so that change is unbiased and tighter."""

from .process import process_visits
from .result import Change, LongitudinalResult, VisitValue

__all__ = ["Change", "LongitudinalResult", "VisitValue", "process_visits"]
