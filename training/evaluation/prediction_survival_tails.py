"""Whether the risk is right in its tails from each visit: fifths, and the calibration slope."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from BrainstemALSLib.prediction.survival_model import SurvivalModel

from ..prediction.survival_truth import People
from . import prediction_survival_scores as scores
from .prediction_survival_parts import follow_up, own_risks, people_risks
from .prediction_survival_tables import interval, words
from .tables import Table

VISITS = (1, 2, 3)
MONTHS = (6.0, 12.0)
FIFTHS = 5
TAIL_LIMIT = 0.03
"""By which the mean risk of an outer fifth may be off the true one (own choice)."""
PLAIN, FINAL = "not recalibrated", "as it comes along"


@dataclass(frozen=True, eq=False)
class Tails:
    """Figures of each visit.

    Attributes
    ----------
    slopes : dict of (int, str) to (tuple, tuple)
        By visit, and model: slope and intercept of the 12-month risk, with intervals.
    fifths : list of tuple
        Months, visit, fifth, number, and, as means with the first the estimate: predicted without
        recalibration, predicted, observed with its interval, the simulator's own risk.
    """

    slopes: dict[tuple[int, str], tuple[tuple, tuple]]
    fifths: list[tuple]

    def worst(self, number: int) -> float:
        """Return by how much an outer fifth's 12-month risk is off the true one at most."""
        outer = [row for row in self.fifths if row[:2] == (12.0, number) and row[2] in (1, FIFTHS)]
        return max((row[5] - row[7] for row in outer), key=abs)


def tails_of(model: SurvivalModel, asked: People, replicates: int, seed: int) -> Tails:
    """Measure the tails; random numbers of its own."""
    rng = np.random.default_rng(seed)
    plain = replace(model, recalibration=np.array([[0.0, 1.0]] * len(model.recalibration)))
    slopes, fifths = {}, []
    for number in VISITS:
        people = asked.take(asked.rows(number))
        data, truth = follow_up(people), own_risks(people, np.array(MONTHS))
        m = scores.bootstrap(len(data.time), replicates, rng)
        both = {
            name: people_risks(one, people, np.array(MONTHS))
            for name, one in ((PLAIN, plain), (FINAL, model))
        }
        for name, risks in both.items():
            pairs = [scores.slope_and_intercept(data, risks[:, 1], 12.0, w) for w in m]
            slopes[number, name] = tuple(map(interval, np.array(pairs).T))
        for k, months in enumerate(MONTHS):
            risk = both[FINAL][:, k]
            place = np.argsort(np.argsort(risk, kind="stable")) * FIFTHS // len(risk)
            for fifth in range(FIFTHS):
                inside = place == fifth
                seen = [scores.observed(data, months, inside & (w > 0), w) for w in m]
                fifths.append((
                    months, number, fifth + 1, int(inside.sum()),
                    float(both[PLAIN][inside, k].mean()), float(risk[inside].mean()),
                    interval(np.array(seen)), float(truth[inside, k].mean()),
                ))  # fmt: skip
    return Tails(slopes, fifths)


def tail_tables(tails: Tails) -> list[Table]:
    """Return the slopes and the fifths."""
    rows = [
        (number, name, *(words(one) for one in found))
        for (number, name), found in tails.slopes.items()
    ]
    return [
        Table(
            "slopes",
            "Calibration of the 12-month risk from each visit (simulated), 95 % bootstrap "
            "intervals; a slope below 1: too sure in both tails",
            ("from visit", "model", "slope", "intercept"), rows,
        ),
        Table(
            "fifths",
            "Fifths of the predicted risk from each visit (simulated), 95 % bootstrap intervals",
            ("months", "from visit", "fifth", "n", "predicted, not recalibrated", "predicted",
             "observed (Kaplan-Meier)", "simulator's own risk, mean"),
            [(f"{row[0]:.0f}", *row[1:6], words(row[6]), row[7]) for row in tails.fifths],
        ),
    ]  # fmt: skip


def tail_marks(tails: Tails, limits: tuple[float, float]) -> list[tuple[str, bool | None]]:
    """Return the marks of the later visits."""
    out: list[tuple[str, bool | None]] = []
    for number in VISITS[1:]:
        slope = tails.slopes[number, FINAL][0]
        out.append(
            (f"calibration slope from visit {number} in {limits[0]} to {limits[1]} (own mark): "
             f"{words(slope)}", limits[0] <= slope[0] <= limits[1])
        )  # fmt: skip
    for number in VISITS:
        worst = tails.worst(number)
        out.append(
            (f"lowest and highest fifth of the 12-month risk from visit {number} within "
             f"{100 * TAIL_LIMIT:.0f} points of the simulator's own risk (own mark): "
             f"{100 * worst:+.1f} points at most", abs(worst) <= TAIL_LIMIT)
        )  # fmt: skip
    return out
