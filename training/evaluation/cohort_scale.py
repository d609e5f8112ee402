"""Time of a cohort through the runner, killed and restarted, and two Dask workers beside one.

    python -m training.evaluation.cohort_scale --bids DIR [--exams 20] [--kills 3] [--dask-exams 6]

Runs ``brainstem-als cohort`` as a user does, on the first visits of a BIDS dataset with images (the
imaging cohort of ``training.cohort``). The time of 500 people with two visits is extrapolated from
the visits measured, which is said with its interval.
"""

from __future__ import annotations

import json
import math
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from BrainstemALSLib.cohort.changes import comparisons_on_disk
from BrainstemALSLib.cohort.dask_cluster import DaskCluster
from BrainstemALSLib.cohort.discovery import Visit, find_visits
from BrainstemALSLib.cohort.machine import MEMORY_GIB, available_memory
from BrainstemALSLib.cohort.participant_level import Summary, run_participants
from BrainstemALSLib.cohort.run_record import all_records
from BrainstemALSLib.cohort.settings import Settings, model_checksums
from BrainstemALSLib.cohort.tables import is_simulated, read_cohort
from BrainstemALSLib.cohort.warm import cores
from BrainstemALSLib.errors import BrainstemALSError, ExitCode

from ..commands import finish
from ..data import work_dir
from . import commands
from .process import measured
from .tables import Page, Table

NIGHT_HOURS = 12.0
"""What "overnight" is taken for (own reading of the issue)."""
DASK_GAIN = 1.7
SUBJECTS, VISITS = 500, 2
_GIB = 2**30


@dataclass(frozen=True)
class Scale:
    """One undisturbed run.

    Attributes
    ----------
    visits : int
    wall : float
        Seconds in all.
    each : tuple of float
        Seconds of each visit.
    peak_bytes : int
        Of a process.
    processes : int
    compared : tuple of float
        Seconds of each participant whose visits were compared with each other.
    """

    visits: int
    wall: float
    each: tuple[float, ...]
    peak_bytes: int
    processes: int
    compared: tuple[float, ...] = ()

    def hours(self, visits: int, people: int) -> tuple[float, float, float]:
        """Hours that so many visits and comparisons take, and their 95 % prediction interval.

        Student's t of the seconds measured; what is neither (start, tables) is counted once.
        """
        overhead = max(0.0, self.wall - (sum(self.each) + sum(self.compared)) / self.processes)
        total, error = 0.0, 0.0
        for seconds, times in ((self.each, visits), (self.compared, people)):
            if seconds:
                total += times * statistics.fmean(seconds)
                error = math.hypot(error, times * _error_of_mean(seconds, times))
        return tuple(
            (overhead + max(0.0, part) / self.processes) / 3600
            for part in (total, total - error, total + error)
        )


def _error_of_mean(seconds: Sequence[float], times: int) -> float:
    """Half of the 95 % interval for the mean of so many others; 0 where one value tells nothing."""
    from scipy.stats import t

    if len(seconds) < 2:
        return 0.0
    spread = statistics.stdev(seconds) * math.sqrt(1 / len(seconds) + 1 / times)
    return float(t.ppf(0.975, len(seconds) - 1)) * spread


@dataclass(frozen=True)
class Restarts:
    """One run that was killed: kills, visits done after each, what was lost, twice, left over."""

    kills: int
    done_after: tuple[int, ...]
    visits: int
    lost: int
    duplicates: int
    leftovers: int
    same_table: bool


@dataclass(frozen=True)
class Throughput:
    """Visits an hour of one cluster."""

    workers: int
    visits: int
    seconds: float

    @property
    def per_hour(self) -> float:
        """Visits an hour."""
        return 3600 * self.visits / self.seconds


def people_for(visits: Sequence[Visit], wanted: int) -> list[str]:
    """Labels of the first participants who have so many visits with a T1 together."""
    found: dict[str, int] = {}
    for visit in visits:
        if visit.has_t1:
            if visit.participant not in found and sum(found.values()) >= wanted:
                break
            found[visit.participant] = found.get(visit.participant, 0) + 1
    return list(found)


def command_line(root: Path, out: Path, people: Sequence[str], given) -> list[str]:
    """Return ``brainstem-als cohort`` as a user would type it."""
    words = [sys.executable, "-m", "BrainstemALSLib.cli", "cohort", str(root), str(out)]
    words += ["participant", "--participant-label", *people, "--device", given.device]
    words += ["--n-procs", str(given.processes), "--threads", str(given.threads)]
    words += ["--model", str(given.model_dir)] if given.model_dir else []
    return [*words, "--no-probabilities", "--no-longitudinal"]


def run_through(root: Path, out: Path, people: Sequence[str], given) -> Scale:
    """Run the first visits undisturbed."""
    run = measured(command_line(root, out, people, given), given.threads)
    each = tuple(float(record.content["seconds"]) for record in all_records(out))
    compared = tuple(
        float(json.loads(path.read_bytes())["seconds"]) for path in comparisons_on_disk(out)
    )
    return Scale(len(each), run.seconds, each, run.peak_bytes, given.processes, compared)


def run_killed(
    root: Path, out: Path, people: Sequence[str], expected: Path, whole: Scale, given
) -> Restarts:
    """Kill the run at random moments, start it again, and compare with the undisturbed one.

    Each moment is a random number of visits done and then a random part of the time that a visit
    takes, so that most kills fall on work. Runs that ended before theirs came do not count.
    """
    chance = random.Random(given.seed)
    command = command_line(root, out, people, given)
    after, lost, before = [], 0, set()
    for left in range(given.kills, 0, -1):
        # Each leaves work for those after it.
        most = max(0, whole.visits - 1 - len(before)) // left
        number = chance.randint(len(before), len(before) + most)
        delay = chance.uniform(0.0, statistics.fmean(whole.each))
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _wait_for_visits(out, number, process)
        time.sleep(delay)
        ended = process.poll() is not None
        process.kill()
        process.wait()
        if ended:
            break
        time.sleep(1.0)  # its workers end with it
        done = {record.stem for record in all_records(out)}
        lost += len(before - done)
        before = done
        after.append(len(done))
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    table = read_cohort(out).measures
    keys = ["participant_id", "session_id", "structure", "measure"]
    known = {record.stem for record in all_records(expected)}
    lost += len(known - {record.stem for record in all_records(out)})
    same = (out / "measures.tsv").read_bytes() == (expected / "measures.tsv").read_bytes()
    leftovers = len(list(out.rglob(".partial-*")))
    duplicates = int(table.duplicated(keys).sum())
    return Restarts(len(after), tuple(after), len(known), lost, duplicates, leftovers, same)


def _wait_for_visits(out: Path, number: int, process: subprocess.Popen) -> None:
    while process.poll() is None and len(all_records(out)) < number:
        time.sleep(0.2)


def run_cluster(root: Path, out: Path, visits: list[Visit], workers: int, given) -> Throughput:
    """Run visits on a cluster of this computer, its workers warm."""
    from distributed import LocalCluster

    settings = Settings(
        given.device, given.model_dir, model_checksums(given.model_dir), probabilities=False
    )

    def run(folder: Path, chosen: list[Visit], address: str) -> Summary:
        return run_participants(
            root, folder, chosen, chosen, settings, lambda _: DaskCluster(address, given.threads)
        )

    with LocalCluster(
        n_workers=workers, threads_per_worker=1, memory_limit=None, dashboard_address=None
    ) as cluster:
        # As many visits as workers, so that each has loaded the model before the clock starts.
        run(out / "warm", visits[:workers], cluster.scheduler_address)
        started = time.perf_counter()
        summary = run(out / "timed", visits, cluster.scheduler_address)
        seconds = time.perf_counter() - started
    if summary.count("failed"):
        raise BrainstemALSError(
            "cluster", f"{summary.count('failed')} visits failed", "Look at logs of the run.",
            ExitCode.UNEXPECTED,
        )  # fmt: skip
    return Throughput(workers, len(visits), seconds)


def page_of(
    scale: Scale, restarts: Restarts | None, cluster: list[Throughput], simulated: bool, given
) -> Page:
    """Return the page of results."""
    total = SUBJECTS * VISITS
    hours, low, high = scale.hours(total, SUBJECTS)
    tables = [
        Table(
            "scale", "The participant level, from start to all tables written",
            ("visits measured", "people compared", "processes", "threads each", "wall (s)",
             "mean per visit (s)", "slowest (s)", "mean per comparison (s)",
             "peak of a process (GiB)", f"hours for {SUBJECTS} people, {total} visits",
             "95 % low", "95 % high"),
            [(scale.visits, len(scale.compared), scale.processes, given.threads, scale.wall,
              statistics.fmean(scale.each), max(scale.each),
              statistics.fmean(scale.compared) if scale.compared else None,
              scale.peak_bytes / _GIB, hours, low, high)],
            digits=2,
        )
    ]  # fmt: skip
    text = f"{SUBJECTS} people with {VISITS} visits within {NIGHT_HOURS:g} h on this machine "
    text += f"(extrapolated from {scale.visits} visits): {hours:.1f} h ({low:.1f} to {high:.1f})"
    text += "" if hours <= NIGHT_HOURS else f", missed by {hours - NIGHT_HOURS:.1f} h"
    marks: list[tuple[str, bool | None]] = [(text, hours <= NIGHT_HOURS)]
    peak = scale.peak_bytes / _GIB
    marks.append((f"peak of a process at most {MEMORY_GIB:g} GiB: {peak:.2f}", peak <= MEMORY_GIB))
    if restarts is None:
        marks.append(("killed at random and restarted without loss or duplicates", None))
    else:
        whole = not (restarts.lost or restarts.duplicates or restarts.leftovers)
        tables.append(
            Table(
                "restarts", "Killed (SIGKILL) at random moments and started again",
                ("kills", "visits", "done after each kill", "lost", "duplicates", "leftovers",
                 "same table as undisturbed"),
                [(restarts.kills, restarts.visits, ", ".join(map(str, restarts.done_after)),
                  restarts.lost, restarts.duplicates, restarts.leftovers,
                  "yes" if restarts.same_table else "no")],
            )
        )  # fmt: skip
        text = f"{restarts.kills} kills: {restarts.lost} lost, {restarts.duplicates} twice"
        # Kills before the first visit or after the last one show nothing.
        tried = any(0 < done < restarts.visits for done in restarts.done_after)
        marks.append((f"{text}, {restarts.leftovers} left over", whole if tried else None))
        marks.append(("the same measures.tsv to the byte as without kills", restarts.same_table))
    marks.append(_gain_mark(cluster))
    if cluster:
        memory = available_memory()
        machine = (cores(), None if memory is None else memory / _GIB)
        rows = [(c.workers, given.threads, c.visits, c.seconds, c.per_hour, *machine)
                for c in cluster]  # fmt: skip
        columns = ("Dask workers", "threads each", "visits", "seconds", "visits per hour",
                   "cores", "memory free (GiB)")  # fmt: skip
        tables.append(Table("dask", "Warm Dask workers on this machine", columns, rows, digits=1))
    return Page(
        stem="cohort_scale",
        title="A cohort through the runner: time, restarts, Dask",
        kind="simulated" if simulated else "real",
        data=f"the first {scale.visits} visits of "
        + ("a simulated imaging cohort." if simulated else "a real BIDS dataset."),
        seed=given.seed,
        threads=given.threads,
        model={role: {"sha256": sha} for role, sha in model_checksums(given.model_dir)},
        marks=marks,
        tables=tables,
        notes=[
            f"Extrapolated: {total} visits were not run. The interval is Student's t for the mean "
            "of so many further visits and comparisons, taken for independent; start and tables "
            "count once. Other programs on the machine add to all of it.",
            "Comparing the visits of a participant is "
            + ("part of it." if scale.compared else "no part of it: nobody has two visits."),
            "Peak: the largest resident set of any process of the run.",
        ],
    )


def _gain_mark(cluster: list[Throughput]) -> tuple[str, bool | None]:
    text = f"two Dask workers at least {DASK_GAIN:g} times one"
    memory = available_memory()
    if len(cluster) < 2:
        return text, None
    gain = cluster[1].per_hour / cluster[0].per_hour
    text += f": {gain:.2f}" + ("" if gain >= DASK_GAIN else f", missed by {DASK_GAIN - gain:.2f}")
    if cores() < 2 or (memory is not None and memory < 2 * MEMORY_GIB * _GIB):
        return f"{text} (cores or memory of this machine do not allow it)", None
    return text, gain >= DASK_GAIN


def main() -> None:
    """Measure and publish."""
    parser = commands.arguments(__doc__)
    parser.add_argument("--bids", type=Path, help="dataset; else data/cohort/imaging/bids")
    parser.add_argument("--exams", type=int, default=20)
    parser.add_argument("--kill-exams", type=int, default=6)
    parser.add_argument("--kills", type=int, default=3, help="0 leaves this part out")
    parser.add_argument("--dask-exams", type=int, default=6, help="0 leaves this part out")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1, help="of each process")
    parser.add_argument("--seed", type=int, default=7)
    given = parser.parse_args()

    def command() -> None:
        root = (given.bids or work_dir() / "cohort" / "imaging" / "bids").resolve()
        if not root.is_dir():
            raise BrainstemALSError(
                root, "there is no imaging cohort", "Make one, or name a dataset with --bids.",
                ExitCode.USAGE,
            )  # fmt: skip
        os.environ.setdefault("OMP_NUM_THREADS", str(given.threads))
        with tempfile.TemporaryDirectory(dir=work_dir()) as place:
            page = measure(root, Path(place), given)
        commands.publish(page, given.out)

    finish(command)


def measure(root: Path, place: Path, given) -> Page:
    """Run all parts in a folder for what they write."""
    visits = find_visits(root, [])
    ready = [visit for visit in visits if visit.has_t1]
    people = people_for(visits, given.exams)
    scale = run_through(root, place / "scale", people, given)
    print(f"{scale.visits} visits: {scale.wall:.0f} s", flush=True)
    shutil.rmtree(place / "scale")
    restarts = None
    if given.kills:
        few = people_for(visits, given.kill_exams)
        whole = run_through(root, place / "whole", few, given)
        killed = place / "killed"
        restarts = run_killed(root, killed, few, place / "whole", whole, given)
        print(f"{restarts.kills} kills, done after each: {restarts.done_after}", flush=True)
    cluster = []
    for workers in (1, 2) if given.dask_exams else ():
        chosen = ready[: given.dask_exams]
        cluster.append(run_cluster(root, place / f"dask{workers}", chosen, workers, given))
        print(f"{workers} workers: {cluster[-1].per_hour:.0f} visits an hour", flush=True)
    return page_of(scale, restarts, cluster, is_simulated(root), given)


if __name__ == "__main__":
    main()
