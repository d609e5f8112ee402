"""What longitudinal processing gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..imaging.finding import Finding
from ..imaging.volume import Volume
from ..segmentation.result import Segmentation

UNITS = {"volume": "%/year", "fa": "1/year", "md": "1e-3 mm2/s/year"}
"""Measure to the unit of its change. Volumes change in per cent of the person's own mean, which
treats all visits alike; diffusion in its own unit."""


@dataclass(frozen=True)
class VisitValue:
    """One measure of one structure at one visit.

    Attributes
    ----------
    visit : int
        Its number: the position among the exams as they were given, from 0, unless told.
    months : float
    structure, measure : str
        Key of a structure or composite; ``volume`` (mm3), ``fa`` (0-1) or ``md`` (1e-3 mm2/s).
    value : float
    """

    visit: int
    months: float
    structure: str
    measure: str
    value: float


@dataclass(frozen=True)
class Change:
    """Change of one measure of one structure over all visits.

    Attributes
    ----------
    structure, measure : str
        As of ``VisitValue``.
    unit : str
        Of the five figures that follow, see ``UNITS``.
    change_per_year : float or None
        Slope by least squares; None where visits differ in scanner or contrast, because the common
        template makes change between scanners look like change of the person.
    se, low, high : float or None
        Standard error, and limits of its 95 % interval; None where the error of a measurement is
        not known, see ``beyond_error``.
    beyond_error : bool or None
        Whether the interval leaves out 0, that is, the change is larger than visits without any
        change would show in 95 of 100 cases. None where the measurement error of these images is
        not known: the structure was not simulated, or no change is given.
    mean : float
        Over visits: mm3, FA 0-1 or 1e-3 mm2/s.
    visits : int
        That have a value.
    years : float
        From the first to the last of them.
    """

    structure: str
    measure: str
    unit: str
    change_per_year: float | None
    se: float | None
    low: float | None
    high: float | None
    beyond_error: bool | None
    mean: float
    visits: int
    years: float


@dataclass(frozen=True, eq=False)
class LongitudinalResult:
    """Visits of one person, processed together.

    Attributes
    ----------
    changes : tuple of Change
        One per structure or composite and measure.
    values : tuple of VisitValue
        Behind them, in the order in which exams were given.
    findings : tuple of Finding
        Of the exams, their visit named, and of this processing.
    left_out : tuple of int
        Numbers of visits that took no part; a finding says why.
    template : Volume
        Median T1 in the common space, RAS, 1 mm.
    segmentation : Segmentation
        Of the template, whose labels all visits share.
    facts : dict
        Residual (mm) and similarity of each visit, model, origin of the measurement error: for the
        provenance.
    one_scanner : bool
        Whether visits are of one scanner and contrast. Else no change is given, and ``values`` are
        not to be compared with each other.
    """

    changes: tuple[Change, ...]
    values: tuple[VisitValue, ...]
    findings: tuple[Finding, ...]
    left_out: tuple[int, ...]
    template: Volume
    segmentation: Segmentation
    facts: Mapping[str, object] = field(default_factory=dict)
    one_scanner: bool = True
