"""How a command ends when it cannot go on: one sentence on stderr and an exit code."""

from __future__ import annotations

import signal
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import typer

from ..errors import BrainstemALSError, ExitCode

REPORT = "https://github.com/BrainstemALS/SlicerBrainstemALS/issues"


class _TerminatedError(BaseException):
    """SIGTERM came. Not an Exception: nothing between here and ``refusals`` may take it for one."""


@contextmanager
def refusals(debug: bool = False) -> Iterator[None]:
    """Turn whatever stops a command into its sentence and its exit code.

    Parameters
    ----------
    debug : bool
        Show the traceback before the sentence.

    Raises
    ------
    typer.Exit
        With an ``ExitCode``; 143 when the process was asked to terminate.
    """
    # A batch system ends a job with SIGTERM: leave through the same doors, so that no half-written
    # folder stays.
    before = signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    except (typer.Exit, BrokenPipeError):
        raise
    except _TerminatedError:
        raise typer.Exit(int(ExitCode.TERMINATED)) from None
    except BrainstemALSError as refusal:
        _end(str(refusal), refusal.code, debug)
    except KeyboardInterrupt:
        _end(
            "interrupted. Results that were complete stay, and nothing half-written is left.",
            ExitCode.INTERRUPTED,
            debug=False,
        )
    except MemoryError:
        _end(
            "there is not enough memory. Close other programs, or use a machine with more.",
            ExitCode.UNEXPECTED,
            debug,
        )
    except ModuleNotFoundError as missing:
        from .environment import command_to_get

        command = command_to_get(missing.name)
        if command is None:
            _end(_unexpected(missing), ExitCode.UNEXPECTED, debug)
        _end(
            f"the package {missing.name} is missing or incomplete. Install it: {command}; "
            "brainstem-als doctor lists what else is missing.",
            ExitCode.MISSING_PACKAGE,
            debug,
        )
    except Exception as problem:
        _end(_unexpected(problem), ExitCode.UNEXPECTED, debug)
    finally:
        signal.signal(signal.SIGTERM, before)


def _unexpected(problem: Exception) -> str:
    # Not the exception's own text: it may carry a folder, and a folder may carry a name.
    return (
        f"unexpected problem ({type(problem).__name__}). Run the same command with --debug to see "
        f"where, and report what it shows, without patient data, at {REPORT}"
    )


def _end(sentence: str, code: int, debug: bool) -> NoReturn:
    if debug:
        traceback.print_exc()
    print(f"brainstem-als: {sentence}", file=sys.stderr)
    raise typer.Exit(int(code)) from None


def _terminate(number: int, frame: object) -> None:
    raise _TerminatedError
