"""Checking and installing from a panel: a command to start, and the lines that it prints.

A panel starts ``install_command`` (in Slicer with QProcess), feeds each line of its stdout to
``read_line``, and kills the process tree to cancel. Nothing blocks, and nothing but this process
touches the packages.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..worker.launch import worker_command
from .check import check
from .failures import InstallError
from .gpu import find_gpu, torch_build, why_unused
from .install import install, progress
from .interpreter import Interpreter
from .plan import Route, plan

CHECK, INSTALL = "check", "install"


@dataclass(frozen=True)
class Step:
    """One line of the process.

    Attributes
    ----------
    kind : str
        ``plan`` (text, command, gpu), ``line`` (text: what pip says), ``progress`` (fraction 0-1 of
        the file that is downloaded), ``changes`` (text), ``done`` or ``error`` (problem, remedy,
        details, text).
    data : dict
    """

    kind: str
    data: dict[str, object]


def install_command(
    action: str,
    route: Route,
    folder: str | Path,
    wheels: str | Path | None = None,
    python: str | None = None,
) -> tuple[str, list[str]]:
    """Return program and arguments.

    Parameters
    ----------
    action : str
        ``check`` (what would change; nothing is installed) or ``install``.
    route : Route
        ``ONLINE`` or ``OFFLINE``; the PyTorch extension installs inside Slicer, see
        ``install.install_with_extension``.
    folder : str or Path
        For temporary files, a cancelled download among them; the caller removes it.
    wheels : str or Path, optional
        Folder of packages, for ``OFFLINE``.
    python : str, optional
        Interpreter that gets the packages; that of the worker when left out.
    """
    program = python or worker_command()[0]
    script = str(Path(__file__).with_name("__main__.py"))
    arguments = [script, action, "--route", route.value, "--folder", str(folder)]
    if wheels is not None:
        arguments += ["--wheels", str(wheels)]
    return program, [*arguments, "--python", program]


def read_line(line: str) -> Step | None:
    """Return what a line of the process says; None for a line that is not of its kind."""
    try:
        data = json.loads(line)
        return Step(data.pop("kind"), data)
    except (ValueError, KeyError, AttributeError, TypeError):
        return None


def main(arguments: Sequence[str] | None = None) -> int:
    """Check or install, and print a line for each step; return the exit code."""
    parser = argparse.ArgumentParser(description="Install what BrainstemALS needs.")
    parser.add_argument("action", choices=(CHECK, INSTALL))
    parser.add_argument("--route", choices=[item.value for item in Route], required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--wheels", type=Path)
    parser.add_argument("--python")
    options = parser.parse_args(arguments)
    try:
        _work(options)
    except InstallError as refusal:
        _say(
            "error",
            problem=refusal.problem,
            remedy=refusal.remedy,
            details=refusal.details,
            text=str(refusal),
        )
        return int(refusal.code)
    _say("done")
    return 0


def _work(options: argparse.Namespace) -> None:
    interpreter = Interpreter.ask(options.python)
    gpu = find_gpu()
    made = plan(
        Route(options.route),
        options.folder,
        wheels=options.wheels,
        interpreter=interpreter,
        gpu=gpu,
    )
    build = torch_build(list(interpreter.search_path))
    _say("plan", text=made.text, command=made.command_text, gpu=why_unused(gpu, build))
    changes = check(made, _pip_line)
    _say("changes", text=", ".join(map(str, changes)))
    if options.action == INSTALL:
        install(made, _pip_line)


def _pip_line(text: str) -> None:
    fraction = progress(text)
    if fraction is not None:
        _say("progress", fraction=fraction)
    elif text.strip():
        _say("line", text=text)


def _say(kind: str, **data: object) -> None:
    print(json.dumps({"kind": kind, **data}), flush=True)
