"""Errors of measurement: configured, or read from what the imaging cohort has measured.

The JSON file has ``kind`` (``simulated`` or ``real``), ``source``, and ``errors``: measure to
structure key to ``sd`` and, optionally, ``bias``. Volumes: both as a share of the true volume; FA:
1; MD: 1e-3 mm2/s. Structures that it lacks keep the configured error::

    {"kind": "simulated", "source": "...",
     "errors": {"volume": {"pyramid_left": {"sd": 0.06, "bias": 0.01}}}}
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


@dataclass(frozen=True, eq=False)
class MeasurementError:
    """Error of a session of good quality.

    Attributes
    ----------
    sd, bias : numpy.ndarray, shape (3, K)
        ln(volume), FA, 1e-3 mm2/s.
    intracranial : float
        Standard deviation of ln(intracranial volume).
    source : str
    """

    sd: np.ndarray
    bias: np.ndarray
    intracranial: float
    source: str


def configured_error(norm: Norm, scenario: Scenario) -> MeasurementError:
    """Return the error of the configuration, times the scenario's factor."""
    figures = norm.config.section("error")
    volume = np.hypot(figures["volume_floor"], figures["volume_border"] / np.sqrt(norm.volume))
    same = np.ones(len(STRUCTURES))
    sd = np.stack([volume, figures["fa"] * same, figures["md"] * same])
    factor = scenario.measurement_error
    return MeasurementError(
        factor * sd, np.zeros_like(sd), factor * figures["intracranial"], "configured"
    )


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
            (measure, key, float(entry["sd"]), float(entry.get("bias", 0.0)))
            for measure, structures in errors.items()
            for key, entry in structures.items()
        ]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise _refusal(path, "it is no table of measurement errors") from error
    if kind not in KINDS:
        raise _refusal(path, f"kind must be one of {', '.join(KINDS)}")
    keys = {s.key: position for position, s in enumerate(STRUCTURES)}
    sd, bias = base.sd.copy(), base.bias.copy()
    for measure, key, deviation, shift in entries:
        if measure not in MEASURES or key not in keys:
            raise _refusal(path, f"{measure} of {key} is not simulated")
        if not (math.isfinite(deviation) and math.isfinite(shift) and deviation >= 0):
            raise _refusal(path, f"{measure} of {key} is not a finite error of 0 or more")
        if measure == "volume" and shift <= -1:
            raise _refusal(path, f"{measure} of {key} has a bias that leaves no volume")
        place = MEASURES.index(measure), keys[key]
        sd[place] = scenario.measurement_error * deviation
        bias[place] = math.log1p(shift) if measure == "volume" else shift
    return MeasurementError(sd, bias, base.intracranial, f"{source} ({kind})")


def _refusal(path: Path, problem: str) -> BrainstemALSError:
    return BrainstemALSError(
        path, problem, "See training/cohort/errors.py for the form.", ExitCode.USAGE
    )
