"""One simulated loop: ask, correct, fine-tune, score, and again; its outcome as JSON.

Every round starts from the same start model and learns for the same number of steps from all
corrections so far and the replayed start exams. So rounds differ in labels alone, and the reference
without corrections is the start model after as many steps of replay.
"""

from __future__ import annotations

import hashlib
import json
import os
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from BrainstemALSLib.anatomy import load_structures
from BrainstemALSLib.segmentation.channels import CHANNELS

from ..geometry_augmentation import Draw
from .coarse import (
    AFFINE,
    KEYS,
    CoarseExam,
    PriorNetwork,
    dice,
    fit,
    labelled,
    run,
    segment,
    small_network,
)
from .experts import Expert
from .features import bottleneck_features
from .finetune_data import Window
from .members import member_probabilities
from .queries import BASELINE, of_cases, ranked, strategies
from .regions import best_places
from .summary import CaseSummary, summarise

CASES, PLACES, REGION, NOTHING = "cases", "places", "region", "nothing"
UNITS = (CASES, PLACES, REGION, NOTHING)
"""What an expert is asked for: whole exams; three places of each; the structures of one region,
which tells what happens to the others; nothing, which tells what replay alone does."""
CORRECTED_REGION = "pons"
VERSION = 2
"""Raised when stored loops no longer mean what they did."""


class Exams(Protocol):
    """Where exams come from; the study draws them from anatomies, tests from phantoms."""

    def start(self, seed: int) -> list[CoarseExam]:
        """Return the labelled exams that the start model learns from."""
        ...

    def pool(self, seed: int) -> list[CoarseExam]:
        """Return the exams that may be corrected."""
        ...

    def held_out(self) -> list[CoarseExam]:
        """Return the exams that are scored: the same for every seed."""
        ...


@dataclass(frozen=True)
class Setting:
    """What every loop of a study shares; the figures are our own choices, sized for two cores.

    Attributes
    ----------
    rounds, per_round : int
        Rounds, and exams corrected in each.
    start_steps, steps : int
        Of the start model, and of every fine-tuning.
    start_rate, rate : float
        Peak learning rates.
    replay : float
        Share of the steps that replay a start exam.
    members : int
        Of the ensemble of ``bald``; the others ask the plain prediction.
    expert : str
        Profile.
    """

    rounds: int = 4
    per_round: int = 3
    start_steps: int = 400
    start_rate: float = 4e-3
    steps: int = 100
    rate: float = 2e-3
    replay: float = 0.5
    members: int = 4
    expert: str = "careful"

    def fingerprint(self, exams: str) -> str:
        """Return the SHA-256 of everything that a loop's outcome depends on."""
        text = json.dumps([VERSION, exams, asdict(self)], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class Arm:
    """One loop: a strategy, what the expert is asked for, and a seed."""

    strategy: str
    unit: str
    seed: int

    @property
    def name(self) -> str:
        """Of its file."""
        return f"{self.unit}-{self.strategy}-{self.seed}"


@dataclass(frozen=True)
class Round:
    """Where a loop stands after a round; the first one is the start model.

    Attributes
    ----------
    corrected : int
        Exams that were corrected so far.
    minutes : float
        Of the expert so far.
    dice : list of list of float or None
        Held-out exam, then structure in the table's order; None where the truth lacks it.
    """

    corrected: int
    minutes: float
    dice: list[list[float | None]]

    def table(self) -> np.ndarray:
        """Return Dice as float (exams, structures), NaN for None."""
        return np.array(self.dice, float)


def run_arm(
    arm: Arm, setting: Setting, exams: Exams, start: PriorNetwork | None = None
) -> list[Round]:
    """Run one loop.

    Parameters
    ----------
    arm : Arm
    setting : Setting
    exams : Exams
    start : PriorNetwork, optional
        As ``start_model`` returns it for the arm's seed; made when left out.
    """
    replayed = [labelled(exam, exam.truth) for exam in exams.start(arm.seed)]
    start = start or start_model(arm.seed, setting, exams)
    held_out = exams.held_out()
    pool = {exam.name: exam for exam in exams.pool(arm.seed)}
    expert = Expert(setting.expert, arm.seed)
    network, spent = start, 0.0
    corrections: list[Window] = []
    known: list[np.ndarray] = []
    rounds = [Round(0, 0.0, scores(start, held_out))]
    for number in range(setting.rounds):
        if arm.unit != NOTHING:
            for exam, features, opinion in _corrected(
                arm, setting, network, pool, expert, number, known
            ):
                corrections.append(labelled(exam, opinion.correction, opinion.weights))
                known.append(features)
                spent += opinion.minutes
                del pool[exam.name]
        elif number:  # nothing new to learn from: every round would be the first again
            rounds.append(rounds[-1])
            continue
        network = fit(
            start,
            _mixed(replayed, corrections, setting.replay),
            setting.steps,
            setting.rate,
            arm.seed * 100 + number,
        )
        rounds.append(Round(len(corrections), spent, scores(network, held_out)))
    return rounds


def start_model(seed: int, setting: Setting, exams: Exams) -> PriorNetwork:
    """Return the model that knows the few start exams."""
    samples = [labelled(exam, exam.truth) for exam in exams.start(seed)]
    return fit(
        small_network(seed, samples),
        _mixed(samples, [], 1.0),
        setting.start_steps,
        setting.start_rate,
        seed,
    )


def scores(network: PriorNetwork, exams: Sequence[CoarseExam]) -> list[list[float | None]]:
    """Return the Dice of every exam and structure; None where the truth lacks it."""
    rows = [dice(segment(network, exam).array, exam.truth.array) for exam in exams]
    return [[None if np.isnan(v) else round(float(v), 5) for v in row] for row in rows]


def _mixed(replayed: Sequence[Window], corrections: Sequence[Window], share: float):
    def choose(draw: Draw) -> Window:
        source = replayed if not corrections or draw.chance(share) else corrections
        return source[int(draw.number(0, len(source)))]

    return choose


def _corrected(arm, setting, network, pool: Mapping[str, CoarseExam], expert, number, known):
    """Yield what the strategy asks for, as the expert corrects it: exam, features, opinion."""
    strategy = strategies(number / max(1, setting.rounds - 1))[arm.strategy]
    members = setting.members if arm.strategy == "bald" else 1
    names = list(pool)
    if arm.strategy == BASELINE:
        # Every exam shows structures: the draw needs no prediction but of what is drawn.
        rng = np.random.default_rng([arm.seed, number])
        count = min(setting.per_round, len(names))
        chosen = [names[n] for n in rng.choice(len(names), count, replace=False)]
        summaries = {name: summary_of(network, pool[name], members) for name in chosen}
    else:
        summaries = {name: summary_of(network, pool[name], members) for name in names}
        table = of_cases([summaries[name] for name in names])
        seed = arm.seed * 100 + number
        ranking = ranked(strategy, table, setting.per_round, seed, np.array(known))
        chosen = [names[choice.index] for choice in ranking]
    for name in chosen:
        exam, summary = pool[name], summaries[name]
        places, keys = (), None
        if arm.unit == PLACES:
            places = best_places(summary, strategy, arm.seed * 100 + number)
        elif arm.unit == REGION:
            keys = region_keys()
        # Of the exam alone: it is corrected alike whoever asks for it, and when.
        day = zlib.crc32(name.encode())
        opinion = expert.correct(segment(network, exam), exam.truth, day, places, keys)
        yield exam, summary.features, opinion


def region_keys() -> tuple[str, ...]:
    """Return the structures that the arms of ``REGION`` correct."""
    return tuple(s.key for s in load_structures() if s.parent == CORRECTED_REGION)


def summary_of(network: PriorNetwork, exam: CoarseExam, members: int) -> CaseSummary:
    """Summarise what a network says of an exam; features are those of its bottleneck."""
    window = exam.channels.float()[None]
    predictions = member_probabilities(
        lambda seen: run(network, seen), window, KEYS, CHANNELS, 1, members
    )
    return summarise(exam.name, predictions, AFFINE, KEYS, bottleneck_features(network, window))


def save_rounds(path: Path, rounds: Sequence[Round], fingerprint: str) -> None:
    """Write a loop's outcome; it is there whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    record = {"fingerprint": fingerprint, "rounds": [asdict(one) for one in rounds]}
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(record), encoding="utf-8")
    os.replace(partial, path)


def load_rounds(path: Path, fingerprint: str) -> list[Round] | None:
    """Return a stored loop; None where there is none, or one of another setting."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if record.get("fingerprint") != fingerprint:
        return None
    return [Round(**one) for one in record["rounds"]]
