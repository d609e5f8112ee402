"""Ranks the exams of a folder by what a correction of each would teach the model.

    python -m training.active.next_cases --pool FOLDER --strategy clasp --out next_cases.json

Writes the list that the panel shows as "next case", each exam with the three places that are worth
looking at. Exams that the annotation store holds already are left out. Nothing but numbers is
printed: paths and names stay in the list, on this machine.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from BrainstemALSLib.annotation import CaseStore
from BrainstemALSLib.annotation.next_cases import (
    FILE,
    NextCase,
    NextCases,
    NextPlace,
    write_next_cases,
)
from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.segmentation.registry import models_folder

from ..commands import finish
from .members import MEMBERS
from .pool import Asked, PoolModel, ask_all, exams_of
from .queries import STRATEGIES, of_cases, ranked, strategies
from .regions import PLACES, best_places

COUNT = 20


def next_cases(
    asked: Sequence[Asked],
    strategy: str,
    seed: int,
    model: Mapping[str, Mapping[str, str]],
    count: int = COUNT,
    places: int = PLACES,
    approved: frozenset[str] = frozenset(),
    skipped: int = 0,
) -> NextCases:
    """Return the list of next cases.

    Parameters
    ----------
    asked : sequence of Asked
        Every exam of the pool that could be read, approved ones too: they are not listed, but what
        they teach need not be asked again (``coreset``).
    strategy : str
        One of ``queries.STRATEGIES``.
    seed : int
        The same seed and pool give the same list.
    model : mapping
        Which models were asked.
    count, places : int
        How many exams, and places in each.
    approved : frozenset of str
        Exam keys of the annotation store.
    skipped : int
        Exams that could not be read.
    """
    known = np.array([a.summary.features for a in asked if a.key in approved])
    # One exam may lie in the pool twice; it is one exam.
    fresh = list({a.key: a for a in asked if a.key not in approved}.values())
    cases: list[NextCase] = []
    if fresh:
        chosen = strategies(late=len(known) / len(asked))[strategy]
        table = of_cases([a.summary for a in fresh])
        for rank, choice in enumerate(ranked(chosen, table, count, seed, known), start=1):
            one = fresh[choice.index]
            found = best_places(one.summary, chosen, seed, places) if places else ()
            cases.append(
                NextCase(
                    rank=rank,
                    exam=str(one.exam.path.resolve()),
                    session=one.exam.session,
                    exam_key=one.key,
                    score=choice.score,
                    reason=_sentence(choice.reason, table.doubtful(choice.index)),
                    places=tuple(
                        NextPlace(p.centre_ras, p.size_mm, p.keys, p.reason) for p in found
                    ),
                )
            )
    made = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return NextCases(strategy, seed, made, model, tuple(cases), skipped)


def _sentence(reason: str, doubtful: Sequence[str]) -> str:
    sentence = f"{reason[0].upper()}{reason[1:]}."
    if doubtful:
        names = ", ".join(key.replace("_", " ") for key in doubtful)
        sentence += f" Least sure: {names}."
    return sentence


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pool", type=Path, required=True, help="BIDS data set or folder of exams")
    parser.add_argument("--strategy", choices=STRATEGIES, default="clasp")
    parser.add_argument("--out", type=Path, default=Path(FILE))
    parser.add_argument("--store", type=Path, help="annotation store: what is approved already")
    parser.add_argument("--count", type=int, default=COUNT, help="exams to list")
    parser.add_argument("--places", type=int, default=PLACES, help="in each; 0 for whole exams")
    parser.add_argument("--members", type=int, default=MEMBERS, help="of the ensemble")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"))
    parser.add_argument("--model-dir", type=Path)
    options = parser.parse_args()
    if min(options.count, options.members) < 1 or min(options.places, options.seed) < 0:
        raise BrainstemALSError(
            "--count, --members, --places, --seed",
            "one of these is too small",
            "Give at least 1 exam and 1 member, and no negative number.",
            ExitCode.USAGE,
        )
    exams = exams_of(options.pool)
    approved = frozenset(
        record.exam_key for record in CaseStore(options.store, read_only=True).cases()
    ) if options.store else frozenset()  # fmt: skip
    model = PoolModel(options.device, options.model_dir or models_folder(), options.members)
    asked: list[Asked] = []
    for number, answer in enumerate(ask_all(model, exams, options.seed), start=1):
        # The name of a file may be that of a patient: only its number is printed.
        line = f"exam {number} of {len(exams)}"
        if isinstance(answer, BrainstemALSError):
            print(f"{line}: {answer.problem}", flush=True)
        else:
            print(line, flush=True)
            asked.append(answer)
    if not asked:
        raise BrainstemALSError(
            "pool",
            "no exam in it could be segmented",
            "Check that its T1s show heads, for example with `brainstem-als segment`.",
            ExitCode.NO_BRAINSTEM,
        )
    found = next_cases(
        asked,
        options.strategy,
        options.seed,
        model.identity,
        options.count,
        options.places,
        approved,
        len(exams) - len(asked),
    )
    write_next_cases(options.out, found)
    print(f"{len(found.cases)} exams listed by {options.strategy}, {found.skipped} skipped")


if __name__ == "__main__":
    finish(main)
