"""Choose the reference patients: ``python -m training.prediction.reference [--cohort DIR]``.

By default of a simulated cohort with the errors of the real segmentation, others than those the
models were learned from; with ``--cohort`` of the tables of a real one. Each at one visit with
images, in turn the first, second and third, so that early and late disease are there. Seconds.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from BrainstemALSLib.cohort.tables import Cohort
from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.norms import Norms, bundled_norms
from BrainstemALSLib.prediction.explain_reference import (
    COLUMNS,
    KIND,
    References,
    content_of,
    values_of,
)
from BrainstemALSLib.prediction.features import features_of
from BrainstemALSLib.prediction.model_files import Training, write_model
from BrainstemALSLib.prediction.records import PersonRecord, VisitRecord, records_of

from ..commands import finish
from .source import (
    arguments,
    check_norms,
    few,
    keep_norms,
    norms_of_cohort,
    stated_cohort,
    target,
    training_of,
    without,
)
from .survival_data import simulated_cohort
from .survival_world import OUTCOMES

SEED, PATIENTS = 43_001, 300
TURNS = 3
LEAST = 20
"""Patients that are worth calling a reference; own choice."""


def choose_references(cohort: Cohort, norms: Norms, training: Training) -> References:
    """Return the patients of a cohort who have images and a known outcome; only they are counted.

    Raises
    ------
    BrainstemALSError
        USAGE: too few of them.
    """
    chosen = list(_visits(records_of(cohort)))
    people = [replace(person, site=None) for person, _ in chosen]
    z = features_of(people, [visit for _, visit in chosen], norms).z
    # Whom the norms say nothing of would be compared by clinical values alone.
    scored = np.isfinite(z).any(axis=1)
    chosen = [pair for pair, kept in zip(chosen, scored, strict=True) if kept]
    if len(chosen) < LEAST:
        raise BrainstemALSError(
            "cohort", f"fewer than {LEAST} patients have images and an outcome",
            "Give a larger cohort.", ExitCode.USAGE,
        )  # fmt: skip
    people = [person for person, _ in chosen]
    visits = [visit for _, visit in chosen]
    beside = np.array([values_of(p, v) for p, v in zip(people, visits, strict=True)])
    values = np.column_stack([z[scored], beside])
    lacking = few(values, COLUMNS)
    seen = np.array([name not in lacking for name in COLUMNS])
    scale = np.ones(len(COLUMNS))
    scale[seen] = np.maximum(np.nanstd(values[:, seen], axis=0), 1e-3)
    # Nobody's pseudonym leaves the cohort: the file is shared, and each prediction names some.
    names = [f"R{n:03d}" for n in range(1, len(people) + 1)]
    ends = [
        p.survival_months - p.months_since_onset - (v.months or 0.0)
        for p, v in zip(people, visits, strict=True)
    ]
    return References(
        tuple(names),
        values,
        scale,
        tuple(v.kings or "" for v in visits),
        np.array(ends),
        tuple(p.event or "" for p in people),
        without(replace(training, people={"ALS": len(names)}), lacking),
    )


def _visits(people: list[PersonRecord]):
    turn = 0
    for person in people:
        known = None not in (person.survival_months, person.months_since_onset, person.event)
        imaged: list[VisitRecord] = [v for v in person.visits if v.has_images]
        if person.group == "ALS" and known and imaged:
            yield person, imaged[min(turn % TURNS, len(imaged) - 1)]
            turn += 1


def main() -> None:
    given = arguments(__doc__ or "", KIND, SEED)

    def command() -> None:
        path = target(given, KIND)
        if given.cohort:
            cohort, seed = stated_cohort(given.cohort)
            norms = norms_of_cohort(cohort, seed)
        else:
            # The same world as that of the risk beside them.
            cohort, seed = simulated_cohort(PATIENTS, 0, given.seed)[0], given.seed
            norms = bundled_norms()
        check_norms(given, path, norms)
        found = choose_references(cohort, norms, training_of(cohort, seed, norms))
        if not given.cohort:
            found = replace(found, outcomes=OUTCOMES)
        write_model(path, KIND, found.training, content_of(found))
        keep_norms(given, path, norms)
        print(f"Wrote {len(found.names)} patients, {len(COLUMNS)} values each: {path.name}")

    finish(command)


if __name__ == "__main__":
    main()
