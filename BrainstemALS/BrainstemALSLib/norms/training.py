"""Fits norms on the controls of a cohort, and scores a cohort with norms.

Reads the tables' DataFrames by their methods and never imports pandas itself.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .. import __version__
from ..errors import BrainstemALSError, ExitCode
from ..imaging.finding import Finding
from .fitting import Sample, fit_model, why_not
from .model import LOG, SEXES, needs_icv, transform_of
from .reasons import FEW_AT_SITE
from .score import SOURCES, Norms, Population, centile

if TYPE_CHECKING:
    import pandas as pd

    from ..cohort.tables import Cohort

CONTROL = "HC"
INTRACRANIAL = "intracranial"
NO_SITE = ("", "n/a")
DESCRIPTION = "dataset_description.json"


def cohort_source(folder: Path, given: str | None = None) -> str:
    """Return whether a cohort is ``simulated`` or ``real``, as its dataset_description.json says.

    Parameters
    ----------
    folder : Path
    given : str, optional
        What the user says, for a cohort that does not say it.

    Raises
    ------
    BrainstemALSError
        USAGE: nobody says so, and it is not guessed; or the user contradicts the cohort.
    """
    content = _description(folder)
    # A cohort that is simulated in one field and real in another is simulated.
    simulated = content.get("simulated") is True or content.get("source") == "simulated"
    stated = "simulated" if simulated else content.get("source")
    if stated in SOURCES and given in (None, stated):
        return stated
    if stated not in SOURCES and given in SOURCES:
        return given
    raise BrainstemALSError(
        folder / DESCRIPTION,
        f"it says that the cohort is {stated}, not {given}"
        if stated in SOURCES
        else "it does not say whether the cohort is simulated or real",
        "Leave out --source."
        if stated in SOURCES
        else 'Add "source": "real" or "source": "simulated" to it, or give --source.',
        ExitCode.USAGE,
    )


def cohort_seed(folder: Path) -> int | None:
    """Return the seed of a simulated cohort, where its description has one."""
    seed = _description(folder).get("Seed")
    return seed if isinstance(seed, int) and not isinstance(seed, bool) else None


def _description(folder: Path) -> dict:
    try:
        content = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def fit_norms(
    cohort: Cohort,
    source: str,
    seed: int | None = None,
    measures: Sequence[tuple[str, str]] | None = None,
) -> Norms:
    """Fit norms on the controls of a cohort.

    Of every person and measure the first usable value counts; quality ``bad`` is not usable.

    Parameters
    ----------
    cohort : Cohort
        Tables of ``participants``, ``visits`` and ``measures``.
    source : str
        ``simulated`` or ``real``.
    seed : int, optional
        Of the simulation.
    measures : sequence of (structure, measure), optional
        All by default.

    Returns
    -------
    Norms
        Whatever was left out is among its findings.

    Raises
    ------
    BrainstemALSError
        USAGE: no measure can be modelled, or an unknown source.
    """
    if source not in SOURCES:
        raise ValueError(f"source must be one of {SOURCES}")
    rows, findings = control_rows(cohort)
    models, seen = [], rows.groupby(["structure", "measure"], sort=False)
    wanted = [key for key in seen.groups if measures is None or key in set(measures)]
    for key in wanted:
        table = seen.get_group(key)
        sample, lost = _sample(table, key[1])
        problem = why_not(sample)
        model = None if problem else fit_model(*key, str(table["unit"].iloc[0]), sample)
        if model is None:
            findings.append(_left_out(key, problem or "the fit did not come to rest"))
        else:
            models.append(model)
            if lost:
                findings.append(_lost(key, lost))
    if not models:
        reason = findings[-1].message if findings else "there are no measures of controls"
        raise BrainstemALSError(
            "norms",
            f"no measure can be modelled ({reason})",
            f"Give a cohort with more controls (group {CONTROL}).",
            ExitCode.USAGE,
        )
    return Norms(tuple(models), _population(cohort, rows, source, seed), tuple(findings))


def control_rows(cohort: Cohort) -> tuple[pd.DataFrame, list[Finding]]:
    """Return the usable first measures of controls with age, sex, site and icv, and what was lost.

    Controls without a site are taken for people of an average one.
    """
    rows = person_rows(cohort)
    people = cohort.participants
    controls = people[people["group"] == CONTROL]
    findings = []
    by_site = people.groupby("site", sort=True)["group"].agg(lambda g: (g == CONTROL).sum())
    for site, count in by_site.items():
        if site not in NO_SITE and count < FEW_AT_SITE:
            findings.append(_few(str(site), int(count)))
    known = controls["age"].notna() & controls["sex"].isin(SEXES)
    if not known.all():
        findings.append(
            Finding(
                "norms-no-age-sex",
                "warning",
                f"{int((~known).sum())} controls without age or sex were left out",
                "Complete participants.tsv.",
            )
        )
    nowhere = controls["site"].isna() | controls["site"].isin(NO_SITE)
    if nowhere.any():
        findings.append(
            Finding(
                "norms-no-site",
                "warning",
                f"{int(nowhere.sum())} controls have no site; they are taken for an average one",
                "Complete participants.tsv.",
            )
        )
    usable = rows["participant_id"].isin(controls.loc[known, "participant_id"])
    rows = rows[usable & (rows["quality"] != "bad") & rows["value"].notna()]
    rows = rows.sort_values("months", kind="stable")
    return rows.drop_duplicates(["participant_id", "structure", "measure"]), findings


def person_rows(cohort: Cohort) -> pd.DataFrame:
    """Return the measures with months, age at the scan, sex, site ("": none), icv and its error.

    The intracranial volume is the mean of a person's visits that are not ``bad``: it does not
    change, and the mean errs less.
    """
    measures = cohort.measures
    heads = measures[
        (measures["structure"] == INTRACRANIAL)
        & (measures["measure"] == "volume")
        & (measures["quality"] != "bad")
    ].groupby("participant_id")
    icv, counts = heads["value"].mean(), heads["value"].count()
    # Errors of a person's visits are independent of each other.
    error = heads["uncertainty"].mean() / counts.clip(lower=1) ** 0.5
    people = cohort.participants[["participant_id", "group", "age", "sex", "site"]]
    visits = cohort.visits[["participant_id", "session_id", "months"]]
    rows = measures[measures["structure"] != INTRACRANIAL]
    rows = rows.merge(people, on="participant_id").merge(
        visits, on=["participant_id", "session_id"]
    )
    site = rows["site"].fillna("").astype(str)
    return rows.assign(
        age=rows["age"] + rows["months"] / 12.0,
        site=site.where(~site.isin(NO_SITE), ""),
        icv=rows["participant_id"].map(icv),
        icv_uncertainty=rows["participant_id"].map(error),
    )


def score_cohort(norms: Norms, cohort: Cohort) -> pd.DataFrame:
    """Score all measures of a cohort that the norms know.

    Returns
    -------
    pandas.DataFrame
        participant_id, session_id, structure, measure, group, site, quality, z, z_low, z_high,
        centile, centile_low, centile_high, reason (a code of ``score.REASONS``, "" where there is a
        score), norms (whom they were fitted on).
    """
    keys = ["participant_id", "session_id", "structure", "measure", "group", "site", "quality"]
    rows = person_rows(cohort).reset_index(drop=True)
    out = rows[keys].copy()
    z = np.full((3, len(rows)), np.nan)
    reason = np.full(len(rows), "norms-missing", dtype=object)
    for (structure, measure), places in rows.groupby(["structure", "measure"]).indices.items():
        part = rows.iloc[places]
        scores = norms.score_many(
            structure,
            measure,
            *(part[name].to_numpy(float) for name in ("value", "age")),
            part["sex"].to_numpy(object),
            part["icv"].to_numpy(float),
            part["site"].to_numpy(object),
            *(part[name].to_numpy(float) for name in ("uncertainty", "icv_uncertainty")),
        )
        z[:, places] = scores.z, scores.z_low, scores.z_high
        reason[places] = scores.reason
    out["z"], out["z_low"], out["z_high"] = z
    out["centile"], out["centile_low"], out["centile_high"] = centile(z)
    return out.assign(reason=reason, norms=norms.population.statement)


def _sample(table: pd.DataFrame, measure: str) -> tuple[Sample, int]:
    """Return the controls of one measure, and how many were lost for what they lack."""
    value, age = table["value"].to_numpy(float), table["age"].to_numpy(float)
    icv = table["icv"].to_numpy(float)
    usable = np.isfinite(value) & np.isfinite(age)
    if transform_of(measure) == LOG:
        usable &= value > 0
    if needs_icv(measure):
        usable &= icv > 0
    columns = value, age, table["sex"].to_numpy(object) == "M", icv, table["site"].to_numpy(object)
    return Sample(*(column[usable] for column in columns)), int((~usable).sum())


def _population(cohort: Cohort, rows: pd.DataFrame, source: str, seed: int | None) -> Population:
    people = rows.drop_duplicates("participant_id")
    sites = people["site"].value_counts().sort_index()
    return Population(
        source=source,
        n=len(people),
        female=int((people["sex"] == "F").sum()),
        male=int((people["sex"] == "M").sum()),
        youngest=float(people["age"].min()),
        oldest=float(people["age"].max()),
        sites=tuple((str(name), int(count)) for name, count in sites.items() if name),
        seed=seed,
        date=f"{datetime.now(UTC):%Y-%m-%d}",
        version=__version__,
    )


def _few(site: str, count: int) -> Finding:
    if count:
        people = "one control" if count == 1 else f"{count} controls"
        message = (
            f"site {site} has {people}: its shift is mostly a guess, and intervals there are wide"
        )
    else:
        message = f"site {site} has no controls: people there are scored as of an unknown site"
    code = "norms-site-few" if count else "norms-site-none"
    return Finding(code, "warning", message, "Measure more controls there.")


def _left_out(key: tuple[str, str], problem: str) -> Finding:
    message = f"{key[0]}, {key[1]}: no norms, {problem}"
    return Finding("norms-left-out", "warning", message, "Measure more controls.", key[0])


def _lost(key: tuple[str, str], lost: int) -> Finding:
    message = f"{key[0]}, {key[1]}: {lost} controls without a usable value, age or head size"
    return Finding("norms-lost", "info", message, "Complete the tables.", key[0])
