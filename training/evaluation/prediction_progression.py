"""How well ALSFRS-R is forecast from one, two or three visits, on held-out simulated patients.

    python -m training.evaluation.prediction_progression [--patients 3400] [--seed 20261219]

The bundled model against simple forecasts from the same visits; coverage, slopes, what imaging
adds, a negative control whose images know nothing, missing FVC, items, site and onset.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from BrainstemALSLib.errors import BrainstemALSError
from BrainstemALSLib.norms import Norms
from BrainstemALSLib.prediction.model_files import bundled
from BrainstemALSLib.prediction.progression import (
    HORIZONS,
    KIND,
    ProgressionModel,
    load_progression,
)

from ..cohort.scenario import Scenario
from ..prediction.progression import (
    describe,
    fit_people,
    measured_errors,
    norms_of_simulated,
    simulated_patients,
)
from ..prediction.progression_cases import Cases, held_out
from . import commands
from . import prediction_progression_cases as cases_of
from .prediction_progression_leaspy import LEARNED, leaspy_forecasts, python_of
from .prediction_progression_others import forecasts
from .prediction_progression_page import page_of
from .prediction_progression_scores import (
    Found,
    advantage,
    coverage,
    errors,
    forecast_all,
    interval,
    slope_calibration,
    widths,
)

ASKED = (HORIZONS.index(6.0), HORIZONS.index(12.0))
MOST, BLIND_PEOPLE, ROBUST_PEOPLE = 800, 250, 50
"""Patients of each number of visits who are forecast, and of these without images and with
something missing."""
ALSFRS = "this model"


@dataclass(frozen=True, eq=False)
class Evaluated:
    """Rows of the page's tables; see ``prediction_progression_page`` for their columns.

    ``leaspy`` has the versions of leaspy and what it ran on; empty where it was left out.
    """

    accuracy: list[tuple]
    against: list[tuple]
    covered: list[tuple]
    slopes: list[tuple]
    imaging: list[tuple]
    robust: list[tuple]
    milliseconds: float
    abstained: list[tuple]
    leaspy: dict[str, str] = field(default_factory=dict)


def targets(cases: Cases) -> dict[str, np.ndarray]:
    """Return for whom a truth counts, each (n, h)."""
    return {"alive": cases.alive, "attending": cases.attending,
            "everybody": np.ones_like(cases.alive)}  # fmt: skip


def accuracy_rows(k: int, cases: Cases, ways: dict[str, np.ndarray]) -> list[tuple]:
    """Return MAE, RMSE and bias of each way at each horizon."""
    rows = []
    for target, kept in targets(cases).items():
        for place, months in enumerate(HORIZONS):
            for name, found in ways.items():
                off = errors(found[:, place], cases.alsfrs[:, place], kept[:, place])
                if len(off):
                    size = float(np.abs(off).mean()), float(np.sqrt((off**2).mean()))
                    rows.append((k, target, months, name, len(off), *size, float(off.mean())))
    return rows


def against_rows(k: int, cases: Cases, ways: dict[str, np.ndarray], seed: int) -> list[tuple]:
    """Return the paired comparisons at the horizons that are asked for."""
    rows = []
    for target, kept in (("alive", cases.alive), ("attending", cases.attending)):
        for place in ASKED:
            for name, other in ways.items():
                if name == ALSFRS:
                    continue
                n, mean, low, high = advantage(
                    ways[ALSFRS][:, place], other[:, place], cases.alsfrs[:, place],
                    kept[:, place], seed,
                )  # fmt: skip
                if n > 1:
                    rows.append((k, target, HORIZONS[place], name, n, mean, low, high, high < 0))
    return rows


def coverage_rows(k: int, cases: Cases, found: Found) -> list[tuple]:
    """Return coverages of ALSFRS-R and FVC, and mean widths."""
    rows = []
    for target, kept in targets(cases).items():
        for place, months in enumerate(HORIZONS):
            for scale, intervals, truth in (
                ("ALSFRS-R", found.alsfrs, cases.alsfrs), ("FVC", found.fvc, cases.fvc),
            ):  # fmt: skip
                at, there = intervals[:, place], kept[:, place]
                n, inner, outer = coverage(at, truth[:, place], there)
                rows.append((k, target, months, scale, n, inner, outer, *widths(at, there)))
    return rows


def imaging_rows(
    label: str, k: int, cases: Cases, with_images: Found, without: Found, seed: int
) -> list[tuple]:
    """Return what images add: negative differences are better."""
    rows = []
    for place in ASKED:
        n, mean, low, high = advantage(
            with_images.alsfrs[:, place, 0], without.alsfrs[:, place, 0], cases.alsfrs[:, place],
            cases.alive[:, place], seed,
        )  # fmt: skip
        width = [f.alsfrs[:, place, 2] - f.alsfrs[:, place, 1] for f in (with_images, without)]
        kept = np.isfinite(width[0]) & np.isfinite(width[1])
        narrower = float(np.mean(width[0][kept] / np.maximum(width[1][kept], 1e-6)))
        rows.append((label, k, HORIZONS[place], n, mean, low, high, narrower))
    return rows


def robust_rows(
    model: ProgressionModel, k: int, cases: Cases, norms: Norms, seed: int
) -> list[tuple]:
    """Return errors and coverages 12 months on where something is missing."""
    place = ASKED[1]
    kinds = {
        "all as measured": cases.people,
        "FVC absent": cases_of.without_fvc(cases.people),
        "two items of each form missing": cases_of.without_items(cases.people, seed),
        "site that norms have not seen": cases_of.without_site(cases.people),
        "images absent": cases_of.without_imaging(cases.people),
        "time since onset unknown": cases_of.without_onset(cases.people),
    }
    rows = []
    for name, people in kinds.items():
        found = forecast_all(model, people, norms, len(HORIZONS))
        at = found.alsfrs[:, place]
        off = errors(at[:, 0], cases.alsfrs[:, place], cases.alive[:, place])
        _, inner, outer = coverage(at, cases.alsfrs[:, place], cases.alive[:, place])
        width = float(np.nanmean(at[:, 2] - at[:, 1]))
        rows.append((name, k, len(off), float(np.abs(off).mean()), *interval(np.abs(off), seed),
                     inner, outer, width, found.abstained))  # fmt: skip
    return rows


def evaluate(
    model: ProgressionModel, norms: Norms, patients: int, control: int, seed: int,
    leaspy: Path | None = None, robust: int = ROBUST_PEOPLE, most: int = MOST,
) -> Evaluated:  # fmt: skip
    """Evaluate a model.

    Parameters
    ----------
    model : ProgressionModel
    norms : Norms
    patients : int
        Simulated, held out.
    control : int
        Patients to fit the negative control, and half as many to evaluate it; 0 leaves it out.
    seed : int
        The three after it are used too.
    leaspy : Path, optional
        Virtual environment with leaspy; else it is left out.
    robust : int
        Patients of each number of visits who are forecast with something missing.
    most : int
        Patients of each number of visits who are forecast.
    """
    out = Evaluated([], [], [], [], [], [], 0.0, [])
    held = {k: cases.first(most)
            for k, cases in held_out(patients, seed, errors=measured_errors()).items()}  # fmt: skip
    beside: dict[int, np.ndarray] = {}
    if leaspy is not None:
        learned = simulated_patients(LEARNED, seed + 1, errors=measured_errors())
        told = leaspy_forecasts(leaspy, learned, [c.people for c in held.values()], seed)
        beside = dict(zip(held, told.forecasts, strict=True))
        out.leaspy.update(told.versions)
    for k, cases in held.items():
        if not cases.people:
            continue
        found = forecast_all(model, cases.people, norms, len(HORIZONS))
        both = cases.first(BLIND_PEOPLE)
        blind = forecast_all(model, cases_of.without_imaging(both.people), norms, len(HORIZONS))
        ways = {ALSFRS: found.alsfrs[..., 0], **forecasts(cases.people, model.mean_slope)}
        if k in beside:
            ways["leaspy"] = beside[k]
        out.accuracy.extend(accuracy_rows(k, cases, ways))
        out.against.extend(against_rows(k, cases, ways, seed))
        out.covered.extend(coverage_rows(k, cases, found))
        for target in ("alive", "everybody"):
            kept = targets(cases)[target][:, ASKED[1]]
            out.slopes.append((k, target, *slope_calibration(found, cases, kept, seed)))
        same = found.first(len(both.people))
        out.imaging.extend(imaging_rows("as simulated", k, both, same, blind, seed))
        out.robust.extend(robust_rows(model, k, cases.first(robust), norms, seed))
        out.abstained.append((k, len(cases.people), found.abstained))
        print(f"{k} visits: {len(cases.people)} patients")
    if control:
        out.imaging.extend(negative_control(model, norms, control, seed + 2))
    timed = _milliseconds(model, held[1], norms)
    return Evaluated(**{**vars(out), "milliseconds": timed})


def negative_control(
    model: ProgressionModel, norms: Norms, patients: int, seed: int
) -> list[tuple]:
    """Return what images add to a model fitted where they know nothing."""
    nothing = Scenario(imaging_effect=0.0)
    errors_file = measured_errors()
    people = simulated_patients(patients, seed, nothing, errors_file)
    training = describe(people, "simulated", seed, "negative control")
    other, _ = fit_people(people, norms, training, model.imaging, aside={})
    rows = []
    for k, cases in held_out(max(patients // 2, 20), seed + 1, nothing, errors_file).items():
        found = forecast_all(other, cases.people, norms, len(HORIZONS))
        blind = forecast_all(other, cases_of.without_imaging(cases.people), norms, len(HORIZONS))
        rows += imaging_rows("negative control", k, cases, found, blind, seed)
    return rows


def _milliseconds(model: ProgressionModel, cases: Cases, norms: Norms) -> float:
    """Median time of one forecast, image scores included."""
    took = []
    for person in cases.people[:20]:
        begun = time.perf_counter()
        model.forecast(person, norms)
        took.append(1e3 * (time.perf_counter() - begun))
    return float(np.median(took))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command."""
    parser = commands.arguments(__doc__ or "", models=False)
    parser.add_argument("--patients", type=int, default=3400, help="simulated")
    parser.add_argument("--control", type=int, default=400)
    parser.add_argument("--seed", type=int, default=20261219)
    parser.add_argument("--model", type=Path, help="instead of the bundled one")
    parser.add_argument("--leaspy", type=Path, help="virtual environment with leaspy")
    options = parser.parse_args(arguments)
    path = options.model or bundled(KIND)
    try:
        if options.leaspy:
            python_of(options.leaspy)
        model, norms = load_progression(path), norms_of_simulated()
        found = evaluate(
            model, norms, options.patients, options.control, options.seed, options.leaspy
        )
    except BrainstemALSError as refusal:
        print(refusal, file=sys.stderr)
        return int(refusal.code)
    source = "measured on the real segmentation" if measured_errors() else "as configured"
    page = page_of(found, model, path, options.patients, options.seed, source)
    commands.publish(page, options.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
