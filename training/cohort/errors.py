"""Errors of measurement: configured, or read from what the imaging cohort has measured.

The JSON file has ``kind`` (``simulated`` or ``real``), ``source``, and ``errors``: measure to
structure key to ``sd`` and, optionally, ``bias`` (volumes: both as a share of the true volume; FA:
1; MD: 1e-3 mm2/s), ``slope`` (what of a person's distance from the norm is seen, 1 when left out)
and ``lasting`` (share of the variance that stays with a person from visit to visit, 0 when left
out). Structures that it lacks keep the configured error::

    {"kind": "simulated", "source": "...",
     "errors": {"volume": {"pyramid_left": {"sd": 0.06, "bias": 0.01, "lasting": 0.8}}}}
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from BrainstemALSLib.errors import BrainstemALSError, ExitCode

from .healthy import MEASURES, Norm
from .scenario import Scenario
from .spread import STRUCTURES

KINDS = ("simulated", "real")
ENTRIES = {"sd": None, "bias": 0.0, "slope": 1.0, "lasting": 0.0}
"""What a structure has, and what it is when left out."""
LARGEST_SLOPE = 2.0
MEASURED = "imaging_errors.json"


@dataclass(frozen=True, eq=False)
class MeasurementError:
    """Error of a session of good quality.

    Attributes
    ----------
    sd, bias : numpy.ndarray, shape (3, K)
        ln(volume), FA, 1e-3 mm2/s.
    slope : numpy.ndarray, shape (3, K)
        What of a distance from the norm is seen.
    lasting : numpy.ndarray, shape (3, K)
        Share of the variance that is the person's own and the same at every visit, 0-1.
    intracranial : float
        Standard deviation of ln(intracranial volume).
    source : str
    """

    sd: np.ndarray
    bias: np.ndarray
    slope: np.ndarray
    lasting: np.ndarray
    intracranial: float
    source: str


def measured_errors() -> Path | None:
    """Return the file of errors that the real segmentation made on simulated images.

    None where ``training.evaluation.imaging_cohort --write`` has not written it.
    """
    path = Path(__file__).with_name(MEASURED)
    return path if path.is_file() else None


def configured_error(norm: Norm, scenario: Scenario) -> MeasurementError:
    """Return the error of the configuration, times the scenario's factor."""
    figures = norm.config.section("error")
    volume = np.hypot(figures["volume_floor"], figures["volume_border"] / np.sqrt(norm.volume))
    same = np.ones(len(STRUCTURES))
    sd = np.stack([volume, figures["fa"] * same, figures["md"] * same])
    factor = scenario.measurement_error
    none, whole = np.zeros_like(sd), np.ones_like(sd)
    head = factor * figures["intracranial"]
    return MeasurementError(factor * sd, none, whole, none, head, "configured")


def read_error(path: Path, norm: Norm, scenario: Scenario) -> MeasurementError:
    """Read measured errors over the configured ones.

    Raises
    ------
    BrainstemALSError
        USAGE: the file cannot be read, has another form, an unknown structure, or a number that is
        not finite or a negative deviation.
    """
    base = configured_error(norm, scenario)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        kind, source, errors = content["kind"], str(content["source"]), content["errors"]
        entries = [
            (
                measure,
                key,
                *(
                    float(entry[name]) if name == "sd" else float(entry.get(name, plain))
                    for name, plain in ENTRIES.items()
                ),
            )
            for measure, structures in errors.items()
            for key, entry in structures.items()
        ]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise _refusal(path, "it is no table of measurement errors") from error
    if kind not in KINDS:
        raise _refusal(path, f"kind must be one of {', '.join(KINDS)}")
    keys = {s.key: position for position, s in enumerate(STRUCTURES)}
    sd, bias, slope, lasting = (a.copy() for a in (base.sd, base.bias, base.slope, base.lasting))
    for measure, key, deviation, shift, seen, own in entries:
        if measure not in MEASURES or key not in keys:
            raise _refusal(path, f"{measure} of {key} is not simulated")
        if not (math.isfinite(deviation) and math.isfinite(shift) and deviation >= 0):
            raise _refusal(path, f"{measure} of {key} is not a finite error of 0 or more")
        if not (0 < seen <= LARGEST_SLOPE and 0 <= own < 1):
            raise _refusal(path, f"{measure} of {key} has a slope or a lasting share out of range")
        if measure == "volume" and shift <= -1:
            raise _refusal(path, f"{measure} of {key} has a bias that leaves no volume")
        place = MEASURES.index(measure), keys[key]
        sd[place] = scenario.measurement_error * deviation
        bias[place] = math.log1p(shift) if measure == "volume" else shift
        slope[place], lasting[place] = seen, own
    return MeasurementError(sd, bias, slope, lasting, base.intracranial, f"{source} ({kind})")


def _refusal(path: Path, problem: str) -> BrainstemALSError:
    return BrainstemALSError(
        path, problem, "See training/cohort/errors.py for the form.", ExitCode.USAGE
    )
