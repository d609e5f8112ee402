"""What the simulator knows and an analysis may not read: kept and written apart from the tables."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .course import Course
from .effects import Effects
from .healthy import MEASURES
from .measuring import UNITS
from .people import ONSETS
from .sites import Sites
from .spread import STEMS, STRUCTURES, mean_places
from .streams import Streams

if TYPE_CHECKING:
    import pandas as pd

    from .config import Config
    from .people import Patients
    from .spread import Spread
    from .survival import Survival

TABLES = ("participants", "order", "effects", "sites", "values", "clocks")


@dataclass(frozen=True, eq=False)
class Latent:
    """The patients' latent states, for checks that ask between visits.

    Attributes
    ----------
    ids : numpy.ndarray of str, shape (n,)
    patients, course, spread, survival : Patients, Course, Spread, Survival
    streams : Streams
        Of the patients: asking ``clinical.clinic_of_patients`` again gives the same people.
    """

    ids: np.ndarray
    patients: Patients
    course: Course
    spread: Spread
    survival: Survival
    streams: Streams


@dataclass(frozen=True, eq=False)
class Truth:
    """The truth of a simulated cohort.

    Attributes
    ----------
    participants : pandas.DataFrame
        Patients: rate, length of the course, lags of the regions, imaging factor, clock speed,
        worse side, linear predictors, month of the event.
    order : pandas.DataFrame
        onset, structure (stem), place_months (on the brainstem clock), rank (1 is first).
    effects : pandas.DataFrame
        onset ("all" too), structure, measure, at_first_visit, per_year (population means: share of
        the volume, FA, 1e-3 mm2/s), amplitude.
    sites : pandas.DataFrame
        site, structure, measure, offset (volume: ln), scale.
    values : pandas.DataFrame
        participant_id, session_id, structure, measure, value, without_disease: of the imaged
        sessions, without scanner and error.
    clocks : pandas.DataFrame
        Patients' sessions: months since onset, disease_time, brainstem_clock, severities.
    latent : Latent
        Not written.
    """

    participants: pd.DataFrame
    order: pd.DataFrame
    effects: pd.DataFrame
    sites: pd.DataFrame
    values: pd.DataFrame
    clocks: pd.DataFrame
    latent: Latent

    def write(self, folder: Path) -> None:
        """Write one TSV per table into a folder of its own."""
        folder.mkdir(parents=True, exist_ok=True)
        for name in TABLES:
            table = getattr(self, name)
            path = folder / f"{name}.tsv"
            table.to_csv(path, sep="\t", index=False, na_rep="n/a", float_format="%.6g")


def truth_of_patients(latent: Latent) -> pd.DataFrame:
    """Return one row per patient."""
    import pandas as pd

    patients, course, spread = latent.patients, latent.course, latent.spread
    survival = latent.survival
    lags = {f"lag_{d}": course.lags[:, k] for k, d in enumerate(("bulbar", "arm", "leg", "breath"))}
    return pd.DataFrame(
        {
            "participant_id": latent.ids,
            "z_rate": patients.z_rate,
            "course_months": course.course,
            **lags,
            "imaging_factor": spread.factor,
            "imaging_own": spread.own,
            "clock_speed": spread.speed,
            "extent": spread.extent,
            "worse_side": np.where(spread.left_worse, "left", "right"),
            "clinical_lp": survival.clinical_lp,
            "lp": survival.lp,
            "event_months": survival.end,
            "event": survival.event,
        }
    )


def truth_of_order(config: Config) -> pd.DataFrame:
    """Return the order of the structures by onset; spared ones are left out."""
    import pandas as pd

    rows = []
    for onset in ONSETS:
        places = mean_places(config, onset)
        ranked = [k for k in np.argsort(places, kind="stable") if np.isfinite(places[k])]
        rows += [(onset, STEMS[k], places[k], rank) for rank, k in enumerate(ranked, 1)]
    return pd.DataFrame(rows, columns=["onset", "structure", "place_months", "rank"])


def truth_of_effects(config: Config, effects: Effects) -> pd.DataFrame:
    """Return the population effects by onset, and over the configured mix of onsets."""
    import pandas as pd

    shares = np.array([config[f"demographics.onset_{onset}"] for onset in ONSETS])
    parts = {"at_first_visit": effects.at_first_visit, "per_year": effects.per_year}
    parts["amplitude"] = effects.amplitude
    full = {k: np.concatenate([v, np.tensordot(shares, v, 1)[None]]) for k, v in parts.items()}
    names = (*ONSETS, "all")
    index = pd.MultiIndex.from_product(
        [names, MEASURES, [s.key for s in STRUCTURES]], names=["onset", "measure", "structure"]
    )
    return pd.DataFrame({k: v.ravel() for k, v in full.items()}, index=index).reset_index()


def truth_of_sites(sites: Sites) -> pd.DataFrame:
    """Return offsets and scales by site, measure, structure."""
    import pandas as pd

    index = pd.MultiIndex.from_product(
        [sites.names, MEASURES, [s.key for s in STRUCTURES]],
        names=["site", "measure", "structure"],
    )
    scale = np.repeat(sites.scale[..., None], len(STRUCTURES), axis=2)
    frame = {"offset": sites.offset.ravel(), "scale": scale.ravel()}
    return pd.DataFrame(frame, index=index).reset_index()


def truth_of_values(
    ids: np.ndarray, sessions: np.ndarray, keep: np.ndarray, true: np.ndarray, healthy: np.ndarray
) -> pd.DataFrame:
    """Return true values of the kept sessions; arrays (3, n, v, K), volumes as ln(mm3)."""
    import pandas as pd

    rows, size = int(keep.sum()), len(STRUCTURES) * len(MEASURES)
    columns = []
    for array in (true, healthy):
        kept = array.reshape(len(MEASURES), -1, len(STRUCTURES))[:, keep].copy()
        kept[0] = np.exp(kept[0])
        columns.append(np.moveaxis(kept, 0, 1).ravel())
    measure = np.repeat(MEASURES, len(STRUCTURES))
    return pd.DataFrame(
        {
            "participant_id": np.repeat(ids[keep], size),
            "session_id": np.repeat(sessions[keep], size),
            "structure": np.tile([s.key for s in STRUCTURES] * len(MEASURES), rows),
            "measure": np.tile(measure, rows),
            "value": columns[0],
            "unit": np.tile([UNITS[name] for name in measure], rows),
            "without_disease": columns[1],
        }
    )


def truth_of_clocks(
    latent: Latent, ids: np.ndarray, sessions: np.ndarray, months: np.ndarray, keep: np.ndarray
) -> pd.DataFrame:
    """Return disease times at the patients' attended sessions; ``months`` (n, v) since onset."""
    import pandas as pd

    severity = latent.course.severity(months).reshape(-1, 4)
    frame = pd.DataFrame(
        {
            "participant_id": ids,
            "session_id": sessions,
            "months_since_onset": months.ravel(),
            "disease_time": latent.course.disease_time(months).ravel(),
            "brainstem_clock": latent.spread.clock(months).ravel(),
            **{
                f"severity_{d}": severity[:, k]
                for k, d in enumerate(("bulbar", "arm", "leg", "breath"))
            },
        }
    )
    return frame[keep].reset_index(drop=True)
