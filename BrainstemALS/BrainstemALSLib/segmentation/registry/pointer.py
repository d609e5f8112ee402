"""``current.json``: which version is in use, and every change of that, in one file.

One file and not two, so that the version in use and the history can never tell different things:
each change writes the whole file anew beside the old one and takes its place at once.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...durability import write_whole
from . import refusals
from .lineage import BUNDLED, is_id

FORMAT = 1
CURRENT = "current.json"
PROMOTE, USE, ROLLBACK, REMOVE = "promote", "use", "rollback", "remove"
ACTIONS = (PROMOTE, USE, ROLLBACK, REMOVE)


class DamagedPointerError(Exception):
    """``current.json`` is there and cannot be understood."""


@dataclass(frozen=True)
class Entry:
    """One change.

    Attributes
    ----------
    utc : str
        When, as 2026-03-31T12:00:00Z.
    action : str
        One of ``ACTIONS``.
    version : str
        The version put into use, or removed; or ``bundled``.
    previous : str
        The one in use before.
    """

    utc: str
    action: str
    version: str
    previous: str


@dataclass(frozen=True)
class Pointer:
    """Which version is in use.

    Attributes
    ----------
    version : str
        Id, or ``bundled``.
    fallback : tuple of str
        Versions to use, in this order, where it is damaged: its parent, that one's, and so on. Kept
        here, since a damaged version cannot be asked.
    history : tuple of Entry
        All changes, the first first.
    """

    version: str = BUNDLED
    fallback: tuple[str, ...] = ()
    history: tuple[Entry, ...] = ()

    def way_back(self) -> list[str]:
        """Return what was in use before the present version, the last first, ``bundled`` at last.

        A rollback undoes, and is no change to go back to: two in a row go back two steps.
        """
        line = [BUNDLED]
        for entry in self.history:
            if entry.action == ROLLBACK:
                while len(line) > 1 and line[-1] != entry.version:
                    line.pop()
            elif entry.action in (PROMOTE, USE) and line[-1] != entry.version:
                line.append(entry.version)
        if line[-1] == self.version:
            line.pop()
        return line[::-1]


def read_pointer(root: Path) -> Pointer:
    """Read which version is in use; the bundled one where nothing was ever put into use.

    Raises
    ------
    DamagedPointerError
        The file is damaged, or cannot be read.
    BrainstemALSError
        OUTPUT_REFUSED: a newer version of BrainstemALS wrote it.
    """
    try:
        content = json.loads((root / CURRENT).read_bytes())
        number = int(content["format"])
    except (FileNotFoundError, NotADirectoryError):
        return Pointer()
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise DamagedPointerError from error
    if number > FORMAT:
        raise refusals.newer()
    try:
        pointer = Pointer(
            version=str(content["current"]),
            fallback=tuple(str(name) for name in content["fallback"]),
            history=tuple(Entry(**entry) for entry in content["history"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise DamagedPointerError from error
    names = [pointer.version, *pointer.fallback, *(entry.version for entry in pointer.history)]
    # A name becomes a folder's: nothing but ids may.
    if not all(name == BUNDLED or is_id(name) for name in names):
        raise DamagedPointerError
    return pointer


def write_pointer(root: Path, pointer: Pointer) -> None:
    """Put a version into use, at once; OSError where the disk does not take it."""
    content: dict[str, Any] = {
        "format": FORMAT,
        "current": pointer.version,
        "fallback": list(pointer.fallback),
        "history": [vars(entry) for entry in pointer.history],
    }
    write_whole(root / CURRENT, (json.dumps(content, indent=1) + "\n").encode())
