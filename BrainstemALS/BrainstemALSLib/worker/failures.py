"""What stops a request, told in the sentence of a refusal."""

from __future__ import annotations

import errno

from ..errors import BrainstemALSError, ExitCode

# What torch and ITK say instead of raising MemoryError: only the text tells.
_MEMORY_TEXTS = (
    "out of memory",
    "can't allocate memory",
    "not enough memory",
    "bad allocation",
    "bad_alloc",
    "Failed to allocate memory",
)
# EDQUOT is unknown to Windows.
_DISK_ERRORS = {errno.ENOSPC, errno.EFBIG, errno.EROFS, getattr(errno, "EDQUOT", errno.ENOSPC)}


def refusal_of(problem: BaseException) -> BrainstemALSError:
    """Return the refusal that tells a user what an exception means.

    The text of an unexpected exception is left out: it may carry a path, and a path may carry a
    name. Its place in the code is in the log.
    """
    if isinstance(problem, BrainstemALSError):
        return problem
    if isinstance(problem, MemoryError) or (
        isinstance(problem, RuntimeError) and any(text in str(problem) for text in _MEMORY_TEXTS)
    ):
        return BrainstemALSError(
            "memory",
            "there is not enough of it for this image",
            "Close other programs and images, or use a machine with more memory.",
            ExitCode.UNEXPECTED,
        )
    if isinstance(problem, ModuleNotFoundError):
        return missing_package(problem)
    if isinstance(problem, OSError) and problem.errno in _DISK_ERRORS:
        return no_room()
    return BrainstemALSError(
        "worker",
        f"something unexpected happened ({type(problem).__name__})",
        "Try again; if it happens again, report it with the worker's log, which holds no patient "
        "data.",
        ExitCode.UNEXPECTED,
    )


def no_room() -> BrainstemALSError:
    """Return the refusal for a temporary folder that takes no more."""
    return BrainstemALSError(
        "temporary folder",
        "the images cannot be written to it",
        "Free space on the disk of the temporary files, or set TMPDIR (Windows: TEMP) to a folder "
        "with space.",
        ExitCode.OUTPUT_REFUSED,
    )


def missing_package(problem: ModuleNotFoundError) -> BrainstemALSError:
    """Return the refusal for a package that is not installed."""
    return BrainstemALSError(
        (problem.name or "a package").split(".")[0],
        "this Python package is missing or incomplete",
        "Let the module install it (or use pip, outside Slicer), then try again.",
        ExitCode.MISSING_PACKAGE,
    )


def broken_package(name: str, problem: Exception) -> BrainstemALSError:
    """Return the refusal for a package that is there but does not load."""
    return BrainstemALSError(
        name,
        f"this Python package is installed but does not load ({type(problem).__name__})",
        "Install it again; on Windows, the Microsoft Visual C++ runtime may be missing.",
        ExitCode.MISSING_PACKAGE,
    )
