"""The folder of a cohort's results: ours alone, one run at a time, on a disk with space."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..durability import PARTIAL, write_whole
from ..errors import BrainstemALSError, ExitCode
from ..file_lock import FileLock, LockUnsupportedError
from ..imaging.staging import unwritable
from .job import LOGS
from .run_record import any_record
from .tables import DESCRIPTION, FILES

LOCK = "logs/run.lock"
SOFTWARE = "BrainstemALS"
"""Who the description of a folder says that it was made by, where it is ours."""
_FULL_BYTES = 64 * 2**20
"""A disk with less than this is full: about what one exam leaves (own choice)."""


@contextmanager
def only_run(out: Path) -> Iterator[None]:
    """Keep every other run out of an output folder while the block runs.

    Raises
    ------
    BrainstemALSError
        OUTPUT_REFUSED: it holds something else than our results, another run works in it, or it
        cannot be written to.
    """
    refuse_foreign(out)
    try:
        (out / LOGS).mkdir(parents=True, exist_ok=True)
        lock = FileLock(out / LOCK)
        taken = lock.acquire()
    except LockUnsupportedError:
        yield  # visits are still kept apart by what each leaves; nobody can do better here
        return
    except OSError:
        raise unwritable(out) from None
    if not taken:
        raise BrainstemALSError(
            out, "another run works in this folder", "Wait for it, or choose another folder.",
            ExitCode.OUTPUT_REFUSED,
        )  # fmt: skip
    try:
        for folder in (out, out / LOGS):
            for partial in folder.glob(f"{PARTIAL}*"):
                partial.unlink(missing_ok=True)
        yield
    finally:
        lock.release()


def refuse_foreign(out: Path) -> None:
    """Refuse a folder with people or tables that are not our results: nothing of it may be lost.

    Raises
    ------
    BrainstemALSError
        OUTPUT_REFUSED.
    """
    if not out.is_dir() or _is_ours(out) or any_record(out):
        return
    tables = [f"{name}.tsv" for name in FILES]
    held = [name for name in (DESCRIPTION, *tables) if (out / name).exists()]
    if held or any(path.is_dir() for path in out.glob("sub-*")):
        raise BrainstemALSError(
            out, "it holds a dataset that is not a result of this command",
            f"Choose an empty folder; ours have a {DESCRIPTION} that says so.",
            ExitCode.OUTPUT_REFUSED,
        )  # fmt: skip


def refuse_inside(root: Path, out: Path) -> None:
    """Refuse an output folder among the images of the dataset (OUTPUT_REFUSED)."""
    inside = out.relative_to(root).parts if out.is_relative_to(root) else None
    if inside is not None and (not inside or inside[0] != "derivatives"):
        raise BrainstemALSError(
            out, "the results would lie among the images",
            "Choose a folder outside of the dataset, or below its derivatives.",
            ExitCode.OUTPUT_REFUSED,
        )  # fmt: skip


def refuse_results(out: Path) -> None:
    """Refuse a folder with people or tables, be they ours: OUTPUT_REFUSED."""
    if any_record(out) or any((out / f"{name}.tsv").exists() for name in FILES):
        raise BrainstemALSError(
            out, "it holds the results of another cohort",
            "Choose an empty folder, or analyse that one's own tables.", ExitCode.OUTPUT_REFUSED,
        )  # fmt: skip


def refuse_full(out: Path) -> None:
    """Refuse to go on where nothing more can be written: all other visits would fail as well.

    Raises
    ------
    BrainstemALSError
        OUTPUT_REFUSED.
    """
    probe = out / LOGS / f"{PARTIAL}probe"
    try:
        full = shutil.disk_usage(out).free < _FULL_BYTES
        write_whole(probe, bytes(2**20))  # a quota shows only so
    except OSError:
        full = True
    with suppress(OSError):
        probe.unlink(missing_ok=True)
    if full:
        raise BrainstemALSError(
            out, "the disk of the results is full, or takes no more",
            "Free some space and run the same command again: what is done stays.",
            ExitCode.OUTPUT_REFUSED,
        )  # fmt: skip


def _is_ours(out: Path) -> bool:
    try:
        content = json.loads((out / DESCRIPTION).read_bytes())
        derived = content["DatasetType"] == "derivative"
        return derived and content["GeneratedBy"][0]["Name"] == SOFTWARE
    except (OSError, ValueError, KeyError, IndexError, TypeError):
        return False
