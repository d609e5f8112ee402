"""Reads single cells: numbers and codes, with what is certain converted and all else refused."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

_COMMA = re.compile(r"[+-]?\d+,\d+")
_OLDEST = re.compile(r"(\d+)\+")  # BIDS: ages of 90 and more may be written 90+


@dataclass(frozen=True)
class Read:
    """A cell that was read.

    Attributes
    ----------
    value : float, str or None
        None where the cell does not count.
    action : str
        As ``remarks.ACTIONS``; empty where there is nothing to say.
    problem, remedy : str
    """

    value: float | str | None
    action: str = ""
    problem: str = ""
    remedy: str = ""


@dataclass(frozen=True)
class Number:
    """A column of numbers.

    Attributes
    ----------
    low, high : float
        What is possible; anything outside does not count.
    whole : bool
        Whole numbers only.
    units : dict
        Unit (as a JSON file or the column's name may state it) to the factor to ours.
    refused_units : dict
        Unit that cannot be converted to the sentence that says what to give instead.
    hint : str
        What a number outside the range may be, and what to do.
    """

    low: float
    high: float
    whole: bool = False
    units: dict[str, float] = None  # type: ignore[assignment]
    refused_units: dict[str, str] = None  # type: ignore[assignment]
    hint: str = "Correct it, or write n/a."

    def read(self, text: str, unit: str = "") -> Read:
        """Read a cell whose column has a unit, empty where none is stated."""
        refused = (self.refused_units or {}).get(unit)
        if refused:
            return Read(None, "set to n/a", f"it is in {unit}", refused)
        action = problem = remedy = ""
        if _COMMA.fullmatch(text):
            text = text.replace(",", ".")
            action, problem = "converted", "a comma stands for the decimal point"
            remedy = "Write numbers with a point."
        elif _OLDEST.fullmatch(text):
            text = text.rstrip("+")
        try:
            # Python reads 1_000 and non-ASCII digits as numbers; nobody else does.
            value = float(text) if re.fullmatch(r"[0-9eE+.\-]+", text) else math.nan
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            return Read(None, "set to n/a", "it is no number", "Write a number alone, or n/a.")
        factor = (self.units or {}).get(unit)
        if unit and factor is None:
            return Read(
                None, "set to n/a", f"its unit is not known here ({unit})",
                f"Give it in {_first(self.units)}.",
            )  # fmt: skip
        if factor not in (None, 1.0):
            value, action = value * factor, "converted"
            problem, remedy = f"it is in {unit}", f"Give it in {_first(self.units)}."
        if not self.low <= value <= self.high:
            problem = f"it is outside {self.low:g} to {self.high:g}"
            return Read(None, "set to n/a", problem, self.hint)
        if self.whole and value != round(value):
            return Read(None, "set to n/a", "it is no whole number", self.hint)
        return Read(float(value), action, problem, remedy)


@dataclass(frozen=True)
class Code:
    """A column of codes: what each of ours may be called, lower case."""

    names: dict[str, tuple[str, ...]]

    def read(self, text: str, levels: dict[str, str] | None = None) -> Read:
        """Read a cell; ``levels`` is what a JSON file says the column's codes mean."""
        found = self._find(text)
        if found is None and levels:
            found = self._find(levels.get(text.lower(), ""))
        if found is not None:
            return Read(found)
        remedy = f"Write one of {', '.join(self.names)}, or n/a."
        return Read(None, "set to n/a", "the code is not known", remedy)

    def _find(self, text: str) -> str | None:
        word = re.sub(r"[\s_-]+", " ", text.strip().lower())
        word = re.sub(r"^(\d)[.,]0$", r"\1", word)  # what spreadsheets make of 1
        for code, names in self.names.items():
            if word == code.lower() or word in names:
                return code
        return None


@dataclass(frozen=True)
class Text:
    """A column of free labels."""

    def read(self, text: str) -> Read:
        """Take a cell as it is."""
        return Read(text)


def _first(units: dict[str, float] | None) -> str:
    return next((unit for unit, factor in (units or {}).items() if factor == 1.0), "our unit")
