"""The ENCALS survival model: a published, clinical-only prognosis of ALS.

Westeneng et al. 2018, "Prognosis for patients with amyotrophic lateral sclerosis: development and
validation of a personalised prediction model", Lancet Neurol 17:423-433,
doi:10.1016/S1474-4422(18)30089-9. A Royston-Parmar model on the odds scale: the log cumulative odds
of the event are a natural cubic spline of log time plus a linear predictor (LP). The event is
death, tracheostomy or non-invasive ventilation for more than 23 h a day; time runs in months from
symptom onset. It was built for what is known at diagnosis, in patients of specialised centres.

``PROVENANCE`` holds every number with its unit, source and status:

- ``verified(code)``: read in public R code by users of the model that names the ENCALS equation.
  It gives the four medians of ``ANCHORS`` within 0.5 %, but those were computed from code too: no
  figure of the paper's supplement was at hand to check against.
- ``memory``: remembered from the paper, found nowhere.
- ``own``: our choice.

That R code forgets the cube in its last spline term; here the spline is natural, as published. The
two differ only after 371 months.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import BrainstemALSError, ExitCode

PAPER = "Westeneng 2018, doi:10.1016/S1474-4422(18)30089-9"
PROFILE = "TRICALS risk profile, the model refitted without C9orf72"


@dataclass(frozen=True)
class Number:
    """One number of the model and where it comes from."""

    name: str
    value: float
    unit: str
    source: str
    status: str


PROVENANCE = tuple(
    Number(*row)
    for row in (
        ("beta progression rate", -1.837, "per (points/month + 0.1)^-0.5", PAPER, "verified(code)"),
        (
            "beta diagnostic delay",
            -2.373,
            "per x^-0.5 + ln x, x = months/10",
            PAPER,
            "verified(code)",
        ),
        ("beta age at onset", -0.267, "per (years/100)^-2", PAPER, "verified(code)"),
        ("beta fvc", 0.477, "per x^-1 + x^-0.5, x = %predicted/100", PAPER, "verified(code)"),
        ("beta bulbar onset", 0.269, "yes/no", PAPER, "verified(code)"),
        ("beta definite El Escorial", 0.233, "yes/no", PAPER, "verified(code)"),
        ("beta ftd", 0.388, "yes/no", PAPER, "verified(code)"),
        ("beta c9orf72", 0.256, "yes/no", PAPER, "verified(code)"),
        ("no C9: beta progression rate", -1.839, "as above", PROFILE, "verified(code)"),
        ("no C9: beta diagnostic delay", -2.376, "as above", PROFILE, "verified(code)"),
        ("no C9: beta age at onset", -0.264, "as above", PROFILE, "verified(code)"),
        ("no C9: beta fvc", 0.474, "as above", PROFILE, "verified(code)"),
        ("no C9: beta bulbar onset", 0.271, "yes/no", PROFILE, "verified(code)"),
        ("no C9: beta definite El Escorial", 0.238, "yes/no", PROFILE, "verified(code)"),
        ("no C9: beta ftd", 0.415, "yes/no", PROFILE, "verified(code)"),
        ("gamma 0", -6.409, "log odds", PAPER, "verified(code)"),
        ("gamma 1", 2.643, "log odds per ln(month)", PAPER, "verified(code)"),
        ("gamma 2", -0.546, "log odds per ln(month)^3", PAPER, "verified(code)"),
        ("gamma 3", 0.585, "log odds per ln(month)^3", PAPER, "verified(code)"),
        ("knot min", 0.081, "ln(month)", PAPER, "verified(code)"),
        ("knot 1", 3.108, "ln(month)", PAPER, "verified(code)"),
        ("knot 2", 3.638, "ln(month)", PAPER, "verified(code)"),
        ("knot max", 5.917, "ln(month)", PAPER, "verified(code)"),
        ("median very short", 17.7, "months", PAPER, "memory"),
        ("median short", 25.3, "months", PAPER, "memory"),
        ("median intermediate", 32.2, "months", PAPER, "memory"),
        ("median long", 43.7, "months", PAPER, "memory"),
        ("median very long", 91.0, "months", PAPER, "memory"),
        ("lowest age at onset", 18.0, "years", "adults", "own"),
        ("highest age at onset", 95.0, "years", "no older patients in registries", "own"),
        ("lowest diagnostic delay", 1.0, "months", "the transform turns over at 2.5", "own"),
        ("highest diagnostic delay", 240.0, "months", "twenty years", "own"),
        ("lowest progression rate", 0.0, "points/month", "no loss", "own"),
        ("highest progression rate", 10.0, "points/month", "40 points in 4 months", "own"),
        ("lowest fvc", 15.0, "% predicted", "below, the transform explodes", "own"),
        ("highest fvc", 160.0, "% predicted", "highest plausible value", "own"),
    )
)
"""Every number of the model; nothing below repeats one."""

_VALUES = {number.name: number.value for number in PROVENANCE}

ANCHORS = {-2.0: 18.1, -4.0: 31.5, -6.0: 56.9, -7.0: 79.5}
"""Median survival (months) at a linear predictor, from shared/reference/cohort_params.csv."""

GROUPS = ("very short", "short", "intermediate", "long", "very long")
"""The paper's five groups by predicted survival."""

PREDICTORS = {
    "progression rate": ("points/month", lambda x: (x + 0.1) ** -0.5),
    "diagnostic delay": ("months", lambda x: (x / 10) ** -0.5 + np.log(x / 10)),
    "age at onset": ("years", lambda x: (x / 100) ** -2.0),
    "fvc": ("% predicted", lambda x: (x / 100) ** -1.0 + (x / 100) ** -0.5),
}
"""Continuous predictors: unit and fractional polynomial."""

FLAGS = ("bulbar onset", "definite El Escorial", "ftd", "c9orf72")


def bounds(predictor: str) -> tuple[float, float]:
    """Return the range in which a continuous predictor is taken.

    The paper's own limits weren't found; these are ours, wide, and stop what is an error of entry.
    """
    return _VALUES[f"lowest {predictor}"], _VALUES[f"highest {predictor}"]


def contributions(
    *,
    age_at_onset,
    diagnostic_delay,
    progression_rate,
    fvc,
    bulbar_onset,
    definite_ee,
    ftd,
    c9orf72=None,
    outside: str = "refuse",
) -> dict[str, np.ndarray]:
    """Return what each predictor adds to the linear predictor.

    Parameters
    ----------
    age_at_onset : float or array_like
        Years at symptom onset.
    diagnostic_delay : float or array_like
        Months from symptom onset to diagnosis.
    progression_rate : float or array_like
        Points of the ALSFRS-R lost each month since onset, (48 - total) / months: 0 or more.
    fvc : float or array_like
        Forced vital capacity, % predicted.
    bulbar_onset, definite_ee, ftd : bool or array_like
        Bulbar onset; definite ALS by the revised El Escorial criteria; frontotemporal dementia.
    c9orf72 : bool, None or array_like
        Repeat expansion; unknown (None, NaN) takes the coefficients fitted without it.
    outside : {"refuse", "nan", "clip"}
        What to do with missing values and those outside ``bounds``: refuse, abstain (NaN), or (for
        simulations) move to the bound; what is missing is NaN then.

    Returns
    -------
    dict of str to ndarray
        Log odds, keyed by predictor, of the common shape of the arguments; () for one patient.

    Raises
    ------
    BrainstemALSError
        A value missing or outside ``bounds``, unless ``outside`` says otherwise.
    """
    if outside not in ("refuse", "nan", "clip"):
        raise ValueError(f"outside is refuse, nan or clip, not {outside!r}")
    given = {
        "progression rate": progression_rate,
        "diagnostic delay": diagnostic_delay,
        "age at onset": age_at_onset,
        "fvc": fvc,
        "bulbar onset": bulbar_onset,
        "definite El Escorial": definite_ee,
        "ftd": ftd,
        "c9orf72": c9orf72,
    }
    arrays = [np.asarray(value, dtype=float) for value in given.values()]
    values = dict(zip(given, np.broadcast_arrays(*arrays), strict=True))
    unknown = np.isnan(values["c9orf72"])
    terms = {}
    for name in PREDICTORS:
        taken = PREDICTORS[name][1](_within_bounds(name, values[name], outside))
        terms[name] = _coefficients(name, unknown) * taken
    for name in FLAGS:
        flag = np.where(unknown, 0.0, values[name]) if name == "c9orf72" else values[name]
        terms[name] = _coefficients(name, unknown) * _yes_or_no(name, flag, outside)
    return terms


def linear_predictor(**predictors) -> float | np.ndarray:
    """Return the linear predictor: the sum of ``contributions``, whose arguments it takes.

    The higher, the shorter the survival; most patients lie between -8 and 0.

    Examples
    --------
    >>> round(linear_predictor(age_at_onset=60, diagnostic_delay=12, progression_rate=0.6, fvc=85,
    ...                        bulbar_onset=False, definite_ee=False, ftd=False, c9orf72=False), 2)
    -4.46
    """
    return _plain(sum(contributions(**predictors).values()))


def survival(lp, months, alive_at=0.0) -> float | np.ndarray:
    """Return the probability of being free of the event.

    Parameters
    ----------
    lp : float or array_like
        Linear predictor.
    months : float or array_like
        Months since symptom onset, 0 or more; broadcast against ``lp``.
    alive_at : float or array_like
        Months since onset at which the patient was known to be free of the event; the probability
        is then given that, 1 until then.

    Returns
    -------
    float or ndarray
        0 to 1.
    """
    lp, months, alive_at = (np.asarray(value, dtype=float) for value in (lp, months, alive_at))
    if np.any(months < 0) or np.any(alive_at < 0):
        raise _refuse("a time before symptom onset", "Give months since onset, 0 or more.")
    late = np.maximum(months, alive_at)
    return _plain(_free(lp, late) / _free(lp, alive_at))


def median_survival(lp, alive_at=0.0) -> float | np.ndarray:
    """Return the median months from onset to the event; arguments as in ``survival``.

    Examples
    --------
    >>> round(median_survival(-4.0), 1)
    31.5
    """
    return draw_survival(lp, 0.5, alive_at)


def draw_survival(lp, uniform, alive_at=0.0) -> float | np.ndarray:
    """Return the months from onset at which ``survival`` has fallen to ``uniform``.

    With uniform random numbers these are draws of survival times.

    Parameters
    ----------
    lp, alive_at : float or array_like
        As in ``survival``.
    uniform : float or array_like
        Strictly between 0 and 1.

    Returns
    -------
    float or ndarray
        Months since onset, at least ``alive_at``. The tail beyond the last knot (371 months) is an
        extrapolation.
    """
    lp, level, alive_at = (np.asarray(value, dtype=float) for value in (lp, uniform, alive_at))
    if np.any((level <= 0) | (level >= 1)):
        raise _refuse("a probability that is not between 0 and 1", "Give one strictly inside.")
    level = level * _free(lp, alive_at)
    target = np.log1p(-level) - np.log(level) - lp  # the spline is to reach these log odds
    low, high = np.full(target.shape, -30.0), np.full(target.shape, 30.0)
    for _ in range(60):  # the spline rises everywhere, so halving finds the one time
        middle = (low + high) / 2
        below = _spline(middle) < target
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    months = np.maximum(np.exp((low + high) / 2), alive_at)
    return _plain(np.where(np.isnan(target), np.nan, months))


def risk_group(lp: float) -> str | None:
    """Return the group of ``GROUPS`` of one linear predictor, None for NaN.

    The paper's limits of the groups weren't found. Ours lie halfway, on the linear predictor,
    between those whose medians are the paper's (remembered) medians of the groups.
    """
    return None if np.isnan(lp) else GROUPS[int(np.searchsorted(-group_limits(), -float(lp)))]


def group_limits() -> np.ndarray:
    """Return the four limits between the groups, descending linear predictors."""
    medians = np.array([_VALUES[f"median {name}"] for name in GROUPS])
    at = -_spline(np.log(medians))
    return (at[:-1] + at[1:]) / 2


def _spline(log_months: np.ndarray) -> np.ndarray:
    """Return the baseline log cumulative odds: a natural cubic spline of log time."""
    first, last = _VALUES["knot min"], _VALUES["knot max"]

    def cube(knot: float) -> np.ndarray:
        return np.maximum(log_months - knot, 0.0) ** 3

    log_odds = _VALUES["gamma 0"] + _VALUES["gamma 1"] * log_months
    for knot, gamma in (("knot 1", "gamma 2"), ("knot 2", "gamma 3")):
        weight = (last - _VALUES[knot]) / (last - first)
        basis = cube(_VALUES[knot]) - weight * cube(first) - (1 - weight) * cube(last)
        log_odds = log_odds + _VALUES[gamma] * basis
    return log_odds


def _free(lp: np.ndarray, months: np.ndarray) -> np.ndarray:
    """Return the probability of no event by ``months``, 1 at onset."""
    started = np.where(months > 0, months, 1.0)
    odds = np.exp(np.clip(_spline(np.log(started)) + lp, -700.0, 700.0))
    return np.where(months > 0, 1 / (1 + odds), np.where(np.isnan(lp), np.nan, 1.0))


def _coefficients(name: str, unknown: np.ndarray) -> np.ndarray:
    full = _VALUES[f"beta {name}"]
    return np.where(unknown, _VALUES.get(f"no C9: beta {name}", 0.0), full)


def _within_bounds(name: str, values: np.ndarray, outside: str) -> np.ndarray:
    low, high = bounds(name)
    wrong = ~((values >= low) & (values <= high))  # NaN too
    if outside == "clip":
        return np.clip(values, low, high)
    if outside == "nan":
        return np.where(wrong, np.nan, values)
    if wrong.any():
        found, unit = values[wrong].flat[0], PREDICTORS[name][0]
        what = "is missing" if np.isnan(found) else f"{found:g} {unit} is outside {low:g}-{high:g}"
        raise _refuse(f"{name} {what}", "Check the entry; the model says nothing outside it.")
    return values


def _yes_or_no(name: str, values: np.ndarray, outside: str) -> np.ndarray:
    missing = np.isnan(values)
    if np.any(~missing & (values != 0) & (values != 1)):
        raise _refuse(f"{name} is neither yes nor no", "Give True or False.")
    if missing.any() and outside == "refuse":
        raise _refuse(f"{name} is missing", "Enter it; only C9orf72 may be unknown.")
    return values


def _refuse(problem: str, remedy: str) -> BrainstemALSError:
    return BrainstemALSError("ENCALS survival model", problem, remedy, ExitCode.USAGE)


def _plain(values: np.ndarray) -> float | np.ndarray:
    return float(values) if np.ndim(values) == 0 else values
