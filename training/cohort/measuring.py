"""What the pipeline reports of a brainstem: values with error, composites, asymmetries, one table.

A region is the sum of its measured parts, as in ``measurement.volumes``; FA and MD of a region are
means weighted with the volumes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from BrainstemALSLib.anatomy import REGIONS, composites
from BrainstemALSLib.measurement.asymmetry import asymmetry_index

from .config import Config
from .errors import MeasurementError
from .healthy import FA_RANGE, MEASURES
from .sites import Sites
from .spread import STRUCTURES
from .streams import Streams

UNITS = {"volume": "mm3", "fa": "1", "md": "1e-3 mm2/s"}
QUALITIES = ("good", "warning", "bad")
MD_RANGE = (0.2, 3.0)
COMPOSITES = ("brainstem", *REGIONS, "corticospinal_tract_left", "corticospinal_tract_right")
COLUMNS = (
    "participant_id",
    "session_id",
    "structure",
    "measure",
    "value",
    "unit",
    "uncertainty",
    "quality",
)


@dataclass(frozen=True, eq=False)
class Sessions:
    """Measured sessions, one row each (m of them).

    Attributes
    ----------
    values, uncertainty : numpy.ndarray, shape (3, m, K)
        mm3, FA, 1e-3 mm2/s, and their stated standard deviations.
    common : numpy.ndarray, shape (3, m, K)
        The part of ``uncertainty`` that all structures of a session share.
    intracranial, intracranial_uncertainty : numpy.ndarray, shape (m,)
        mm3.
    quality : numpy.ndarray of str, shape (m,)
    """

    values: np.ndarray
    uncertainty: np.ndarray
    common: np.ndarray
    intracranial: np.ndarray
    intracranial_uncertainty: np.ndarray
    quality: np.ndarray


def measure(
    config: Config,
    streams: Streams,
    sites: Sites,
    site: np.ndarray,
    expected: np.ndarray,
    healthy: np.ndarray,
    true: np.ndarray,
    tiv: np.ndarray,
    error: MeasurementError,
) -> Sessions:
    """Measure brainstems: scanner first, then error; arrays of (n, v), flattened.

    Parameters
    ----------
    config : Config
    streams : Streams
    sites : Sites
    site : numpy.ndarray of int, shape (n,)
    expected : numpy.ndarray, shape (3, n, v, K)
        Of healthy people alike; ln(mm3), FA, 1e-3 mm2/s.
    healthy, true : numpy.ndarray, shape (3, n, v, K)
        Of these people, without and with their disease; same units.
    tiv : numpy.ndarray, shape (n,)
        cm3.
    error : MeasurementError

    Returns
    -------
    Sessions
        n * v rows, visits of a person together.
    """
    _, n, visits, size = true.shape
    figures = config.section("error")
    shares = np.array([1 - figures["warning"] - figures["bad"], figures["warning"], figures["bad"]])
    edges = np.cumsum(shares)[:-1]
    which = (streams.uniform("quality", n, visits)[..., None] > edges).sum(axis=-1)
    factor = np.array([1.0, figures["warning_factor"], figures["bad_factor"]])[which]
    scale = np.moveaxis(sites.scale[site], 1, 0)[:, :, None, None]
    offset = np.moveaxis(sites.offset[site], 1, 0)[:, :, None, :]
    sd = error.sd[:, None, None, :] * factor[..., None] * scale
    share = figures["common_share"]
    common = np.moveaxis(streams.normal("error common", n, visits, len(MEASURES), 1), 2, 0)
    own = np.moveaxis(streams.normal("error", n, visits, len(MEASURES), size), 2, 0)
    noise = sd * (np.sqrt(share) * common + np.sqrt(1.0 - share) * own)
    lasting = error.lasting[:, None, None, :]
    person = np.moveaxis(streams.normal("error lasting", n, len(MEASURES), size), 1, 0)
    noise = np.sqrt(1.0 - lasting) * noise
    noise = noise + np.sqrt(lasting) * error.sd[:, None, None, :] * scale * person[:, :, None, :]
    seen = error.slope[:, None, None, :]
    value = expected + offset + seen * (scale * (healthy - expected) + (true - healthy))
    value = value + noise + error.bias[:, None, None, :]
    value[0] = np.exp(value[0])
    value[1] = np.clip(value[1], *FA_RANGE)
    value[2] = np.clip(value[2], *MD_RANGE)
    jitter = np.moveaxis(streams.normal("stated", n, visits, len(MEASURES), 1), 2, 0)
    stated = sd * np.exp(figures["stated_log_sd"] * jitter)
    stated[0] *= value[0]
    head = (
        1000.0
        * tiv[:, None]
        * np.exp(error.intracranial * factor * streams.normal("tiv error", n, visits))
    )
    flat = (len(MEASURES), n * visits, size)
    return Sessions(
        values=value.reshape(flat),
        uncertainty=stated.reshape(flat),
        common=(np.sqrt(share) * stated).reshape(flat),
        intracranial=head.ravel(),
        intracranial_uncertainty=(head * error.intracranial * factor).ravel(),
        quality=np.array(QUALITIES)[which.ravel()],
    )


def long_table(sessions: Sessions, participant: np.ndarray, session: np.ndarray, keep: np.ndarray):
    """Return the measures as a tidy table, ordered by person, visit, measure, structure.

    Parameters
    ----------
    sessions : Sessions
    participant, session : numpy.ndarray of str, shape (m,)
    keep : numpy.ndarray of bool, shape (m,)
        Sessions with images.

    Returns
    -------
    pandas.DataFrame
        With ``COLUMNS``.
    """
    import pandas as pd

    blocks = [block for m in range(len(MEASURES)) for block in _blocks(sessions, m, keep)]
    # As the pipeline's tables: more digits would only be larger files.
    blocks = [
        (*b[:3], np.round(b[3], _digits(b[2])), np.round(b[4], _digits(b[2]))) for b in blocks
    ]
    head = sessions.intracranial[keep], sessions.intracranial_uncertainty[keep]
    head = [np.round(values, 0)[:, None] for values in head]
    blocks.append((["intracranial"], "volume", "mm3", *head))
    rows, columns = int(keep.sum()), sum(len(block[0]) for block in blocks)

    def along(position: int) -> np.ndarray:
        return np.tile(np.repeat([b[position] for b in blocks], [len(b[0]) for b in blocks]), rows)

    return pd.DataFrame(
        {
            "participant_id": np.repeat(participant[keep], columns),
            "session_id": np.repeat(session[keep], columns),
            "structure": np.tile(np.concatenate([b[0] for b in blocks]), rows),
            "measure": along(1),
            "value": np.concatenate([b[3] for b in blocks], axis=1).ravel(),
            "unit": along(2),
            "uncertainty": np.concatenate([b[4] for b in blocks], axis=1).ravel(),
            "quality": np.repeat(sessions.quality[keep], columns),
        },
        columns=list(COLUMNS),
    )


def _digits(unit: str) -> int:
    return {"mm3": 2, "%": 4}.get(unit, 5)


def _blocks(sessions: Sessions, m: int, keep: np.ndarray):
    """Yield (keys, measure, unit, values, uncertainty) of single structures, composites, pairs."""
    value, sd = sessions.values[m][keep], sessions.uncertainty[m][keep]
    shared = sessions.common[m][keep]
    volume = sessions.values[0][keep]
    keys = {s.key: k for k, s in enumerate(STRUCTURES)}
    members = [[keys[key] for key in composites()[name]] for name in COMPOSITES]
    wholes, whole_sds = [], []
    for places in members:
        weight = volume[:, places]
        if MEASURES[m] == "volume":
            weight = np.ones_like(weight)
        else:
            weight = weight / weight.sum(axis=1, keepdims=True)
        wholes.append((weight * value[:, places]).sum(axis=1))
        own = (weight**2 * (sd**2 - shared**2)[:, places]).sum(axis=1)
        together = (weight * shared[:, places]).sum(axis=1)
        whole_sds.append(np.sqrt(own + together**2))
    name, unit = MEASURES[m], UNITS[MEASURES[m]]
    yield [s.key for s in STRUCTURES], name, unit, value, sd
    yield list(COMPOSITES), name, unit, np.stack(wholes, 1), np.stack(whole_sds, 1)
    left = [k for k, s in enumerate(STRUCTURES) if s.side == "left"]
    right = [keys[STRUCTURES[k].mirror_key] for k in left]
    stems = [STRUCTURES[k].stem for k in left] + ["corticospinal_tract"]
    tract = [COMPOSITES.index(f"corticospinal_tract_{side}") for side in ("left", "right")]
    one = np.concatenate([value[:, left], wholes[tract[0]][:, None]], axis=1)
    other = np.concatenate([value[:, right], wholes[tract[1]][:, None]], axis=1)
    sd_one = np.concatenate([sd[:, left], whole_sds[tract[0]][:, None]], axis=1)
    sd_other = np.concatenate([sd[:, right], whole_sds[tract[1]][:, None]], axis=1)
    # As measurement.diffusion_asymmetry: both sides taken for independent.
    slope = 400.0 / (one + other) ** 2
    index_sd = slope * np.hypot(other * sd_one, one * sd_other)
    yield stems, f"{name}_asymmetry", "%", asymmetry_index(one, other), index_sd
