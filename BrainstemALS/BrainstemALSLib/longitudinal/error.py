"""The error of one measurement: how far visits without any change differ.

The figures lie in ``Norms/longitudinal_error.json``, with the command that made them. They come
from simulated repeats of unchanged anatomies in another pose on one simulated scanner, so they hold
neither what a real scanner does between two days nor what a person's water balance does.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..assets import asset_path
from ..errors import BrainstemALSError, ExitCode

RELATIVE_PATH = "Norms/longitudinal_error.json"


@dataclass(frozen=True)
class MeasurementError:
    """Standard deviation of one measurement of one visit, from repeats without change.

    Attributes
    ----------
    sd : mapping
        Measure to structure or composite to standard deviation: of volumes in per cent of the
        volume, of ``fa`` and ``md`` in their own unit (0-1, 1e-3 mm2/s).
    pairs : int
        Pairs of repeats behind each figure: its degrees of freedom.
    about : mapping
        Origin: command, seed, date, data, model, ``simulated``.
    found_share : tuple of float, or None
        Share of a simulated loss of volume of the medulla that is found, and its standard error.
        Volumes and intervals are not corrected by it.
    """

    sd: Mapping[str, Mapping[str, float]]
    pairs: int
    about: Mapping[str, object] = field(default_factory=dict)
    found_share: tuple[float, float] | None = None

    def of(self, measure: str, structure: str) -> float | None:
        """Return the standard deviation, or None where it was not measured."""
        return self.sd.get(measure, {}).get(structure)

    @property
    def simulated(self) -> bool:
        """Whether the repeats were simulated."""
        return bool(self.about.get("simulated", True))


def load_measurement_error(path: Path | None = None) -> MeasurementError:
    """Read the measurement error that comes along, or another.

    Raises
    ------
    BrainstemALSError
        MODEL_UNAVAILABLE: the file is not there or damaged.
    """
    path = path or asset_path(RELATIVE_PATH)
    try:
        content = json.loads(path.read_bytes())
        sd = {
            str(measure): {str(key): float(value) for key, value in of_measure.items()}
            for measure, of_measure in content["sd"].items()
        }
        if not all(value > 0 for of_measure in sd.values() for value in of_measure.values()):
            raise ValueError
        found = content.get("found_of_loss", {}).get("share", {}).get("medulla")
        share = None if found is None else (float(found["value"]), float(found["se"]))
        return MeasurementError(sd, int(content["pairs"]), dict(content["about"]), share)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise BrainstemALSError(
            path,
            "the error of measurements cannot be read from it",
            "Install BrainstemALS again.",
            ExitCode.MODEL_UNAVAILABLE,
        ) from None
