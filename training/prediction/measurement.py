"""Learn how far imaging predictors may be off: ``python -m training.prediction.measurement``.

Simulated people are measured twice: by scanners that the norms do not know, with the errors of the
real segmentation, and by an average scanner without error. Only a simulation knows the second, so
there is no ``--cohort``. A quarter of a minute of one core.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from BrainstemALSLib.norms import Norms
from BrainstemALSLib.prediction.measurement import KIND, MeasurementError, content_of
from BrainstemALSLib.prediction.model_files import write_model

from ..commands import finish
from .classification import CLEAN, SEED, errors_used, norms_in_use, simulated_cohort, training_of
from .classification_data import People, people_of, scored
from .source import parser_of, target


def error_of(measured: People, clean: People, norms: Norms) -> np.ndarray:
    """Return ``MeasurementError.relative`` (p, p).

    Parameters
    ----------
    measured, clean : People
        The same people, as scanners have them and as an average scanner without error would.
    norms : Norms
    """
    found = {}
    for people in (measured, clean):
        values = scored(people, np.ones(len(people), bool), norms)
        for k, record in enumerate(people.records):
            found.setdefault(record.participant, []).append((values.z[k], values.sd[k]))
    both = [pair for pair in found.values() if len(pair) == 2]
    ratios = np.array([(a[0] - b[0]) / a[1] for a, b in both])
    ratios = ratios[np.isfinite(ratios).all(axis=1)]
    # Second moments: a shift that all new scanners share is an error too.
    return ratios.T @ ratios / len(ratios)


def main() -> None:
    given = parser_of(__doc__ or "", KIND, SEED, cohort=False).parse_args()

    def command() -> None:
        cohort, clean = (simulated_cohort(given.seed, scenario=s) for s in (None, CLEAN))
        norms = norms_in_use()
        error = error_of(people_of(cohort, given.seed), people_of(clean, given.seed), norms)
        name = f"python -m training.prediction.measurement --seed {given.seed}"
        training = replace(training_of(cohort, given.seed, name), norms=norms.population.source)
        content = content_of(MeasurementError(error, training)) | {"errors": errors_used()}
        write_model(target(given, KIND), KIND, training, content)
        low, high = np.sqrt(np.diag(error))[[np.argmin(np.diag(error)), np.argmax(np.diag(error))]]
        print(f"Wrote {KIND}.json, {training.statement}: {low:.2f} to {high:.2f} of what is stated")

    finish(command)


if __name__ == "__main__":
    main()
