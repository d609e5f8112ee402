"""Small candidates: the registry looks at checksums and descriptions, and loads no network."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from BrainstemALSLib.assets import asset_path
from BrainstemALSLib.segmentation.registry import BUNDLED, Lineage, ModelRegistry

CASE = "20260331T120000Z-0123456789ab"


def small_candidate(folder: Path, content: bytes = b"first") -> Path:
    """Make a folder with a structure network of a few bytes, described as the bundled one is."""
    folder.mkdir(parents=True, exist_ok=True)
    card = json.loads(asset_path("Models/structures.json").read_text(encoding="utf-8"))
    content = content * 2000
    card["sha256"] = hashlib.sha256(content).hexdigest()
    (folder / "structures.ts").write_bytes(content)
    (folder / "structures.json").write_text(json.dumps(card), encoding="utf-8")
    return folder


def lineage_of(parent: str = BUNDLED, corrections: tuple[str, ...] = (CASE,)) -> Lineage:
    return Lineage(parent, "0" * 64, corrections, {"seconds": 12.5}, "simulation and corrections")


@pytest.fixture
def root(tmp_path) -> Path:
    return tmp_path / "models"


@pytest.fixture
def registry(root) -> ModelRegistry:
    return ModelRegistry(root)


@pytest.fixture
def candidate(tmp_path) -> Path:
    return small_candidate(tmp_path / "candidate")


@pytest.fixture
def promoted(registry, candidate):
    """Three versions, each the child of the one before; the last is in use."""
    made, parent = [], BUNDLED
    for number in range(3):
        small_candidate(candidate, f"version {number}".encode())
        made.append(registry.promote(candidate, lineage_of(parent), {"outcome": "promote"}))
        parent = made[-1].id
    return made
