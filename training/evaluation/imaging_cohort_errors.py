"""Compares measures of simulated images with their truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from BrainstemALSLib.anatomy import composites

from ..cohort.healthy import MEASURES
from ..cohort.measuring import COMPOSITES

if TYPE_CHECKING:
    import pandas as pd

    from BrainstemALSLib.cohort.tables import Cohort

VISIT = ["participant_id", "session_id"]
WHAT = ["structure", "measure"]
FEWEST = 5
RESAMPLES = 2000


@dataclass(frozen=True)
class ErrorOf:
    """Error of one measure of one structure; of volumes a share of the true one.

    Attributes
    ----------
    structure, measure : str
    visits : int
    bias : float
        Mean of measured minus true.
    sd : float
        Within a site, about its mean, n - sites degrees of freedom.
    between_sites : float
        Standard deviation of the sites' means.
    correlation, slope : float
        Pearson's r, and the slope of measured on true, within sites (logarithms of volumes).
    residual : float
        Standard deviation about that line, n - sites - 1 degrees of freedom.
    stated_ratio : float
        ``sd`` over the root mean square of the stated uncertainty; 1 where that is right.
    """

    structure: str
    measure: str
    visits: int
    bias: float
    sd: float
    between_sites: float
    correlation: float
    slope: float
    residual: float
    stated_ratio: float


def with_composites(truth: pd.DataFrame) -> pd.DataFrame:
    """Return the truth with regions and tracts: sums of volumes, means of FA and MD by volume."""
    import pandas as pd

    wide = truth.pivot_table(index=VISIT, columns=["measure", "structure"], values="value")
    found = [truth[[*VISIT, *WHAT, "value"]]]
    for name in COMPOSITES:
        for measure in MEASURES:
            needed = ("volume", measure)
            parts = [p for p in composites()[name] if all((m, p) in wide.columns for m in needed)]
            if not parts:
                continue
            volumes = wide["volume"][parts]
            value = volumes.sum(axis=1)
            if measure != "volume":
                value = (wide[measure][parts] * volumes).sum(axis=1) / value
            rows = value.rename("value").reset_index()
            found.append(rows.assign(structure=name, measure=measure))
    return pd.concat(found, ignore_index=True)


def compared(truth: pd.DataFrame, cohort: Cohort) -> pd.DataFrame:
    """Return one row per visit, structure and measure with truth, value, error, site and group.

    Parameters
    ----------
    truth : pandas.DataFrame
        Of ``imaging_files.read_image_truth``.
    cohort : Cohort
        Of the runner, on the same images.
    """
    measures = cohort.measures[cohort.measures.measure.isin(MEASURES)]
    rows = (
        with_composites(truth).rename(columns={"value": "true"}).merge(measures, on=[*VISIT, *WHAT])
    )
    rows = rows.merge(cohort.participants[["participant_id", "site", "group"]], on="participant_id")
    rows["error"] = rows.value - rows.true
    volume = rows.measure == "volume"
    rows.loc[volume, "error"] /= rows.true[volume]
    rows["stated"] = rows.uncertainty.where(~volume, rows.uncertainty / rows.true)
    return rows


def errors_of(rows: pd.DataFrame) -> list[ErrorOf]:
    """Return the errors of everything that enough visits have, in a stable order."""
    out = []
    for (structure, measure), group in rows.groupby(WHAT, sort=True):
        if len(group) < FEWEST:
            continue
        sites = group.groupby("site")
        centred = group.error - sites.error.transform("mean")
        free = max(len(group) - sites.ngroups, 1)
        log = np.log if measure == "volume" else (lambda x: x)
        seen = log(group[["true", "value"]].clip(lower=1e-6))
        seen = seen - seen.groupby(group.site).transform("mean")
        sd = float(np.sqrt((centred**2).sum() / free))
        stated = float(np.sqrt((group.stated**2).mean()))
        spread = float((seen.true**2).sum())
        slope = float((seen.true * seen.value).sum() / spread) if spread > 0 else float("nan")
        about = float(((seen.value - (0 if np.isnan(slope) else slope) * seen.true) ** 2).sum())
        means = sites.error.mean()
        out.append(
            ErrorOf(
                structure,
                measure,
                len(group),
                float(group.error.mean()),
                sd,
                float(means.std(ddof=1)) if len(means) > 1 else float("nan"),
                float(seen.true.corr(seen.value)),
                slope,
                float(np.sqrt(about / max(free - 1, 1))),
                sd / stated if stated > 0 else float("nan"),
            )
        )
    return out


def repeat_sd(rows: pd.DataFrame) -> dict[tuple[str, str], float]:
    """Return the SD of one measurement from two visits of a person: what a change meets."""
    out = {}
    for key, group in rows.groupby(WHAT):
        wide = group.pivot_table(index="participant_id", columns="session_id", values="error")
        change = wide.diff(axis=1).to_numpy().ravel()
        change = change[np.isfinite(change)]
        if len(change) >= FEWEST:
            out[key] = float(np.std(change, ddof=1) / np.sqrt(2.0))
    return out


def group_effects(
    rows: pd.DataFrame, wanted: Sequence[tuple[str, str]], seed: int = 0
) -> list[tuple]:
    """Return true and measured differences, patients minus controls, of the first visits.

    Volumes as per cent of the controls' mean; the interval is that of the measured difference over
    resampled people (percentiles, 95 %).
    """
    rng = np.random.default_rng(seed)
    first = (
        rows.sort_values("session_id").groupby(["participant_id", *WHAT], as_index=False).first()
    )
    out = []
    for structure, measure in wanted:
        table = first[(first.structure == structure) & (first.measure == measure)]
        als, hc = (table[table.group == name] for name in ("ALS", "HC"))
        if min(len(als), len(hc)) < FEWEST:
            continue
        unit = "%" if measure == "volume" else ("1" if measure == "fa" else "1e-3 mm2/s")

        def difference(a: np.ndarray, b: np.ndarray, measure: str = measure) -> float:
            scale = 100.0 / b.mean() if measure == "volume" else 1.0
            return float(scale * (a.mean() - b.mean()))

        true = difference(als.true.to_numpy(), hc.true.to_numpy())
        a, b = als.value.to_numpy(), hc.value.to_numpy()
        again = [difference(rng.choice(a, len(a)), rng.choice(b, len(b))) for _ in range(RESAMPLES)]
        low, high = np.percentile(again, (2.5, 97.5))
        out.append((structure, measure, unit, true, difference(a, b), float(low), float(high)))
    return out
