"""The participant level: every visit of a dataset through the pipeline, then the tables."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from ..durability import PARTIAL, write_whole
from ..errors import BrainstemALSError, ExitCode
from ..file_lock import FileLock, LockUnsupportedError
from ..imaging.staging import unwritable
from .collect import build_cohort, describe, need_pandas
from .discovery import Visit
from .job import (
    DONE,
    FAILED,
    LOGS,
    STOPS_ALL,
    UNCHANGED,
    Job,
    Outcome,
    failure_path,
    write_failure,
)
from .remarks import COLUMNS, Remark
from .run_record import is_unchanged, read_record, record_path
from .settings import Settings
from .tables import Cohort, is_simulated, write_cohort

SOME_FAILED = 40
"""Exit code of a run that ended with visits that failed."""
SUMMARY, REMARKS, LOCK = "summary.tsv", "remarks.tsv", "logs/run.lock"
NOT_DONE = "not processed"
SUMMARY_COLUMNS = (
    "participant_id", "session_id", "status", "diffusion", "seconds", "problem", "remedy",
)  # fmt: skip
Progress = Callable[[int, int, Outcome | None], None]
"""Called with how many visits are done, how many there are, and how the last one ended."""


class Runs(Protocol):
    """What takes jobs: ``local.LocalPool`` or ``dask_cluster.DaskCluster``."""

    def run(self, jobs: Sequence[Job]) -> Iterator[Outcome]:
        """Yield how each job ended, as they end."""
        ...


@dataclass(frozen=True)
class Summary:
    """What came of a run.

    Attributes
    ----------
    outcomes : tuple of Outcome
        Of the visits that were asked for and have a T1.
    remarks : tuple of Remark
    cohort : Cohort
    rows : list of dict
        Of ``summary.tsv``: every visit of the dataset.
    """

    outcomes: tuple[Outcome, ...]
    remarks: tuple[Remark, ...]
    cohort: Cohort
    rows: list[dict[str, object]] = field(default_factory=list)

    def count(self, status: str) -> int:
        """Return how many visits ended so."""
        return sum(outcome.status == status for outcome in self.outcomes)


def run_participants(
    root: Path,
    out: Path,
    visits: Sequence[Visit],
    all_visits: Sequence[Visit],
    settings: Settings,
    make_runner: Callable[[int], Runs],
    *,
    remarks: Sequence[Remark] = (),
    redo: bool = False,
    progress: Progress | None = None,
) -> Summary:
    """Process what is not done yet, then write the tables.

    Parameters
    ----------
    root, out : Path
        BIDS dataset and folder of the results.
    visits, all_visits : sequence of Visit
        Those to process, and all that the dataset holds, for the tables.
    settings : Settings
    make_runner : callable
        Gets the number of jobs and returns what runs them.
    remarks : sequence of Remark
        Of the search for visits.
    redo : bool
        Process again what is done and unchanged.
    progress : callable, optional

    Raises
    ------
    BrainstemALSError
        OUTPUT_REFUSED: the folder cannot be written to, or another run works in it. What stops
        every visit: MODEL_UNAVAILABLE, DEVICE_UNAVAILABLE, MISSING_PACKAGE; results that are done
        by then stay.
    """
    need_pandas()
    root, out = root.resolve(), out.resolve()
    _refuse_inside(root, out)
    found = list(remarks)
    report = progress or (lambda done, of, last: None)
    with only_run(out):
        describe(out, is_simulated(root))
        ready = [visit for visit in visits if visit.has_t1]
        outcomes: list[Outcome] = []
        jobs: dict[str, Job] = {}
        for visit in ready:
            job = Job(root, out, visit, settings, redo)
            if not redo and is_unchanged(visit, root, out, settings):
                outcomes.append(Outcome(visit.key, UNCHANGED))
                with suppress(OSError):
                    failure_path(out, visit.key).unlink(missing_ok=True)
            else:
                jobs[visit.key] = job
        report(len(outcomes), len(ready), None)
        for outcome in make_runner(len(jobs)).run(list(jobs.values())) if jobs else ():
            if outcome.code in STOPS_ALL:
                raise BrainstemALSError(
                    outcome.key, outcome.problem, outcome.remedy, ExitCode(outcome.code)
                )
            if outcome.status == FAILED:
                write_failure(jobs[outcome.key], outcome)
            outcomes.append(outcome)
            report(len(outcomes), len(ready), outcome)
        return _concluded(root, out, all_visits, outcomes, found)


def collect_only(
    root: Path, out: Path, all_visits: Sequence[Visit], remarks: Sequence[Remark]
) -> Summary:
    """Write the tables from the results that are there, as ``run_participants`` does at its end."""
    root, out = root.resolve(), out.resolve()
    if not out.is_dir():
        raise BrainstemALSError(
            out, "there is no such folder", "Run the participant level first.", ExitCode.USAGE
        )
    with only_run(out):
        describe(out, is_simulated(root))
        return _concluded(root, out, all_visits, [], list(remarks))


@contextmanager
def only_run(out: Path) -> Iterator[None]:
    """Keep every other run out of an output folder while the block runs.

    Raises
    ------
    BrainstemALSError
        OUTPUT_REFUSED: another run works in it, or it cannot be written to.
    """
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


def _refuse_inside(root: Path, out: Path) -> None:
    inside = out.relative_to(root).parts if out.is_relative_to(root) else None
    if inside is not None and (not inside or inside[0] != "derivatives"):
        raise BrainstemALSError(
            out, "the results would lie among the images",
            "Choose a folder outside of the dataset, or below its derivatives.",
            ExitCode.OUTPUT_REFUSED,
        )  # fmt: skip


def _concluded(
    root: Path,
    out: Path,
    all_visits: Sequence[Visit],
    outcomes: list[Outcome],
    remarks: list[Remark],
) -> Summary:
    cohort = build_cohort(root, out, all_visits, remarks)
    write_cohort(cohort, out)
    rows = [_row(out, visit) for visit in all_visits]
    write_table(out / SUMMARY, SUMMARY_COLUMNS, rows)
    write_table(out / REMARKS, COLUMNS, [remark.record() for remark in remarks])
    return Summary(tuple(outcomes), tuple(remarks), cohort, rows)


def _row(out: Path, visit: Visit) -> dict[str, object]:
    """What is on disk of a visit, whoever did it and when."""
    row: dict[str, object] = dict.fromkeys(SUMMARY_COLUMNS)
    row |= {"participant_id": visit.participant, "session_id": visit.session}
    record = read_record(record_path(out, visit))
    if record is not None and record.is_whole():
        content = record.content
        row |= {"status": DONE, "diffusion": content["diffusion"], "seconds": content["seconds"]}
        return row
    try:
        failure = json.loads(failure_path(out, visit.key).read_bytes())
        row |= {"status": FAILED, "problem": failure["problem"], "remedy": failure["remedy"]}
    except (OSError, ValueError, KeyError, TypeError):
        row["status"] = NOT_DONE if visit.has_t1 else "no T1"
    return row


def write_table(path: Path, columns: Sequence[str], rows: Sequence[dict[str, object]]) -> None:
    """Write a BIDS table whole."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter="\t", lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(
        ["n/a" if row.get(name) in (None, "") else row[name] for name in columns] for row in rows
    )
    write_whole(path, text.getvalue().encode())
