"""Tries an installation without doing it: what would change, and whether that breaks Slicer."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .failures import InstallCancelled, InstallError, explain
from .plan import CPU_INDEX, CPU_MB, CUDA_MB, SHIPPED, InstallPlan, Route
from .process import Outcome, run
from .standards import packaging
from .wheels import survey


@dataclass(frozen=True)
class Change:
    """A package that would come or change.

    Attributes
    ----------
    name : str
    before : str or None
        Version that is there now.
    after : str
        Version that would be there.
    """

    name: str
    before: str | None
    after: str

    def __str__(self) -> str:
        if self.before is None:
            return f"{self.name} {self.after}"
        return f"{self.name} {self.after} instead of {self.before}"


def check(
    plan: InstallPlan,
    line: Callable[[str], None] | None = None,
    cancel: threading.Event | None = None,
) -> tuple[Change, ...]:
    """Return what a plan would change; nothing is installed.

    Asks the package index, so it takes seconds. ``Route.PYTORCH_EXTENSION`` is tried as pip would
    do it: the extension's own choice of a build cannot be asked for without installing.

    Parameters
    ----------
    plan : InstallPlan
    line : callable, optional
        Called with each line that pip writes.
    cancel : threading.Event, optional
        Stops it once set.

    Raises
    ------
    InstallError
        A package that Slicer brings would have to change (named with both versions), the disk is
        too full, wheels are missing, or an index cannot be reached.
    InstallCancelled
    """
    if not plan.missing:
        return ()
    _check_disk(plan)
    if plan.route is Route.OFFLINE:
        folder = Path(plan.options[plan.options.index("--find-links") + 1])
        survey(folder, [item.wanted for item in plan.missing], plan.interpreter)
    outcome = _dry_run(plan, line, cancel)
    if outcome.code:
        failure = explain(outcome.code, outcome.output + outcome.messages)
        if "ResolutionImpossible" in failure.details:
            raise _named_clash(plan, cancel) or failure
        raise failure
    changes = _changes(plan)
    broken = _clashes(changes)
    if broken:
        raise _clash(broken, outcome.messages)
    if CPU_INDEX in plan.options and any(item.name.startswith("nvidia-") for item in changes):
        # Where a network lets pip reach PyPI, or a mirror of it, and not PyTorch's index.
        raise InstallError(
            "PyTorch's index (download.pytorch.org) cannot be reached, and the other one has only "
            f"the build for NVIDIA GPUs, {CUDA_MB / 1000:.1f} GB instead of {CPU_MB} MB",
            "Ask your IT department to allow that address, or install from a folder of packages.",
            outcome.output + outcome.messages,
        )
    return changes


def _check_disk(plan: InstallPlan) -> None:
    place = plan.interpreter.packages
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free // 10**6
    if free < plan.disk_mb:
        raise InstallError(
            f"the disk has {free} MB free, and about {plan.disk_mb} MB are needed",
            "Free some space on the disk of Slicer and start again.",
        )


def _dry_run(
    plan: InstallPlan,
    line: Callable[[str], None] | None,
    cancel: threading.Event | None,
    constrained: bool = True,
) -> Outcome:
    program, arguments = plan.command("--dry-run", "--report", str(_report(plan)))
    if not constrained:
        place = arguments.index("-c")
        del arguments[place : place + 2]
    outcome = run(program, arguments, plan.environment, line, cancel)
    if outcome.cancelled:
        raise InstallCancelled(outcome.output + outcome.messages)
    return outcome


def _report(plan: InstallPlan) -> Path:
    return plan.folder / "report.json"


def _changes(plan: InstallPlan) -> tuple[Change, ...]:
    normalized = packaging("utils").canonicalize_name
    before = plan.interpreter.installed()
    report = json.loads(_report(plan).read_text(encoding="utf-8"))
    described = [item["metadata"] for item in report["install"]]
    return tuple(
        Change(item["name"], before.get(normalized(item["name"])), item["version"])
        for item in described
    )


def _clashes(changes: tuple[Change, ...]) -> tuple[Change, ...]:
    """Changes of what Slicer brings; vtk has no metadata there and would come a second time."""
    normalized = packaging("utils").canonicalize_name
    return tuple(
        change
        for change in changes
        if normalized(change.name) in SHIPPED and (change.before or change.name.lower() == "vtk")
    )


def _named_clash(plan: InstallPlan, cancel: threading.Event | None) -> InstallError | None:
    """What pip would change if it were free to: its own message names no versions reliably."""
    outcome = _dry_run(plan, None, cancel, constrained=False)
    broken = () if outcome.code else _clashes(_changes(plan))
    return _clash(broken, outcome.messages) if broken else None


def _clash(broken: tuple[Change, ...], details: str) -> InstallError:
    names = "; ".join(
        f"{change.name} {change.before or '(as built in)'} would become {change.after}"
        for change in broken
    )
    return InstallError(
        f"it would change packages that Slicer itself uses: {names}",
        "Nothing was installed; use a newer Slicer, or ask the maintainers what fits this one.",
        details,
    )
