"""Models as JSON: one file each, whole, checked before use, and saying whom they were learned from.

No pickles: a file holds names, numbers and text only. The checksum finds damage and careless edits;
it is no signature.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..assets import asset_path
from ..durability import write_whole
from ..errors import BrainstemALSError, ExitCode
from .json_values import json_values

FORMAT = 1
SOURCES = ("simulated", "real")
FOLDER = "Prediction"
DIGITS = 10
"""Significant ones of the numbers of a file."""


@dataclass(frozen=True)
class Training:
    """Whom a model was learned from; shown wherever one of its numbers is.

    Attributes
    ----------
    source : str
        ``simulated`` or ``real``.
    people : dict
        Group to number.
    sites : int
    seed : int or None
        Of the simulated cohort.
    command : str
        That fits the model again.
    date : str
        ISO date of the fit.
    version : str
        Of BrainstemALS.
    norms : str
        Whose norms scored the images: ``simulated``, ``real``, or empty where it is not known.
    without : str
        Names of predictors that too few people had, with commas between them.
    """

    source: str
    people: dict[str, int]
    sites: int
    seed: int | None
    command: str
    date: str
    version: str
    norms: str = ""
    without: str = ""

    @property
    def statement(self) -> str:
        """One phrase for panel, report and JSON."""
        groups = ", ".join(f"{n} {name}" for name, n in self.people.items())
        if self.source == "simulated":
            said = f"trained on simulated cohort v{self.version} ({groups}; seed {self.seed})"
        else:
            sites = f"{self.sites} sites" if self.sites else "sites not known, none held out"
            said = f"trained on real data ({groups}; {sites})"
            if self.norms == "simulated":
                said += ", images scored by simulated norms"
        if self.without:
            count = len(self.without.split(", "))
            said += f", without {count} predictor{'s' * (count > 1)} that too few people had"
        return said


def write_model(path: Path, kind: str, training: Training, content: dict[str, Any]) -> None:
    """Write a model; the file is there whole or not at all.

    Parameters
    ----------
    path : Path
    kind : str
        For example ``"classification"``; what reads the file asks for it.
    training : Training
    content : dict
        JSON values and numpy arrays; no NaN.

    Raises
    ------
    BrainstemALSError
        OUTPUT_REFUSED: it cannot be written.
    """
    record = {
        "kind": f"BrainstemALS {kind}",
        "format": FORMAT,
        "statement": training.statement,
        "training": asdict(training),
        **json_values(content, DIGITS),
    }
    record["sha256"] = _checksum(record)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, (json.dumps(record, indent=1, allow_nan=False) + "\n").encode())
    except OSError as error:
        raise BrainstemALSError(
            path, "it cannot be written", "Choose another place.", ExitCode.OUTPUT_REFUSED
        ) from error


def read_model(path: Path, kind: str) -> tuple[Training, dict[str, Any]]:
    """Read a model of this kind.

    Returns
    -------
    (Training, dict)
        The content as it lies in the file: lists where arrays were written.

    Raises
    ------
    BrainstemALSError
        MODEL_UNAVAILABLE: missing, damaged, altered, of another kind or format.
    """
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        raise _refuse(path, "it is missing or no JSON") from None
    if not isinstance(record, dict) or record.get("kind") != f"BrainstemALS {kind}":
        raise _refuse(path, f"it holds no model for {kind}")
    if record.get("format") != FORMAT:
        raise _refuse(path, f"it has format {record.get('format')}, this version reads {FORMAT}")
    if record.pop("sha256", None) != _checksum(record):
        raise _refuse(path, "it was altered or damaged")
    try:
        training = Training(**record["training"])
    except (KeyError, TypeError):
        raise _refuse(path, "it does not say whom it was learned from") from None
    if training.source not in SOURCES:
        raise _refuse(path, "it does not say whether people were simulated")
    return training, record


def bundled(kind: str) -> Path:
    """Return the place of the model that comes along."""
    return asset_path(f"{FOLDER}/{kind}.json")


def row_text(values: np.ndarray, digits: int = 6) -> str:
    """Return numbers on one line: a list in JSON would take a line a number."""
    return " ".join(f"{v:.{digits}g}" for v in np.ravel(values))


def row_of(text: str) -> np.ndarray:
    """Return the numbers (n,) of ``row_text``."""
    return np.array([float(v) for v in text.split()])


def lower_rows(matrix: np.ndarray) -> list[str]:
    """Return the rows of the lower triangle of a symmetric matrix."""
    return [row_text(row[: k + 1]) for k, row in enumerate(matrix)]


def matrix_of(rows: list[str]) -> np.ndarray:
    """Return the symmetric matrix of ``lower_rows``."""
    lower = np.zeros((len(rows), len(rows)))
    for k, row in enumerate(rows):
        lower[k, : k + 1] = row_of(row)
    return lower + np.tril(lower, -1).T


def _checksum(record: dict[str, Any]) -> str:
    text = json.dumps(record, sort_keys=True, separators=(",", ":"), allow_nan=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _refuse(path: Path, problem: str) -> BrainstemALSError:
    return BrainstemALSError(
        path, problem, "Install it again, or fit it with python -m training.prediction.",
        ExitCode.MODEL_UNAVAILABLE,
    )  # fmt: skip
