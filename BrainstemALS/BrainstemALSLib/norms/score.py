"""Scores values against norms: z-score and centile with their intervals, or the reason why not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy.special import ndtr, stdtrit

from ..errors import BrainstemALSError, ExitCode
from ..imaging.finding import Finding
from .model import Model
from .reasons import REASONS, limits, reasons

SOURCES = ("simulated", "real")
LEVEL = 0.95
"""Of the intervals."""
CENTRAL = 1.959963984540054
"""z-scores of 95 % of healthy people lie between it and its negative."""


@dataclass(frozen=True)
class Population:
    """Whom norms were fitted on.

    Attributes
    ----------
    source : str
        ``simulated`` or ``real``.
    n, female, male : int
        Controls.
    youngest, oldest : float
        Years.
    sites : tuple of (str, int)
        Site and its controls.
    seed : int or None
        Of a simulation.
    date : str
        ISO date of the fit.
    version : str
        Of BrainstemALS.
    """

    source: str
    n: int
    female: int
    male: int
    youngest: float
    oldest: float
    sites: tuple[tuple[str, int], ...]
    seed: int | None
    date: str
    version: str

    @property
    def statement(self) -> str:
        """What every output has to say."""
        of = "trained on simulated cohort" if self.source == "simulated" else "trained on real data"
        return f"{of} ({self.n} controls, {self.youngest:.0f}-{self.oldest:.0f} years)"


@dataclass(frozen=True)
class NormScore:
    """Where a value stands among healthy people of the same age, sex, head size and scanner.

    Attributes
    ----------
    structure, measure : str
    z, z_low, z_high : float or None
        With the limits of the 95 % interval of what fit and measurement leave open; None where the
        norms abstain.
    centile, centile_low, centile_high : float or None
        0-100, of the same three.
    findings : tuple of Finding
        Why there is no score (severity error), or what limits it.
    statement : str
        Whom the norms were fitted on.
    """

    structure: str
    measure: str
    z: float | None
    z_low: float | None
    z_high: float | None
    centile: float | None
    centile_low: float | None
    centile_high: float | None
    findings: tuple[Finding, ...]
    statement: str

    @property
    def reason(self) -> str:
        """Why there is no score; empty where there is one."""
        return next((f.message for f in self.findings if f.severity == "error"), "")

    @property
    def beyond(self) -> str:
        """``below`` or ``above`` where the whole interval is outside 95 % of healthy people.

        What may be shown as unusual: a score alone leaves out what is unsure, which at a scanner
        without controls is most of it. Empty otherwise.
        """
        if self.z is None:
            return ""
        return "below" if self.z_high < -CENTRAL else "above" if self.z_low > CENTRAL else ""


@dataclass(frozen=True, eq=False)
class Scores:
    """Scores of n people; NaN where ``reason`` has a code of ``REASONS``; see ``NormScore``."""

    z: np.ndarray
    z_low: np.ndarray
    z_high: np.ndarray
    reason: np.ndarray

    @property
    def centiles(self) -> np.ndarray:
        """Centiles of z and its limits, shape (3, n)."""
        return centile(np.stack([self.z, self.z_low, self.z_high]))


def centile(z: np.ndarray | float) -> np.ndarray:
    """Return the centile (0-100) of z-scores."""
    return 100.0 * ndtr(z)


@dataclass(frozen=True, eq=False)
class Norms:
    """Norms of several measures.

    Attributes
    ----------
    models : tuple of Model
    population : Population
    findings : tuple of Finding
        Of the fit: what was left out, and what is weak.
    """

    models: tuple[Model, ...]
    population: Population
    findings: tuple[Finding, ...] = ()

    def model(self, structure: str, measure: str) -> Model | None:
        """Return the model of a measure of a structure; None where there is none."""
        return self._by_key.get((structure, measure))

    @cached_property
    def _by_key(self) -> dict[tuple[str, str], Model]:
        return {model.key: model for model in self.models}

    def score(
        self,
        structure: str,
        measure: str,
        value: float | None,
        age: float | None,
        sex: str | None,
        icv: float | None = None,
        site: str | None = None,
        uncertainty: float | None = None,
        icv_uncertainty: float | None = None,
    ) -> NormScore:
        """Score one value.

        Parameters
        ----------
        structure, measure : str
            As in the tables of a cohort: ``"medulla"``, ``"volume"``.
        value, uncertainty : float or None
            In the unit of the model; standard deviation of its measurement.
        age : float or None
            Years at the scan.
        sex : str or None
            ``"F"`` or ``"M"``.
        icv, icv_uncertainty : float or None
            Intracranial volume in mm3; needed for volumes only.
        site : str or None
            A site the norms do not know, or None, widens the interval. A person's real site is not
            one of simulated norms, whatever its name: give None.

        Returns
        -------
        NormScore

        Raises
        ------
        BrainstemALSError
            USAGE: text where a number belongs, or a number where text does.
        """
        many = self.score_many(
            structure, measure, *_columns(value, age, sex, icv, site, uncertainty, icv_uncertainty)
        )
        reason, model = many.reason[0], self.model(structure, measure)
        if reason:
            low, high = model.age_range if model else (0.0, 0.0)
            facts = {"value": _number(value), "age": _number(age), "sex": sex, "icv": _number(icv)}
            return self.abstain(structure, measure, reason, low=low, high=high, **facts)
        z = np.array([many.z[0], many.z_low[0], many.z_high[0]])
        numbers = z.tolist() + centile(z).tolist()
        findings = tuple(limits(model, icv, site, uncertainty))
        return NormScore(structure, measure, *numbers, findings, self.population.statement)

    def abstain(self, structure: str, measure: str, code: str, **facts: Any) -> NormScore:
        """Return no score, for a reason of ``REASONS`` and the facts that its text has."""
        problem, action = REASONS[code]
        message = f"{structure}, {measure}: {problem.format(**facts)}"
        finding = Finding(code, "error", message, action, structure)
        return NormScore(structure, measure, *[None] * 6, (finding,), self.population.statement)

    def score_many(
        self,
        structure: str,
        measure: str,
        value: np.ndarray,
        age: np.ndarray,
        sex: np.ndarray,
        icv: np.ndarray,
        site: np.ndarray,
        uncertainty: np.ndarray,
        icv_uncertainty: np.ndarray,
    ) -> Scores:
        """Score one measure of n people: as ``score``, arrays (n,); missing is NaN, of text ""."""
        model = self.model(structure, measure)
        z, error, degrees = np.full((3, len(value)), np.nan)
        if model is None:
            return Scores(z, z, z, np.full(len(value), "norms-missing", object))
        reason = reasons(model, value, age, sex, icv, uncertainty)
        ok = np.array([not code for code in reason], dtype=bool)
        if ok.any():
            columns = (
                value,
                age,
                sex == "M",
                icv,
                site,
                _known(uncertainty),
                _known(icv_uncertainty),
            )
            z[ok], error[ok], degrees[ok] = model.z_scores(*(column[ok] for column in columns))
            error *= stdtrit(degrees, 0.5 + LEVEL / 2.0)
        return Scores(z, z - error, z + error, reason)


def _columns(
    value: float | None,
    age: float | None,
    sex: str | None,
    icv: float | None,
    site: str | None,
    uncertainty: float | None,
    icv_uncertainty: float | None,
) -> Sequence[np.ndarray]:
    """Return the arrays of ``score_many`` for one person."""
    numbers = {
        "value": value,
        "age": age,
        "intracranial volume": icv,
        "uncertainty": uncertainty,
        "uncertainty of the intracranial volume": icv_uncertainty,
    }
    columns = [np.array([_number(v, name)]) for name, v in numbers.items()]
    text = [np.array([_text(t, name)], dtype=object) for t, name in ((sex, "sex"), (site, "site"))]
    return columns[0], columns[1], text[0], columns[2], text[1], *columns[3:]


def _number(value: float | None, name: str = "value") -> float:
    """Return a number, NaN for None."""
    try:
        # Text is refused even where it is a number: "1,8" and "1.8" are too easily confused.
        if not isinstance(value, str | bytes | bool):
            return float("nan") if value is None else float(value)
    except (TypeError, ValueError, OverflowError):
        pass
    raise _no(f"the {name} {value!r:.40} is no number", f"Give the {name} as a number.")


def _text(value: str | None, name: str) -> str:
    """Return text, "" for None and NaN (what pandas has for missing text)."""
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return ""
    if not isinstance(value, str):
        raise _no(f"the {name} {value!r:.40} is no text", f"Give the {name} as text.")
    return value


def _no(problem: str, remedy: str) -> BrainstemALSError:
    return BrainstemALSError("norms", problem, remedy, ExitCode.USAGE)


def _known(uncertainty: np.ndarray) -> np.ndarray:
    return np.where(np.isfinite(uncertainty), uncertainty, 0.0)
