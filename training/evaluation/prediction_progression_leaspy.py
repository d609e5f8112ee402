"""Leaspy as a comparator: its logistic disease course model of the ALSFRS-R (training only).

leaspy 2.1.0 asks for numpy below 2, pandas below 3 and torch below 2.8, which this project has
left; it runs beside them all the same. So it stays out of the environment: install it with
lifelines, which it imports, into a folder of its own and name that folder ::

    pip install --no-deps --target DIR leaspy==2.1.0 lifelines autograd autograd-gamma formulaic \
        interface-meta
    python -m training.evaluation.prediction_progression --leaspy DIR
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from BrainstemALSLib.prediction.progression import HORIZONS
from BrainstemALSLib.prediction.records import PersonRecord
from BrainstemALSLib.prognosis.alsfrs import HIGHEST_TOTAL

ITERATIONS = 1000


def leaspy_forecasts(
    folder: Path,
    learned: Sequence[PersonRecord],
    people: Sequence[Sequence[PersonRecord]],
    seed: int,
) -> list[np.ndarray]:
    """Fit leaspy on some people and forecast others.

    Loss (48 less the total, over 48) against years since onset, with onset as a visit without loss:
    the anchor that our model has.

    Parameters
    ----------
    folder : Path
        Where it is installed.
    learned : sequence of PersonRecord
    people : sequence of sequences of PersonRecord
        Each with the visits that a forecast may read.
    seed : int

    Returns
    -------
    list of numpy.ndarray, shape (n, h)
        ALSFRS-R at the horizons; NaN for whom it gave none.
    """
    sys.path.append(str(folder))
    from leaspy.io.data import Data
    from leaspy.models import LogisticModel

    model = LogisticModel(name="alsfrs", dimension=1, source_dimension=0)
    model.fit(Data.from_dataframe(_table(learned)), "mcmc_saem", n_iter=ITERATIONS, seed=seed,
              progress_bar=False)  # fmt: skip
    out = []
    for some in people:
        own = model.personalize(
            Data.from_dataframe(_table(some)), "scipy_minimize", seed=seed, progress_bar=False
        )
        times = {p.participant: _years(p, p.visits[-1].months + np.array(HORIZONS)) for p in some
                 if any(v.total is not None for v in p.visits)}  # fmt: skip
        lost = model.estimate(times, own)
        nothing = np.full(len(HORIZONS), np.nan)
        rows = [HIGHEST_TOTAL * (1 - np.ravel(lost[p.participant])) if p.participant in lost
                else nothing for p in some]  # fmt: skip
        out.append(np.array(rows))
    return out


def _years(person: PersonRecord, months: np.ndarray) -> list[float]:
    return ((person.months_since_onset + months) / 12.0).tolist()


def _table(people: Sequence[PersonRecord]):
    import pandas as pd

    rows = []
    for person in people:
        seen = [v for v in person.visits if v.total is not None]
        if not seen:
            continue
        rows.append((person.participant, 0.0, 0.0))
        times = _years(person, np.array([v.months for v in seen]))
        rows += [(person.participant, t, 1 - v.total / HIGHEST_TOTAL)
                 for t, v in zip(times, seen, strict=True)]  # fmt: skip
    return pd.DataFrame(rows, columns=["ID", "TIME", "loss"]).set_index(["ID", "TIME"])
