"""Deletes a participant from an output folder: results, tables, logs, group results."""

from __future__ import annotations

import csv
import re
import shutil
from collections.abc import Iterable
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

from ..durability import write_whole
from ..errors import BrainstemALSError, ExitCode
from ..file_lock import LockUnsupportedError, is_held
from ..imaging.staging import unwritable
from .changes import PARQUET, TABLE, read_changes
from .job import LOCKS, LOGS
from .out_folder import only_run
from .participant_level import write_table
from .tables import MEASURES, holds_tables, ordered, read_cohort

GROUP = "group"
"""Folder of the group results within the output folder."""


def forget(out: Path, participant: str) -> list[str]:
    """Delete a participant; may be repeated, and after an interruption has to be.

    Parameters
    ----------
    out : Path
        Folder of the results.
    participant : str
        Label, with or without ``sub-``.

    Returns
    -------
    list of str
        What was deleted or rewritten, within the folder.

    Raises
    ------
    BrainstemALSError
        USAGE: nothing of the participant is there. OUTPUT_REFUSED: a run works in the folder, or it
        cannot be written to.
    """
    out = out.resolve()
    name = f"sub-{participant.removeprefix('sub-')}"
    if not out.is_dir():
        raise BrainstemALSError(
            out, "there is no such folder", "Name the folder of the results.", ExitCode.USAGE
        )
    changed: list[str] = []
    with only_run(out):
        _refuse_busy(out, name)
        try:
            # Tables first: were this interrupted, the folder would still show that it has to be
            # done again. Rows as text, so that a damaged table keeps nobody.
            changed += _tables(out, name)
            for path in [*_own(out / LOGS, name), *_own(out / LOCKS, name)]:
                path.unlink(missing_ok=True)
                changed.append(path.relative_to(out).as_posix())
            if (out / GROUP).is_dir() and (changed or (out / name).is_dir()):
                # Its figures may show single participants, and its numbers rest on all of them.
                shutil.rmtree(out / GROUP)
                changed.append(GROUP)
            if (out / name).is_dir():
                shutil.rmtree(out / name)
                changed.append(name)
        except OSError:
            raise unwritable(out) from None
    if not changed and (out / GROUP).is_dir() and not holds_tables(out):
        raise BrainstemALSError(
            name, "nothing here tells who took part in the group results",
            f"They are of tables elsewhere: delete the folder {GROUP} where the participant was in "
            "them.", ExitCode.USAGE,
        )  # fmt: skip
    if not changed:
        raise BrainstemALSError(
            name, "nothing of this participant is in the folder",
            "Check the label, and that this is the folder of the results.", ExitCode.USAGE,
        )  # fmt: skip
    return changed


def _refuse_busy(out: Path, participant: str) -> None:
    """A worker of a cluster may outlive its run, and would bring the participant back."""
    for lock in _own(out / LOCKS, participant):
        with suppress(LockUnsupportedError, OSError):
            if is_held(lock):
                raise BrainstemALSError(
                    participant, "a process still works on this participant",
                    "Wait for it, or end it; then run the same command again.",
                    ExitCode.OUTPUT_REFUSED,
                )  # fmt: skip


def _tables(out: Path, participant: str) -> list[str]:
    changed = []
    for path in sorted(out.glob("*.tsv")):
        if _rows_out(path, participant):
            changed.append(path.name)
    for path in sorted(out.glob("*.parquet")):
        if f"{path.stem}.tsv" in changed or not path.with_suffix(".tsv").is_file():
            # One that cannot be written again here must not keep what the others forget.
            path.unlink()
            changed.append(path.name)
    _packed_again(out, changed)
    return changed


def _packed_again(out: Path, changed: Iterable[str]) -> None:
    """Write the Parquet files that went, from the tables that stayed."""
    if find_spec("pyarrow") is None:
        return
    with suppress(BrainstemALSError):  # tables that are damaged; the next run makes all of them
        if "measures.parquet" in changed:
            table = ordered(read_cohort(out).measures, MEASURES)
            write_whole(out / "measures.parquet", table.to_parquet(index=False))
        if PARQUET in changed and (out / TABLE).is_file():
            frame = read_changes(out)
            frame.attrs.clear()
            write_whole(out / PARQUET, frame.to_parquet(index=False))


def _rows_out(path: Path, participant: str) -> bool:
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as handle:
        reader = csv.DictReader(handle, delimiter="\t")
        columns, rows = list(reader.fieldnames or ()), list(reader)
    kept = [row for row in rows if not _names(row.values(), participant)]
    if len(kept) == len(rows):
        return False
    write_table(path, columns, kept)
    return True


def _names(cells: Iterable[str | None], participant: str) -> bool:
    """Whether a cell names a participant, and not only another one whose label begins alike."""
    word = re.compile(rf"(?<![A-Za-z0-9+-]){re.escape(participant)}(?![A-Za-z0-9+])")
    return any(word.search(cell) for cell in cells if isinstance(cell, str))


def _own(folder: Path, participant: str) -> list[Path]:
    if not folder.is_dir():
        return []
    return [
        path
        for path in sorted(folder.iterdir())
        if path.is_file() and path.name.split(".")[0].split("_")[0] == participant
    ]
