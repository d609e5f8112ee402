"""How far measured imaging predictors may be from the truth, together.

Exam and norms state a standard deviation for each predictor. It is cautious where norms know few
scanners, and what is unsure of a scanner is shared by predictors. How large errors really are
beside what is stated, and how they go together, was learned from simulated people who were measured
twice: with scanner and errors of the real segmentation, and without.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import BrainstemALSError, ExitCode
from .features import FEATURES, NAMES, FeatureValues
from .model_files import Training, bundled, lower_rows, matrix_of, read_model

KIND = "measurement"
_SIZES = np.array([feature.size for feature in FEATURES])


@dataclass(frozen=True, eq=False)
class MeasurementError:
    """Errors of the predictors.

    Attributes
    ----------
    relative : numpy.ndarray, shape (p, p)
        Second moments of errors, each divided by its stated SD; the identity where nothing was
        learned: what is stated is taken as it is, one predictor apart from the other.
    training : Training or None
        None where nothing was learned.
    """

    relative: np.ndarray
    training: Training | None = None

    @cached_property
    def _root(self) -> np.ndarray:
        values, vectors = np.linalg.eigh(self.relative)
        return vectors * np.sqrt(np.maximum(values, 0.0))

    def spread(self, values: FeatureValues) -> np.ndarray:
        """Return the standard deviation (n, p) that ``drawn`` scatters with."""
        own = _own(values) ** 2 * np.diag(self.relative)
        return np.sqrt(own if values.head is None else own + values.head**2)

    def drawn(self, values: FeatureValues, draws: int, rng: np.random.Generator) -> np.ndarray:
        """Return predictors as another measurement might have had them, shape (draws, n, p).

        Parameters
        ----------
        values : FeatureValues
        draws : int
        rng : numpy.random.Generator
        """
        normal = rng.standard_normal((draws, *values.z.shape))
        again = values.z + _own(values) * (normal @ self._root.T)
        if values.head is not None:
            again += values.head * rng.standard_normal((draws, len(values.z), 1))
        again[..., _SIZES] = np.abs(again[..., _SIZES])
        return again


def _own(values: FeatureValues) -> np.ndarray:
    """Return the stated SD (n, p) without that of an entered head size: it is one for all."""
    if values.head is None:
        return values.sd
    return np.sqrt(np.maximum(values.sd**2 - values.head**2, 0.0))


AS_STATED = MeasurementError(np.eye(len(FEATURES)))
"""Where a cohort's models come without errors of their own."""


def content_of(error: MeasurementError) -> dict[str, Any]:
    """Return the JSON content of ``read_measurement``."""
    return {"features": list(NAMES), "relative_lower": lower_rows(error.relative)}


def read_measurement(path: Path | None = None) -> MeasurementError:
    """Read errors; those that come along by default.

    Raises
    ------
    BrainstemALSError
        MODEL_UNAVAILABLE: as ``model_files.read_model``, or of other predictors.
    """
    return _bundled() if path is None else _read(path)


@lru_cache(maxsize=1)
def _bundled() -> MeasurementError:
    return _read(bundled(KIND))


def _read(path: Path) -> MeasurementError:
    training, content = read_model(path, KIND)
    if tuple(content.get("features", ())) != NAMES:
        raise BrainstemALSError(
            path, "it is of other predictors", "Install it again, or fit it with "
            "python -m training.prediction.measurement.", ExitCode.MODEL_UNAVAILABLE,
        )  # fmt: skip
    return MeasurementError(matrix_of(content["relative_lower"]), training)
