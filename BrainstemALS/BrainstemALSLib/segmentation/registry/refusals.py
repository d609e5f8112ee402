"""Sentences that several parts of the registry say. None of them names a path or a patient."""

from __future__ import annotations

from ...errors import BrainstemALSError, ExitCode

MODELS = "your models"


def unwritable() -> BrainstemALSError:
    """Return the refusal of a file system that does not take a version."""
    return BrainstemALSError(
        MODELS,
        "nothing can be written to their folder",
        "Free some space, or see that you may write there; the model in use stays as it is.",
        ExitCode.OUTPUT_REFUSED,
    )


def busy() -> BrainstemALSError:
    """Return the refusal where somebody else has been writing for too long."""
    return BrainstemALSError(
        MODELS,
        "another program has been changing them for a minute",
        "Wait until it is done, or close it, and try again.",
        ExitCode.OUTPUT_REFUSED,
    )


def newer() -> BrainstemALSError:
    """Return the refusal of a folder that a later version of BrainstemALS wrote."""
    return BrainstemALSError(
        MODELS,
        "a newer version of BrainstemALS wrote which one is in use",
        "Update BrainstemALS to change it.",
        ExitCode.OUTPUT_REFUSED,
    )


def unknown(version: str) -> BrainstemALSError:
    """Return the refusal of a version that there is none of."""
    return BrainstemALSError(
        f"model {version[:60]}",
        "there is no such version",
        "List the versions with `brainstem-als models list`.",
        ExitCode.USAGE,
    )


def damaged(version: str, problem: str) -> BrainstemALSError:
    """Return the refusal of a version that is not as it was stored."""
    return BrainstemALSError(
        f"model {version}",
        problem,
        "Use another version; `brainstem-als models list` names those that are whole.",
        ExitCode.MODEL_UNAVAILABLE,
    )
