"""The one way the library refuses: a sentence that names the file, the problem and the way out."""

from __future__ import annotations

from enum import IntEnum
from pathlib import Path


class ExitCode(IntEnum):
    """Process exit codes of the command line; stable, so that scripts may rely on them."""

    OK = 0
    UNEXPECTED = 1
    USAGE = 2
    UNREADABLE_IMAGE = 10
    UNSUITABLE_IMAGE = 11
    NO_BRAINSTEM = 12
    MISMATCHED_IMAGES = 13
    UNSUITABLE_DIFFUSION = 14
    OUTPUT_REFUSED = 20
    MODEL_UNAVAILABLE = 30
    DEVICE_UNAVAILABLE = 31
    MISSING_PACKAGE = 32
    SOME_FAILED = 40
    INTERRUPTED = 130
    TERMINATED = 143


class BrainstemALSError(Exception):
    """A refusal that a user can act on.

    Parameters
    ----------
    subject : Path or str
        What is wrong, usually a file; only its name is shown: a folder may carry an identity.
    problem : str
        One clause, lower case, without the final full stop.
    remedy : str
        One sentence that says what to do next.
    code : ExitCode
        Exit code of the command line for this refusal.
    """

    def __init__(self, subject: Path | str, problem: str, remedy: str, code: ExitCode):
        self.subject = Path(subject).name if isinstance(subject, Path) else str(subject)
        self.problem = problem
        self.remedy = remedy
        self.code = ExitCode(code)
        super().__init__(f"{self.subject}: {problem}. {remedy}")
