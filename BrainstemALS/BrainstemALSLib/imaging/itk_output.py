"""Keeps what ITK prints away from the user."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import SimpleITK as sitk


@contextmanager
def silenced_itk() -> Iterator[None]:
    """Keep what ITK and its C libraries print about a file away from the user.

    The libraries write to file descriptor 2, past Python's ``sys.stderr``.
    """
    shown = sitk.ProcessObject.GetGlobalWarningDisplay()
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    try:
        kept = os.dup(2)
    except OSError:  # a windowed application on Windows has no standard error
        kept = None
    try:
        if kept is not None:
            with open(os.devnull, "wb") as nowhere:
                os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        if kept is not None:
            os.dup2(kept, 2)
            os.close(kept)
        sitk.ProcessObject.SetGlobalWarningDisplay(shown)
