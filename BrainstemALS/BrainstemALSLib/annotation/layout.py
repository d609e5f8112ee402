"""What lies where in a store, and whether a folder is one."""

from __future__ import annotations

import json
import secrets
import tempfile
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from .. import __version__
from ..errors import BrainstemALSError, ExitCode
from . import refusals
from .durability import PARTIAL, sync_folder, write_whole

FORMAT = 1
MARKER, CASES, LOCK = "store.json", "cases", "store.lock"
# What file managers leave behind in a folder that a user sees as empty.
_LITTER = {".DS_Store", "Thumbs.db", "desktop.ini"}


def utc_now() -> datetime:
    """Return the present, in UTC, to the second."""
    return datetime.now(UTC).replace(microsecond=0)


def utc_text(moment: datetime) -> str:
    """Return a time in UTC as 2026-03-31T12:00:00Z."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def new_id(moment: datetime) -> str:
    """Return a name that nobody else gives and that tells nothing of a patient."""
    return f"{moment.strftime('%Y%m%dT%H%M%SZ')}-{secrets.token_hex(6)}"


def make_store(root: Path) -> None:
    """Make a folder a store where it is not one yet, and see that it can be written to.

    Raises
    ------
    BrainstemALSError
        OUTPUT_REFUSED: a file, a folder with something else in it, a store of a newer version or
        with a damaged ``store.json``, or a folder that cannot be written to.
    """
    try:
        if root.exists() and not root.is_dir():
            raise _not_a_store("this is a file, not a folder")
        root.mkdir(parents=True, exist_ok=True)
        if not (root / MARKER).exists():
            names = {path.name for path in root.iterdir()} - _LITTER
            # Another process may have made the store since the line above.
            if any(not name.startswith(PARTIAL) for name in names) and MARKER not in names:
                raise _not_a_store("this folder holds other things and is no annotation store")
            content = {
                "kind": "BrainstemALS annotation store",
                "format": FORMAT,
                "made_by": __version__,
                "made_utc": utc_text(utc_now()),
            }
            write_whole(root / MARKER, (json.dumps(content, indent=1) + "\n").encode())
        check_store(root)
        (root / CASES).mkdir(exist_ok=True)
        sync_folder(root)
        sync_folder(root.parent)
        probe = Path(tempfile.mkdtemp(prefix=PARTIAL, dir=root / CASES))
        with suppress(FileNotFoundError):  # another process swept it
            probe.rmdir()
    except OSError:
        raise refusals.unwritable() from None


def check_store(root: Path) -> None:
    """Refuse what is no store that this version can read (OUTPUT_REFUSED)."""
    try:
        content = json.loads((root / MARKER).read_bytes())
        number = int(content["format"])
    except (FileNotFoundError, NotADirectoryError):
        raise _not_a_store("there is no annotation store here") from None
    except OSError:
        raise refusals.unreadable() from None
    except (ValueError, KeyError, TypeError, RecursionError):
        raise BrainstemALSError(
            refusals.STORE,
            f"{MARKER} is damaged",
            f"Restore {MARKER} from a backup, or copy it from another store of the same version; "
            "the cases are untouched.",
            ExitCode.OUTPUT_REFUSED,
        ) from None
    if number > FORMAT:
        raise refusals.newer(refusals.STORE)


def _not_a_store(problem: str) -> BrainstemALSError:
    return BrainstemALSError(
        refusals.STORE,
        problem,
        "Choose an empty folder, or one that BrainstemALS made as an annotation store.",
        ExitCode.OUTPUT_REFUSED,
    )
