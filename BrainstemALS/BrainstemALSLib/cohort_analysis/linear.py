"""Linear models of many measures: contrasts with robust intervals, effect sizes, permutation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..cohort.tables import UNITS
from .covariates import (
    INSEPARABLE,
    TERMS,
    Matrix,
    build_matrix,
    complete,
    indicators,
    terms_for,
)
from .design import FAMILIES, Design
from .options import MIN_GROUP, GroupOptions, Notes
from .permutation import freedman_lane
from .robust import RobustFit, robust_fit

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = (
    "analysis", "contrast", "measure", "structure", "family", "unit", "n", "n_reference",
    "difference", "low", "high", "standard_error", "df", "p", "q", "p_permutation", "q_permutation",
    "adjusted_d", "adjusted_d_low", "adjusted_d_high", "hedges_g", "hedges_g_low", "hedges_g_high",
    "percent", "percent_low", "percent_high", "adjusted_for", "remark",
)  # fmt: skip


@dataclass(frozen=True)
class Question:
    """One comparison asked of every measure.

    Attributes
    ----------
    analysis : str
        For the tables: ``group``, ``stage``, ``onset``.
    levels : pandas.Series
        Level of each participant, None for those who do not take part. A trend has numbers.
    reference : str
        Level the others are coded against; empty for a trend.
    pairs : sequence of (str, str)
        Level and what it is compared with; empty for a trend.
    """

    analysis: str
    levels: pd.Series
    reference: str = ""
    pairs: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True)
class _Contrast:
    name: str
    c: np.ndarray
    baseline: np.ndarray
    one: np.ndarray | None
    other: np.ndarray | None


def answer(
    question: Question, design: Design, options: GroupOptions, notes: Notes,
    keys: Sequence[tuple[str, str]] | None = None, values: pd.DataFrame | None = None,
) -> pd.DataFrame:  # fmt: skip
    """Fit one model for each measure and return its contrasts.

    Ordinary least squares with HC2 errors and t on the degrees of freedom of Bell and McCaffrey:
    see ``robust``. Permutations are within sites where site is in the model.

    Parameters
    ----------
    question : Question
    design : Design
    options : GroupOptions
    notes : Notes
        Gets what was dropped.
    keys : sequence of (measure, structure), optional
        Instead of all.
    values : pandas.DataFrame, optional
        Instead of ``design.first``, of the same shape.

    Returns
    -------
    pandas.DataFrame
        ``COLUMNS``; without ``q``, which ``with_rates`` adds.
    """
    import pandas as pd

    values = design.first if values is None else values
    keys = design.measures_of() if keys is None else keys
    rows = []
    for (measure, _), columns in _alike(design, values, keys, question, options):
        rows += _fit(question, design, options, notes, values, measure, columns)
    frame = pd.DataFrame(rows)
    return frame.reindex(columns=COLUMNS)


def with_rates(table: pd.DataFrame) -> pd.DataFrame:
    """Add Benjamini-Hochberg false discovery rates within analysis, contrast and family.

    Benjamini and Hochberg 1995, doi:10.1111/j.2517-6161.1995.tb02031.x. Rows without a p-value
    take no part.
    """
    table = table.copy()
    if len(table):
        groups = [c for c in ("variant", "analysis", "contrast", "score", "family") if c in table]
        for p, q in (("p", "q"), ("p_permutation", "q_permutation")):
            if p in table:
                table[q] = table.groupby(groups, sort=False)[p].transform(false_discovery)
    return table


def false_discovery(p: pd.Series) -> pd.Series:
    """Return Benjamini-Hochberg adjusted p-values; NaN stays NaN and is not counted."""
    from scipy.stats import false_discovery_control

    q = p.astype(float).copy()
    known = q.notna()
    if known.any():
        q[known] = false_discovery_control(q[known].to_numpy())
    return q


def _alike(design, values, keys, question, options):
    """Group structures whose values are missing in the same participants: one design for all."""
    taking_part = question.levels.notna().to_numpy()
    found: dict[tuple[str, bytes], list[tuple[str, str]]] = {}
    usable: dict[str, np.ndarray] = {}
    for key in keys:
        measure = key[0]
        if measure not in usable:
            terms = terms_for(measure, options.adjust)
            usable[measure] = taking_part & complete(design.people, terms)
        rows = usable[measure] & values[key].notna().to_numpy()
        found.setdefault((measure, rows.tobytes()), []).append(key)
    return found.items()


def _fit(question, design, options, notes, values, measure, keys) -> list[dict[str, object]]:
    terms = terms_for(measure, options.adjust)
    asked = question.levels.notna().to_numpy() & values[keys[0]].notna().to_numpy()
    rows = complete(design.people, terms) & asked
    people, levels = design.people[rows], question.levels[rows]
    concerns = [f"{question.analysis}: {measure} of {structure}" for _, structure in keys]
    if question.reference:
        names, effects, kept = _level_effects(question, levels)
    else:
        names, kept = (), np.ones(len(levels), bool)
        effects = levels.to_numpy(float)[:, None]
    levels, people = levels[kept], people[kept]
    matrix = None
    if (
        effects.shape[1]
        and len(levels) > MIN_GROUP
        and (question.reference or levels.nunique() > 1)
    ):
        matrix = build_matrix(effects, people, terms, notes, concerns)
    if matrix is not None and len(matrix.X) - matrix.X.shape[1] < MIN_GROUP:
        matrix = None
    if matrix is None:
        lacking = _lacking(design.people, asked, question, terms)
        remark = _why_none(question, levels, lacking, notes, concerns)
        contrasts = [f"{a} - {b}" for a, b in question.pairs] or ["trend per stage"]
        return [_row(question.analysis, name, key, remark) for key in keys for name in contrasts]
    used = levels.to_numpy()[matrix.rows]
    Y = values.loc[people.index[matrix.rows], keys].to_numpy(float)
    contrasts, absent = _contrasts(question, names, matrix, used)
    out = [_row(question.analysis, name, key, why) for key in keys for name, why in absent.items()]
    fit = robust_fit(Y, matrix.X)
    blocks, remark = None, INSEPARABLE if matrix.inseparable else ""
    if TERMS["site"][1] in matrix.adjusted:
        blocks = people.site.to_numpy()[matrix.rows].astype(str)
    for contrast in contrasts:
        p = np.full(len(keys), np.nan)
        if options.permutations:
            p = freedman_lane(matrix.X, contrast.c, Y, options.permutations, options.seed, blocks)
        for number, key in enumerate(keys):
            row = _row(question.analysis, contrast.name, key, remark)
            row |= _estimate(fit, number, Y[:, number], matrix, contrast, options.alpha)
            row["p_permutation"] = float(p[number])
            out.append(row)
    return out


def _level_effects(question, levels):
    """Return names and columns of the levels beside the reference that have enough participants."""
    counts = levels.value_counts()
    enough = [name for name in counts.index if counts[name] >= MIN_GROUP]
    if question.reference not in enough:
        return (), np.zeros((len(levels), 0)), np.ones(len(levels), bool)
    names = tuple(sorted(name for name in enough if name != question.reference))
    kept = levels.isin(enough).to_numpy()
    if not names:
        return (), np.zeros((len(levels), 0)), kept
    return names, indicators(levels.to_numpy()[kept], names), kept


def _lacking(people, asked, question, terms) -> str:
    """Return which covariates participants of the levels asked for lack; empty when none."""
    needed = {name for pair in question.pairs for name in pair}
    own = asked & question.levels.isin(needed).to_numpy() if needed else asked
    columns = {TERMS[term][1]: people[TERMS[term][0]] for term in terms}
    counts = {n: int(c[own].isna().sum()) for n, c in columns.items() if c.notna().any()}
    return ", ".join(f"{count} lack {name}" for name, count in counts.items() if count)


def _why_none(question, levels, lacking, notes, concerns) -> str:
    needed = {name for pair in question.pairs for name in pair}
    few = sorted(
        f"{name} has {int((levels == name).sum())}"
        for name in needed
        if (levels == name).sum() < MIN_GROUP
    )
    if few:
        why = f"too few participants ({', '.join(few)}; {MIN_GROUP} needed)"
        why += f"; {lacking}" if lacking else ""
    else:
        why = "cannot be estimated with these covariates and participants"
    notes.add("comparison not made", why, concerns)
    return why


def _contrasts(question, names, matrix: Matrix, used):
    k = matrix.X.shape[1]
    absent: dict[str, str] = {}
    if not question.reference:
        c, baseline = np.zeros(k), matrix.X.mean(axis=0)
        c[1] = 1.0
        return [_Contrast("trend per stage", c, baseline, None, None)], absent
    position = {question.reference: None} | {name: i + 1 for i, name in enumerate(names)}
    found = []
    for one, other in question.pairs:
        counts = {name: int((used == name).sum()) for name in (one, other)}
        few = [f"{name} has {n}" for name, n in counts.items() if n < MIN_GROUP]
        few += [f"{name} has too few" for name in (one, other) if name not in position and not few]
        if few:
            absent[f"{one} - {other}"] = (
                f"too few participants ({', '.join(few)}; {MIN_GROUP} needed)"
            )
            continue
        c, baseline = np.zeros(k), np.zeros(k)
        baseline[0] = 1.0
        baseline[1 + matrix.effects :] = matrix.X[:, 1 + matrix.effects :].mean(axis=0)
        if position[one] is not None:
            c[position[one]] += 1.0
        if position[other] is not None:
            c[position[other]] -= 1.0
            baseline[position[other]] = 1.0
        found.append(_Contrast(f"{one} - {other}", c, baseline, used == one, used == other))
    return found, absent


def _estimate(
    fit: RobustFit, number: int, y: np.ndarray, matrix: Matrix, contrast: _Contrast, alpha: float
) -> dict[str, object]:
    from scipy import stats

    if np.ptp(y) == 0:
        return {"n": len(y), "remark": "the same value in everybody"}
    b, V, c = fit.beta[:, number], fit.covariance(number), contrast.c
    variance, df = fit.variance(number), fit.df(c)
    t = stats.t.ppf(1 - alpha / 2, df)
    difference, error = float(c @ b), math.sqrt(max(float(c @ V @ c), 0.0))
    found: dict[str, object] = {
        "n": len(y) if contrast.one is None else int(contrast.one.sum()),
        "n_reference": math.nan if contrast.other is None else int(contrast.other.sum()),
        "difference": difference,
        "low": difference - t * error,
        "high": difference + t * error,
        "standard_error": error,
        "df": df,
        "p": float(2 * stats.t.sf(abs(difference) / error, df)) if error else math.nan,
        "adjusted_for": ", ".join(matrix.adjusted),
    }
    sd = math.sqrt(variance)
    if sd > 0:
        d = difference / sd
        # The standard deviation is an estimate too: its share is d^2 / (2 (n - k)).
        spread = t * math.sqrt((error / sd) ** 2 + d * d / (2 * fit.free))
        found |= {"adjusted_d": d, "adjusted_d_low": d - spread, "adjusted_d_high": d + spread}
    if contrast.one is not None:
        found |= hedges_g(y[contrast.one], y[contrast.other], alpha)
    # A share of a mean has no meaning for an index that may be 0 or negative; the unit tells.
    mean = float(contrast.baseline @ b)
    if mean > 0 and (y > 0).all():
        gradient = 100 * (c / mean - difference * contrast.baseline / mean**2)
        spread = t * math.sqrt(max(float(gradient @ V @ gradient), 0.0))
        percent = 100 * difference / mean
        found |= {
            "percent": percent, "percent_low": percent - spread, "percent_high": percent + spread
        }  # fmt: skip
    return found


def hedges_g(one: np.ndarray, other: np.ndarray, alpha: float) -> dict[str, float]:
    """Return Hedges g of two samples, not adjusted, with its interval.

    Hedges 1981, doi:10.3102/10769986006002107; variance of Hedges and Olkin 1985, "Statistical
    methods for meta-analysis", chapter 5, equation 15 with the corrected g.
    """
    from scipy import stats

    n, m = len(one), len(other)
    df = n + m - 2
    pooled = math.sqrt(((n - 1) * one.var(ddof=1) + (m - 1) * other.var(ddof=1)) / df)
    if not pooled > 0:
        return {}
    g = (1 - 3 / (4 * df - 1)) * float(one.mean() - other.mean()) / pooled
    error = math.sqrt((n + m) / (n * m) + g * g / (2 * (n + m)))
    z = stats.norm.ppf(1 - alpha / 2)
    return {"hedges_g": g, "hedges_g_low": g - z * error, "hedges_g_high": g + z * error}


def _row(analysis: str, contrast: str, key: tuple[str, str], remark: str) -> dict[str, object]:
    row: dict[str, object] = dict.fromkeys(COLUMNS, math.nan)
    measure, structure = key
    return row | {
        "analysis": analysis,
        "contrast": contrast,
        "measure": measure,
        "structure": structure,
        "family": FAMILIES[measure],
        "unit": UNITS[measure],
        "n": 0,
        "adjusted_for": "",
        "remark": remark,
    }
