"""Works on a store until it is stopped: run by the tests as a process of its own.

    doomed.py approve ROOT COUNT          approves, and prints the case ids
    doomed.py kill-approvals ROOT ROUNDS  kills approving children, prints what they had reported
    doomed.py kill-drafts ROOT ROUNDS     the same for saves of drafts
    doomed.py hold-draft ROOT             saves a draft, says so, and stays alive until stdin ends
    doomed.py limited ROOT BYTES          approves and saves where no file may grow beyond BYTES

Children are forked here and not in pytest's own process: what they need is imported, and no thread
runs that a fork would tear away.
"""

from __future__ import annotations

import json
import os
import random
import runpy
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(REPOSITORY / "BrainstemALS")]

from BrainstemALSLib.annotation import CaseStore, DraftFolder, recoverable  # noqa: E402
from BrainstemALSLib.errors import BrainstemALSError  # noqa: E402

builders = runpy.run_path(str(Path(__file__).with_name("conftest.py")))
approval, draft = builders["approval"], builders["draft"]
killed = runpy.run_path(str(REPOSITORY / "Testing" / "killing.py"))["killed"]
EXAMS = ("first", "second", "third")


def say(**content: object) -> None:
    sys.stdout.write(json.dumps(content) + "\n")
    sys.stdout.flush()


def approve(root: Path, count: int) -> Iterator[str]:
    store = CaseStore(root)
    for number in range(count):
        yield store.approve(approval(number, EXAMS[number % 3])).case_id


def save(root: Path, count: int) -> Iterator[str]:
    with closing(DraftFolder(root)) as folder:
        for value in range(1, count):
            folder.save(draft(value))
            yield str(value)


def kill_approvals(root: Path, rounds: int) -> None:
    moments = random.Random(3)
    usual = next_duration(approve(root, 4))
    for _ in range(rounds):
        reported = killed(lambda: approve(root, 1000), moments.uniform(0.0, 3.0) * usual)
        half = [name for name in os.listdir(root / "cases") if name.startswith(".")]
        say(reported=reported, interrupted=len(half))


def kill_drafts(root: Path, rounds: int) -> None:
    moments = random.Random(4)
    usual = next_duration(save(root, 5))
    for _ in range(rounds):
        for old in recoverable(root):
            old.discard()
        reported = killed(lambda: save(root, 256), moments.uniform(0.0, 9.0) * usual, True)
        found = [
            (item.draft.outcome["value"], sorted({int(v) for v in item.draft.labels.flat}))
            for item in recoverable(root)
        ]
        partial = list((root / "drafts").glob("*/.partial-*"))
        say(reported=[int(value) for value in reported], found=found, interrupted=len(partial))


def next_duration(work: Iterator[str]) -> float:
    """Seconds that one piece of work takes once it is warm."""
    for _ in range(2):
        next(work)
    start = time.perf_counter()
    next(work)
    return time.perf_counter() - start


def hold_draft(root: Path) -> None:
    folder = DraftFolder(root)
    folder.save(draft())
    say(saved=True)
    sys.stdin.read()


def limited(root: Path, n_bytes: int) -> None:
    import resource

    store = CaseStore(root)
    folder = DraftFolder(root)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, n_bytes))
    for work in (lambda: store.approve(approval()), lambda: folder.save(draft())):
        try:
            work()
        except BrainstemALSError as error:
            say(code=int(error.code), text=str(error))
        else:
            say(code=0)
    folder.close()


if __name__ == "__main__":
    command, folder = sys.argv[1], Path(sys.argv[2])
    number = int(sys.argv[3]) if len(sys.argv) > 3 else 0
    if command == "approve":
        for case_id in approve(folder, number):
            say(case=case_id)
    elif command == "hold-draft":
        hold_draft(folder)
    else:
        {"kill-approvals": kill_approvals, "kill-drafts": kill_drafts, "limited": limited}[command](
            folder, number
        )
