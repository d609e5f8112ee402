"""What is known of one exam by one method, and where that is kept between runs."""

from __future__ import annotations

import ast
import dataclasses
import hashlib
import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from ..data import repository, work_dir
from . import adapter
from .calibration import Bins
from .methods import Method
from .metrics import Score

# What decides the exams and their scores; a change of it makes every record void.
_CODE = (
    "training/evaluation/kinds.py",
    "training/evaluation/simulate.py",
    "training/evaluation/grids.py",
    "training/evaluation/regrid.py",
    "training/evaluation/metrics.py",
    "training/evaluation/calibration.py",
    "training/synthesis.py",
    "training/geometry_augmentation.py",
    "training/fibre_field.py",
    "training/fibre_directions.py",
    "training/evaluation/adapter.py",
    "training/evaluation/methods.py",
    "training/evaluation/segmentation.py",
    "training/labels.py",
    "BrainstemALS/BrainstemALSLib/anatomy/fibres.py",
    "BrainstemALS/BrainstemALSLib/imaging/geometry.py",
    "BrainstemALS/BrainstemALSLib/measurement/volumes.py",
    "BrainstemALS/BrainstemALSLib/phantom/deformation.py",
    "BrainstemALS/BrainstemALSLib/phantom/effects.py",
)
_OF_NETWORKS = "BrainstemALS/BrainstemALSLib/segmentation"
_OF_ANTS = ("training/evaluation/bench_child.py",)
_TABLES = tuple(
    f"Resources/Anatomy/{name}.tsv"
    for name in ("structures", "intensity_priors", "fibre_directions")
)


@dataclass(frozen=True, eq=False)
class Record:
    """One exam, one method.

    Attributes
    ----------
    scores : dict
        Structure or composite to its score.
    bins : dict
        As ``calibration.calibration``; empty without probabilities.
    auroc : float
        As ``calibration.error_auroc``; NaN without probabilities.
    seconds : float
        Of the segmentation, models loaded or not.
    refused : str
        Why there is no segmentation; empty when there is one.
    crashed : bool
        It wasn't refused, it failed: worth another try.
    """

    scores: dict[str, Score]
    bins: dict[str, Bins]
    auroc: float
    seconds: float
    refused: str = ""
    crashed: bool = False

    def to_json(self) -> str:
        """Return it as JSON."""
        facts = {
            "refused": self.refused,
            "crashed": self.crashed,
            "seconds": round(self.seconds, 3),
            "auroc": _plain(self.auroc),
            "scores": {key: _plain(dataclasses.asdict(s)) for key, s in self.scores.items()},
            "bins": {key: _plain(vars(bins)) for key, bins in self.bins.items()},
        }
        return json.dumps(facts)

    @classmethod
    def from_json(cls, text: str) -> Record:
        """Return what ``to_json`` wrote.

        Raises
        ------
        ValueError, KeyError, TypeError
            It is something else.
        """
        facts = json.loads(text)
        return cls(
            {key: Score(**_numbers(one)) for key, one in facts["scores"].items()},
            {
                key: Bins(**{n: np.array(v) if isinstance(v, list) else v for n, v in one.items()})
                for key, one in facts["bins"].items()
            },
            math.nan if facts["auroc"] is None else facts["auroc"],
            facts["seconds"],
            facts["refused"],
            facts["crashed"],
        )


class Store:
    """Records as JSON files, each named by all that decides it.

    Parameters
    ----------
    seed : int
        Of the evaluation.
    folder : Path, optional
        Instead of ``data/evaluation/segmentation``.
    """

    def __init__(self, seed: int, folder: Path | None = None):
        self.seed = seed
        self.folder = folder or work_dir() / "evaluation" / "segmentation"

    def path(self, method: Method, kind: str, case: str) -> Path:
        """Return the file of a record; its name holds weights, settings, code, anatomy, seed."""
        deciding = {
            "identity": method.identity,
            "settings": method.settings,
            "code": _code(method.slug == "ants"),
            "kind": kind,
            "seed": self.seed,
            "anatomy": adapter.fingerprint(case),
        }
        text = json.dumps(deciding, sort_keys=True, default=str)
        digest = hashlib.sha256(text.encode()).hexdigest()[:16]
        return self.folder / f"{case}_{kind}_{method.slug}_{digest}.json"

    def load(self, method: Method, kind: str, case: str) -> Record | None:
        """Return a record, or None where there is none that can be read."""
        try:
            return Record.from_json(self.path(method, kind, case).read_text(encoding="utf-8"))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def save(self, record: Record, method: Method, kind: str, case: str) -> None:
        """Keep a record; the file appears whole or not at all."""
        path = self.path(method, kind, case)
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        temporary.write_text(record.to_json(), encoding="utf-8")
        os.replace(temporary, path)


@cache
def _code(ants: bool) -> str:
    """SHA-256 of the code behind a record, without its comments, its layout and its docstrings."""
    root = repository()
    own = _OF_ANTS if ants else _of_networks(root)
    digest = hashlib.sha256()
    for name in (*_CODE, *own):
        tree = ast.parse((root / name).read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(getattr(node, "body", None), list):
                node.body = [part for part in node.body if not _is_docstring(part)]
        digest.update(f"{name}\n{ast.dump(tree)}\n".encode())
    for name in _TABLES:
        digest.update((root / name).read_bytes())
    return digest.hexdigest()


def _of_networks(root: Path) -> list[str]:
    """Files that decide a segmentation; how familiar an exam looks changes none."""
    names = (path.name for path in (root / _OF_NETWORKS).glob("*.py"))
    return sorted(f"{_OF_NETWORKS}/{n}" for n in names if not n.startswith("familiarity"))


def _is_docstring(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _plain(value: object) -> object:
    """Numbers as JSON has them: short, None for NaN, arrays as lists."""
    if isinstance(value, np.ndarray):
        return [round(float(number), 3) for number in value]
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, float):
        return round(value, 6) if math.isfinite(value) else None
    return value


def _numbers(score: dict) -> dict:
    """The fields of a score as they were: None is a soft volume that isn't there, else NaN."""
    return {
        name: math.nan if value is None and name != "soft_mm3" else value
        for name, value in score.items()
    }
