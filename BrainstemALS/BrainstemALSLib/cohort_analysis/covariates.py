"""Design matrices that can be fitted: what cannot be estimated is dropped, and named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .options import Notes

if TYPE_CHECKING:
    import pandas as pd

TERMS = {
    "age": ("age", "age"),
    "age2": ("age", "age squared"),
    "sex": ("male", "sex"),
    "icv": ("icv", "intracranial volume"),
    "site": ("site", "site"),
}
"""Term to its column of ``Design.people`` and its name."""
_LEVERAGE_ONE = 1.0 - 1e-8


@dataclass(frozen=True, eq=False)
class Matrix:
    """A design matrix of full rank.

    Attributes
    ----------
    X : numpy.ndarray, shape (n, k)
        Intercept, effects, covariates; covariates are centred, so that the intercept is the mean
        of the reference level for an average participant.
    effects : int
        Number of effect columns, from column 1 on.
    rows : numpy.ndarray of bool, shape (N,)
        Which of the given rows are in it.
    adjusted : tuple of str
        Names of the covariates that are in it.
    inseparable : bool
        Site was dropped because it cannot be told apart from the effects.
    """

    X: np.ndarray
    effects: int
    rows: np.ndarray
    adjusted: tuple[str, ...]
    inseparable: bool = False


INSEPARABLE = "not adjusted for site, which cannot be told apart from the groups"
"""Remark of an estimate that may be the scanner's."""


def without_common_site(people: pd.DataFrame, pair: tuple[str, str] = ("ALS", "HC")) -> bool:
    """Tell whether two groups share no site, so that scanner and group cannot be told apart.

    Sites with one participant do not count; nor does it where a group has no known site.
    """
    own = people[people.group.isin(pair) & people.site.notna()]
    own = own[own.groupby("site").group.transform("size") > 1]
    sites = [set(own.site[own.group == name]) for name in pair]
    return all(sites) and not sites[0] & sites[1]


def note_costs(
    people: pd.DataFrame, measured: np.ndarray, terms: Sequence[str], notes: Notes
) -> None:
    """Note each covariate that costs participants: how many of each group lack it.

    Parameters
    ----------
    people : pandas.DataFrame
    measured : numpy.ndarray of bool, shape (N,)
        Who has a measure at all; others are in no model anyway.
    terms : sequence of str
        Of ``TERMS``.
    notes : Notes
    """
    for term in terms:
        column, name = TERMS[term]
        lacking = people[column].isna().to_numpy() & measured
        if not lacking.any() or people[column].isna().all():
            continue  # what nobody has costs nobody: models go without it, and say so
        groups = people.group[lacking].value_counts()
        text = ", ".join(f"{count} {group}" for group, count in sorted(groups.items()))
        models = "every model of volumes" if term == "icv" else "every model that adjusts for it"
        notes.add(
            name, f"unknown for {int(lacking.sum())} participants ({text}): left out of {models}"
        )


def complete(people: pd.DataFrame, terms: tuple[str, ...]) -> np.ndarray:
    """Return which participants have every covariate; one that nobody has is not asked for."""
    mask = np.ones(len(people), bool)
    for term in terms:
        known = people[TERMS[term][0]].notna().to_numpy()
        if known.any():
            mask = mask & known
    return mask


def build_matrix(
    effects: np.ndarray, people: pd.DataFrame, terms: tuple[str, ...], notes: Notes,
    concerns: str | Sequence[str], persons: np.ndarray | None = None,
) -> Matrix | None:  # fmt: skip
    """Build intercept, effects and covariates.

    Sites with one participant tell nothing of a difference once site is in the model, so that
    participant is left out; so is anyone else whom a covariate fits exactly (leverage 1), where the
    robust error does not exist. Constant covariates are dropped; site is dropped when it cannot be
    told apart from the effects.

    Parameters
    ----------
    effects : numpy.ndarray, shape (N, e)
        Columns of interest, such as group indicators.
    people : pandas.DataFrame
        N rows with every covariate of ``terms``; see ``complete``.
    terms : tuple of str
        Of ``TERMS``.
    notes : Notes
        Gets what was dropped.
    concerns : str
        For the notes.
    persons : numpy.ndarray, shape (N,), optional
        Whose row each is, where a participant has several.

    Returns
    -------
    Matrix or None
        None: no effect can be estimated.
    """
    rows, inseparable = np.ones(len(people), bool), False
    if "site" in terms:
        rows = _without_single_sites(people, persons, notes, concerns)
    while rows.sum() > effects.shape[1] + 1:
        kept, adjusted = _covariates(people[rows], terms, notes, concerns)
        X = _with_intercept(effects[rows], kept)
        if np.linalg.matrix_rank(X) < X.shape[1]:
            if "site" in adjusted:
                notes.add(
                    "site", "cannot be told apart from the groups: not adjusted for", concerns
                )
                inseparable = True
                terms = tuple(t for t in terms if t != "site")
                rows = np.ones(len(people), bool)
                continue
            return None
        leverage = (np.linalg.qr(X)[0] ** 2).sum(axis=1)
        alone = leverage > _LEVERAGE_ONE
        if not alone.any():
            names = tuple(TERMS[t][1] for t in adjusted)
            return Matrix(X, effects.shape[1], rows, names, inseparable)
        notes.add(
            "participants", "fitted exactly by a covariate that is theirs alone: left out",
            concerns,
        )  # fmt: skip
        rows[np.flatnonzero(rows)[alone]] = False
    return None


def _without_single_sites(
    people: pd.DataFrame, persons: np.ndarray | None, notes: Notes, concerns: str | Sequence[str]
) -> np.ndarray:
    persons = people.index.to_numpy() if persons is None else persons
    counts = people.site.groupby(persons).first().value_counts()
    single = counts.index[counts == 1]
    if len(single) and len(counts) > 1:
        for site in single:
            notes.add(
                f"site {site}", "has one participant, who is left out of models with site", concerns
            )
        return ~people.site.isin(single).to_numpy()
    return np.ones(len(people), bool)


def _covariates(
    people: pd.DataFrame, terms: tuple[str, ...], notes: Notes, concerns: str | Sequence[str]
) -> tuple[list[np.ndarray], list[str]]:
    columns, adjusted = [], []
    for term in terms:
        column, name = TERMS[term]
        values = people[column]
        if values.isna().any():  # nobody has it: ``complete`` asked for it otherwise
            notes.add(name, "missing for everybody: not adjusted for", concerns)
            continue
        if values.nunique() < 2:
            notes.add(name, "the same for everybody: not adjusted for", concerns)
            continue
        adjusted.append(term)
        if term == "site":
            names = values.value_counts().index[1:]
            columns += [_scaled((values == site).to_numpy(float)) for site in sorted(names)]
        else:
            centred = _scaled(values.to_numpy(float))
            columns.append(_scaled(centred**2) if term == "age2" else centred)
    return columns, adjusted


def _scaled(column: np.ndarray) -> np.ndarray:
    """Centre and scale: estimates of effects do not change, arithmetic is better."""
    spread = column.std()
    return (column - column.mean()) / (spread if spread > 0 else 1.0)


def _with_intercept(effects: np.ndarray, covariates: list[np.ndarray]) -> np.ndarray:
    return np.column_stack([np.ones(len(effects)), effects, *covariates])


def indicators(levels: np.ndarray, others: tuple[str, ...]) -> np.ndarray:
    """Return indicator columns (n, len(others)); the reference level has only zeros."""
    columns = [(levels == name).astype(float) for name in others]
    return np.column_stack(columns) if columns else np.empty((len(levels), 0))


def terms_for(measure: str, adjust: tuple[str, ...]) -> tuple[str, ...]:
    """Return the covariates of a measure: intracranial volume for volumes only."""
    return tuple(t for t in adjust if t != "icv" or measure == "volume")
