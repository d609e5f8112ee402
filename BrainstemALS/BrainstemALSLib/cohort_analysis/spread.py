"""Spread order: which structures of the brainstem change first, with a bootstrap over persons.

One marker per structure: its volume, FA and MD (where there are any), left and right averaged, each
as a deviation from the controls of the same age, sex, intracranial volume and site, turned so that
higher is worse, and added with the weights that tell patients from controls best. Every visit is a
look of its own at the order of the event-based model. Where patients came again, what a structure
loses in a year against what it has lost so far speaks on the order too (``spread_rates``). The
bootstrap draws persons with all their visits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import BrainstemALSError, ExitCode
from .event_model import Mixtures, best_order, fit_mixtures, log_likelihood, stage_probabilities
from .spread_markers import LEAST, deviations, marker_scores
from .spread_rates import Repeated, gather, misfit, relative_rates

if TYPE_CHECKING:
    import pandas as pd

SHOWN = 0.35
"""Difference between patients and controls (standard deviations) that makes a marker an event: what
the disease leaves alone has no place in the order. Own choice."""
FALSE_EVENTS = 0.05
"""False discovery rate of the events (Benjamini and Hochberg 1995) over the structures."""
SPARED = 0.15
"""Difference up to which a structure tells what healthy people share; own choice."""
TEMPER = 0.05
"""Power of the event-based model's likelihood beside the rates' one. That model takes markers for
independent, which they are not, and is surer than it should be. Own choice, made on simulated
cohorts of other seeds than those reported (training.evaluation.spread_order)."""


@dataclass(frozen=True, eq=False)
class Spread:
    """An order of events and how sure it is.

    Attributes
    ----------
    events : tuple of str
        Structures without side, in the most likely order.
    left_out : tuple of str
        Those that have no place; ``reasons`` says why.
    positions : numpy.ndarray, shape (e, e)
        Share of the bootstrap samples in which the event of the row has the place of the column;
        rows in the order of ``events``.
    mixtures : Mixtures
        In the order of ``events``.
    stages : dict of (str, str) to numpy.ndarray
        Participant and session to the probabilities of the stages 0 to e.
    agreement : float
        Mean Kendall tau-b between the order and those of the bootstrap.
    bootstraps : int
    patients, controls : int
        Persons.
    repeated : int
        Patients whose repeated visits speak on the order; 0 where too few came again.
    reasons : dict of str to str
        Why each structure that is left out has no place.
    """

    events: tuple[str, ...]
    left_out: tuple[str, ...]
    positions: np.ndarray
    mixtures: Mixtures
    stages: dict[tuple[str, str], np.ndarray]
    agreement: float
    bootstraps: int
    patients: int
    controls: int
    repeated: int
    reasons: dict[str, str]


def spread_order(
    cohort: Any,
    seed: int = 0,
    bootstraps: int = 100,
    structures: Sequence[str] | None = None,
    onset: str | None = None,
    use_rates: bool = True,
) -> Spread:
    """Estimate the order in which structures change.

    Parameters
    ----------
    cohort : Cohort
        Tables of ``BrainstemALSLib.cohort.tables``.
    seed : int
        Of the search and the bootstrap.
    bootstraps : int
        Samples; mixtures and order are fitted anew in each.
    structures : sequence of str, optional
        Without side; all of the brainstem's where left out.
    onset : str, optional
        Patients of this onset alone.
    use_rates : bool
        False for the event-based model alone, whatever visits there are.

    Raises
    ------
    BrainstemALSError
        UNSUITABLE_IMAGE: too few patients or controls, or nothing that differs between them.
    """
    import pandas as pd
    from scipy.stats import kendalltau

    table, info = deviations(cohort)
    sick, well = (info["group"] == "ALS").to_numpy(), (info["group"] == "HC").to_numpy()
    scores = marker_scores(table, info["group"])
    if onset is not None:
        sick &= (info["onset"] == onset).to_numpy()
    person = pd.factorize(info.index.get_level_values("participant_id"))[0]
    counts = [len(np.unique(person[rows])) for rows in (sick, well)]
    _check(*counts)
    chosen = [stem for stem in (structures or scores.columns) if stem in scores.columns]
    difference, reasons = _events(table, scores[chosen], sick, well, person)
    kept = [stem for stem in chosen if stem not in reasons]
    if len(kept) < 2:
        raise _refused("fewer than two structures differ between patients and controls")
    markers = scores[kept].to_numpy(float)
    spared = [stem for stem in chosen if difference[stem] < SPARED]
    repeated = _repeated(table, info, kept, spared, person, sick, well)
    use = repeated if use_rates and repeated.enough() else None
    mixtures, order = _fit(markers[sick], markers[well], use, seed)
    rng = np.random.default_rng([seed, 1])
    positions, taus = np.zeros((len(kept), len(kept))), []
    for number in range(bootstraps):
        drawn = [_drawn_again(person, rows, rng) for rows in (sick, well)]
        parts = [markers[rows] for rows, _ in drawn]
        if not all((np.isfinite(part).sum(0) >= 3).all() for part in parts):
            continue
        again = use.drawn(drawn[0][1], drawn[1][1]) if use else None
        _, other = _fit(*parts, again, seed + number, starts=1)
        place = np.argsort(other)[order]
        positions[np.arange(len(kept)), place] += 1
        taus.append(kendalltau(place, np.arange(len(kept))).statistic)
    likely = stage_probabilities(mixtures.log_ratios(markers[sick]), order)
    return Spread(
        events=tuple(kept[n] for n in order),
        left_out=tuple(reasons),
        positions=positions / max(len(taus), 1),
        mixtures=Mixtures(mixtures.normal[order], mixtures.abnormal[order], mixtures.share[order]),
        stages=dict(zip(scores.index[sick], likely, strict=True)),
        agreement=float(np.mean(taus)) if taus else float("nan"),
        bootstraps=len(taus),
        patients=counts[0],
        controls=counts[1],
        repeated=use.again() if use else 0,
        reasons=reasons,
    )


def _fit(
    patients: np.ndarray,
    controls: np.ndarray,
    repeated: Repeated | None,
    seed: int,
    starts: int | None = None,
) -> tuple[Mixtures, np.ndarray]:
    """Mixtures and order of one sample; without repeated visits the event-based model alone."""
    mixtures = fit_mixtures(patients, controls)
    ratios = mixtures.log_ratios(patients)
    score: Callable[[np.ndarray], float] | None = None
    if repeated is not None:
        rates = relative_rates(repeated)

        def score(order: np.ndarray) -> float:
            return TEMPER * log_likelihood(ratios, order) - misfit(order, *rates)

    more = {} if starts is None else {"starts": starts}
    return mixtures, best_order(ratios, seed, score=score, **more)[0]


def _events(
    table: pd.DataFrame,
    scores: pd.DataFrame,
    sick: np.ndarray,
    well: np.ndarray,
    person: np.ndarray,
) -> tuple[pd.Series, dict[str, str]]:
    """Differences between the groups, and why a structure is no event."""
    from scipy.stats import false_discovery_control

    difference = scores[sick].mean() - scores[well].mean()
    enough = (scores[sick].notna().sum() >= LEAST) & (scores[well].notna().sum() >= LEAST)
    tested = [stem for stem in scores if enough[stem]]
    means = table.groupby(person).mean()
    groups = [means.loc[np.unique(person[rows])] for rows in (sick, well)]
    p = [_hotelling(*(g.xs(stem, axis=1, level="stem") for g in groups)) for stem in tested]
    q = dict(zip(tested, false_discovery_control(p) if p else (), strict=True))
    reasons = {}
    for stem in scores:
        if not enough[stem]:
            reasons[stem] = "too few values"
        elif difference[stem] < SHOWN:
            reasons[stem] = f"differs too little ({difference[stem]:.2f} SD, below {SHOWN:g})"
        elif q[stem] >= FALSE_EVENTS:
            reasons[stem] = f"difference may be chance (q {q[stem]:.2f})"
    return difference, reasons


def _hotelling(patients: pd.DataFrame, controls: pd.DataFrame) -> float:
    """p of Hotelling's two-sample test over a structure's measures; rows are persons."""
    from scipy.stats import f

    a, b = patients.dropna().to_numpy(), controls.dropna().to_numpy()
    n, m, size = len(a), len(b), a.shape[1]
    if min(n, m) < 3 or n + m - size - 1 < 1:
        return 1.0
    pooled = np.atleast_2d((np.cov(a.T) * (n - 1) + np.cov(b.T) * (m - 1)) / (n + m - 2))
    shift = a.mean(0) - b.mean(0)
    squared = n * m / (n + m) * float(shift @ np.linalg.pinv(pooled) @ shift)
    freedom = n + m - size - 1
    return float(f.sf(squared * freedom / (size * (n + m - 2)), size, freedom))


def _repeated(
    table: pd.DataFrame,
    info: pd.DataFrame,
    kept: Sequence[str],
    spared: Sequence[str],
    person: np.ndarray,
    sick: np.ndarray,
    well: np.ndarray,
) -> Repeated:
    stems = table.columns.get_level_values("stem")
    own, other = stems.isin(kept), stems.isin(spared)
    return gather(
        values=table.loc[:, own].to_numpy(float),
        spared=table.loc[:, other].to_numpy(float),
        event=np.array([list(kept).index(stem) for stem in stems[own]]),
        person=person,
        years=info["months"].to_numpy(float) / 12,
        sick=sick,
        well=well,
    )


def _drawn_again(
    person: np.ndarray, rows: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Rows and persons of a sample: persons drawn with all their visits."""
    known = np.unique(person[rows])
    drawn = known[rng.integers(len(known), size=len(known))]
    visits = {one: np.flatnonzero(rows & (person == one)) for one in np.unique(drawn)}
    return np.concatenate([visits[one] for one in drawn]), drawn


def _check(patients: int, controls: int) -> None:
    for count, who in ((patients, "patients"), (controls, "controls")):
        if count < LEAST:
            raise _refused(f"{count} {who} have images; at least {LEAST} are needed")


def _refused(problem: str) -> BrainstemALSError:
    return BrainstemALSError(
        "spread order",
        problem,
        "Process more exams, or leave the order out.",
        ExitCode.UNSUITABLE_IMAGE,
    )
