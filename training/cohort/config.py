"""The figures of the simulator: one TOML file, every figure with its unit, status and source.

A copy of ``parameters.toml`` may change values; it must keep the names, the types and the ranges,
and is refused with the name of the line otherwise.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from BrainstemALSLib.anatomy import load_structures
from BrainstemALSLib.errors import BrainstemALSError, ExitCode

STATUSES = ("verified", "memory", "own choice")
FIELDS = ("value", "unit", "status", "source")
OPEN_SECTIONS = (
    "order",
    "earlier.bulbar",
    "earlier.respiratory",
    "volume_weight",
    "fa_effect",
    "md_effect",
    "healthy_fa",
)
"""Sections by structure stem (``Structure.stem``): lines may be added and left out."""

SUMS = (
    ("demographics.onset_spinal", "demographics.onset_bulbar", "demographics.onset_respiratory"),
    ("survival.event_death", "survival.event_niv", "survival.event_tracheostomy"),
)
ORDERED = (
    ("visits.interval_low", "visits.interval_high"),
    ("survival.follow_up_low", "survival.follow_up_high"),
)


@dataclass(frozen=True)
class Figure:
    """One figure.

    Attributes
    ----------
    value : float, int, list or str
    unit, status, source : str
        ``status`` is one of ``STATUSES``; ``source`` a paper, or "-" where the choice is ours.
    """

    value: object
    unit: str
    status: str
    source: str


class Config:
    """All figures by their dotted names.

    Parameters
    ----------
    figures : mapping of str to Figure
        Checked by ``load_config`` or ``Config.with_values``.
    """

    def __init__(self, figures: Mapping[str, Figure]):
        self.figures = dict(figures)

    def __getitem__(self, name: str):
        """Return the value of a figure, for example ``config["course.length_median"]``."""
        return self.figures[name].value

    def section(self, prefix: str) -> dict[str, object]:
        """Return the values of a section by the last part of their names."""
        return {
            name.removeprefix(f"{prefix}."): figure.value
            for name, figure in self.figures.items()
            if name.rpartition(".")[0] == prefix
        }

    def with_values(self, **values: object) -> Config:
        """Return a copy with other values; dots in names are written as two underscores.

        Raises
        ------
        BrainstemALSError
            As ``load_config``.

        Examples
        --------
        >>> load_config().with_values(visits__follow_ups=4)["visits.follow_ups"]
        4
        """
        figures = dict(self.figures)
        for given, value in values.items():
            name = given.replace("__", ".")
            if name not in figures:
                raise _refusal(name, "there is no figure of this name")
            old = figures[name]
            figures[name] = Figure(value, old.unit, old.status, old.source)
        _check(figures, self.figures)
        return Config(figures)


@lru_cache(maxsize=1)
def _bundled() -> dict[str, Figure]:
    path = Path(__file__).with_name("parameters.toml")
    return _flat(tomllib.loads(path.read_text(encoding="utf-8")))


def load_config(path: Path | None = None) -> Config:
    """Read and check the figures.

    Parameters
    ----------
    path : Path, optional
        A changed copy of ``parameters.toml``; the bundled file when left out.

    Returns
    -------
    Config

    Raises
    ------
    BrainstemALSError
        USAGE: no TOML, a name missing or unknown, a field missing, a value of another type or out
        of its range. The sentence names the line.
    """
    bundled = _bundled()
    if path is None:
        _check(bundled, bundled)
        return Config(bundled)
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise BrainstemALSError(
            path, "it cannot be read", "Give a copy of parameters.toml.", ExitCode.USAGE
        ) from error
    except tomllib.TOMLDecodeError as error:
        raise BrainstemALSError(
            path, f"it is not TOML ({error})", "Correct that line.", ExitCode.USAGE
        ) from None
    figures = _flat(raw)
    _check(figures, bundled)
    return Config(figures)


def _refusal(name: str, problem: str) -> BrainstemALSError:
    return BrainstemALSError(
        f"parameter {name}",
        problem,
        "Compare it with training/cohort/parameters.toml.",
        ExitCode.USAGE,
    )


def _flat(raw: Mapping[str, object], prefix: str = "") -> dict[str, Figure]:
    figures: dict[str, Figure] = {}
    for key, entry in raw.items():
        name = f"{prefix}{key}"
        if not isinstance(entry, dict):
            raise _refusal(name, "it is a bare value, without unit, status and source")
        if any(key in FIELDS and not isinstance(part, dict) for key, part in entry.items()):
            if set(entry) != set(FIELDS):
                wrong = sorted(set(entry) ^ set(FIELDS))
                raise _refusal(name, f"fields are missing or unknown: {', '.join(wrong)}")
            figures[name] = Figure(**entry)
        else:
            figures.update(_flat(entry, f"{name}."))
    return figures


def _check(figures: Mapping[str, Figure], bundled: Mapping[str, Figure]) -> None:
    stems = {structure.stem for structure in load_structures()}
    for name in bundled:
        if name not in figures and name.rpartition(".")[0] not in OPEN_SECTIONS:
            raise _refusal(name, "it is missing")
    for name, figure in figures.items():
        section, _, last = name.rpartition(".")
        if section in OPEN_SECTIONS:
            if last not in stems:
                raise _refusal(name, "no structure of the brainstem has this key")
            like = next(f for n, f in _bundled().items() if n.rpartition(".")[0] == section)
        elif name in bundled:
            like = bundled[name]
        else:
            raise _refusal(name, "there is no figure of this name")
        _check_figure(name, figure, like)
    _check_together(figures)


def _check_figure(name: str, figure: Figure, like: Figure) -> None:
    if figure.status not in STATUSES:
        raise _refusal(name, f"status must be one of {', '.join(STATUSES)}")
    if not all(isinstance(t, str) and t for t in (figure.unit, figure.source)):
        raise _refusal(name, "unit and source must be text that is not empty")
    if figure.unit != like.unit:
        raise _refusal(name, f"its unit is {like.unit!r}, not {figure.unit!r}")
    values, wanted = figure.value, like.value
    if isinstance(wanted, list):
        free = name.startswith("site.")
        if not isinstance(values, list) or not values or (not free and len(values) != len(wanted)):
            raise _refusal(name, f"it must be a list of {len(wanted)} values")
        kind = type(wanted[0])
    else:
        values, kind = [values], type(wanted)
    for value in values:
        if kind is str:
            if not isinstance(value, str):
                raise _refusal(name, "it must be text")
            continue
        # TOML's nan and inf are floats too.
        if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > 1e9:
            raise _refusal(name, f"it must be a number, not {value!r}")
        if value != value or (kind is int and not isinstance(value, int)):
            raise _refusal(name, f"it must be {'an integer' if kind is int else 'a number'}")
        _check_range(name, figure.unit, value)


def _check_range(name: str, unit: str, value: float) -> None:
    low, high = float("-inf"), float("inf")
    if unit.startswith("share"):
        low, high = 0.0, 1.0
    elif unit == "correlation":
        low, high = -1.0, 1.0
    elif name.endswith(("_sd", "_factor")) or name.startswith(("error.", "visits.", "healthy.tiv")):
        low = float("-inf") if name == "visits.stay_severity" else 0.0
    elif name.endswith(("_median", ".width", ".concavity", "reference.patients")):
        low = 1e-6
    if not low <= value <= high:
        raise _refusal(name, f"{value:g} lies outside {low:g} to {high:g}")


def _check_together(figures: Mapping[str, Figure]) -> None:
    for names in SUMS:
        if abs(sum(figures[name].value for name in names) - 1.0) > 1e-6:
            raise _refusal(names[0], f"it and {', '.join(names[1:])} must add up to 1")
    for low, high in ORDERED:
        if figures[low].value > figures[high].value:
            raise _refusal(low, f"it is larger than {high}")
    names, shares = figures["site.names"].value, figures["site.shares"].value
    if len(names) != len(shares) or abs(sum(shares) - 1.0) > 1e-6:
        raise _refusal("site.shares", "it must have one share per site, adding up to 1")
    if len(set(names)) != len(names):
        raise _refusal("site.names", "a name stands there twice")
    thresholds = figures["clinical.thresholds"].value
    if sorted(thresholds) != list(thresholds):
        raise _refusal("clinical.thresholds", "they must rise")
    if figures["error.warning"].value + figures["error.bad"].value > 1.0:
        raise _refusal("error.warning", "it and error.bad add up to more than 1")
    for section in ("volume_weight", "fa_effect", "md_effect"):
        for name in figures:
            stem = name.removeprefix(f"{section}.")
            if name.startswith(f"{section}.") and f"order.{stem}" not in figures:
                raise _refusal(name, f"it has an effect but no place in order.{stem}")
