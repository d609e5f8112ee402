"""A finding: what limits the numbers of an exam, how badly, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass

SEVERITIES = ("error", "warning", "info")


@dataclass(frozen=True)
class Finding:
    """One thing that a reader should know before using the numbers.

    Attributes
    ----------
    code : str
        Stable name, for scripts.
    severity : str
        ``info``, ``warning`` (use with care) or ``error`` (do not use the numbers concerned).
    message : str
        What was found.
    action : str
        What to do.
    structure : str or None
        Key of the structure, composite or pair concerned; None when it is the whole exam.
    """

    code: str
    severity: str
    message: str
    action: str
    structure: str | None = None
