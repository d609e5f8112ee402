"""Fit the classifier that comes along: ``python -m training.prediction.classification``.

Fits on a simulated cohort, or on a real one with ``--cohort DIR``. The form is the penalised
logistic regression unless the additive one predicts people of unseen sites better: the rule was
set before either was fitted. Half a minute of one core.

Norms: a simulated cohort is scored by those of ``norms_in_use``, which have the seed and the size
of those that come along (``training.norms``) and are measured with the same errors; a real cohort
by norms of its own other sites, or by those of ``--norms``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from BrainstemALSLib.cohort.tables import Cohort
from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.norms import Norms, read_norms
from BrainstemALSLib.prediction.classification_model import (
    KIND,
    PATIENTS,
    QUESTIONS,
    SETS,
    Classifier,
    content_of,
    known_norms,
)
from BrainstemALSLib.prediction.features import NAMES
from BrainstemALSLib.prediction.model_files import Training, write_model

from ..cohort.config import load_config
from ..cohort.errors import measured_errors
from ..cohort.scenario import Scenario
from ..cohort.simulate import simulate
from ..commands import finish
from ..norms import CONTROLS as NORM_CONTROLS
from ..norms import SEED as NORM_SEED
from .classification_data import (
    People,
    labelled,
    left_out_features,
    norms_of,
    people_of,
    scored,
)
from .classification_fit import FORMS, Fitted, classifier, fit, log_loss
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
from .source import training_of as whom

SEED = 20268001
CONTROLS, PATIENTS_N, MIMICS = 1500, 1500, 750
SITES = 40
"""Many: calibration, and the errors of ``measurement``, are learned from how scanners differ, not
from a draw of few."""
CLEAN = Scenario(site_effect=0.0, measurement_error=0.0)
"""The same people in an average scanner that does not err."""
LEAST = 50
"""People of each side (own choice)."""
VOLUMES = tuple(name for name in NAMES if name.endswith("_volume"))
FEATURE_SETS = dict(zip(SETS, (NAMES, VOLUMES), strict=True))
CENTRAL = 1.959963984540054
RULE = (
    "additive if its loss for people of sites held out is lower and the 95 % interval of the "
    "difference excludes 0, else logistic"
)


def errors_used() -> str:
    """Return which errors of measurement a simulated cohort has, for the file of the model."""
    path = measured_errors()
    if path is None:
        return "configured"
    return f"measured, {path.name} sha256 {hashlib.sha256(path.read_bytes()).hexdigest()[:12]}"


def simulated_cohort(
    seed: int,
    sizes: tuple[int, int, int] = (CONTROLS, PATIENTS_N, MIMICS),
    sites: int = SITES,
    scenario: Scenario | None = None,
) -> Cohort:
    """Return controls, patients and mimics of many scanners, one visit each."""
    config = load_config().with_values(
        visits__follow_ups=0,
        site__names=[f"scanner-{k:02d}" for k in range(1, sites + 1)],
        site__shares=[1.0 / sites] * sites,
    )
    return simulate(config, *sizes, seed, scenario, errors=measured_errors())[0]


def norms_in_use(seed: int = NORM_SEED, controls: int = NORM_CONTROLS) -> Norms:
    """Return norms as they come along, of what the classifier needs."""
    config = load_config().with_values(visits__follow_ups=0)
    cohort, _ = simulate(config, controls, 0, 0, seed, errors=measured_errors())
    people = people_of(cohort, seed)
    return norms_of(people, np.ones(len(people), bool), seed)


def sets_of(people: People, z: np.ndarray) -> dict[str, tuple[str, ...]]:
    """Return ``FEATURE_SETS`` without what fewer than ``LEAST`` patients or controls have.

    Of a cohort without diffusion images both are the volumes.
    """
    sides = [z[people.group == side] for side in (PATIENTS, "HC")]
    lacking = {name for side in sides for name in few(side, NAMES, LEAST)}
    return {
        which: tuple(name for name in names if name not in lacking)
        for which, names in FEATURE_SETS.items()
    }


def fit_forms(
    people: People,
    z: np.ndarray,
    question: str,
    which: str,
    sets: Mapping[str, tuple[str, ...]] = FEATURE_SETS,
) -> dict[str, Any]:
    """Fit both forms of one question on features z (n, all); returns form to what was fitted."""
    rows, y, part = chosen(people, z, question, which, sets)
    healthy = people.group[rows] == "HC"
    return {form: fit(part, y, healthy, people.site[rows], form) for form in FORMS}


def chosen(
    people: People,
    z: np.ndarray,
    question: str,
    which: str,
    sets: Mapping[str, tuple[str, ...]] = FEATURE_SETS,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return rows (n,) that a question concerns and that lack nothing, y and their features.

    Raises
    ------
    BrainstemALSError
        USAGE: too few people of either side.
    """
    groups, words = QUESTIONS[question]
    columns = [NAMES.index(name) for name in sets[which]]
    rows = labelled(people, groups) & np.isfinite(z[:, columns]).all(axis=1)
    y = people.group[rows] == PATIENTS
    for count, who in ((int(y.sum()), "patients"), (int((~y).sum()), words)):
        if count < LEAST:
            raise BrainstemALSError(
                "cohort",
                f"{count} {who} have all measures",
                f"Give a cohort with {LEAST} or more.",
                ExitCode.USAGE,
            )
    return rows, y, z[rows][:, columns]


def preferred(fits: dict[str, Fitted], y: np.ndarray) -> tuple[str, float, float]:
    """Apply ``RULE``: returns the form, how much lower the additive loss is, and +- of 95 %."""
    plain, curved = (log_loss(fits[form].inner, y) for form in FORMS)
    gain = plain - curved
    half = CENTRAL * float(gain.std(ddof=1)) / len(gain) ** 0.5
    form = FORMS[1] if gain.mean() - half > 0.0 else FORMS[0]
    return form, float(gain.mean()), half


def fit_classifiers(cohort: Cohort, seed: int, norms: Norms | None = None) -> dict[str, Any]:
    """Fit everything that a cohort can answer; returns the content of the file.

    Parameters
    ----------
    cohort : Cohort
    seed : int
        Of the parts where there are too few sites.
    norms : Norms, optional
        Of other people; norms of the cohort's own other sites by default.

    Raises
    ------
    BrainstemALSError
        USAGE: too few people of either side of the question about healthy people.
    """
    people = people_of(cohort, seed)
    everybody = np.ones(len(people), bool)
    z = scored(people, everybody, norms).z if norms else left_out_features(people, everybody)
    main = next(iter(QUESTIONS))
    sets = sets_of(people, z)
    if not sets["volumes"]:
        sets = FEATURE_SETS  # refused below, with how many have what is needed
    fits = {(main, which): fit_forms(people, z, main, which, sets) for which in SETS}
    _, y, _ = chosen(people, z, main, SETS[0], sets)
    form, gain, half = preferred(fits[main, SETS[0]], y)
    models: dict[tuple[str, str], Classifier] = {}
    penalties = {}
    for question, (groups, _) in QUESTIONS.items():
        if question != main and min((people.group == g).sum() for g in groups) < LEAST:
            continue
        for which in SETS:
            rows, y, part = chosen(people, z, question, which, sets)
            found = fits.get((question, which))
            fitted = (found or fit_forms(people, z, question, which, sets))[form]
            models[question, which] = classifier(fitted, sets[which], part, y)
            penalties[f"{question}, {which}"] = list(fitted.penalty)
    rows = labelled(people, QUESTIONS[main][0])
    ages = (float(np.nanmin(people.age[rows])), float(np.nanmax(people.age[rows])))
    content = content_of(form, models, ages, known_norms(norms) if norms else {})
    held = "whole sites" if people.by_site else "random parts of the people: there are few sites"
    content["choice"] = {
        "rule": RULE, "additive_loss_lower_by": gain, "half_interval": half, "held_out": held,
        "penalties": penalties,
    }  # fmt: skip
    return content


def training_of(cohort: Cohort, seed: int | None, command: str) -> Training:
    """Return whom a cohort's models are learned from."""
    people = cohort.participants
    counts = {g: int((people["group"] == g).sum()) for g in ("HC", "ALS", "MIMIC")}
    counts = {group: n for group, n in counts.items() if n}
    return replace(whom(cohort, seed), people=counts, command=command)


def main() -> None:
    parser = parser_of(__doc__ or "", KIND, SEED)
    parser.add_argument("--norms", type=Path, help="of other people, for a cohort of --cohort")
    given = parser.parse_args()

    def command() -> None:
        path, name = target(given, KIND), "python -m training.prediction.classification"
        if given.cohort:
            cohort, seed = stated_cohort(given.cohort)
            norms = read_norms(given.norms) if given.norms else None
            in_use = norms or norms_of_cohort(cohort, seed)
            check_norms(given, path, in_use)
            name += " --cohort DIR --norms FILE" if norms else " --cohort DIR"
        else:
            cohort = simulated_cohort(given.seed)
            norms, seed = norms_in_use(), given.seed
            in_use = norms
            name += f" --seed {given.seed}"
        content = fit_classifiers(cohort, given.seed, norms)
        content["norms"] = known_norms(in_use)
        if not given.cohort:
            content["errors"] = errors_used()
        training = replace(training_of(cohort, seed, name), norms=in_use.population.source)
        read = {c["feature"] for m in content["models"] for c in m["curves"]}
        training = without(training, [n for n in NAMES if n not in read])
        write_model(path, KIND, training, content)
        keep_norms(given, path, in_use)
        asked = ", ".join(dict.fromkeys(m["question"] for m in content["models"]))
        print(f"Wrote {path.name} ({content['form']}; against: {asked}), {training.statement}")

    finish(command)


if __name__ == "__main__":
    main()
