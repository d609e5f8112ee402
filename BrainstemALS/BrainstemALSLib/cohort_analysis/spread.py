"""Spread order: which structures of the brainstem change first, with a bootstrap over persons.

One marker per structure: its volume, FA and MD (where there are any), left and right averaged, each
as a deviation from the controls of the same age, sex, intracranial volume and site, turned so that
higher is worse, and added with the weights that tell patients from controls best. Every visit is a
look of its own at the order; the bootstrap draws persons with all their visits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..anatomy import REGIONS, load_structures
from ..errors import BrainstemALSError, ExitCode
from .event_model import Mixtures, best_order, fit_mixtures, stage_probabilities

if TYPE_CHECKING:
    import pandas as pd

WORSE = {"volume": -1.0, "fa": -1.0, "md": 1.0}
"""Direction in which a measure changes with the disease (../shared/reference/als_effects.csv)."""
LEAST = 10
"""Persons of each group that an order may be told from; own choice."""
SHOWN = 0.35
"""Difference between patients and controls (standard deviations) that makes a marker an event: what
the disease leaves alone has no place in the order. Own choice."""


@dataclass(frozen=True, eq=False)
class Spread:
    """An order of events and how sure it is.

    Attributes
    ----------
    events : tuple of str
        Structures without side, in the most likely order.
    left_out : tuple of str
        Those that differ too little between patients and controls to have a place.
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


def spread_order(
    cohort: Any,
    seed: int = 0,
    bootstraps: int = 100,
    structures: Sequence[str] | None = None,
    onset: str | None = None,
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

    Raises
    ------
    BrainstemALSError
        UNSUITABLE_IMAGE: too few patients or controls, or nothing that differs between them.
    """
    import pandas as pd
    from scipy.stats import kendalltau

    scores = marker_scores(cohort)
    people = cohort.participants.set_index("participant_id")
    who = scores.index.get_level_values("participant_id")
    group = people["group"].reindex(who).to_numpy()
    sick = group == "ALS"
    if onset is not None:
        sick &= people["onset"].reindex(who).to_numpy() == onset
    chosen = [stem for stem in (structures or scores.columns) if stem in scores.columns]
    patients, controls = scores.loc[sick, chosen], scores.loc[group == "HC", chosen]
    persons = [pd.factorize(who[rows])[0] for rows in (sick, group == "HC")]
    counts = [len(np.unique(one)) for one in persons]
    _check(*counts)
    enough = (patients.notna().sum() >= LEAST) & (controls.notna().sum() >= LEAST)
    difference = patients.mean() - controls.mean()
    kept = [stem for stem in chosen if enough[stem] and difference[stem] >= SHOWN]
    if len(kept) < 2:
        raise _refused("fewer than two structures differ between patients and controls")
    a, b = patients[kept].to_numpy(float), controls[kept].to_numpy(float)
    mixtures = fit_mixtures(a, b)
    order, _ = best_order(mixtures.log_ratios(a), seed)
    rng = np.random.default_rng([seed, 1])
    positions, taus = np.zeros((len(kept), len(kept))), []
    done = 0
    for number in range(bootstraps):
        again = _drawn_again((a, b), persons, rng)
        if again is None:
            continue
        fitted = fit_mixtures(*again)
        other, _ = best_order(fitted.log_ratios(again[0]), seed + number, order, starts=1)
        place = np.argsort(other)[order]
        positions[np.arange(len(kept)), place] += 1
        taus.append(kendalltau(place, np.arange(len(kept))).statistic)
        done += 1
    ratios = mixtures.log_ratios(a)
    likely = stage_probabilities(ratios, order)
    return Spread(
        events=tuple(kept[n] for n in order),
        left_out=tuple(stem for stem in chosen if stem not in kept),
        positions=positions / max(done, 1),
        mixtures=Mixtures(mixtures.normal[order], mixtures.abnormal[order], mixtures.share[order]),
        stages=dict(zip(patients.index, likely, strict=True)),
        agreement=float(np.mean(taus)) if taus else float("nan"),
        bootstraps=done,
        patients=counts[0],
        controls=counts[1],
    )


def marker_scores(cohort: Any) -> pd.DataFrame:
    """Return one marker per visit and structure: a column per structure without side.

    Deviations are those from a linear model of age, sex, intracranial volume (volumes alone) and
    site that is fitted on controls; a site without controls counts as the average one.

    Returns
    -------
    pandas.DataFrame
        Index participant_id, session_id.
    """
    import pandas as pd

    stem_of = {s.key: s.stem for s in load_structures() if s.parent in REGIONS}
    table = cohort.measures
    if "quality" in table:
        table = table[table["quality"] != "bad"]
    look = ["participant_id", "session_id"]
    skull = table[table["structure"] == "intracranial"].groupby(look)["value"].mean()
    table = table[table["structure"].isin(stem_of) & table["measure"].isin(WORSE)]
    stems = table["structure"].map(stem_of)
    wide = (
        table.assign(stem=stems)
        .groupby([*look, "measure", "stem"])["value"]
        .mean()
        .unstack(["measure", "stem"])
    )
    people = cohort.participants.set_index("participant_id")
    people = people.reindex(wide.index.get_level_values("participant_id")).set_index(wide.index)
    months = cohort.visits.groupby(look)["months"].first().reindex(wide.index)
    people = people.assign(age=people["age"].astype(float) + months.fillna(0.0) / 12)
    parts: dict[str, list[pd.Series]] = {}
    for measure, stem in wide.columns:
        column = wide[measure, stem]
        icv = skull.reindex(wide.index) if measure == "volume" else None
        score = _deviation(column, people, icv)
        if score is not None:
            parts.setdefault(stem, []).append(WORSE[measure] * score)
    group = people["group"]
    frame = {stem: _combined(pd.concat(series, axis=1), group) for stem, series in parts.items()}
    order = [s for s in dict.fromkeys(stem_of.values()) if s in frame]
    return pd.DataFrame(frame, index=wide.index)[order]


def _combined(scores: pd.DataFrame, group: pd.Series) -> pd.Series:
    """Weighted sum of a structure's measures, in standard deviations of the controls.

    Weights are those of Fisher's discriminant between patients and controls, none below 0: a
    measure that the disease leaves alone would only add noise.
    """
    from scipy.optimize import nnls

    whole = scores.notna().all(axis=1)
    sick, well = scores[whole & (group == "ALS")], scores[whole & (group == "HC")]
    if len(sick) < LEAST or len(well) < LEAST:
        return scores.mean(axis=1)
    within = (sick.cov() * (len(sick) - 1) + well.cov() * (len(well) - 1)) / (len(sick) + len(well))
    weights, _ = nnls(within.to_numpy(), (sick.mean() - well.mean()).to_numpy())
    if not weights.any():
        return scores.mean(axis=1)
    marker = scores @ weights  # missing where a measure that counts is
    return marker / marker[whole & (group == "HC")].std()


def _deviation(values: pd.Series, people: pd.DataFrame, icv: pd.Series | None) -> pd.Series | None:
    """Residual from the controls' model in their standard deviations; None with too few of them."""
    import pandas as pd

    columns = {"one": 1.0, "age": people["age"].astype(float)}
    columns["male"] = (people["sex"] == "M").astype(float)
    if icv is not None and icv.notna().any():
        columns["icv"] = icv.astype(float)
    design = pd.DataFrame(columns, index=people.index)
    usable = values.notna() & design.notna().all(axis=1)
    healthy = usable & (people["group"] == "HC")
    sites = people["site"].astype(str)
    counts = sites[healthy].value_counts()
    for site in list(counts.index[counts >= 3])[1:]:
        design[f"site {site}"] = (sites == site).astype(float)
    if healthy.sum() < design.shape[1] + 3:
        return None
    middle = design[healthy].mean()
    spread = design[healthy].std().replace(0.0, 1.0)
    scaled = (design - middle) / spread
    scaled["one"] = 1.0
    known = scaled[healthy].to_numpy()
    weights, *_ = np.linalg.lstsq(known, values[healthy].to_numpy(float), rcond=None)
    residual = values - scaled.to_numpy() @ weights
    freedom = max(int(healthy.sum()) - np.linalg.matrix_rank(known), 1)
    deviation = float(np.sqrt((residual[healthy] ** 2).sum() / freedom))
    return (residual / deviation).where(usable) if deviation > 0 else None


def _drawn_again(
    tables: tuple[np.ndarray, np.ndarray], persons: Sequence[np.ndarray], rng: np.random.Generator
) -> tuple[np.ndarray, ...] | None:
    """Persons drawn with all their visits; None where an event then has too few values."""
    drawn = []
    for table, person in zip(tables, persons, strict=True):
        rows = [np.flatnonzero(person == n) for n in range(person.max() + 1)]
        picked = rng.integers(len(rows), size=len(rows))
        drawn.append(table[np.concatenate([rows[n] for n in picked])])
    enough = all((np.isfinite(part).sum(0) >= 3).all() for part in drawn)
    return tuple(drawn) if enough else None


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
