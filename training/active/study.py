"""Measures how many corrections, and minutes, each query strategy needs: simulated loops.

    python -m training.active.study [--seeds 3] [--profile careful] [--minutes 40] [--quick]

Every loop is stored when it ends (``data/active``), so a run that was stopped goes on; with
``--minutes`` it stops by itself, and the page is written once all loops are there.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from functools import cached_property, lru_cache
from pathlib import Path

import torch

from BrainstemALSLib.errors import BrainstemALSError

from ..anatomies import data_fingerprint
from ..commands import training_cases
from ..data import work_dir
from ..evaluation import adapter, commands
from ..evaluation.tables import results_dir
from ..samples import prepared_anatomy
from .coarse import CoarseExam, PriorNetwork, draw_exam
from .loop import (
    CASES,
    NOTHING,
    PLACES,
    REGION,
    Arm,
    Exams,
    Round,
    Setting,
    load_rounds,
    run_arm,
    save_rounds,
    start_model,
)
from .profiles import PROFILES
from .queries import BASELINE, STRATEGIES
from .study_figure import draw_curves
from .study_page import FIGURE, UNIT_NAMES, page_of

START, POOL, HELD_OUT = 4, 40, 16
"""Exams of the start model, of the pool and of the scores (own choices)."""
QUICK = Setting(rounds=2, per_round=1, start_steps=30, steps=10, members=3)


class SimulatedExams:
    """Exams drawn from the built anatomies: training's for start and pool, others for the scores.

    Parameters
    ----------
    start, pool, held_out : int
        How many of each.
    """

    def __init__(self, start: int = START, pool: int = POOL, held_out: int = HELD_OUT):
        self.counts = (start, pool, held_out)
        self._drawn: dict[object, list[CoarseExam]] = {}

    @cached_property
    def cases(self) -> list[str]:
        """Anatomies that training may see."""
        return training_cases()

    @cached_property
    def fingerprint(self) -> str:
        """Of everything that the exams are drawn from."""
        others = adapter.held_out(self.counts[2])
        return f"{data_fingerprint(self.cases)} {data_fingerprint(others)} {self.counts}"

    def start(self, seed: int) -> list[CoarseExam]:
        """See ``loop.Exams``."""
        return self._of("start", seed, self._shuffled(seed)[: self.counts[0]])

    def pool(self, seed: int) -> list[CoarseExam]:
        """See ``loop.Exams``; anatomies of the start model are not among them."""
        rest = self._shuffled(seed)[self.counts[0] :] or self.cases
        chosen = [rest[n % len(rest)] for n in range(self.counts[1])]
        return self._of("pool", seed, chosen)

    def held_out(self) -> list[CoarseExam]:
        """See ``loop.Exams``."""
        others = adapter.held_out(self.counts[2])
        return self._of("held-out", 0, [others[n % len(others)] for n in range(self.counts[2])])

    def _shuffled(self, seed: int) -> list[str]:
        order = torch.randperm(len(self.cases), generator=torch.Generator().manual_seed(seed))
        return [self.cases[int(n)] for n in order]

    def _of(self, what: str, seed: int, cases: Sequence[str]) -> list[CoarseExam]:
        if (what, seed) not in self._drawn:
            first = {"start": 1, "pool": 2, "held-out": 3}[what] * 10**8 + seed * 10**4
            self._drawn[what, seed] = [
                draw_exam(prepared_anatomy(case), f"{what}-{n:03d}", first + n)
                for n, case in enumerate(cases)
            ]
        return self._drawn[what, seed]


def arms(seeds: int) -> list[Arm]:
    """Return every loop of the study, all of one seed before the next."""
    return [
        arm
        for seed in range(1, seeds + 1)
        for arm in (
            Arm(BASELINE, NOTHING, seed),
            Arm(BASELINE, REGION, seed),
            *(Arm(strategy, unit, seed) for unit in (CASES, PLACES) for strategy in STRATEGIES),
        )
    ]


def run_all(
    wanted: Sequence[Arm],
    setting: Setting,
    exams: Exams,
    mark: str,
    folder: Path,
    minutes: float,
) -> dict[Arm, list[Round]]:
    """Run the loops that are not stored yet; those that fit into the time come back.

    Parameters
    ----------
    wanted : sequence of Arm
    setting : Setting
    exams : Exams
    mark : str
        Fingerprint of setting and exams.
    folder : Path
        Where loops are stored.
    minutes : float
        No loop is begun later than this; the last one takes its time.
    """
    started = time.monotonic()

    @lru_cache(maxsize=1)
    def start_of(seed: int) -> PriorNetwork:
        return start_model(seed, setting, exams)

    done: dict[Arm, list[Round]] = {}
    for number, arm in enumerate(wanted, start=1):
        path = folder / f"{arm.name}.json"
        rounds = load_rounds(path, mark)
        if rounds is None:
            if time.monotonic() - started > 60 * minutes:
                continue
            begun = time.monotonic()
            rounds = run_arm(arm, setting, exams, start_of(arm.seed))
            save_rounds(path, rounds, mark)
            took = time.monotonic() - begun
            print(f"loop {number} of {len(wanted)}, {arm.name}: {took:.0f} s", flush=True)
        done[arm] = rounds
    return done


def main(arguments: list[str] | None = None) -> int:
    """Run the command."""
    parser = commands.arguments(__doc__, models=False)
    parser.add_argument("--seeds", type=int, default=3, help="repetitions of every loop")
    parser.add_argument("--profile", choices=tuple(PROFILES), default="careful", help="expert")
    parser.add_argument("--minutes", type=float, default=40.0, help="no loop is begun later")
    parser.add_argument(
        "--quick", action="store_true", help="tiny loops, two seeds, a page of its own"
    )
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    if options.quick:
        setting, exams, seeds = QUICK, SimulatedExams(2, 6, 3), 2
    else:
        setting, exams = Setting(expert=options.profile), SimulatedExams()
        seeds = max(1, options.seeds)
    wanted = arms(seeds)
    stem = "label_efficiency_quick" if options.quick else "label_efficiency"
    try:
        mark = setting.fingerprint(exams.fingerprint)
        folder = work_dir() / "active" / f"{stem}_{setting.expert}"
        done = run_all(wanted, setting, exams, mark, folder, options.minutes)
    except BrainstemALSError as refusal:
        print(refusal, file=sys.stderr)
        return int(refusal.code)
    if len(done) < len(wanted):
        print(f"{len(done)} of {len(wanted)} loops are done; run the same command again to go on.")
        return 0
    page, loops = page_of(done, setting, exams.counts, stem)
    draw_curves(loops, UNIT_NAMES, (options.out or results_dir()) / f"{stem}{FIGURE}")
    commands.publish(page, options.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
