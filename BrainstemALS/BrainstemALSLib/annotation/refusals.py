"""Sentences that several parts of the store say. None of them names a path or a patient."""

from __future__ import annotations

from ..errors import BrainstemALSError, ExitCode

STORE = "annotation store"


def unwritable() -> BrainstemALSError:
    """Return the refusal of a file system that does not take what is to be stored."""
    return BrainstemALSError(
        STORE,
        "nothing can be written to this folder",
        "Choose a folder that you may write to, on a disk with free space, and try again; what is "
        "stored already stays whole.",
        ExitCode.OUTPUT_REFUSED,
    )


def unreadable() -> BrainstemALSError:
    """Return the refusal of a file system that does not give back what is stored."""
    return BrainstemALSError(
        STORE,
        "this folder cannot be read",
        "Check that the disk or the network drive is connected and that you may read it.",
        ExitCode.OUTPUT_REFUSED,
    )


def newer(subject: str) -> BrainstemALSError:
    """Return the refusal of a store or a case of a format that only later versions know."""
    return BrainstemALSError(
        subject,
        "this was written by a newer version of BrainstemALS",
        "Update BrainstemALS to open it.",
        ExitCode.OUTPUT_REFUSED,
    )


def damaged_case(case_id: str, problem: str) -> BrainstemALSError:
    """Return the refusal of a case that is not as it was approved."""
    return BrainstemALSError(
        case_id,
        problem,
        "Restore this case's folder from a backup, or correct and approve the exam again.",
        ExitCode.UNREADABLE_IMAGE,
    )
