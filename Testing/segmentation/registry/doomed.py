"""Works on a registry until it is stopped: run by the tests as a process of its own.

    doomed.py promote ROOT COUNT    promotes, and prints the ids
    doomed.py kill ROOT ROUNDS      kills children at work, prints what was in use after each kill

Every round works as a clinic would in a year: promote, choose, go back, remove.
"""

from __future__ import annotations

import json
import os
import random
import runpy
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(REPOSITORY / "BrainstemALS")]

from BrainstemALSLib.segmentation.models import LOCATOR, STRUCTURES, find_model  # noqa: E402
from BrainstemALSLib.segmentation.registry import (  # noqa: E402
    BUNDLED,
    ModelRegistry,
    models_in_use,
)

builders = runpy.run_path(str(Path(__file__).with_name("conftest.py")))
small_candidate, lineage_of = builders["small_candidate"], builders["lineage_of"]
killed = runpy.run_path(str(REPOSITORY / "Testing" / "killing.py"))["killed"]


def say(**content: object) -> None:
    sys.stdout.write(json.dumps(content) + "\n")
    sys.stdout.flush()


def promote(root: Path, count: int) -> Iterator[str]:
    registry = ModelRegistry(root)
    with tempfile.TemporaryDirectory() as folder:
        for number in range(count):
            candidate = small_candidate(Path(folder), f"{os.getpid()} {number}".encode())
            yield registry.promote(candidate, lineage_of()).id


def work(root: Path, candidate: Path) -> Iterator[str]:
    """Change what is in use for ever; yields the id in use after each change."""
    registry = ModelRegistry(root)
    while True:
        parent = registry.in_use().version
        first = registry.promote(candidate, lineage_of(parent), {"outcome": "promote"}).id
        yield first
        second = registry.promote(candidate, lineage_of(first), {"outcome": "promote"}).id
        yield second
        registry.use(first)
        yield first
        yield registry.rollback().version
        registry.use(first)
        registry.remove(second)
        yield first
        for old in registry.versions()[:-3]:  # a folder that grows would slow every round
            if old.id != first:
                registry.remove(old.id)


def kill(root: Path, rounds: int) -> None:
    moments = random.Random(5)
    candidate = small_candidate(root.parent / "candidate")
    warm = work(root, candidate)
    next(warm)
    start = time.perf_counter()
    for _ in range(5):
        next(warm)
    usual = time.perf_counter() - start
    for _ in range(rounds):
        reported = killed(lambda: work(root, candidate), moments.uniform(0.0, 2.0) * usual)
        used = models_in_use(root)
        for name in (STRUCTURES, LOCATOR):
            find_model(name, used.folder)
        names = [path.name for path in (root / "versions").iterdir()]
        say(
            reported=len(reported),
            used=used.version,
            own=used.version != BUNDLED,
            findings=[finding.message for finding in used.findings],
            interrupted=sum(name.startswith(".partial-") for name in names),
            damaged=[v.id for v in ModelRegistry(root).versions() if v.problem],
        )


if __name__ == "__main__":
    command, folder, number = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    if command == "promote":
        for version in promote(folder, number):
            print(version, flush=True)
    else:
        kill(folder, number)
