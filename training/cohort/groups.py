"""One group from beginning to end: people, course, brainstems, visits, measures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from BrainstemALSLib.prognosis import kings, mitos
from BrainstemALSLib.prognosis.alsfrs import HIGHEST_TOTAL, ITEMS, NOT_RATED

from .clinical import Clinic, clinic_of_mimics, clinic_of_patients
from .config import Config
from .course import draw_course
from .effects import Effects
from .errors import MeasurementError
from .healthy import Norm, draw_residuals, draw_tiv
from .measuring import Sessions, measure
from .people import Patients, People, draw_patients, draw_people
from .scenario import Scenario
from .sites import Sites
from .spread import draw_spread
from .streams import Streams
from .survival import Survival, draw_survival
from .truth import Latent
from .visits import Visits, attend, plan_visits

if TYPE_CHECKING:
    import pandas as pd

MISSING = np.nan
"""What is not known, text or number; "n/a" in the files."""


@dataclass(frozen=True, eq=False)
class World:
    """What all groups share."""

    config: Config
    scenario: Scenario
    norm: Norm
    effects: Effects
    sites: Sites
    error: MeasurementError


@dataclass(frozen=True, eq=False)
class Group:
    """A simulated group; ``sessions`` and the flat arrays have n * v rows.

    Attributes
    ----------
    participants, visits : pandas.DataFrame
        Rows as the contract of the cohort tables says.
    ids, session_ids : numpy.ndarray of str, shape (n * v,)
    planned : Visits
    sessions : Sessions
    true, healthy : numpy.ndarray, shape (3, n, v, K)
        Without scanner and error; ln(mm3), FA, 1e-3 mm2/s.
    latent : Latent or None
        Of patients.
    """

    participants: pd.DataFrame
    visits: pd.DataFrame
    ids: np.ndarray
    session_ids: np.ndarray
    planned: Visits
    sessions: Sessions
    true: np.ndarray
    healthy: np.ndarray
    latent: Latent | None


def simulate_group(world: World, seed: int, group: str, n: int) -> Group:
    """Simulate n people of one group: ``HC``, ``ALS`` or ``MIMIC``."""
    config, scenario = world.config, world.scenario
    streams = Streams(seed, group)
    letter = {"HC": "C", "ALS": "A", "MIMIC": "M"}[group]
    ids = np.array([f"sub-{letter}{k:05d}" for k in range(1, n + 1)], dtype="<U16")
    months = plan_visits(config, streams, n)
    count = months.shape[1]
    change = np.zeros((1, 1, 1, 1))
    alive, lost = np.ones((n, count), bool), np.zeros((n, count))
    clinic, latent = None, None
    if group == "ALS":
        people = draw_patients(config, scenario, streams, n)
        course = draw_course(config, streams, people)
        spread = draw_spread(config, scenario, streams, people, course)
        since = people.first_visit[:, None] + months
        clinic = clinic_of_patients(config, streams, course, since)
        survival = draw_survival(config, scenario, streams, people, clinic, spread)
        change = world.effects.change(people.onset, spread, since)
        alive = since < np.minimum(survival.end, survival.seen_until)[:, None]
        alive[:, 0] = True
        lost = HIGHEST_TOTAL - clinic.total
        latent = Latent(ids, people, course, spread, survival, streams)
    else:
        people = draw_people(config, scenario, streams, group, n)
        if group == "MIMIC":
            clinic = clinic_of_mimics(config, streams, n, count)
    planned = attend(config, scenario, streams, months, lost, alive)
    expected, healthy = _brainstems(world, streams, people, months)
    tiv = draw_tiv(config, streams, people)
    true = healthy + np.concatenate(
        [np.log1p(change[:1]), np.broadcast_to(change, (3, *change.shape[1:]))[1:]]
    )
    flat_ids = np.repeat(ids, count)
    flat_sessions = np.tile([f"ses-{k:02d}" for k in range(1, count + 1)], n)
    participants = _participants(world, streams, ids, people, latent)
    visits = _visits(world, streams, flat_ids, flat_sessions, planned, clinic, group)
    measured = measure(
        config, streams, world.sites, people.site, expected, healthy, true, tiv, world.error
    )
    return Group(
        participants, visits, flat_ids, flat_sessions, planned, measured, true, healthy, latent
    )


def _brainstems(
    world: World, streams: Streams, people: People, months: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    tiv = draw_tiv(world.config, streams, people)
    age = people.age[:, None] + months / 12.0
    expected = world.norm.expected(age, people.male, tiv)
    residuals = draw_residuals(world.norm, streams, len(people))
    return expected, expected + residuals[:, :, None, :]


def _participants(
    world: World, streams: Streams, ids: np.ndarray, people: People, latent: Latent | None
) -> pd.DataFrame:
    import pandas as pd

    n = len(people)
    frame = {
        "participant_id": ids,
        "group": people.group,
        "age": np.round(people.age, 1),
        "sex": np.where(people.male, "M", "F"),
        "site": np.array(world.sites.names)[people.site],
    }
    if latent is None:
        blank, unsaid = np.full(n, MISSING), np.full(n, MISSING, dtype=object)
        frame |= {"onset": unsaid, "onset_age": blank, "months_since_onset": blank}
        frame |= {"diagnostic_delay": blank, "ftd": unsaid, "c9orf72": unsaid}
        frame |= {"riluzole": unsaid if people.group == "HC" else np.full(n, "no", dtype=object)}
        frame |= {"definite_ee": unsaid, "survival_months": blank, "event": unsaid}
    else:
        patients, survival = latent.patients, latent.survival
        share = world.config["visits.missing_c9orf72"] * world.scenario.missing
        untested = streams.chance("missing c9orf72", share, n)
        frame |= _clinical_history(patients, survival, untested)
    return pd.DataFrame(frame, index=range(n))


def _clinical_history(patients: Patients, survival: Survival, untested: np.ndarray) -> dict:
    def words(flags: np.ndarray) -> np.ndarray:
        return np.where(flags, "yes", "no")

    c9orf72 = words(patients.c9orf72).astype(object)
    c9orf72[untested] = MISSING
    seen = survival.observed
    return {
        "onset": patients.onset,
        "onset_age": np.round(patients.onset_age, 1),
        "months_since_onset": np.round(patients.first_visit, 1),
        "diagnostic_delay": np.round(patients.delay, 1),
        "ftd": words(patients.ftd),
        "c9orf72": c9orf72,
        "riluzole": words(patients.riluzole),
        "definite_ee": words(patients.definite_ee),
        "survival_months": np.round(np.minimum(survival.end, survival.seen_until), 1),
        "event": np.where(seen, survival.event, "censored"),
    }


def _visits(
    world: World,
    streams: Streams,
    ids: np.ndarray,
    sessions: np.ndarray,
    planned: Visits,
    clinic: Clinic | None,
    group: str,
) -> pd.DataFrame:
    import pandas as pd

    n, count = planned.months.shape
    keep = planned.attended.ravel()
    frame = {"participant_id": ids, "session_id": sessions, "months": planned.months.ravel()}
    items = [f"alsfrs_{k:02d}" for k in range(1, len(ITEMS) + 1)]
    blank, unsaid = np.full(len(ids), MISSING), np.full(len(ids), MISSING, dtype=object)
    if clinic is None:
        frame |= dict.fromkeys((*items, "alsfrs_total", "fvc", "mitos"), blank)
        frame |= dict.fromkeys(("gastrostomy", "kings", "niv"), unsaid)
        return _ordered(pd.DataFrame(frame)[keep], items)
    figures, missing = world.config.section("visits"), world.scenario.missing
    gone = streams.uniform("missing item", n, count, len(ITEMS)) < figures["missing_item"] * missing
    ratings = np.where(gone, NOT_RATED, clinic.ratings).reshape(-1, len(ITEMS))
    shown = np.where(ratings == NOT_RATED, np.nan, ratings)
    frame |= {name: shown[:, k] for k, name in enumerate(items)}
    frame["alsfrs_total"] = shown.sum(axis=1)
    no_fvc = streams.uniform("missing fvc", n, count) < figures["missing_fvc"] * missing
    frame["fvc"] = np.where(no_fvc, np.nan, np.round(clinic.fvc, 0)).ravel()
    fed, niv = clinic.gastrostomy.ravel(), clinic.niv.ravel()
    frame["gastrostomy"] = np.where(fed, "yes", "no")
    frame["niv"] = np.where(niv, "yes", "no")
    if group == "ALS":
        stage = kings.stages(ratings, fed, niv)
        names = stage.astype(str).astype(object)
        names[stage == kings.NOT_STAGED] = MISSING
        frame["kings"] = names
        score = mitos.stages(ratings)
        frame["mitos"] = np.where(score == mitos.NOT_STAGED, np.nan, score)
    else:
        frame |= {"kings": unsaid, "mitos": blank}
    return _ordered(pd.DataFrame(frame)[keep], items)


def _ordered(table: pd.DataFrame, items: list[str]) -> pd.DataFrame:
    columns = ["participant_id", "session_id", "months", *items, "gastrostomy", "alsfrs_total"]
    return table[[*columns, "fvc", "kings", "mitos", "niv"]].reset_index(drop=True)
