"""Patients for the survival model: predictors of every visit, and times from it.

A clinic's scanner is unknown to the norms that come along. Every site's patients are therefore
scored by norms of the controls of the other sites, as they will be in use.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from BrainstemALSLib.cohort.tables import Cohort
from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.norms import Norms, bundled_norms, fit_norms
from BrainstemALSLib.prediction.features import FEATURES
from BrainstemALSLib.prediction.records import INTRACRANIAL, PersonRecord, records_of
from BrainstemALSLib.prediction.survival_model import CAUSES
from BrainstemALSLib.prediction.survival_predictors import PredictorValues, check, predictors_of

from ..cohort.config import load_config
from ..cohort.scenario import Scenario
from ..cohort.simulate import simulate
from ..cohort.truth import Truth
from .survival_fit import Times
from .survival_world import FOLLOW, Outcomes, draw_outcomes, with_outcomes

KEYS = tuple(dict.fromkeys(key for feature in FEATURES for key in feature.keys))
LEAST_SITES = 3
"""Sites from which on each is scored by the others; below, by all (own choice)."""
LEAST_CONTROLS = 60
"""For norms of their own; below, those that come along are taken (own choice)."""
BUNDLED = "norms that come along"
ERRORS = Path(__file__).parents[1] / "cohort" / "imaging_errors.json"
"""Errors that the real segmentation makes, where they have been measured."""


@dataclass(frozen=True, eq=False)
class Patients:
    """Visits of patients with ALS whose follow-up is known, n of them.

    Attributes
    ----------
    records : list of PersonRecord
        As known at the visit, which is the last one. The site is left out: norms of other people
        know others by the same name.
    values : PredictorValues
    times : Times
    norms : str
        How the images were scored.
    scored_by : list of (Norms or None)
        Of each visit.
    left_out : int
        Patients without time of onset or follow-up.
    """

    records: list[PersonRecord]
    values: PredictorValues
    times: Times
    norms: str
    scored_by: list[Norms | None]
    left_out: int

    def __len__(self) -> int:
        return len(self.records)

    @property
    def people(self) -> int:
        """Number of patients."""
        return len(np.unique(self.times.person))

    def take(self, rows: np.ndarray) -> Patients:
        """Return some of the visits."""
        values = self.values
        return replace(
            self,
            records=[self.records[k] for k in rows],
            values=PredictorValues(
                values.raw[rows], values.sd[rows], tuple(values.reasons[k] for k in rows)
            ),
            times=self.times.take(rows),
            scored_by=[self.scored_by[k] for k in rows],
        )

    @property
    def own_norms(self) -> bool:
        """Whether the images were scored by norms of the cohort's own controls."""
        return BUNDLED not in self.norms


def simulated_cohort(
    patients: int,
    controls: int,
    seed: int,
    scenario: Scenario | None = None,
    follow: float = FOLLOW,
    exact: bool = False,
) -> tuple[Cohort, Truth, Outcomes, str]:
    """Simulate visits with the measured errors of the segmentation, if there are any.

    With ``exact`` the configured errors are taken, which a scenario can switch off.

    Returns
    -------
    Cohort, Truth
    Outcomes
        Of the world of ``survival_world``, which the cohort has too.
    str
        Which errors of measurement, for people.
    """
    errors = ERRORS if ERRORS.is_file() and not exact else None
    config = load_config()
    cohort, truth = simulate(config, controls, patients, 0, seed, scenario, errors)
    outcomes = draw_outcomes(config, truth.latent, seed, follow)
    words = "measured on the real segmentation" if errors else "as configured, not yet measured"
    return with_outcomes(cohort, truth.latent, outcomes), truth, outcomes, words


def patients_of(cohort: Cohort) -> Patients:
    """Return the visits of patients with ALS whose follow-up is known, before its end.

    Raises
    ------
    BrainstemALSError
        USAGE: none, or a record that cannot be.
    """
    measures = cohort.measures
    wanted = {*KEYS, INTRACRANIAL}
    kept = [pair in wanted for pair in zip(measures["structure"], measures["measure"], strict=True)]
    few = Cohort(
        cohort.participants,
        cohort.visits,
        measures[np.array(kept, bool)],
        simulated=cohort.simulated,
    )
    isin = few.participants["group"] == "ALS"
    ids = set(few.participants.loc[isin, "participant_id"])
    records = [record for record in records_of(_only(few, ids)) if record.visits]
    usable = [record for record in records if _followed(record)]
    if not usable:
        raise BrainstemALSError(
            "cohort", "no patient with ALS has months since onset, survival_months and an event",
            "Fill in these columns of participants.tsv.", ExitCode.USAGE,
        )  # fmt: skip
    for record in usable:
        check(record)
    norms, words = _norms(few)
    seen = [(person, number) for person, record in enumerate(usable) for number in _before(record)]
    used = [norms.get(usable[person].site or "", norms[""]) for person, _ in seen]
    bare = [replace(usable[person].until(number), site=None) for person, number in seen]
    return Patients(bare, _scored(bare, used), _times(usable, seen), words, used,
                    len(ids) - len(usable))  # fmt: skip


def _followed(record: PersonRecord) -> bool:
    first, last = record.months_since_onset, record.survival_months
    known = record.event in (*CAUSES, "censored") and first is not None and last is not None
    return known and 0 < first < last


def _before(record: PersonRecord) -> list[int]:
    """Return the numbers of the visits before the end of the follow-up; the first is one."""
    start, end = float(record.months_since_onset or 0.0), float(record.survival_months or 0.0)
    visits = enumerate(record.visits, start=1)
    return [number for number, v in visits if number == 1 or start + (v.months or 0.0) < end]


def _times(records: list[PersonRecord], seen: list[tuple[int, int]]) -> Times:
    whose = [records[person] for person, _ in seen]
    months = [records[person].visits[number - 1].months or 0.0 for person, number in seen]
    cause = np.array([CAUSES.index(r.event) if r.event in CAUSES else -1 for r in whose])
    return Times(
        np.array([r.months_since_onset for r in whose], dtype=float) + np.array(months),
        np.array([r.survival_months for r in whose], dtype=float),
        cause >= 0,
        cause,
        np.array([person for person, _ in seen]),
        np.array([number > 1 for _, number in seen]),
    )


def _scored(records: list[PersonRecord], used: list[Norms | None]) -> PredictorValues:
    parts: dict[int, list[int]] = {}
    for row, norms in enumerate(used):
        parts.setdefault(id(norms), []).append(row)
    found: list[PredictorValues] = []
    order: list[int] = []
    for rows in parts.values():
        found.append(predictors_of([records[k] for k in rows], used[rows[0]]))
        order.extend(rows)
    back = np.argsort(order)
    reasons = [reason for part in found for reason in part.reasons]
    return PredictorValues(
        np.concatenate([part.raw for part in found])[back],
        np.concatenate([part.sd for part in found])[back],
        tuple(reasons[k] for k in back),
    )


def _norms(cohort: Cohort) -> tuple[dict[str, Norms], str]:
    """Return norms by the site that they score; "" for any other."""
    people = cohort.participants
    controls = people[people["group"] == "HC"]
    source = "simulated" if cohort.simulated else "real"
    if len(controls) < LEAST_CONTROLS:
        norms = bundled_norms()
        return {"": norms}, f"{BUNDLED}, {norms.population.statement}"

    def fitted(rows) -> Norms:
        return fit_norms(_only(cohort, set(rows["participant_id"])), source, measures=KEYS)

    found = {"": fitted(controls)}
    sites = sorted(set(controls["site"].dropna()))
    if len(sites) < LEAST_SITES:
        return found, "norms of the cohort's own controls"
    for site in sites:
        others = controls[controls["site"] != site]
        if len(others) >= LEAST_CONTROLS:
            found[site] = fitted(others)
    return found, "norms of the controls of the other sites, the scanner unknown"


def _only(cohort: Cohort, ids: set) -> Cohort:
    tables = cohort.participants, cohort.visits, cohort.measures
    chosen = [table[table["participant_id"].isin(ids)] for table in tables]
    return Cohort(*chosen, simulated=cohort.simulated)
