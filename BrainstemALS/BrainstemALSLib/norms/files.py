"""Norms as JSON: written whole, read only when complete, consistent and unaltered.

The checksum finds damage and careless edits; it is no signature.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np

from ..assets import asset_path
from ..durability import write_whole
from ..errors import BrainstemALSError, ExitCode
from ..imaging.finding import SEVERITIES, Finding
from .model import TRANSFORMS, Model, needs_icv, transform_of
from .score import SOURCES, Norms, Population

KIND, FORMAT = "BrainstemALS norms", 2
BUNDLED = "Norms/norms.json"
_COVARIANCES = ("mean_covariance", "log_sd_covariance")
"""Stored as their lower triangles, row by row."""
_TEXT = ("structure", "measure", "unit", "transform")
_NUMBERS = ("centre", "scale", "site_sd", "site_log_sd", "site_df", "skewness", "kurtosis")


def bundled_norms() -> Norms:
    """Return the norms that come along.

    Raises
    ------
    BrainstemALSError
        MODEL_UNAVAILABLE: missing or damaged.
    """
    return read_norms(asset_path(BUNDLED))


def write_norms(norms: Norms, path: Path) -> None:
    """Write norms; the file is there whole or not at all.

    Raises
    ------
    BrainstemALSError
        OUTPUT_REFUSED: it cannot be written.
    """
    record = norms_record(norms)
    record["sha256"] = checksum(record)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, _pretty(record).encode())
    except OSError as error:
        raise BrainstemALSError(
            path, "it cannot be written", "Choose another place.", ExitCode.OUTPUT_REFUSED
        ) from error


def read_norms(path: Path) -> Norms:
    """Read norms.

    Raises
    ------
    BrainstemALSError
        MODEL_UNAVAILABLE: missing, no norms, of another format, altered, or inconsistent.
    """
    try:
        record = json.loads(path.read_text(encoding="utf-8"), parse_constant=_no_constants)
    except OSError:
        raise _refuse(path, "it cannot be read", "Name a file of norms.") from None
    except (ValueError, RecursionError):
        raise _refuse(
            path, "it is no JSON, so these are no norms", "Name a file of norms."
        ) from None
    if not isinstance(record, dict) or record.get("kind") != KIND:
        raise _refuse(path, "it holds no norms of BrainstemALS", "Name a file of norms.")
    if record.get("format") != FORMAT:
        raise _refuse(
            path,
            f"the norms have format {record.get('format')}, this version reads {FORMAT}",
            "Fit them again with this version.",
        )
    expected = record.pop("sha256", None)
    if expected != checksum(record):
        raise _refuse(
            path,
            "the checksum does not match, so the norms are damaged or altered",
            "Copy the file again, or fit the norms again.",
        )
    try:
        return norms_from_record(record)
    except (KeyError, TypeError, ValueError, AttributeError):
        raise _refuse(path, "the norms are incomplete or inconsistent", "Fit them again.") from None


def checksum(record: dict[str, Any]) -> str:
    """Return the SHA-256 of a record without its ``sha256``, in canonical JSON."""
    text = json.dumps(record, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def norms_record(norms: Norms) -> dict[str, Any]:
    """Return norms as plain data for JSON."""
    return {
        "kind": KIND,
        "format": FORMAT,
        "statement": norms.population.statement,
        "population": {**asdict(norms.population), "sites": dict(norms.population.sites)},
        "findings": [asdict(finding) for finding in norms.findings],
        "models": [_model_record(model) for model in norms.models],
    }


def norms_from_record(record: dict[str, Any]) -> Norms:
    """Return the norms of ``norms_record``.

    Raises
    ------
    KeyError, TypeError, ValueError, AttributeError
        Something is missing, of the wrong kind, or does not fit the rest.
    """
    population = dict(record["population"])
    sites = population.pop("sites")
    _check(population["source"] in SOURCES and all(_whole(count) for count in sites.values()))
    whom = Population(**population, sites=tuple(sites.items()))
    _check(record["statement"] == whom.statement)
    models = tuple(_model(part) for part in record["models"])
    _check(len({model.key for model in models}) == len(models))
    findings = tuple(Finding(**part) for part in record["findings"])
    _check(all(finding.severity in SEVERITIES for finding in findings))
    return Norms(models, whom, findings)


def _model_record(model: Model) -> dict[str, Any]:
    record = {}
    for field in fields(Model):
        value = getattr(model, field.name)
        if field.name in _COVARIANCES:
            value = [row[: i + 1].tolist() for i, row in enumerate(value)]
        elif isinstance(value, np.ndarray):
            value = value.tolist()
        record[field.name] = list(value) if isinstance(value, tuple) else value
    return record


def _model(record: dict[str, Any]) -> Model:
    _check(set(record) == {field.name for field in fields(Model)})
    values = dict(record)
    for name in ("knots", "mean", "log_sd"):
        values[name] = np.array(record[name], dtype=float)
    for name in _COVARIANCES:
        values[name] = _symmetric(record[name])
    for name in ("sexes", "sites", "site_counts"):
        values[name] = tuple(record[name])
    _check(
        record["transform"] in TRANSFORMS and transform_of(record["measure"]) == record["transform"]
    )
    _check(all(isinstance(record[name], str) for name in _TEXT))
    _check(all(_finite(record[name]) for name in _NUMBERS) and _whole(record["n"]))
    _check(record["scale"] > 0 and record["site_sd"] >= 0 and record["site_log_sd"] >= 0)
    _check(record["site_df"] >= 1)
    icv = record["icv_centre"], record["icv_scale"], record["icv_range"]
    if needs_icv(record["measure"]):
        values["icv_range"] = low, high = tuple(record["icv_range"])
        _check(all(map(_finite, (*icv[:2], low, high))) and icv[1] > 0 and 0 < low <= high)
    else:
        _check(icv == (None, None, None))
    model = Model(**values)
    sites, k = len(model.sites), len(model.knots)
    _check(k >= 2 and bool(np.all(np.diff(model.knots) > 0)))
    _check(len(model.site_counts) == sites == len(set(model.sites)))
    _check(all(map(_whole, model.site_counts)) and all(isinstance(s, str) for s in model.sites))
    _covers(model.mean, model.mean_covariance, k + 1 + model.uses_icv + sites)
    _covers(model.log_sd, model.log_sd_covariance, 2 + sites)
    return model


def _symmetric(rows: list[list[float]]) -> np.ndarray:
    """Return the matrix of its lower triangle."""
    _check([len(row) for row in rows] == list(range(1, len(rows) + 1)))
    lower = np.zeros((len(rows), len(rows)))
    for i, row in enumerate(rows):
        lower[i, : i + 1] = row
    return lower + np.tril(lower, -1).T


def _covers(values: np.ndarray, covariance: np.ndarray, size: int) -> None:
    """Check coefficients and their covariance."""
    _check(values.shape == (size,) and covariance.shape == (size, size))
    _check(bool(np.isfinite(values).all() and np.isfinite(covariance).all()))
    # Rounding may leave an eigenvalue a little below zero.
    eigenvalues = np.linalg.eigvalsh(covariance)
    _check(bool((np.diag(covariance) > 0).all() and eigenvalues[0] > -1e-3 * eigenvalues[-1]))


def _check(right: bool) -> None:
    if not right:
        raise ValueError("inconsistent norms")


def _finite(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and np.isfinite(value)


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _no_constants(name: str) -> float:
    raise ValueError(f"{name} is no JSON")


def _refuse(path: Path, problem: str, remedy: str) -> BrainstemALSError:
    return BrainstemALSError(path, problem, remedy, ExitCode.MODEL_UNAVAILABLE)


def _pretty(record: dict[str, Any]) -> str:
    """Return JSON with one line a field of a model, so that a reader and a diff can follow it."""
    head = {name: value for name, value in record.items() if name != "models"}
    lines = [f" {json.dumps(name)}: {json.dumps(value)}," for name, value in head.items()]
    models = []
    for model in record["models"]:
        parts = (f"   {json.dumps(k)}: {json.dumps(v, allow_nan=False)}" for k, v in model.items())
        models.append("  {\n" + ",\n".join(parts) + "\n  }")
    return "\n".join(["{", *lines, ' "models": [', ",\n".join(models), " ]", "}"]) + "\n"
