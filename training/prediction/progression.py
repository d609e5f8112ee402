"""Fit the progression model.

    python -m training.prediction.progression [--cohort DIR] [--seed N]


Without ``--cohort`` on a simulated cohort that is followed for longer than the configured one, so
that what happens two years on is learned and not extrapolated, with others set aside for the width
of the intervals; of a cohort in a folder a quarter is set aside. Some minutes on one core.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from BrainstemALSLib import __version__
from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.norms import Norms
from BrainstemALSLib.prediction.model_files import Training, write_model
from BrainstemALSLib.prediction.progression import (
    HORIZONS,
    KIND,
    ProgressionModel,
    content_of,
)
from BrainstemALSLib.prediction.progression_data import (
    IMAGING,
    TYPICAL,
    Series,
    rows_of,
    series_of,
    typical_of,
)
from BrainstemALSLib.prediction.progression_parameters import Rows
from BrainstemALSLib.prediction.records import PersonRecord, records_of

from ..cohort.config import load_config
from ..cohort.scenario import Scenario
from ..cohort.simulate import simulate
from ..commands import finish
from ..norms import CONTROLS, simulated_norms
from ..norms import SEED as NORMS_SEED
from .progression_cases import held_out
from .progression_fit import Fit, fit
from .progression_widening import MOST, Aside, of_visits, widening
from .source import (
    check_norms,
    few,
    keep_norms,
    norms_of_cohort,
    parser_of,
    stated_cohort,
    target,
    without,
)

PATIENTS, FOLLOW_UPS, SEED = 1500, 6, 20261130
SET_ASIDE = 4000
"""Simulated besides, with the seed after: enough for ``MOST`` with three visits."""
SHARE_ASIDE, ASIDE_SEED = 0.25, 20261131
"""Of the patients of a cohort, drawn by chance."""
MEASURED_ERRORS = Path(__file__).parents[1] / "cohort" / "imaging_errors.json"
"""Errors of the real segmentation, where they have been measured."""
ROUNDING = 0.05
"""By how much limits give way: tables hold tenths."""
LEAST = 50
"""Fewest patients a model is fitted on: our choice."""


def measured_errors() -> Path | None:
    """Return the file of the real segmentation's errors, None where there is none."""
    return MEASURED_ERRORS if MEASURED_ERRORS.is_file() else None


def norms_of_simulated() -> Norms:
    """Return norms as those that come along are made: what z-scores will be in use."""
    return simulated_norms(CONTROLS, NORMS_SEED)


def simulated_patients(
    patients: int,
    seed: int,
    scenario: Scenario | None = None,
    errors: Path | None = None,
    follow_ups: int = FOLLOW_UPS,
) -> list[PersonRecord]:
    """Return the records of simulated patients with long follow-up."""
    config = load_config().with_values(visits__follow_ups=follow_ups)
    cohort, _ = simulate(config, 0, patients, 0, seed, scenario, errors)
    return records_of(cohort)


def fit_people(
    people: Sequence[PersonRecord],
    norms: Norms | None,
    training: Training,
    imaging: tuple[str, ...] = IMAGING,
    steps: int = 40,
    aside: dict[int, Aside] | None = None,
) -> tuple[ProgressionModel, Fit]:
    """Fit the model on all visits of patients.

    Parameters
    ----------
    people : sequence of PersonRecord
        Others than patients with ALS, and those without a time since onset, are left out.
    norms : Norms or None
        None where no imaging is asked for.
    training : Training
        Who they are.
    imaging : tuple of str
    steps : int
        At most; see ``progression_fit.fit``.
    aside : dict of int to Aside, optional
        Other patients who tell how wide intervals must be; empty leaves them as drawn. When left
        out, ``SHARE_ASIDE`` of ``people`` are set aside for it and play no part in the fit.

    Raises
    ------
    BrainstemALSError
        USAGE: fewer than ``LEAST`` patients, or none of them with an age, a diagnostic delay or an
        FVC. Of ``imaging``, what fewer than ``LEAST`` patients have is left out.
    """
    chosen = [p for p in people if p.group == "ALS" and p.visits and p.months_since_onset]
    if aside is None:
        apart = np.random.default_rng(ASIDE_SEED).random(len(chosen)) < SHARE_ASIDE
        aside = of_visits([p for p, away in zip(chosen, apart, strict=True) if away])
        chosen = [p for p, away in zip(chosen, apart, strict=True) if not away]
    usable = _usable(chosen, norms, imaging)
    if len(usable) < LEAST:
        raise BrainstemALSError(
            "cohort", f"only {len(usable)} patients have an ALSFRS-R and a time since onset, "
            "without those set aside", f"Give at least {LEAST}.", ExitCode.USAGE,
        )  # fmt: skip
    lacking = _lacking(usable, imaging)
    if lacking:
        imaging = tuple(name for name in imaging if name not in lacking)
        usable, training = _usable(chosen, norms, imaging), without(training, lacking)
    typical = typical_of(usable)
    rows = rows_of(usable, typical)
    found = fit(rows, imaging, steps=steps)
    model = ProgressionModel(
        found.flat, found.covariance, imaging, typical, _domain(usable, rows, imaging),
        mean_slope(usable), training,
    )  # fmt: skip
    if not aside:
        return model, found
    counts = {str(k): len(known.people) for k, known in aside.items()}
    return replace(model, widening=widening(model, aside, norms), set_aside=counts), found


def _usable(
    people: Sequence[PersonRecord], norms: Norms | None, imaging: tuple[str, ...]
) -> list[Series]:
    series = series_of(people, norms, imaging) if people else []
    return [s for s in series if s.first and np.isfinite(s.values[:, 0]).any()]


def _lacking(usable: Sequence[Series], imaging: tuple[str, ...]) -> list[str]:
    """Return what too few have of ``imaging``; refuse where nobody has what cannot be missing."""
    seen = np.array([np.isfinite(s.values).any(axis=0) for s in usable])
    for name, there in (
        ("an age", any("age" in s.covariates for s in usable)),
        ("a diagnostic delay", any("log_delay" in s.covariates for s in usable)),
        ("an FVC", seen[:, 1].any()),
    ):
        if not there:
            raise BrainstemALSError(
                "cohort", f"no patient has {name}", "Fill in the column.", ExitCode.USAGE
            )
    return few(np.where(seen[:, 2:], 1.0, np.nan), imaging, LEAST)


def simulated_aside(
    patients: int, seed: int, errors: Path | None = None, most: int = MOST
) -> dict[int, Aside]:
    """Return simulated patients to set aside, with a form and a spirometry at each horizon.

    Those alive then; whoever had stayed away is asked too, which only a simulator can.
    """
    out = {}
    for k, known in held_out(patients, seed, errors=errors).items():
        few = known.first(most)
        truths = {"alsfrs": few.alsfrs, "fvc": few.fvc}
        out[k] = Aside(
            few.people, np.tile(HORIZONS, (len(few.people), 1)),
            {name: np.where(few.alive, truth, np.nan) for name, truth in truths.items()},
        )  # fmt: skip
    return out


def mean_slope(series: Sequence[Series]) -> float:
    """Return the points lost each month from first to last visit, of all patients together."""
    lost = months = 0.0
    for one in series:
        there = np.flatnonzero(np.isfinite(one.values[:, 0]))
        if len(there) > 1:
            lost += one.values[there[0], 0] - one.values[there[-1], 0]
            months += one.months[there[-1]] - one.months[there[0]]
    return lost / months if months else 0.0


def _domain(
    series: Sequence[Series], rows: Rows, imaging: tuple[str, ...]
) -> dict[str, tuple[float, float]]:
    first = np.array([s.first for s in series])
    age, delay = (
        np.array([s.covariates[n] for s in series if n in s.covariates]) + TYPICAL[n] / by
        for n, by in (("age", 10.0), ("log_delay", 1.0))
    )
    found = {
        "age": age * 10, "first": first, "last": rows.months, "delay": np.exp(delay),
        "fvc": rows.values[..., 1],
        **{name: rows.values[..., 2 + k] for k, name in enumerate(imaging)},
    }  # fmt: skip
    return {
        name: (float(np.nanmin(values)) - ROUNDING, float(np.nanmax(values)) + ROUNDING)
        for name, values in found.items()
    }


def describe(people: Sequence[PersonRecord], source: str, seed: int | None, command: str):
    """Return the ``Training`` of patients."""
    patients = [p for p in people if p.group == "ALS"]
    return Training(
        source, {"ALS": len(patients)}, len({p.site for p in patients if p.site}), seed, command,
        f"{datetime.now(UTC):%Y-%m-%d}", __version__,
    )  # fmt: skip


def main() -> None:
    parser = parser_of(__doc__ or "", KIND, SEED)
    parser.add_argument("--patients", type=int, default=PATIENTS, help="simulated ones")
    parser.add_argument("--aside", type=int, default=SET_ASIDE, help="simulated to be set aside")
    parser.add_argument(
        "--errors", type=Path, default=measured_errors(), help="measured errors of segmentation"
    )
    given = parser.parse_args()

    def command() -> None:
        path = target(given, KIND)
        if given.cohort:
            cohort, seed = stated_cohort(given.cohort)
            source = "simulated" if cohort.simulated else "real"
            people, norms, aside = records_of(cohort), norms_of_cohort(cohort, seed), None
            how = "python -m training.prediction.progression --cohort DIR"
        else:
            source, seed = "simulated", given.seed
            people = simulated_patients(given.patients, seed, errors=given.errors)
            norms = norms_of_simulated()
            aside = simulated_aside(given.aside, seed + 1, given.errors)
            how = f"python -m training.prediction.progression --seed {seed}"
        check_norms(given, path, norms)
        training = describe(people, source, seed if source == "simulated" else None, how)
        training = replace(training, norms=norms.population.source)
        model, found = fit_people(people, norms, training, aside=aside)
        write_model(path, KIND, model.training, content_of(model))
        keep_norms(given, path, norms)
        print(
            f"Log likelihood {found.log_likelihood:.1f} after {found.steps} steps, the last one "
            f"gained {found.gain:.3f}. Wrote {path.name}, {model.training.statement}."
        )

    finish(command)


if __name__ == "__main__":
    main()
