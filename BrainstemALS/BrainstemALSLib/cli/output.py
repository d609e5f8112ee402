"""Printing that never decides how a command ends."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


def forgiving_output() -> None:
    """Let a terminal that lacks a character show a question mark instead of ending the command."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


@contextmanager
def best_effort() -> Iterator[None]:
    """Print what can be printed: for what is said after the results are on disk.

    A closed pipe (``| head``) ends the printing in silence, a full disk behind ``>`` with a remark;
    neither makes a finished run a failed one.
    """
    try:
        yield
        sys.stdout.flush()
    except (BrokenPipeError, SystemExit):  # rich turns the first into the second
        _close()
    except OSError:
        _close()
        print("brainstem-als: the results are complete, but could not be shown.", file=sys.stderr)


def _close() -> None:
    """Send what is still to be printed nowhere, or Python complains of it when it ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
