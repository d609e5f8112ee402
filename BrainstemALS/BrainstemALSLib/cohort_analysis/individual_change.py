"""Change of each participant, as longitudinal processing measured it: groups, and who changed.

``changes.tsv`` holds, for each participant with two visits or more, change per year with its error
(``longitudinal``). Here groups are compared by a random-effects meta-regression: participants
differ in their change, and each is known with an error of its own.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from ..errors import BrainstemALSError, ExitCode
from ..longitudinal.result import UNITS
from .covariates import INSEPARABLE, build_matrix, complete, indicators
from .design import FAMILIES, GROUPS, Design
from .linear import with_rates
from .options import MIN_GROUP, GroupOptions, Notes
from .robust import robust_fit

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = (
    "analysis", "contrast", "measure", "structure", "family", "unit", "n", "n_reference",
    "difference", "low", "high", "standard_error", "df", "p", "q", "mean", "mean_reference",
    "sd_between", "adjusted_for", "remark",
)  # fmt: skip
BEYOND_COLUMNS = (
    "group", "measure", "structure", "participants", "judged", "beyond", "share", "low", "high",
    "p_against_controls",
)  # fmt: skip
NEEDED = (
    "participant_id", "structure", "measure", "unit", "change_per_year", "se", "beyond_error",
)  # fmt: skip
PAIRS = (("ALS", "HC"), ("MIMIC", "HC"), ("ALS", "MIMIC"))
ABOUT = "individual change"


def usable_changes(changes: pd.DataFrame, design: Design, notes: Notes) -> pd.DataFrame:
    """Return the rows of ``changes.tsv`` that are analysed; all others are named in ``notes``.

    Raises
    ------
    BrainstemALSError
        USAGE: a column is missing, or a row is there twice.
    """
    import pandas as pd

    missing = [name for name in NEEDED if name not in changes]
    if missing:
        raise BrainstemALSError(
            "changes.tsv", f"the table has no column {', '.join(missing)}",
            "Run participant again.", ExitCode.USAGE,
        )  # fmt: skip
    if changes.duplicated(["participant_id", "structure", "measure"]).any():
        raise BrainstemALSError(
            "changes.tsv", "a participant has a structure and measure twice",
            "Run participant again.", ExitCode.USAGE,
        )  # fmt: skip
    table = changes.copy()
    for name in ("change_per_year", "se"):
        table[name] = pd.to_numeric(table[name], errors="coerce")
    if "quality" not in table:
        table["quality"] = "good"

    def leave(mask: pd.Series, why: str) -> None:
        nonlocal table
        if mask.any():
            people = table[mask].participant_id.nunique()
            notes.add(ABOUT, f"{why}: {int(mask.sum())} changes of {people} participants left out")
            table = table[~mask]

    leave(~table.participant_id.isin(design.people.index), "not a participant of this analysis")
    leave(~table.measure.isin(UNITS), "no measure of this analysis")
    leave(table.unit != table.measure.map(UNITS), "another unit")
    leave(table.quality == "bad", "rated bad")
    leave(table.change_per_year.isna(), "without a value")
    return table.reset_index(drop=True)


def compare_changes(
    table: pd.DataFrame, design: Design, options: GroupOptions, notes: Notes
) -> pd.DataFrame:
    """Compare groups: change per year ~ group + age + sex + site, weighted.

    Weights are 1 / (se^2 + tau^2) with tau^2 the variance between participants of the same group,
    by the method of Paule and Mandel (1982, doi:10.6028/jres.087.022); without tau^2 a few who
    were measured most exactly would speak for all. Robust errors as elsewhere. A change whose
    error is not known (other scanner) takes no part; the number is noted. Head size takes no part:
    volumes change in per cent of the participant's own.
    """
    import pandas as pd

    terms = tuple(term for term in options.adjust if term != "icv")
    known = table[(table.se > 0) & np.isfinite(table.se)]
    if len(known) < len(table):
        notes.add(ABOUT, f"{len(table) - len(known)} changes have no error: not compared")
    rows = []
    for (measure, structure), part in known.groupby(["measure", "structure"], sort=False):
        part = part.set_index("participant_id")
        people = design.people.loc[part.index]
        for pair in PAIRS:
            use = (people.group.isin(pair) & complete(people, terms)).to_numpy()
            row = dict.fromkeys(COLUMNS, math.nan) | {
                "analysis": ABOUT, "contrast": " - ".join(pair), "measure": measure,
                "structure": structure, "family": FAMILIES[measure], "unit": UNITS[measure],
                "n": int((people[use].group == pair[0]).sum()),
                "n_reference": int((people[use].group == pair[1]).sum()),
                "adjusted_for": "", "remark": "",
            }  # fmt: skip
            if pair != PAIRS[0] and not (row["n"] and row["n_reference"]):
                continue  # a group that nobody is in is named once, in the notes
            rows.append(row | _compare(part[use], people[use], pair, terms, options, notes))
    return with_rates(pd.DataFrame(rows, columns=list(COLUMNS)))


def _compare(part, people, pair, terms, options, notes) -> dict[str, object]:
    from scipy import stats

    counts = {name: int((people.group == name).sum()) for name in pair}
    few = [f"{name} has {n}" for name, n in counts.items() if n < MIN_GROUP]
    if few:
        return {"remark": f"too few participants ({', '.join(few)}; {MIN_GROUP} needed)"}
    effects = indicators(people.group.to_numpy(), pair[:1])
    matrix = build_matrix(effects, people, terms, notes, ABOUT)
    if matrix is None or len(matrix.X) - matrix.X.shape[1] < MIN_GROUP:
        return {"remark": "cannot be estimated with these covariates and participants"}
    part, people = part[matrix.rows], people[matrix.rows]
    y, variance = part.change_per_year.to_numpy(float), part.se.to_numpy(float) ** 2
    between = paule_mandel(y, variance, matrix.X)
    weight = np.sqrt(1.0 / (variance + between))
    fit = robust_fit((y * weight)[:, None], matrix.X * weight[:, None])
    b, df = fit.beta[:, 0], fit.df(np.eye(len(fit.beta))[1])
    error = math.sqrt(float(fit.covariance(0)[1, 1]))
    reach = stats.t.ppf(1 - options.alpha / 2, df) * error
    return {
        "n": int((people.group == pair[0]).sum()),
        "n_reference": int((people.group == pair[1]).sum()),
        "difference": float(b[1]),
        "low": float(b[1]) - reach,
        "high": float(b[1]) + reach,
        "standard_error": error,
        "df": df,
        "p": float(2 * stats.t.sf(abs(b[1]) / error, df)) if error else math.nan,
        "mean": float(b[0] + b[1]),
        "mean_reference": float(b[0]),
        "sd_between": math.sqrt(between),
        "adjusted_for": ", ".join(matrix.adjusted),
        "remark": INSEPARABLE if matrix.inseparable else "",
    }


def paule_mandel(y: np.ndarray, variance: np.ndarray, X: np.ndarray) -> float:
    """Return the variance between participants: the weighted residuals' sum of squares is its df.

    Parameters
    ----------
    y, variance : numpy.ndarray, shape (n,)
        Estimates, and the variances of their errors.
    X : numpy.ndarray, shape (n, k)
    """
    from scipy.optimize import brentq

    free = len(y) - X.shape[1]

    def excess(between: float) -> float:
        root = 1.0 / np.sqrt(variance + between)
        return float(_rest(y * root, X * root[:, None])) - free

    if excess(0.0) <= 0:
        return 0.0
    high = float(np.var(y)) + float(variance.max())
    while excess(high) > 0:
        high *= 2.0
    return float(brentq(excess, 0.0, high, xtol=1e-9 * high))


def _rest(y: np.ndarray, X: np.ndarray) -> float:
    Q = np.linalg.qr(X)[0]
    return float(((y - Q @ (Q.T @ y)) ** 2).sum())


def beyond_error(table: pd.DataFrame, design: Design, options: GroupOptions) -> pd.DataFrame:
    """Return the share of each group whose change lies beyond measurement error.

    Intervals of Wilson (1927, doi:10.1080/01621459.1927.10502953). Fisher's exact test against
    controls, neither adjusted nor corrected for how many are looked at. Without any change about
    1 in 20 would be beyond error by chance.
    """
    import pandas as pd
    from scipy import stats

    group = table.participant_id.map(design.people.group)
    rows = []
    for (measure, structure), part in table.groupby(["measure", "structure"], sort=False):
        counts = {}
        for name in GROUPS:
            own = part[(group[part.index] == name).to_numpy()]
            if not len(own):
                continue
            beyond, judged = (
                int((own.beyond_error == "yes").sum()),
                int(own.beyond_error.isin(["yes", "no"]).sum()),
            )
            counts[name] = (beyond, judged - beyond)
            row = {
                "group": name, "measure": measure, "structure": structure,
                "participants": len(own), "judged": judged, "beyond": beyond,
            }  # fmt: skip
            if judged:
                test = stats.binomtest(beyond, judged)
                interval = test.proportion_ci(1 - options.alpha, method="wilson")
                row |= {"share": beyond / judged, "low": interval.low, "high": interval.high}
            if name != "HC" and judged and sum(counts.get("HC", (0, 0))):
                p = stats.fisher_exact([counts[name], counts["HC"]]).pvalue
                row["p_against_controls"] = float(p)
            rows.append(row)
    return pd.DataFrame(rows, columns=list(BEYOND_COLUMNS))
