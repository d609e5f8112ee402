"""Do brainstem measures go with what the clinic sees? Partial rank correlations among patients."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from .covariates import build_matrix, complete, terms_for
from .design import FAMILIES, Design
from .linear import with_rates
from .options import GroupOptions, Notes

if TYPE_CHECKING:
    import pandas as pd

SCORES = {
    "alsfrs_total": "ALSFRS-R",
    "bulbar": "ALSFRS-R bulbar items 1-3",
    "fvc": "FVC, % predicted",
    "slope": "ALSFRS-R points lost per month",
}
COLUMNS = (
    "analysis", "score", "measure", "structure", "family", "n", "rho", "low", "high", "p", "q",
    "adjusted_for", "remark",
)  # fmt: skip
MIN_PATIENTS = 20
"""Patients that a correlation needs (own choice): below, its interval spans most of -1 to 1."""


def clinical_correlations(
    design: Design, options: GroupOptions, notes: Notes,
    keys: Sequence[tuple[str, str]] | None = None,
) -> pd.DataFrame:  # fmt: skip
    """Return partial Spearman correlations at the first visit, patients with ALS only.

    Covariates as in the linear models; ranks of both are freed of the ranks of the covariates.
    """
    import pandas as pd

    keys = design.measures_of("volume", "fa", "md") if keys is None else keys
    rows = [_correlate(design, score, key, options, notes) for score in SCORES for key in keys]
    return with_rates(pd.DataFrame(rows).reindex(columns=COLUMNS))


def _correlate(design, score, key, options, notes) -> dict[str, object]:
    measure, structure = key
    row: dict[str, object] = {
        "analysis": "clinical", "score": score, "measure": measure, "structure": structure,
        "family": FAMILIES[measure], "n": 0, "adjusted_for": "", "remark": "",
    }  # fmt: skip
    terms = terms_for(measure, options.adjust)
    people = design.people
    rows = ((people.group == "ALS") & people[score].notna() & design.first[key].notna()).to_numpy()
    rows = rows & complete(people, terms)
    row["n"] = int(rows.sum())
    if row["n"] < MIN_PATIENTS:
        row["remark"] = f"{row['n']} patients with both; {MIN_PATIENTS} needed"
        notes.add(
            f"correlation with {SCORES[score]}",
            f"fewer than {MIN_PATIENTS} patients",
            f"{measure} of {structure}",
        )
        return row
    people = people[rows].copy()
    x, y = people[score].to_numpy(float), design.first.loc[people.index, key].to_numpy(float)
    for column in ("age", "icv"):
        people[column] = people[column].rank()
    matrix = build_matrix(
        np.empty((len(people), 0)),
        people,
        terms,
        notes,
        f"clinical: {measure} of {structure}",
    )
    if matrix is None:
        return row | {"remark": "cannot be estimated with these covariates"}
    x, y = x[matrix.rows], y[matrix.rows]
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        return row | {"remark": "the same value in everybody"}
    rho, low, high, p = partial_spearman(x, y, matrix.X, options.alpha)
    return row | {
        "n": len(x), "rho": rho, "low": low, "high": high, "p": p,
        "adjusted_for": ", ".join(matrix.adjusted),
    }  # fmt: skip


def partial_spearman(
    x: np.ndarray, y: np.ndarray, Z: np.ndarray, alpha: float
) -> tuple[float, float, float, float]:
    """Return a partial rank correlation, its interval and its p-value.

    Fisher's z with the variance of Bonett and Wright 2000 (doi:10.1007/BF02294183), one observation
    less for each covariate; t for the p-value.

    Parameters
    ----------
    x, y : numpy.ndarray, shape (n,)
    Z : numpy.ndarray, shape (n, k + 1)
        Intercept and k covariates, as ranks where they are continuous.
    alpha : float
        1 - coverage of the interval.
    """
    from scipy import stats

    Q = np.linalg.qr(Z)[0]
    ranks = [stats.rankdata(values) for values in (x, y)]
    a, b = (r - Q @ (Q.T @ r) for r in ranks)
    size = float(np.linalg.norm(a) * np.linalg.norm(b))
    if size == 0:
        return (math.nan,) * 4
    rho = float(np.clip(a @ b / size, -1 + 1e-12, 1 - 1e-12))
    k = Z.shape[1] - 1
    free = len(x) - k - 3
    spread = stats.norm.ppf(1 - alpha / 2) * math.sqrt((1 + rho**2 / 2) / free)
    low, high = (math.tanh(math.atanh(rho) + sign * spread) for sign in (-1, 1))
    df = len(x) - k - 2
    p = 2 * stats.t.sf(abs(rho) * math.sqrt(df / (1 - rho**2)), df)
    return rho, low, high, float(p)
