"""What fine-tuning the real model on a few corrected exams does: a simulated hospital.

    python -m training.active.tuning_study [--cases 5] [--held-out 12] [--steps 400] [--seed 1]

Two runs of the product's own path: segment, correct, approve into a store, fine-tune, judge. In the
first whole exams are corrected, in the second one region, which tells what happens to the rest. A
run that was stopped goes on with the same command.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from BrainstemALSLib.durability import write_whole
from BrainstemALSLib.errors import BrainstemALSError
from BrainstemALSLib.segmentation.models import STRUCTURES
from BrainstemALSLib.segmentation.registry import ModelRegistry
from BrainstemALSLib.segmentation.segmenter import Segmenter

from ..commands import training_cases
from ..data import work_dir
from ..evaluation import adapter, commands
from .finetune_loop import Setting
from .finetune_run import fine_tune, make_plan
from .gate import judge_overlaps
from .gate_command import corrected_structures
from .gate_models import ModelPredictor
from .gate_scores import Overlap, dice_table, overlap
from .loop import CORRECTED_REGION, region_keys
from .tuning_cases import fill_store, judged_exams
from .tuning_page import page_of

WHOLE, REGION = "whole exams", f"structures of the {CORRECTED_REGION} alone"
ARMS = {WHOLE: None, REGION: region_keys()}
VERSION = 2
"""Raised when stored runs no longer mean what they did."""


@dataclass(frozen=True)
class Outcome:
    """One run, as it is stored.

    Attributes
    ----------
    arm : str
    asked : list of str
        Structures that the expert looked at.
    targets : list of str
        Those that changed: neighbours of what is corrected are among them.
    minutes : float
        Of the simulated expert.
    steps, seconds : int
        Of learning.
    outcome : str
        Of the gate, with its first reason.
    reason : str
    gain : list of 3 float
        Mean Dice over the targets, with one-sided bounds.
    before, after : dict of str to list
        Dice of each exam and structure by where the exam is from; None where there is none.
    """

    arm: str
    asked: list[str]
    targets: list[str]
    minutes: float
    steps: int
    seconds: int
    outcome: str
    reason: str
    gain: list[float]
    before: dict[str, list[list[float | None]]]
    after: dict[str, list[list[float | None]]]


class Study:
    """The runs of one command; what is done is kept.

    Parameters
    ----------
    learned, judged : list of str
        Anatomies that are corrected, and others that are judged by.
    setting : Setting
    seed : int
    profile : str
        Of the expert.
    """

    def __init__(
        self, learned: Sequence[str], judged: Sequence[str], setting: Setting, seed: int,
        profile: str,
    ):  # fmt: skip
        self.learned, self.judged = list(learned), list(judged)
        self.setting, self.seed, self.profile = setting, seed, profile
        self.model = adapter.model_files()[STRUCTURES].identity
        self.registry = ModelRegistry(self.folder / "no-models")  # the bundled one is in use
        self.used = self.registry.in_use()

    @property
    def folder(self) -> Path:
        """Where runs are kept."""
        told = [
            VERSION, self.setting.identity, self.setting.steps, self.seed, self.profile,
            [adapter.fingerprint(case) for case in (*self.learned, *self.judged)],
            self.model,
        ]  # fmt: skip
        name = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]
        return work_dir() / "active" / "tuning" / name

    def run(self, arm: str) -> Outcome:
        """Run one arm, or return what it gave before."""
        path = self.folder / f"{list(ARMS).index(arm)}.json"
        if path.exists():
            return Outcome(**json.loads(path.read_text(encoding="utf-8")))
        folder = path.with_suffix("")
        store, minutes = self._store(folder, arm)
        plan = make_plan(store, self.setting, _told, self.registry)
        found = fine_tune(plan, folder / "run", self.setting, _told)
        facts = found.lineage.training
        targets = corrected_structures(store, found.lineage.corrections, tuple(_keys()))
        outcome = self._judged(arm, found.folder, targets, minutes, facts)
        write_whole(path, json.dumps(vars(outcome)).encode())
        return outcome

    def _store(self, folder: Path, arm: str) -> tuple[Path, float]:
        store, done = folder / "store", folder / "minutes.json"
        if done.exists():
            return store, float(json.loads(done.read_text()))
        shutil.rmtree(store, ignore_errors=True)
        print(f"{arm}: segmenting and correcting {len(self.learned)} exams", flush=True)
        segmenter = Segmenter(model_dir=self.used.folder)
        _, minutes = fill_store(store, self.learned, segmenter, self.profile, ARMS[arm], self.seed)
        write_whole(done, json.dumps(minutes).encode())
        return store, minutes

    def _judged(
        self, arm: str, candidate: Path, targets: list[str], minutes: float, facts: dict
    ) -> Outcome:
        models = (
            ModelPredictor(self.used.folder, self.used.folder, name="in use"),
            ModelPredictor(candidate, self.used.folder, name="candidate"),
        )
        known, wheres = [], []
        overlaps: tuple[list[Overlap], list[Overlap]] = ([], [])
        for where, case in judged_exams(self.judged, self.seed):
            known.append((case.name, case.subject, case.kind))
            wheres.append(where)
            for model, found in zip(models, overlaps, strict=True):
                found.append(overlap(model.predict(case), case))
            print(f"{arm}: judged {len(known)} of {2 * len(self.judged)}", flush=True)
        judgement = judge_overlaps(known, *overlaps, models[0].keys, targets)
        tables = [dice_table(found) for found in overlaps]
        return Outcome(
            arm,
            list(ARMS[arm] or _keys()),
            targets,
            minutes,
            facts["steps"],
            facts["seconds"],
            judgement.outcome,
            judgement.reasons[0],
            [judgement.gain, judgement.gain_low, judgement.gain_high],
            *({w: _rows(table, wheres, w) for w in dict.fromkeys(wheres)} for table in tables),
        )


def _rows(table: np.ndarray, wheres: list[str], where: str) -> list[list[float | None]]:
    chosen = table[np.array([one == where for one in wheres])]
    return [[None if np.isnan(v) else round(float(v), 5) for v in row] for row in chosen]


def _keys() -> list[str]:
    return list(adapter.model_files()[STRUCTURES].card["keys"])


_said: list[str] = [""]


def _told(_stage: str, _fraction: float, text: str) -> None:
    """Print every new sentence of a long step, and one in twenty of learning's."""
    count = text.partition("step ")[2].partition(" ")[0]
    if text != _said[0] and (not count.isdigit() or int(count) % 20 == 0):
        print(text, flush=True)
    _said[0] = text


def main(arguments: list[str] | None = None) -> int:
    """Run the command."""
    parser = commands.arguments(__doc__, models=False)
    parser.add_argument("--cases", type=int, default=5, help="corrected exams")
    parser.add_argument("--held-out", type=int, default=12, help="subjects that are judged by")
    parser.add_argument("--steps", type=int, default=Setting().steps)
    parser.add_argument("--mode", default=Setting().mode)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--profile", default="careful", help="expert")
    options = parser.parse_args(arguments)
    try:
        cases = training_cases()
        order = np.random.default_rng(options.seed).permutation(len(cases))[: options.cases]
        study = Study(
            [cases[n] for n in order],
            adapter.held_out(options.held_out),
            Setting(steps=options.steps, mode=options.mode, seed=options.seed),
            options.seed,
            options.profile,
        )
        outcomes = [study.run(arm) for arm in ARMS]
    except BrainstemALSError as refusal:
        print(refusal, file=sys.stderr)
        return int(refusal.code)
    commands.publish(page_of(outcomes, study), options.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
