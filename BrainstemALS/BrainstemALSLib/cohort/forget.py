"""Deletes a participant from an output folder: results, tables, logs, group results."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from ..errors import BrainstemALSError, ExitCode
from ..imaging.staging import unwritable
from .job import LOCKS, LOGS
from .participant_level import REMARKS, SUMMARY, only_run, write_table
from .tables import FILES, read_cohort, write_cohort

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
    name = f"sub-{participant.removeprefix('sub-')}"
    if not out.is_dir():
        raise BrainstemALSError(
            out, "there is no such folder", "Name the folder of the results.", ExitCode.USAGE
        )
    changed: list[str] = []
    with only_run(out):
        try:
            # Tables first: were this interrupted, the folder would still show that it has to be
            # done again.
            changed += _tables(out, name)
            for table in (SUMMARY, REMARKS):
                if _rows_out(out / table, name):
                    changed.append(table)
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
    if not changed:
        raise BrainstemALSError(
            name, "nothing of this participant is in the folder",
            "Check the label, and that this is the folder of the results.", ExitCode.USAGE,
        )  # fmt: skip
    return changed


def _tables(out: Path, participant: str) -> list[str]:
    if not all((out / f"{name}.tsv").is_file() for name in FILES):
        return []
    cohort = read_cohort(out)
    kept = {name: getattr(cohort, name) for name in FILES}
    kept = {name: table[table.participant_id != participant] for name, table in kept.items()}
    changed = [name for name, table in kept.items() if len(table) < len(getattr(cohort, name))]
    if not changed:
        return []
    # A Parquet file that cannot be written again here must not keep what the others forget.
    (out / "measures.parquet").unlink(missing_ok=True)
    write_cohort(replace(cohort, **kept), out)
    return [f"{name}.tsv" for name in changed]


def _rows_out(path: Path, participant: str) -> bool:
    if not path.is_file():
        return False
    with path.open(encoding="utf-8", newline="") as handle:
        reader = csv.DictReader(handle, delimiter="\t")
        columns, rows = list(reader.fieldnames or ()), list(reader)
    kept = [row for row in rows if not _names(row.values(), participant)]
    if len(kept) == len(rows):
        return False
    write_table(path, columns, kept)
    return True


def _names(cells: Iterable[str | None], participant: str) -> bool:
    """Whether a cell names a participant, and not only another one whose label begins alike."""
    for cell in cells:
        for word in (cell or "").replace("_", " ").replace("/", " ").replace(",", " ").split():
            if word == participant:
                return True
    return False


def _own(folder: Path, participant: str) -> list[Path]:
    if not folder.is_dir():
        return []
    return [
        path
        for path in sorted(folder.iterdir())
        if path.is_file() and path.name.split(".")[0].split("_")[0] == participant
    ]
