"""Installs what a plan names, by the route that it names."""

from __future__ import annotations

import inspect
import os
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from .failures import InstallCancelled, InstallError, explain
from .plan import InstallPlan
from .process import run
from .requirements import missing

_PROGRESS = re.compile(r"Progress (\d+) of (\d+)")


def install(
    plan: InstallPlan,
    line: Callable[[str], None] | None = None,
    cancel: threading.Event | None = None,
) -> None:
    """Run pip as a process of its own, to its end.

    Parameters
    ----------
    plan : InstallPlan
        Of any route; ``check`` it first.
    line : callable, optional
        Called in this thread with each line that pip writes; see ``progress``.
    cancel : threading.Event, optional
        Kills pip once set. What it had downloaded lies in ``plan.folder``.

    Raises
    ------
    InstallError
        pip failed, or something is still missing afterwards.
    InstallCancelled
    """
    if not plan.missing:
        return
    program, arguments = plan.command()
    outcome = run(program, arguments, plan.environment, line, cancel)
    text = outcome.output + outcome.messages
    if outcome.cancelled:
        raise InstallCancelled(text)
    if outcome.code:
        raise explain(outcome.code, text)
    _verify(plan, text)


def install_with_extension(plan: InstallPlan, logic: Any) -> None:
    """Let the PyTorch extension install torch, and pip the rest. Blocks Slicer's own process.

    The extension knows no constraints; pip takes them from the environment.

    Parameters
    ----------
    plan : InstallPlan
    logic : object
        ``PyTorchUtils.PyTorchUtilsLogic()``; its ``installTorch`` returns None where the user says
        no.

    Raises
    ------
    InstallError
        It failed, or something is still missing afterwards.
    InstallCancelled
        The user said no to the extension.
    """
    torch = next((item for item in plan.missing if item.name.lower() == "torch"), None)
    if torch is not None:
        with _environment(PIP_CONSTRAINT=str(plan.constraints_file)):
            try:
                wanted = torch.wanted[len(torch.name) :]
                installed = logic.installTorch(
                    askConfirmation=False, torchVersionRequirement=wanted
                )
            except Exception as error:  # whatever another extension raises
                raise explain(1, str(error)) from error
        if installed is None:
            raise InstallCancelled
    install(plan.without("torch"))
    _verify(plan, "")


def install_with_slicer(plan: InstallPlan, slicer: Any) -> None:
    """Let Slicer install. Runs in Slicer's own process; ``install`` shows more and can be stopped.

    Parameters
    ----------
    plan : InstallPlan
    slicer : module
        With ``packaging.pip_install``, of which two generations are known (one takes
        ``constraints`` and ``requester``, the other pip's arguments and ``interactive``), or,
        before it, ``util.pip_install``, which takes pip's arguments.

    Raises
    ------
    InstallError
        It failed, or something is still missing afterwards.
    """
    arguments = list(plan.options)
    pip_install = getattr(slicer, "packaging", slicer.util).pip_install
    known = inspect.signature(pip_install).parameters
    try:
        if "constraints" in known:
            place = arguments.index("-c")
            del arguments[place : place + 2]
            # Slicer's own dialog shows pip's lines; a raw progress would fill it.
            arguments = [item for item in arguments if not item.startswith("--progress-bar")]
            extra = {"requester": "BrainstemALS"} if "requester" in known else {}
            pip_install(arguments, constraints=plan.constraints_file, **extra)
        elif "interactive" in known:
            # uv, which does the work there, does not know the options before the constraints. The
            # user was asked by our own dialog.
            pip_install(arguments[arguments.index("-c") :], interactive=False)
        else:
            pip_install(arguments)
    except Exception as error:  # CalledProcessError, or RuntimeError where the user says no
        raise explain(1, f"{error} {getattr(error, 'output', None) or ''}") from error
    _verify(plan, "")


def progress(line: str) -> float | None:
    """Fraction (0-1) of the file that pip downloads; None for a line that says something else."""
    found = _PROGRESS.fullmatch(line.strip())
    if found is None or int(found.group(2)) == 0:
        return None
    return min(int(found.group(1)) / int(found.group(2)), 1.0)


def _verify(plan: InstallPlan, details: str) -> None:
    left = missing([item.wanted for item in plan.missing], list(plan.interpreter.search_path))
    if left:
        raise InstallError(
            f"still missing afterwards: {', '.join(map(str, left))}",
            "Restart Slicer and start it again.",
            details,
        )


@contextmanager
def _environment(**variables: str) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
