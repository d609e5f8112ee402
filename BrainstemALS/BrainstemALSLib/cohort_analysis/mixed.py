"""Change over time: mixed models of every visit, random intercept and slope by participant."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..cohort.tables import UNITS
from .covariates import INSEPARABLE, build_matrix, complete, indicators, terms_for
from .design import FAMILIES, GROUPS, Design
from .linear import with_rates
from .options import MIN_GROUP, GroupOptions, Notes
from .reml import fit_reml
from .standing import PREDICTORS, standing

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = (
    "analysis", "contrast", "measure", "structure", "family", "unit", "n", "returned", "visits",
    "per_year", "low", "high", "standard_error", "p", "q", "percent_per_year",
    "percent_low", "percent_high", "random_effects", "adjusted_for", "remark",
)  # fmt: skip
THREE_VISITS = 10
"""Participants with three visits or more that a random slope needs (own choice): with two visits,
its variance cannot be told apart from the noise of a single visit."""
SLOPE, INTERCEPT, CLUSTERED = "intercept and slope", "intercept", "none (clustered errors)"
MONTHS_A_YEAR = 12.0
AS_SEEN, EVERYBODY = "change", "change, all patients"
"""Change of those who came back, and of all patients: see ``standing``."""
PAIRS = (("ALS", "HC"), ("MIMIC", "HC"), ("ALS", "MIMIC"))


@dataclass(frozen=True, eq=False)
class Trajectory:
    """One fitted model.

    Attributes
    ----------
    beta, covariance : numpy.ndarray
        Of the fixed effects, in the unit of the measure and years.
    groups : tuple of str
        The first is the reference.
    n, returned, visits : mapping of str to int
        Participants of each group, those with two visits or more, and visits.
    random : str
        ``SLOPE``, ``INTERCEPT`` or ``CLUSTERED``.
    adjusted : tuple of str
    remark : str
        What did not work on the way; empty when nothing.
    """

    beta: np.ndarray
    covariance: np.ndarray
    groups: tuple[str, ...]
    n: dict[str, int]
    returned: dict[str, int]
    visits: dict[str, int]
    random: str
    adjusted: tuple[str, ...]
    remark: str

    @property
    def df(self) -> int:
        """Participants minus fixed effects."""
        return max(sum(self.n.values()) - len(self.beta), 1)

    def mean(self, group: str, years: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return mean and standard error at these years, for an average participant."""
        rows = np.zeros((len(years), len(self.beta)))
        rows[:] = self.start(group)
        rows += np.outer(years, self.slope(group))
        spread = np.einsum("ij,jk,ik->i", rows, self.covariance, rows)
        return rows @ self.beta, np.sqrt(np.maximum(spread, 0.0))

    def start(self, group: str) -> np.ndarray:
        """Return the weights of the fixed effects that make a group's mean at the first visit."""
        weights = np.zeros(len(self.beta))
        weights[0] = 1.0
        place = self.groups.index(group)
        if place:
            weights[place] = 1.0
        return weights

    def slope(self, group: str) -> np.ndarray:
        """Return the weights of the fixed effects that make a group's change per year."""
        weights = np.zeros(len(self.beta))
        weights[len(self.groups)] = 1.0
        place = self.groups.index(group)
        if place:
            weights[len(self.groups) + place] = 1.0
        return weights


def change_over_time(
    design: Design, options: GroupOptions, notes: Notes,
    keys: Sequence[tuple[str, str]] | None = None,
) -> pd.DataFrame:  # fmt: skip
    """Return each group's change per year and how it differs from that of controls.

    ``AS_SEEN`` is the change of those who came back. ``EVERYBODY`` stands for all patients of the
    first visit, see ``standing``. Asymmetries are left out unless asked for. Intervals and p-values
    are those of Wald with t on participants minus fixed effects (own choice; conservative beside
    the normal). Shares refer to the mean at the first visit: of the group, or of the one that it is
    compared with; their interval counts that this mean is an estimate (delta method).
    """
    import pandas as pd

    keys = design.measures_of("volume", "fa", "md") if keys is None else keys
    rows = []
    for key in keys:
        rows += _rows(AS_SEEN, key, fit_trajectory(design, key, options, notes), options.alpha)
        everybody = fit_trajectory(design, key, options, notes, everybody=True)
        rows += _rows(EVERYBODY, key, everybody, options.alpha)
    return with_rates(pd.DataFrame(rows).reindex(columns=COLUMNS))


def fit_trajectory(
    design: Design, key: tuple[str, str], options: GroupOptions, notes: Notes,
    everybody: bool = False,
) -> Trajectory | str:  # fmt: skip
    """Fit value ~ group x years + covariates, random intercept and slope; or say why not.

    Restricted maximum likelihood (Laird and Ware 1982, doi:10.2307/2529876), as statsmodels'
    MixedLM; see ``reml``. Where the random slope cannot be estimated, or its variance is 0, there
    is none; where no variance between participants is found, ordinary least squares with errors
    clustered by participant.

    With ``everybody``, patients' change may depend on how they were at the first visit, and their
    mean is that of all patients of the first visit (see ``standing``).
    """
    observations, values = design.observations, design.values[key]
    terms = terms_for(key[0], options.adjust)
    people = design.people.loc[observations.participant_id].reset_index(drop=True)
    rows = values.notna().to_numpy() & complete(people, terms)
    seen, again = people[rows].group, observations[rows].visit > 1
    concerns = f"change: {key[0]} of {key[1]}"
    groups = []
    for group in GROUPS:
        returning = observations[rows][again & (seen == group).to_numpy()].participant_id.nunique()
        if returning >= MIN_GROUP:
            groups.append(group)
        elif (people.group == group).any():
            few = f"fewer than {MIN_GROUP} participants came back: no change over time"
            notes.add(f"change of {group}", few, concerns)
    groups = tuple(groups)
    if not groups:
        return "nobody, or too few, came back"
    rows = rows & people.group.isin(groups).to_numpy()
    state = None
    if everybody:
        state, why = standing(design, groups, observations[rows].participant_id)
        if state is None:
            notes.add("change of all patients", why, concerns)
            return why
        state = state.reindex(observations.participant_id).to_numpy(float)
        rows = rows & np.isfinite(state).all(axis=1)
        state = state[rows]
    people, observations = people[rows], observations[rows]
    years = observations.months.to_numpy(float) / MONTHS_A_YEAR
    is_group = indicators(people.group.to_numpy(), groups[1:])
    effects = np.column_stack([is_group, years, is_group * years[:, None]])
    if state is not None:
        effects = np.column_stack([effects, state, state * years[:, None]])
    matrix = build_matrix(
        effects, people, terms, notes, concerns, observations.participant_id.to_numpy()
    )
    if matrix is None:
        return "cannot be estimated with these covariates and participants"
    people, observations = people[matrix.rows], observations[matrix.rows]
    y, ids = values[observations.index].to_numpy(float), observations.participant_id.to_numpy()
    if np.ptp(y) == 0:
        return "the same value in everybody"
    times = observations.groupby("participant_id").size()
    beta, covariance, random, remarks = _fit(
        y, matrix.X, ids, years[matrix.rows], bool((times >= 3).sum() >= THREE_VISITS)
    )
    remark = "; ".join(remarks)
    if remark:
        notes.add("mixed model", remark, concerns)
    if beta is None:
        return remark
    if matrix.inseparable:
        remark = "; ".join([*remarks, INSEPARABLE])
    return Trajectory(
        beta=beta,
        covariance=covariance,
        groups=groups,
        n={g: len(np.unique(ids[(people.group == g).to_numpy()])) for g in groups},
        returned={
            g: int((times[np.unique(ids[(people.group == g).to_numpy()])] > 1).sum())
            for g in groups
        },
        visits={g: int((people.group == g).sum()) for g in groups},
        random=random,
        adjusted=(*matrix.adjusted, *(PREDICTORS if everybody else ())),
        remark=remark,
    )  # fmt: skip


def _fit(y, X, ids, years, slope: bool):
    """Return coefficients, covariance, random effects and remarks; None when nothing converged."""
    scale, middle = y.std(), y.mean()
    z = (y - middle) / scale
    remarks = [] if slope else ["too few participants with three visits for a random slope"]
    for random in (SLOPE, INTERCEPT) if slope else (INTERCEPT,):
        shape = (
            np.column_stack([np.ones(len(z)), years]) if random == SLOPE else np.ones((len(z), 1))
        )
        found, why = _mixed(z, X, ids, shape)
        if found is not None:
            beta, covariance = found
            break
        remarks.append(f"random {random}: {why}")
    else:
        random = CLUSTERED
        beta, covariance = _clustered(z, X, ids)
        if not np.isfinite(covariance).all():
            return None, None, random, [*remarks, "no model could be fitted"]
    beta = beta * scale
    beta[0] += middle
    return beta, covariance * scale**2, random, remarks


def _mixed(z, X, ids, shape):
    try:
        fit = fit_reml(z, X, shape, ids)
    except np.linalg.LinAlgError:
        return None, "did not converge"
    if not fit.converged:
        return None, "did not converge"
    if fit.degenerate:
        return None, "its variance is 0"
    return (fit.beta, fit.covariance), ""


def _clustered(z, X, ids):
    from statsmodels.regression.linear_model import OLS

    codes = np.unique(ids, return_inverse=True)[1]
    fit = OLS(z, X).fit(cov_type="cluster", cov_kwds={"groups": codes})
    return np.asarray(fit.params, float).copy(), np.asarray(fit.cov_params())


def _rows(analysis: str, key, fit: Trajectory | str, alpha: float) -> list[dict[str, object]]:
    from scipy import stats

    measure, structure = key
    base = {
        "analysis": analysis, "measure": measure, "structure": structure,
        "family": FAMILIES[measure], "unit": f"{UNITS[measure]} per year",
    }  # fmt: skip
    if isinstance(fit, str):
        return [base | {"contrast": "ALS - HC", "n": 0, "returned": 0, "visits": 0, "remark": fit}]
    t = stats.t.ppf(1 - alpha / 2, fit.df)
    contrasts = {group: (fit.slope(group), group, group) for group in fit.groups}
    for one, other in PAIRS:
        if one in fit.groups and other in fit.groups:
            contrasts[f"{one} - {other}"] = (fit.slope(one) - fit.slope(other), one, other)
    if analysis == EVERYBODY:  # the others' change is as seen
        contrasts = {name: c for name, c in contrasts.items() if c[1] == "ALS"}
    rows = []
    for name, (weights, group, reference) in contrasts.items():
        value = float(weights @ fit.beta)
        error = _error(weights, fit.covariance)
        start = fit.start(reference)
        mean = float(start @ fit.beta)
        share, reach = math.nan, math.nan
        if mean > 0 and measure in ("volume", "fa", "md"):
            share = 100 * value / mean
            gradient = 100 * (weights / mean - value * start / mean**2)
            reach = t * _error(gradient, fit.covariance)
        rows.append(base | {
            "contrast": name,
            "n": fit.n[group],
            "returned": fit.returned[group],
            "visits": fit.visits[group],
            "per_year": value,
            "low": value - t * error,
            "high": value + t * error,
            "standard_error": error,
            "p": float(2 * stats.t.sf(abs(value) / error, fit.df)) if error else math.nan,
            "percent_per_year": share,
            "percent_low": share - reach,
            "percent_high": share + reach,
            "random_effects": fit.random,
            "adjusted_for": ", ".join(fit.adjusted),
            "remark": fit.remark,
        })  # fmt: skip
    return rows


def _error(weights: np.ndarray, covariance: np.ndarray) -> float:
    return math.sqrt(max(float(weights @ covariance @ weights), 0.0))
