"""A worker that fine-tunes and judges: the panel starts it by its path, as it does the other one.

It speaks the protocol of ``BrainstemALSLib.worker`` and knows one command, ``improve``. It is a
process of its own, so that exams can be segmented meanwhile.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    # Python puts the folder of a script first on its path; ours has modules called loop and gate.
    here = Path(__file__).resolve()
    sys.path[:] = [folder for folder in sys.path if Path(folder or ".").resolve() != here.parent]
    for root in (here.parents[2] / "BrainstemALS", here.parents[2]):
        sys.path.insert(0, str(root))

# How the time is shared, from timings on two cores: learning, then judging.
_JUDGE = 0.6


class LearningCommands:
    """Carries out ``improve``, one at a time."""

    def run(
        self, command: str, params: dict[str, Any], progress: Callable[[str, float, str], None]
    ) -> dict[str, Any]:
        """Fine-tune the model in use and judge what comes out; nothing is put into use.

        Parameters
        ----------
        command : str
            ``improve``.
        params : dict
            ``store`` and ``runs`` (a folder in which each run gets one of its own; the latest
            stays), and where they are not the defaults ``steps``, ``minutes``, ``mode``,
            ``replay``, ``device``, ``judge`` (false to leave that out), ``cases`` (of the
            validation set) and ``new_set`` (true to make that anew).
        progress : callable

        Returns
        -------
        dict
            ``run`` and ``candidate`` (folders), ``corrections`` (count), ``replay`` (source),
            ``warnings``; ``outcome``, ``headline``, ``reasons`` and ``report`` (a file), or
            ``not_judged``: a sentence on why there is no judgement.

        Raises
        ------
        BrainstemALSError
            See ``finetune_run``.
        """
        if command != "improve":
            raise ValueError("this worker fine-tunes and does nothing else")
        import shutil

        from BrainstemALSLib.errors import BrainstemALSError, ExitCode

        from .finetune_loop import Setting
        from .finetune_run import fine_tune, make_plan, on_device

        chosen = {name: params[name] for name in Setting.__annotations__ if name in params}
        chosen.pop("device", None)
        setting = on_device(Setting(**chosen), str(params.get("device", "auto")))

        def learning(stage: str, fraction: float, text: str) -> None:
            progress(stage, _JUDGE * fraction, text)

        store = Path(params["store"])
        plan = make_plan(store, setting, learning)
        folder = Path(params["runs"]) / plan.fingerprint[:16]
        _tidy(folder)
        anew: list[str] = []
        try:
            found = fine_tune(plan, folder, setting, learning)
        except BrainstemALSError as refusal:
            # A torn checkpoint: nobody who uses a panel can be asked to look for a folder.
            if refusal.code != ExitCode.UNREADABLE_IMAGE:
                raise
            shutil.rmtree(folder, ignore_errors=True)
            anew.append("The run that was begun before was damaged, so it began anew.")
            found = fine_tune(plan, folder, setting, learning)
        answer: dict[str, Any] = {
            "run": str(folder),
            "candidate": str(found.folder),
            "corrections": len(plan.lessons),
            "replay": plan.replay.source,
            "warnings": [*found.warnings, *anew],
        }
        if params.get("judge", True):
            cases, anew = params.get("cases"), bool(params.get("new_set", False))
            told, judged = _judged(found.folder, store, folder, cases, anew, progress)
            answer["warnings"] += told
            answer |= judged
        else:
            answer["not_judged"] = "Nobody asked for a judgement."
        progress("done", 1.0, "Done")
        return answer


def _judged(
    candidate: Path,
    store: Path,
    folder: Path,
    cases: int | None,
    anew: bool,
    progress: Callable[[str, float, str], None],
) -> tuple[list[str], dict[str, Any]]:
    """What to know of the validation set, and the judgement or why there is none."""
    from BrainstemALSLib.errors import BrainstemALSError
    from BrainstemALSLib.segmentation.models import STRUCTURES, find_model
    from BrainstemALSLib.segmentation.registry import ModelRegistry

    progress("judge", _JUDGE, "Getting ready to judge the candidate")
    told: list[str] = []
    try:
        from . import frozen_set
        from .gate_command import about_set, judge_candidate, lineage_of
        from .gate_report import HEADLINES, About, write_report

        kept, remade = frozen_set.up_to_date(store, anew)
        told += remade
        frozen = kept.first(cases)
        told += about_set(frozen, store)
        registry = ModelRegistry()
        used, lineage = registry.in_use(), lineage_of(candidate, registry)
        scored: list[str] = []
        # Before anything is loaded: what is judged is what was there now.
        identity = find_model(STRUCTURES, candidate).identity

        def scored_one(case: Any) -> None:
            scored.append(case.name)
            done = _JUDGE + (1 - _JUDGE) * len(scored) / (len(frozen.cases) + 1)
            progress("judge", done, f"Judging, exam {len(scored)} of {len(frozen.cases)}")

        judgement = judge_candidate(candidate, used, frozen, lineage, store, progress=scored_one)
        about = About(
            candidate=identity,
            current=find_model(STRUCTURES, used.folder).identity,
            current_version=used.version,
            corrections=lineage.corrections,
            frozen_set=frozen.identity,
            case_names=tuple(scored),
            command="Improve the model, in the panel",
        )
        paths = write_report(judgement, about, folder / "gate")
    except BrainstemALSError as refusal:
        return told, {"not_judged": str(refusal)}
    except ModuleNotFoundError as problem:
        return told, {"not_judged": f"The Python package {problem.name} is missing for judging."}
    return told, {
        "outcome": judgement.outcome,
        "headline": HEADLINES[judgement.outcome],
        "reasons": list(judgement.reasons),
        "report": str(paths[0]),
    }


def _tidy(folder: Path) -> None:
    """Remove the runs on other corrections, unless one goes on or may still be put into use."""
    import re
    import shutil

    from BrainstemALSLib.file_lock import FileLock, LockUnsupportedError

    from .finetune_run import LOCK

    if not folder.parent.is_dir():
        return
    for other in folder.parent.iterdir():
        if other == folder or not other.is_dir() or not re.fullmatch("[0-9a-f]{16}", other.name):
            continue
        lock = FileLock(other / LOCK)
        try:
            # Another Slicer of the same user may be at work in it, or wait for a click.
            if _let_through(other) or not lock.acquire():
                continue
        except LockUnsupportedError:
            continue
        lock.release()
        shutil.rmtree(other, ignore_errors=True)


def _let_through(run: Path) -> bool:
    """Whether the gate let the candidate of a run through, and it is not in use yet."""
    import json

    from BrainstemALSLib.segmentation.registry import ModelRegistry

    try:
        record = json.loads((run / "gate" / "gate.json").read_bytes())
        judged = record["about"]["candidate"]["sha256"]
        passed = record["outcome"] == "promote"
    except (OSError, ValueError, KeyError, TypeError):
        return False
    known = {version.identity.get("sha256") for version in ModelRegistry().versions()}
    return passed and judged not in known


if __name__ == "__main__":
    from BrainstemALSLib.worker.server import main

    # By its full name, so that its relative imports work.
    from training.active.finetune_worker import LearningCommands as Commands

    main(commands=Commands)
