"""The participant level: every visit of a dataset through the pipeline, then the tables."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from ..durability import write_whole
from ..errors import BrainstemALSError, ExitCode
from ..imaging.staging import unwritable
from .changes import collect_changes
from .collect import build_cohort, describe, need_pandas
from .discovery import Visit
from .job import (
    DONE,
    FAILED,
    STOPS_ALL,
    UNCHANGED,
    Job,
    Outcome,
    failure_path,
    write_failure,
)
from .longitudinal_level import Comparisons
from .out_folder import only_run, refuse_full, refuse_inside, refuse_results
from .remarks import COLUMNS, Remark
from .run_record import all_records, is_unchanged, read_record, record_path
from .settings import Settings
from .tables import Cohort, is_simulated, read_foreign, write_cohort

SUMMARY, REMARKS = "summary.tsv", "remarks.tsv"
NOT_DONE, NO_T1, NO_IMAGES = "not processed", "no T1", "no images"
_MAYBE_FULL = (ExitCode.OUTPUT_REFUSED, ExitCode.UNEXPECTED)
SUMMARY_COLUMNS = (
    "participant_id", "session_id", "status", "diffusion", "seconds", "problem", "remedy",
)  # fmt: skip
Progress = Callable[[int, int, Outcome | None], None]
"""Called with how many jobs are done, how many there are so far, and how the last one ended: visits
and, with ``longitudinal``, participants."""


class Runs(Protocol):
    """What takes jobs: ``local.LocalPool`` or ``dask_cluster.DaskCluster``."""

    def run(
        self, jobs: Sequence[Job], then: Callable[[Outcome], Iterable[Job]] | None = None
    ) -> Iterator[Outcome]:
        """Yield how each job ended, as they end; ``then`` returns the jobs that one makes ready."""
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
        Of ``summary.tsv``: every visit of the dataset, on disk or only named by a table.
    compared : tuple of Outcome
        Of the participants whose visits were to be compared with each other.
    changes : int
        Participants in ``changes.tsv``.
    """

    outcomes: tuple[Outcome, ...]
    remarks: tuple[Remark, ...]
    cohort: Cohort
    rows: list[dict[str, object]] = field(default_factory=list)
    compared: tuple[Outcome, ...] = ()
    changes: int = 0

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
    longitudinal: bool = False,
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
    longitudinal : bool
        Compare the visits of each participant with each other, as soon as the last has ended.
    progress : callable, optional

    Raises
    ------
    BrainstemALSError
        OUTPUT_REFUSED: the folder cannot be written to, its disk is full, it holds something else,
        or another run works in it. What stops
        every visit: MODEL_UNAVAILABLE, DEVICE_UNAVAILABLE, MISSING_PACKAGE; results that are done
        by then stay.
    """
    need_pandas()
    root, out = root.resolve(), out.resolve()
    refuse_inside(root, out)
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
        people = Comparisons(root, out, visits if longitudinal else (), all_visits, settings, redo)
        first = [*jobs.values(), *people.begin(jobs.values())]
        report(len(outcomes), len(ready), None)
        then = (people.after,) if longitudinal else ()
        for outcome in make_runner(len(first)).run(first, *then) if first else ():
            if outcome.code in STOPS_ALL:
                raise BrainstemALSError(
                    outcome.key, outcome.problem, outcome.remedy, ExitCode(outcome.code)
                )
            if outcome.status == FAILED:
                write_failure((jobs | people.jobs)[outcome.key], outcome)
                if outcome.code in _MAYBE_FULL:
                    refuse_full(out)
            (people.ended if outcome.key in people.jobs else outcomes).append(outcome)
            report(len(outcomes) + len(people.ended), len(ready) + len(people.jobs), outcome)
        summary = _concluded(root, out, all_visits, outcomes, found, longitudinal)
        return replace(summary, compared=(*people.unchanged, *people.ended))


def collect_only(
    root: Path,
    out: Path,
    all_visits: Sequence[Visit],
    remarks: Sequence[Remark],
    then: Callable[[Summary], None] = lambda _: None,
) -> Summary:
    """Write the tables from the results that are there, as ``run_participants`` does at its end.

    ``then`` gets them while every other run is still kept out of the folder.
    """
    root, out = root.resolve(), out.resolve()
    if not out.is_dir():
        raise BrainstemALSError(
            out, "there is no such folder", "Run the participant level first.", ExitCode.USAGE
        )
    if not all_records(out):
        raise BrainstemALSError(
            out, "it holds no results of any visit", "Run the participant level first.",
            ExitCode.USAGE,
        )  # fmt: skip
    with only_run(out):
        describe(out, is_simulated(root))
        summary = _concluded(root, out, all_visits, [], list(remarks))
        then(summary)
        return summary


def read_only(tables: Path, out: Path, then: Callable[[Summary], None]) -> None:
    """Read the tables of a cohort without its images, and hand them to what writes into ``out``.

    Parameters
    ----------
    tables : Path
        With participants.tsv, visits.tsv and measures.tsv; nothing in it is changed, unless it is
        ``out``.
    out : Path
        Folder of results.
    then : callable
        Gets the tables while every other run is kept out of ``out``.

    Raises
    ------
    BrainstemALSError
        OUTPUT_REFUSED: ``out`` holds another cohort, lies within ``tables``, or another run works
        in it. UNREADABLE_IMAGE: a table is damaged.
    """
    need_pandas()
    tables, out = tables.resolve(), out.resolve()
    if tables != out:
        refuse_inside(tables, out)
        refuse_results(out)
    cohort = read_foreign(tables)  # refused before anything is made
    with only_run(out):
        if tables == out:
            cohort = read_foreign(tables)  # nobody else writes them now
        then(Summary((), (), cohort))


def _concluded(
    root: Path,
    out: Path,
    all_visits: Sequence[Visit],
    outcomes: list[Outcome],
    remarks: list[Remark],
    longitudinal: bool = False,
) -> Summary:
    cohort = build_cohort(root, out, all_visits, remarks)
    write_cohort(cohort, out)
    changes = collect_changes(out, all_visits, cohort, remarks, longitudinal)
    rows = _rows(out, all_visits, cohort)
    write_table(out / SUMMARY, SUMMARY_COLUMNS, rows)
    write_table(out / REMARKS, COLUMNS, [remark.record() for remark in remarks])
    people = changes.participant_id.nunique()
    return Summary(tuple(outcomes), tuple(remarks), cohort, rows, changes=people)


def _rows(out: Path, visits: Sequence[Visit], cohort: Cohort) -> list[dict[str, object]]:
    """Every visit once that lies on disk, that a table names, or that there are results of."""
    rows = {(visit.participant, visit.session): _row(out, visit) for visit in visits}
    of_diffusion = cohort.measures[cohort.measures.measure.isin(("fa", "md"))]
    used = set(zip(of_diffusion.participant_id, of_diffusion.session_id, strict=True))
    for key, row in rows.items():
        if row["diffusion"] not in (None, "none") and key not in used:
            row["diffusion"] = f"{row['diffusion']}, not used"  # remarks.tsv says why
    named = list(zip(cohort.visits.participant_id, cohort.visits.session_id, strict=True))
    seen = {who for who, _ in (*rows, *named)}
    lone = ((who, None) for who in cohort.participants.participant_id if who not in seen)
    for who, session in (*named, *lone):
        if (who, session) not in rows:
            rows[who, session] = dict.fromkeys(SUMMARY_COLUMNS) | {
                "participant_id": who, "session_id": session, "status": NO_IMAGES,
            }  # fmt: skip
    return [rows[key] for key in sorted(rows, key=lambda key: (key[0], key[1] or ""))]


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
        row["status"] = NOT_DONE if visit.has_t1 else NO_T1
    return row


def write_table(path: Path, columns: Sequence[str], rows: Sequence[dict[str, object]]) -> None:
    """Write a BIDS table whole; OUTPUT_REFUSED where that cannot be."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter="\t", lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(
        ["n/a" if row.get(name) in (None, "") else row[name] for name in columns] for row in rows
    )
    try:
        write_whole(path, text.getvalue().encode())
    except OSError:
        raise unwritable(path.parent) from None
