"""Forecast of ALSFRS-R and FVC from one, two or three visits, with intervals and what limits them.

    model = load_progression()
    forecast = model.forecast(person, norms)

Intervals are predictive: they hold what the visits leave open, the population's parameters (drawn
from their covariance), segmentation (each z-score weighs by its stated error, in closed form, which
is what many draws of it would tend to) and the rating of the day to come. What they still lack
shows in patients set aside, whom the fit never saw: factors by number of visits and horizon widen
them to cover what they say there.

Every forecast is for somebody who is alive then, without NIV for 23 h a day or tracheostomy. Who
dies or stays away after bad ratings needs no model of its own as long as the ratings that decide
are those the model has read (Rubin 1976, doi:10.1093/biomet/63.3.581); whoever dies for reasons
that they do not show is a bias that stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import BrainstemALSError, ExitCode
from ..imaging.finding import Finding
from ..norms.score import Norms
from ..prognosis.alsfrs import HIGHEST_TOTAL
from . import progression_curve as curve
from . import progression_parameters as parameters
from .features import FEATURES
from .model_files import Training, bundled, read_model
from .parts import Estimate
from .progression_data import TYPICAL, Series, Typical, rows_of, series_of, strangeness
from .progression_draws import draw, widened
from .records import PersonRecord

KIND = "progression"
HORIZONS = (3.0, 6.0, 9.0, 12.0, 18.0, 24.0)
"""Months after the last visit."""
SLOPE_MONTHS = 12.0
SETS, DRAWS, SEED = 16, 64, 20261129
"""Sets of parameters, draws of a patient's effects for each, seed of both: our choice; 1024 draws
leave a Monte Carlo error of half a point in a coverage of 95 %."""
NODES = 11
"""Of the time since onset where it is unknown (Gauss-Hermite)."""


VISITS = (1, 2, 3)
"""Numbers of visits that intervals have factors of their own for; more take those of the last."""
WIDENED = ("alsfrs", "fvc")
_AS_DRAWN = {name: np.ones((len(VISITS), 2, len(HORIZONS))) for name in WIDENED}


@dataclass(frozen=True)
class Horizon:
    """Forecast for one time.

    Attributes
    ----------
    months : float
        After the last visit.
    alsfrs : Estimate
        Points; what a form of that day would show.
    fvc : Estimate
        Per cent predicted, as measured.
    """

    months: float
    alsfrs: Estimate
    fvc: Estimate


@dataclass(frozen=True)
class Forecast:
    """How the disease of one patient may go on.

    Attributes
    ----------
    horizons : tuple of Horizon or None
        None where the model abstains; a finding of severity error says why.
    slope : Estimate or None
        ALSFRS-R points lost each month over the ``SLOPE_MONTHS`` after the last visit: between two
        forms, a new one at that visit and one at the end.
    d50 : Estimate or None
        Months from onset to 24 points.
    condition : str
        Of whom it holds.
    with_imaging : bool
        Whether any image was read.
    statement : str
        Whom the model was learned from.
    findings : tuple of Finding
    """

    horizons: tuple[Horizon, ...] | None
    slope: Estimate | None
    d50: Estimate | None
    with_imaging: bool
    statement: str
    findings: tuple[Finding, ...]
    condition: str = "if alive, without tracheostomy and without NIV for 23 hours a day"


@dataclass(frozen=True, eq=False)
class ProgressionModel:
    """The population model.

    Attributes
    ----------
    flat : numpy.ndarray, shape (p,)
        As ``progression_parameters.names_of``.
    covariance : numpy.ndarray, shape (p, p)
    imaging : tuple of str
        Names of ``features.FEATURES``.
    typical : Typical
    domain : dict of str to (float, float)
        Lowest and highest of ``age``, ``first`` and ``last`` (months since onset), ``delay``,
        ``fvc`` and each imaging feature among those it was learned from.
    mean_slope : float
        Mean points lost each month between visits of those it was learned from; a comparator.
    training : Training
    widening : dict of str to numpy.ndarray, shape (v, 2, h)
        Of ``WIDENED``, for each of ``VISITS``: factors of the 80 % and 95 % intervals at each of
        ``HORIZONS``, so that they cover what they say in patients set aside, whom the fit never saw
        (split conformal prediction): no model is quite right. The slope takes those of ``alsfrs``
        at ``SLOPE_MONTHS``.
    set_aside : dict of str to int
        How many patients these were learned from, by number of visits.
    """

    flat: np.ndarray
    covariance: np.ndarray
    imaging: tuple[str, ...]
    typical: Typical
    domain: dict[str, tuple[float, float]]
    mean_slope: float
    training: Training
    widening: dict[str, np.ndarray] = field(default_factory=lambda: dict(_AS_DRAWN))
    set_aside: dict[str, int] = field(default_factory=dict)

    def __post_init__(self):
        rng = np.random.default_rng(SEED)
        values, vectors = np.linalg.eigh(self.covariance)
        root = vectors * np.sqrt(np.clip(values, 0.0, None))
        draws = self.flat + rng.standard_normal((SETS, len(self.flat))) @ root.T
        d = parameters.unpack(self.flat, self.imaging).means.shape[1]
        half = rng.standard_normal((SETS, DRAWS // 2, d))
        hidden = {
            "point": parameters.unpack(self.flat, self.imaging),
            "sets": parameters.unpack(draws, self.imaging),
            # Antithetic: the mean of the draws is exact.
            "normal": np.concatenate([half, -half], axis=1),
            "noise": rng.standard_normal((2, 1 + len(HORIZONS), SETS * DRAWS)),
        }
        for name, value in hidden.items():
            object.__setattr__(self, f"_{name}", value)

    def forecast(self, person: PersonRecord, norms: Norms | None = None) -> Forecast:
        """Return the forecast of one patient; arguments as in ``forecasts``."""
        return self.forecasts([person], norms)[0]

    def forecasts(
        self, people: Sequence[PersonRecord], norms: Norms | None = None
    ) -> list[Forecast]:
        """Return forecasts from all visits that records hold.

        Parameters
        ----------
        people : sequence of PersonRecord
            ``person.until(n)`` for the first n visits.
        norms : Norms, optional
            For imaging; without them images are not read.

        Raises
        ------
        BrainstemALSError
            USAGE: no visit, visits out of order or two on one date, values that cannot be.
        """
        series = series_of(people, norms, self.imaging) if people else []
        out: list[Forecast] = []
        for person, one in zip(people, series, strict=True):
            findings = [*one.findings, *self._limits(person, one)]
            if any(f.severity == "error" for f in findings):
                out.append(self._abstains(one, findings))
                continue
            out.append(self._forecast(one, findings))
        return out

    def _forecast(self, series: Series, findings: list[Finding]) -> Forecast:
        series = self._inside(series, findings)
        rows, weights = self._rows(series)
        found = curve.posterior(self._point, rows)
        degrees = int(np.isfinite(rows.values[0]).sum())
        findings.extend(strangeness(float(found.misfit.min()), degrees))
        if any(f.severity == "error" for f in findings):
            return self._abstains(series, findings)
        if len(weights) > 1:
            log = found.log_evidence + np.log(weights)
            weights = np.exp(log - log.max())
            kept = weights > 1e-3 * weights.max()
            rows, weights = rows.take(np.flatnonzero(kept)), weights[kept]
            found = curve.posterior(self._point, rows)
        drawn = draw(self._sets, self._normal, self._noise, found.mode, rows, weights, HORIZONS)
        year = 1 + HORIZONS.index(SLOPE_MONTHS)
        slope = (drawn.alsfrs[:, 0] - drawn.alsfrs[:, year]) / SLOPE_MONTHS
        points, air = (
            widened(drawn.quantiles(values[:, 1:]), self._factors(name, series), highest)
            for name, values, highest in (
                ("alsfrs", drawn.alsfrs, HIGHEST_TOTAL), ("fvc", drawn.fvc, np.inf),
            )
        )  # fmt: skip
        rest = drawn.quantiles(np.column_stack([slope, drawn.d50]))
        inner, outer = self._factors("alsfrs", series)[:, year - 1]
        by = np.array([outer, inner, 1.0, inner, outer])
        rest[0] = rest[0, 2] + (rest[0] - rest[0, 2]) * by
        return Forecast(
            tuple(
                Horizon(months, Estimate.of(points[k]), Estimate.of(air[k]))
                for k, months in enumerate(HORIZONS)
            ),
            Estimate.of(rest[0]),
            Estimate.of(rest[1]),
            bool(np.isfinite(series.values[:, 2:]).any()),
            self.training.statement,
            tuple(findings),
        )

    def with_widening(self, widening: dict[str, np.ndarray] | None) -> ProgressionModel:
        """Return the same model with other factors; None leaves intervals as drawn."""
        return replace(self, widening=dict(_AS_DRAWN) if widening is None else widening)

    def _factors(self, name: str, series: Series) -> np.ndarray:
        """Return the factors (2, h) of a scale for as many visits as have an ALSFRS-R."""
        rated = int(np.isfinite(series.values[:, 0]).sum())
        return self.widening[name][min(max(rated, VISITS[0]), VISITS[-1]) - VISITS[0]]

    def _rows(self, series: Series) -> tuple[parameters.Rows, np.ndarray]:
        """Return one row, or one for each time since onset that may be, and prior weights."""
        if series.first is not None:
            return rows_of([series], self.typical), np.ones(1)
        nodes, weights = np.polynomial.hermite_e.hermegauss(NODES)
        mean, sd = self.typical.first
        first = np.exp(TYPICAL["log_first"] + mean + sd * nodes)
        least = 0.0
        if "log_delay" in series.covariates:
            least = np.exp(series.covariates["log_delay"] + TYPICAL["log_delay"])
        kept = first >= least if np.any(first >= least) else first == first.max()
        many = [replace(series, first=float(months)) for months in first[kept]]
        return rows_of(many, self.typical), weights[kept]

    def _limits(self, person: PersonRecord, series: Series) -> list[Finding]:
        found = []
        if person.group is not None and person.group != "ALS":
            found.append(_error(
                "not-als", "The model was learned from patients with ALS; this is somebody else.",
                "Read no forecast."))  # fmt: skip
        if not np.isfinite(series.values[:, 0]).any():
            found.append(_error(
                "alsfrs-absent", "No visit has an ALSFRS-R that can be used.",
                "Rate at least eight of the twelve items at one visit."))  # fmt: skip
        known = {"age": person.age}
        if series.first is not None:
            known |= {"first": series.first, "last": series.first + series.months[-1]}
        labels = {"age": "age", "first": "time since symptom onset",
                  "last": "time since symptom onset at the last visit"}  # fmt: skip
        for name, value in known.items():
            low, high = self.domain[name]
            if value is not None and not low <= value <= high:
                found.append(_error(
                    f"{name}-outside",
                    f"The {labels[name]}, {value:.1f}, is outside {low:.0f} to {high:.0f}, where "
                    "the model was learned.",
                    "Check it; if it is right, read no forecast."))  # fmt: skip
        return found

    def _inside(self, series: Series, findings: list[Finding]) -> Series:
        """Leave out what is outside the training population but not needed."""
        covariates, values = dict(series.covariates), series.values.copy()
        low, high = np.log(self.domain["delay"]) - TYPICAL["log_delay"]
        if not low <= covariates.get("log_delay", low) <= high:
            del covariates["log_delay"]
            findings.append(_warning(
                "delay-outside", "The diagnostic delay is outside the training population.",
                "Check it; it was left out."))  # fmt: skip
        labels = {"fvc": "Forced vital capacity"} | {one.name: one.label for one in FEATURES}
        for place, name in enumerate(("fvc", *self.imaging), 1):
            low, high = self.domain[name]
            outside = (values[:, place] < low) | (values[:, place] > high)
            if outside.any():
                values[outside, place] = np.nan
                findings.append(_warning(
                    f"{name.replace('_', '-')}-outside",
                    f"{labels[name]}: a value is outside the training population.",
                    "Check it; it was left out."))  # fmt: skip
        return replace(series, covariates=covariates, values=values)

    def _abstains(self, series: Series, findings: list[Finding]) -> Forecast:
        imaging = bool(np.isfinite(series.values[:, 2:]).any())
        return Forecast(None, None, None, imaging, self.training.statement, tuple(findings))


def load_progression(path: Path | None = None) -> ProgressionModel:
    """Read a model; the bundled one by default.

    Raises
    ------
    BrainstemALSError
        MODEL_UNAVAILABLE: missing, damaged, or without what a model needs.
    """
    path = path or bundled(KIND)
    training, content = read_model(path, KIND)
    try:
        return model_of(content, training)
    except (KeyError, TypeError, ValueError) as error:
        raise BrainstemALSError(
            path, "it lacks a part of the model", "Fit it again with python -m "
            "training.prediction.progression.", ExitCode.MODEL_UNAVAILABLE,
        ) from error  # fmt: skip


def model_of(content: dict[str, Any], training: Training) -> ProgressionModel:
    """Return the model of a file's content."""
    imaging = tuple(content["imaging"])
    names = parameters.names_of(imaging)
    if tuple(content["names"]) != names:
        raise ValueError("parameters of another model")
    if tuple(content["horizons"]) != HORIZONS:
        raise ValueError("intervals of another model")
    flat = np.array([content["parameters"][name] for name in names], float)
    covariance = np.zeros((len(names), len(names)))
    covariance[np.tril_indices(len(names))] = content["covariance_lower"]
    covariance += np.tril(covariance, -1).T
    known = content["typical"]
    typical = Typical(
        known["mean"], known["variance"], float(known["delay_on_first"]), tuple(known["first"])
    )
    domain = {name: (float(low), float(high)) for name, (low, high) in content["domain"].items()}
    return ProgressionModel(
        flat, covariance, imaging, typical, domain, float(content["mean_slope"]), training,
        {name: np.array(content["widening"][name], float).reshape(shape.shape)
         for name, shape in _AS_DRAWN.items()},
        {str(visits): int(count) for visits, count in content["set_aside"].items()},
    )  # fmt: skip


def content_of(model: ProgressionModel) -> dict[str, Any]:
    """Return what a file of the model holds; the inverse of ``model_of``."""
    names = parameters.names_of(model.imaging)
    return {
        "imaging": list(model.imaging),
        "names": list(names),
        "parameters": dict(zip(names, map(float, model.flat), strict=True)),
        "covariance_lower": model.covariance[np.tril_indices(len(names))],
        "typical": vars(model.typical),
        "domain": model.domain,
        "mean_slope": model.mean_slope,
        "horizons": list(HORIZONS),
        "widening": model.widening,
        "set_aside": model.set_aside,
    }


def _error(code: str, message: str, action: str) -> Finding:
    return Finding(code, "error", message, action)


def _warning(code: str, message: str, action: str) -> Finding:
    return Finding(code, "warning", message, action)
