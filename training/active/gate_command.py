"""The command of the gate: models on disk, the frozen set, the report, and the registry."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from BrainstemALSLib.annotation import CaseStore
from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.segmentation import models
from BrainstemALSLib.segmentation.registry import (
    BUNDLED,
    Lineage,
    ModelRegistry,
    ModelsInUse,
    Version,
    read_lineage,
)

from ..data import work_dir
from ..evaluation.tables import command_line
from . import frozen_set
from .gate import judge, refused
from .gate_models import ModelPredictor
from .gate_report import HEADLINES, About, record, write_report
from .gate_rules import NEEDS_MORE, PROMOTE, Judgement
from .gate_scores import APPROVED, PATIENT, ValidationCase


def judge_candidate(
    candidate: Path,
    used: ModelsInUse,
    frozen: frozen_set.FrozenSet,
    lineage: Lineage,
    store: Path | None = None,
    targets: list[str] | None = None,
    device: str = "auto",
    progress=None,
) -> Judgement:
    """Judge the models of a folder beside those in use.

    A candidate that cannot be loaded is rejected, not refused: the report says why.

    Parameters
    ----------
    candidate : Path
        Folder with ``structures.ts`` and ``structures.json``.
    used : ModelsInUse
        The models in use.
    frozen : FrozenSet
    lineage : Lineage
        Of the candidate.
    store : Path, optional
        Holds the approved cases of the set, and tells which structures were corrected.
    targets : list of str, optional
        Structures that should get better; those that were corrected where left out.
    device : str
    progress : callable, optional
        Called with each case once it is scored.
    """
    aside = {case.name for case in frozen.cases if case.kind == APPROVED}
    learned = sorted(aside & set(lineage.corrections))
    if learned:
        return refused(
            "independence", f"The candidate has learned from the case {learned[0]} of the set."
        )
    current = ModelPredictor(used.folder, used.folder, device, used.version)
    try:
        new = ModelPredictor(candidate, used.folder, device, "candidate")
    except BrainstemALSError as refusal:
        return refused("outputs", f"The candidate cannot be used: {refusal.problem}.")
    if new.segmenter.channels != current.segmenter.channels:
        return refused("outputs", "The candidate takes other images than the model in use.")
    if targets is None and store is not None:
        targets = corrected_structures(store, lineage.corrections, current.keys) or None
    exams = frozen_set.exams(frozen, store)
    return judge(exams, current, new, targets, progress=progress)


def about_set(frozen: frozen_set.FrozenSet, store: Path | None) -> list[str]:
    """Return what somebody who judges by a set has to know before."""
    told = []
    if any(case.kind == PATIENT for case in frozen.cases):
        told.append(
            "The validation set has no held-out anatomies (`make atlas` builds them): its "
            "simulated patients are all of one anatomy, and only guard against harm."
        )
    missing = 0 if store is None else frozen_set.left_out(frozen, store)
    if missing:
        told.append(
            f"Approved and set aside, but not in the validation set, which is older: {missing} "
            "exams. --new-set takes them in; earlier judgements were made on the old set."
        )
    return told


def corrected_structures(
    store: Path, corrections: tuple[str, ...], keys: tuple[str, ...]
) -> list[str]:
    """Return the structures that experts changed in the cases a candidate learned from."""
    records = {case.case_id: case for case in CaseStore(store, read_only=True).cases()}
    changed = {key for name in corrections if name in records for key in records[name].changes}
    return [key for key in keys if key in changed]


def lineage_of(candidate: Path, registry: ModelRegistry) -> Lineage:
    """Return where a candidate comes from: its ``lineage.json``, or what its description tells."""
    try:
        return read_lineage(candidate)
    except FileNotFoundError:
        pass
    except (OSError, ValueError) as error:
        raise BrainstemALSError(
            candidate / "lineage.json",
            "it cannot be understood",
            "Fine-tune again, or remove the file.",
            ExitCode.MODEL_UNAVAILABLE,
        ) from error
    training = models.find_model(models.STRUCTURES, candidate).card.get("training", {})
    start = str(dict(training.get("warm_start") or {}).get("sha256", ""))
    known = {version.identity.get("sha256"): version.id for version in registry.versions()}
    return Lineage(known.get(start, BUNDLED), start, training=dict(training))


def run(arguments: list[str] | None, description: str) -> int:
    """Run the command; 0 whatever the outcome, which the last lines and ``gate.json`` tell."""
    options = _arguments(description).parse_args(arguments)
    try:
        _run(options)
    except BrainstemALSError as refusal:
        print(refusal, file=sys.stderr)
        return int(refusal.code)
    return 0


def _run(options: argparse.Namespace) -> None:
    registry = ModelRegistry()
    used = registry.in_use()
    for finding in used.findings:
        print(finding.message, file=sys.stderr)
    lineage = lineage_of(options.candidate, registry)
    frozen = frozen_set.load_frozen_set(options.store, options.new_set).first(options.cases)
    if options.store is None and any(case.kind == APPROVED for case in frozen.cases):
        print("No --store is named: the approved cases of the set are left out.", file=sys.stderr)
        cases = tuple(case for case in frozen.cases if case.kind != APPROVED)
        frozen = replace(frozen, cases=cases)
    for sentence in about_set(frozen, options.store):
        print(sentence, file=sys.stderr)
    scored: list[str] = []
    # Before anything is loaded: what is judged is what was there now.
    identity = _identity(options.candidate)

    def progress(case: ValidationCase) -> None:
        scored.append(case.name)
        print(f"{len(scored)}/{len(frozen.cases)} {case.name}", flush=True)

    judgement = judge_candidate(
        options.candidate, used, frozen, lineage, options.store, options.targets, options.device,
        progress,
    )  # fmt: skip
    about = About(
        candidate=identity,
        current=_identity(used.folder),
        current_version=used.version,
        corrections=lineage.corrections,
        frozen_set=frozen.identity,
        case_names=tuple(scored),
        command=command_line(),
    )
    out = options.out or work_dir() / "gate" / about.candidate.get("sha256", "candidate")[:12]
    paths = write_report(judgement, about, out)
    print(f"\n{HEADLINES[judgement.outcome]} ({judgement.outcome}).")
    for reason in judgement.reasons:
        print(f"- {reason}")
    if judgement.outcome == NEEDS_MORE:
        more = 3 * max(1, len([one for one in frozen.cases if one.kind != APPROVED]))
        print(f"- More simulated exams may settle it: --cases {more}.")
    print(f"Report: {paths[0].name}")
    if options.promote:
        print(_promoted(registry, options.candidate, lineage, judgement, about, paths, used))


def _promoted(
    registry: ModelRegistry,
    candidate: Path,
    lineage: Lineage,
    judgement: Judgement,
    about: About,
    paths: tuple[Path, ...],
    used: ModelsInUse,
) -> str:
    """Put a candidate into use where the gate let it through; returns what was done."""
    if judgement.outcome != PROMOTE:
        return f"Nothing was promoted; {used.version} stays in use."
    if _identity(candidate) != about.candidate:
        raise BrainstemALSError(
            "candidate model",
            "it was altered while it was judged",
            "Run the gate again.",
            ExitCode.MODEL_UNAVAILABLE,
        )
    report = {"report.html": paths[0].read_bytes(), "report.tsv": paths[2].read_bytes()}
    version: Version = registry.promote(
        candidate, lineage, record(judgement, about), report, judged_against=used.version,
        judged=about.candidate,
    )  # fmt: skip
    return f"In use: {version.id}; `brainstem-als models rollback` goes back to {used.version}."


def _identity(folder: Path) -> dict[str, str]:
    try:
        return models.find_model(models.STRUCTURES, folder).identity
    except BrainstemALSError:
        return {}


def _arguments(description: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    parser.add_argument("candidate", type=Path, help="folder with structures.ts and .json")
    parser.add_argument("--store", type=Path, help="annotation store the corrections come from")
    parser.add_argument(
        "--cases",
        type=int,
        help="simulated exams; by default one of each held-out anatomy, or all simulated patients",
    )
    parser.add_argument(
        "--targets", nargs="+", metavar="KEY",
        help="structures that should get better; those that were corrected by default",
    )  # fmt: skip
    parser.add_argument("--out", type=Path, help="folder of the report")
    parser.add_argument("--promote", action="store_true", help="put it into use where it passes")
    parser.add_argument("--new-set", action="store_true", help="freeze another validation set")
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"))
    return parser
