"""AFT models with delayed entry: what they recover, and that lifelines finds the same."""

from __future__ import annotations

import numpy as np
import pytest

from training.evaluation.prediction_survival_aft import LOGLOGISTIC, WEIBULL, fit_aft
from training.prediction.survival_fit import Times

SLOPES = np.array([-0.4, 0.2])


def drawn(kind: str, n: int = 1500) -> tuple[np.ndarray, Times]:
    """People of a known model who were alive at entry, with censoring."""
    rng = np.random.default_rng(4)
    x = rng.standard_normal((n, 2))
    u = rng.uniform(size=n)
    noise = np.log(-np.log(u)) if kind == WEIBULL else np.log(1 / u - 1)
    end = np.exp(3.5 + x @ SLOPES + 0.5 * noise)
    entry, censored = rng.uniform(2.0, 25.0, n), rng.uniform(30.0, 80.0, n)
    seen = np.flatnonzero(end > entry)
    event = end <= censored
    cause = np.where(event, 0, -1)
    times = Times.once(entry, np.minimum(end, censored), event, cause)
    return x[seen], times.take(seen)


@pytest.mark.parametrize("kind", [WEIBULL, LOGLOGISTIC])
def test_it_recovers_the_model_in_spite_of_late_entry(kind):
    found = fit_aft(kind, *drawn(kind))
    assert found.level == pytest.approx(3.5, abs=0.08)
    assert found.shape == pytest.approx(2.0, abs=0.2)
    assert found.slopes == pytest.approx(SLOPES, abs=0.06)


def test_risks_are_given_life_until_entry():
    found = fit_aft(LOGLOGISTIC, *drawn(LOGLOGISTIC))
    entry, after = np.array([10.0]), np.array([0.0, 12.0, 24.0])
    risk = found.risks(np.zeros((1, 2)), entry, after)[0]
    free = 1 / (1 + (np.array([10.0, 22.0, 34.0]) / np.exp(found.level)) ** found.shape)
    assert risk == pytest.approx(1 - free / free[0])


@pytest.mark.parametrize("kind", [WEIBULL, LOGLOGISTIC])
def test_lifelines_finds_the_same(kind):
    lifelines = pytest.importorskip("lifelines")
    import pandas as pd

    x, times = drawn(kind, 400)
    table = pd.DataFrame(
        {"entry": times.entry, "t": times.exit, "e": times.event, "a": x[:, 0], "b": x[:, 1]}
    )
    name = {WEIBULL: "WeibullAFTFitter", LOGLOGISTIC: "LogLogisticAFTFitter"}[kind]
    other = getattr(lifelines, name)().fit(table, "t", "e", entry_col="entry").params_
    own = fit_aft(kind, x, times)
    assert own.slopes == pytest.approx(other.iloc[[0, 1]].to_numpy(), abs=1e-3)
