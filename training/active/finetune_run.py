"""A whole fine-tuning: the model in use and an annotation store in, a candidate model out."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from BrainstemALSLib.durability import write_whole
from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.file_lock import FileLock, LockUnsupportedError
from BrainstemALSLib.segmentation.device import choose_device
from BrainstemALSLib.segmentation.familiarity import inheritance
from BrainstemALSLib.segmentation.models import STRUCTURES, find_model
from BrainstemALSLib.segmentation.registry import Lineage, ModelRegistry

from ..export import export_structures
from ..networks import structure_network
from ..origin import warm
from .finetune_data import Lesson, read_lessons
from .finetune_loop import Progress, Setting, learn
from .finetune_replay import ANATOMIES, Replay, find_replay, no_replay

CANDIDATE, LINEAGE, LOCK = "candidate", "lineage.json", "run.lock"
VERSION = 1
"""Raised when a checkpoint no longer means what it did."""
CORRECTED = "simulation and corrections"
INTENDED_USE = (
    "Research use only, not a medical device. Learned from images simulated from atlases and "
    "public label maps, then from {count} exams of one site that experts corrected; the "
    "corrections started from what a model had drawn."
)
# What a killed run leaves of a checkpoint: ours, and that of safetensors, which writes beside too.
_HALF = ("*.partial", ".tmp*")
# Where the stages begin in the whole, from timings on two cores.
_LEARN, _EXPORT = 0.08, 0.97


@dataclass(frozen=True)
class Candidate:
    """What came out.

    Attributes
    ----------
    folder : Path
        With ``structures.ts``, ``structures.json`` and ``lineage.json``.
    lineage : Lineage
    warnings : tuple of str
        What was not learned from, and why.
    """

    folder: Path
    lineage: Lineage
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Plan:
    """What a run will learn from, known before it begins.

    Attributes
    ----------
    lessons : tuple of Lesson
    replay : Replay
    parent : str
        Version of the model in use, or ``bundled``.
    model : Path
        Its structure network.
    card : dict
        Description of that.
    fingerprint : str
        SHA-256 of everything that a resumed run must have in common with what it was.
    warnings : tuple of str
    """

    lessons: tuple[Lesson, ...]
    replay: Replay
    parent: str
    model: Path
    card: dict
    fingerprint: str
    warnings: tuple[str, ...]

    @property
    def sha256(self) -> str:
        """Checksum of the network that the run begins with."""
        return str(self.card["sha256"])


def make_plan(
    store: Path,
    setting: Setting,
    progress: Progress,
    registry: ModelRegistry | None = None,
    replayed: Replay | None = None,
) -> Plan:
    """Read the corrections and find the model in use and what to replay.

    Raises
    ------
    BrainstemALSError
        OUTPUT_REFUSED: no store. USAGE: nothing to learn from. MODEL_UNAVAILABLE.
    """
    progress("read", 0.0, "Reading the corrections")
    noted: list[str] = []
    lessons, known = read_lessons(store, noted)
    used = (registry or ModelRegistry()).in_use()
    noted += [finding.message for finding in used.findings]
    model = find_model(STRUCTURES, used.folder)
    if setting.replay <= 0:
        replayed = no_replay()
    elif replayed is None:
        replayed = find_replay(lambda done, text: progress("replay", _LEARN * done, text))
    told = [VERSION, known, model.identity["sha256"], replayed.fingerprint, setting.identity]
    fingerprint = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
    return Plan(
        tuple(lessons), replayed, used.version, model.path, model.card, fingerprint, tuple(noted)
    )


def fine_tune(
    plan: Plan,
    folder: Path,
    setting: Setting,
    progress: Progress,
    build: Callable[[], torch.nn.Module] = structure_network,
) -> Candidate:
    """Fine-tune, or go on where a stopped run ended, and export the candidate.

    The model in use is only read. Whoever is killed at any moment leaves checkpoints that are
    whole, and no candidate or a whole one.

    Parameters
    ----------
    plan : Plan
    folder : Path
        Of the run; made where it is not there.
    setting : Setting
        The one of the plan; steps, minutes and device may have changed.
    progress : callable
        Stage, fraction 0-1 and text. What it raises stops the run, which can go on later.
    build : callable
        The network that the model in use is; another for tests alone.

    Raises
    ------
    BrainstemALSError
        USAGE: the folder holds another run, or another program works in it. MODEL_UNAVAILABLE: the
        model in use is another network than today's. OUTPUT_REFUSED: the disk takes no more.
    """
    with _alone(folder):
        for pattern in _HALF:
            for path in folder.glob(pattern):
                path.unlink(missing_ok=True)
        network = _begin(build, plan.model)

        def inner(stage: str, fraction: float, text: str) -> None:
            progress(stage, _LEARN + (_EXPORT - _LEARN) * fraction, text)

        network, facts = learn(
            network, plan.lessons, plan.replay, folder, setting, plan.fingerprint, inner
        )
        progress("export", _EXPORT, "Writing the candidate model")
        lineage = Lineage(
            parent=plan.parent,
            parent_sha256=plan.sha256,
            corrections=tuple(lesson.name for lesson in plan.lessons),
            training=facts | _sources(plan, setting) | {"warm_start": {"sha256": plan.sha256}},
            learned_from=CORRECTED,
        )
        found = _export(network, plan, lineage, folder)
    progress("done", 1.0, "Done")
    return Candidate(found, lineage, plan.warnings)


def on_device(setting: Setting, device: str) -> Setting:
    """Return a setting for ``auto``, ``cpu`` or ``cuda``; DEVICE_UNAVAILABLE is raised."""
    return replace(setting, device=choose_device(device)[0])


def _begin(build: Callable[[], torch.nn.Module], model: Path) -> torch.nn.Module:
    try:
        return warm(build, model)
    except BrainstemALSError as refusal:
        raise BrainstemALSError(
            "model in use",
            "it is another network than the one that this version can fine-tune",
            "Put another version into use with `brainstem-als models use`; bundled always works.",
            ExitCode.MODEL_UNAVAILABLE,
        ) from refusal


def _sources(plan: Plan, setting: Setting) -> dict:
    """What was learned from beside the corrections, for lineage and sidecar."""
    partial_ = sum(lesson.partial for lesson in plan.lessons)
    return {
        "replay": {
            "source": plan.replay.source,
            "count": plan.replay.count,
            "share": setting.replay,
        },
        "exams_with_the_old_model_where_nobody_vouches": partial_,
    }


def _export(network: torch.nn.Module, plan: Plan, lineage: Lineage, folder: Path) -> Path:
    """Write the candidate beside its place, and move it there when it is whole.

    Temperature and description of familiar exams are the parent's, and said to be so: fitting them
    again needs anatomies, which a hospital lacks, and without them nothing would warn of an exam
    that the model does not know. ``training.calibrate`` and ``training.familiarity`` with
    ``--model-dir`` replace both.
    """
    making, old, place = folder / f".{CANDIDATE}", folder / f".{CANDIDATE}-old", folder / CANDIDATE
    for gone in (making, old):
        shutil.rmtree(gone, ignore_errors=True)
    if place.exists():  # moved first: whoever is killed while it is removed leaves no half of it
        os.replace(place, old)
        shutil.rmtree(old, ignore_errors=True)
    count = plan.replay.count if plan.replay.source == ANATOMIES else 0
    facts = dict(lineage.training) | {"corrections": len(plan.lessons), "parent": plan.parent}
    with warnings.catch_warnings():  # tracing warns of checks of shapes, which stay as they are
        warnings.simplefilter("ignore", torch.jit.TracerWarning)
        model = export_structures(network, facts, count, making)
    sidecar = model.with_suffix(".json")
    card = json.loads(sidecar.read_text(encoding="utf-8"))
    card |= {
        "version": f"{card['version']}.c{len(plan.lessons)}",
        "learned_from": lineage.learned_from,
        "intended_use": INTENDED_USE.format(count=len(plan.lessons)),
        "training_data": [*card["training_data"], "Approved corrections of the user's own exams"],
    }
    card |= inheritance(plan.card, card["sha256"])
    write_whole(sidecar, (json.dumps(card, indent=1) + "\n").encode())
    write_whole(making / LINEAGE, (json.dumps(lineage.to_json(), indent=1) + "\n").encode())
    find_model(STRUCTURES, making)
    os.replace(making, place)
    return place


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep other programs out of the folder of a run."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / LOCK)
        try:
            taken = lock.acquire()
        except LockUnsupportedError:
            taken = True
        if not taken:
            raise BrainstemALSError(
                folder,
                "another program fine-tunes in this folder",
                "Wait until it is done, or name another folder with --out.",
                ExitCode.USAGE,
            )
        try:
            yield
        finally:
            lock.release()
    except OSError as error:
        raise BrainstemALSError(
            folder,
            "the run cannot be written here",
            "Free some space, or name a folder that you may write to.",
            ExitCode.OUTPUT_REFUSED,
        ) from error
