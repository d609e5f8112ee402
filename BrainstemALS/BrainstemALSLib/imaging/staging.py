"""An output folder that gets all results of a run, or none."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..errors import BrainstemALSError, ExitCode


@contextmanager
def staged_output(
    out_dir: str | Path,
    names: Iterable[str],
    overwrite: bool = False,
    shared: Iterable[str] = (),
) -> Iterator[Path]:
    """Give a temporary folder whose files move to ``out_dir`` once the block ends well.

    On any exception, an interruption from the keyboard included, the temporary folder goes and
    ``out_dir`` is as it was: earlier results stay whole until the new ones are complete.

    Parameters
    ----------
    out_dir : str or Path
        Folder for the results; made where it does not exist.
    names : iterable of str
        Names of all files that the run may write. With ``overwrite``, an older file of one of
        these names that the run did not write again is removed, so that results never mix.
    overwrite : bool
        Replace results of the same names.
    shared : iterable of str
        Names of files that belong to the folder and not to one run: put there where there is none
        yet, never replaced, and no reason to refuse.

    Yields
    ------
    Path
        Temporary folder inside ``out_dir``, so that moving is renaming.

    Raises
    ------
    BrainstemALSError
        OUTPUT_REFUSED: the folder cannot be written to, or it holds results and ``overwrite`` is
        false.
    """
    out_dir, names, shared = Path(out_dir), list(names), list(shared)
    made = _make_folder(out_dir)
    staging = None
    try:
        if not overwrite:
            _refuse_existing(out_dir, names)
        try:
            staging = Path(tempfile.mkdtemp(prefix=".partial-", dir=out_dir))
        except OSError:
            raise unwritable(out_dir) from None
        new = staging / "new"
        new.mkdir()
        yield new
        for name in shared:
            if (out_dir / name).exists():
                (new / name).unlink(missing_ok=True)
        written = sorted(path.name for path in new.iterdir())
        if not overwrite:
            # Not the shared ones: of runs that end together, each may put the same file there.
            _refuse_existing(out_dir, set(written) - set(shared))
        _move_into_place(staging, out_dir, written, stale=set(names) - set(written))
        made = []
    finally:
        if staging is not None:
            shutil.rmtree(staging, ignore_errors=True)
        for folder in made:
            with suppress(OSError):  # somebody else put something there meanwhile
                folder.rmdir()


def _make_folder(out_dir: Path) -> list[Path]:
    """Make the folder and its parents; return those that were made, innermost first."""
    missing = []
    try:
        for folder in (out_dir, *out_dir.parents):
            if folder.exists():
                break
            missing.append(folder)
        out_dir.mkdir(parents=True, exist_ok=True)
    except OSError:
        for folder in missing:
            with suppress(OSError):
                folder.rmdir()
        raise unwritable(out_dir) from None
    return missing


def _refuse_existing(out_dir: Path, names: Iterable[str]) -> None:
    existing = sorted(name for name in names if (out_dir / name).exists())
    if existing:
        raise BrainstemALSError(
            out_dir,
            f"this folder already holds results ({existing[0]})",
            "Choose another folder, or allow overwriting (--overwrite).",
            ExitCode.OUTPUT_REFUSED,
        )


def _move_into_place(staging: Path, out_dir: Path, written: list[str], stale: set[str]) -> None:
    """Put the old files aside, then the new ones in; undo both should the file system fail."""
    old = staging / "old"
    aside, placed = [], []
    try:
        old.mkdir()
        for name in [*written, *sorted(stale)]:
            if (out_dir / name).exists():
                os.replace(out_dir / name, old / name)
                aside.append(name)
        for name in written:
            os.replace(staging / "new" / name, out_dir / name)
            placed.append(name)
    except BaseException as error:
        for name in placed:
            (out_dir / name).unlink(missing_ok=True)
        for name in aside:
            os.replace(old / name, out_dir / name)
        if isinstance(error, OSError):
            raise unwritable(out_dir) from None
        raise


def unwritable(subject: Path | str) -> BrainstemALSError:
    """Return the refusal of a folder that takes no results; ``subject`` is the folder or exam."""
    return BrainstemALSError(
        subject,
        "results cannot be written to this folder",
        "Choose a folder that you may write to, on a disk with free space.",
        ExitCode.OUTPUT_REFUSED,
    )
