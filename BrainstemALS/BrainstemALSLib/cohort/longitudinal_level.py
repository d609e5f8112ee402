"""Visits of one participant compared with each other, after each has been processed alone.

The pool that runs the visits runs these jobs too, each as soon as the last visit of its participant
has ended, with the model that is warm there. Results lie in ``sub-01/ses-longitudinal/anat``.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import __version__
from ..durability import write_whole
from ..imaging.checksum import sha256_of
from ..longitudinal.findings import SAME_DAY_MONTHS
from ..report.naming import derivative_name
from .discovery import Visit, input_files, name_within
from .job import UNCHANGED, Job, Outcome, failure_path, preparation_of, source_of, sweep
from .remarks import Remark
from .run_record import inputs_of, read_record, record_path, same_inputs
from .settings import Settings
from .tables import is_simulated
from .warm import shared_segmenter

SESSION = "ses-longitudinal"
"""What the results of all sessions together are filed under (own choice; BIDS has no name)."""
FEWEST = 2
_FORMAT = 1
_SCANNER = (
    "Manufacturer", "ManufacturersModelName", "MagneticFieldStrength", "DeviceSerialNumber",
    "PulseSequenceDetails",
)  # fmt: skip
Months = Mapping[tuple[str, str], float | None]
"""Participant and session to months since the first visit."""


@dataclass(frozen=True)
class Timed:
    """A visit that can be compared: it has results of its own and a date.

    Attributes
    ----------
    visit : Visit
    months : float
    t1 : str
        Checksum of its T1, as its own record has it.
    """

    visit: Visit
    months: float
    t1: str

    def record(self) -> dict[str, object]:
        """Return what a record holds of it."""
        return {"session_id": self.visit.session, "months": self.months, "t1": self.t1}


@dataclass(frozen=True)
class Comparison(Job):
    """The job of one participant; ``visit`` stands for all sessions together.

    Attributes
    ----------
    visits : tuple of Timed
        Two or more.
    """

    visits: tuple[Timed, ...] = ()

    def is_done(self) -> bool:
        """Whether the results are whole, and of these visits, dates, inputs and settings."""
        content = read_comparison(self.out, self.visit.participant)
        return (
            content is not None
            and content["settings"] == _fingerprint(self.settings)
            and content["visits"] == [timed.record() for timed in self.visits]
            and same_inputs(self._files(), content["inputs"])
        )

    def process(self, started: float) -> None:
        """Compare the visits; raises what ``longitudinal.process_sessions`` refuses."""
        from ..longitudinal.sessions import Session, process_sessions
        from ..longitudinal.writing import names_of

        sweep(self)
        path = comparison_path(self.out, self.visit.participant)
        path.unlink(missing_ok=True)  # the results are not whole until it is back
        inputs: dict[str, dict[str, Any]] = {}
        for timed in self.visits:
            inputs |= inputs_of(timed.visit, self.root)
        sessions = []
        for timed, scanner in zip(self.visits, scanners(self.visits), strict=True):
            visit = timed.visit
            source, _ = source_of(Job(self.root, self.out, visit, self.settings))
            maps = {name: at for name in ("fa", "md") if (at := getattr(visit, name)) is not None}
            sessions.append(Session(source, timed.months, maps, scanner))
        result = process_sessions(
            sessions,
            shared_segmenter(self.settings),
            path.parent,
            overwrite=True,
            simulated=is_simulated(self.root),
            stem=self.visit.key,
            preparation=preparation_of(self.settings),
        )
        files = [path.parent / name for name in names_of(self.visit.key).values()]
        content = {
            "format": _FORMAT,
            "software": {"name": "BrainstemALS", "version": __version__},
            "participant_id": self.visit.participant,
            "settings": _fingerprint(self.settings),
            "models": dict(self.settings.models),
            "visits": [timed.record() for timed in self.visits],
            "left_out": [self.visits[number].visit.session for number in result.left_out],
            "seconds": round(time.perf_counter() - started, 2),
            "inputs": inputs,
            "files": {file.name: file.stat().st_size for file in files},
        }
        write_whole(path, (json.dumps(content, indent=1) + "\n").encode())

    def _files(self) -> dict[str, Path]:
        return {
            name_within(path, self.root): path
            for timed in self.visits
            for path in input_files(timed.visit, self.root)
        }


def _fingerprint(settings: Settings) -> str:
    """Options, models, version, and the measurement error that judgements rest on."""
    from ..assets import asset_path
    from ..longitudinal.error import RELATIVE_PATH

    error = asset_path(RELATIVE_PATH)
    return f"{settings.fingerprint()}-{sha256_of(error)[:16] if error.is_file() else 'none'}"


def scanners(visits: Sequence[Timed]) -> list[str | None]:
    """Return the scanner of each visit by what the JSON files of all of their T1s state.

    Only what every visit states is compared, and a visit whose T1s contradict each other states
    nothing; None where nothing is left.
    """
    stated = [_stated(timed.visit) for timed in visits]
    shared = [key for key in _SCANNER if all(key in each for each in stated)]
    return ["; ".join(each[key] for key in shared) if shared else None for each in stated]


def _stated(visit: Visit) -> dict[str, str]:
    found: dict[str, set[str]] = {}
    for path in visit.folder.glob("anat/sub-*_T1w.json"):
        try:
            content = dict(json.loads(path.read_bytes()))
        except (OSError, ValueError, TypeError):
            continue
        for key in _SCANNER:
            if content.get(key) not in (None, ""):
                found.setdefault(key, set()).add(str(content[key]))
    return {key: next(iter(values)) for key, values in found.items() if len(values) == 1}


def comparison_path(out: Path, participant: str) -> Path:
    """Return where the record of a participant's comparison lies."""
    stem = f"{participant}_{SESSION}"
    return out / participant / SESSION / "anat" / derivative_name(stem, "longitudinalrun", ".json")


def read_comparison(out: Path, participant: str) -> dict[str, Any] | None:
    """Return the record; None where there is none, or its results are not whole."""
    path = comparison_path(out, participant)
    try:
        content = json.loads(path.read_bytes())
        list(content["visits"]), list(content["left_out"]), str(content["settings"])
        dict(content["inputs"])
        if content["format"] != _FORMAT or content["participant_id"] != participant:
            return None
        sizes = dict(content["files"]).items()
        whole = all((path.parent / name).stat().st_size == size for name, size in sizes)
        return content if whole and sizes else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def comparable(
    out: Path, visits: Sequence[Visit], months: Months, remarks: list[Remark] | None = None
) -> tuple[Timed, ...]:
    """Return the visits of one participant that can be compared, in the order of their dates.

    Left out and named: visits without results, without months, and all of one date, because it is
    not known which of their dates is wrong (own choice). Empty where fewer than two are left.

    Parameters
    ----------
    out : Path
    visits : sequence of Visit
        All of one participant in the dataset.
    months : mapping
        See ``Months``.
    remarks : list of Remark, optional
        Gets what was left out, where the participant has several visits, and results of one.
    """
    records = [read_record(record_path(out, visit)) for visit in visits]
    whole = [record is not None and record.is_whole() for record in records]

    def leave_out(visit: Visit, problem: str, remedy: str) -> None:
        if remarks is not None and len(visits) >= FEWEST and any(whole):
            remarks.append(
                Remark(
                    visit.participant, f"not compared with other visits: {problem}", remedy,
                    "left out", participant=visit.participant, session=visit.session,
                )
            )  # fmt: skip

    timed = []
    for visit, record, is_whole in zip(visits, records, whole, strict=True):
        when = months.get((visit.participant, visit.session))
        if visit.session == SESSION:
            leave_out(visit, f"{SESSION} is the name of our own results", "Rename the session.")
        elif record is None or not is_whole:
            leave_out(visit, "it has no results of its own", "See summary.tsv for the reason.")
        elif when is None or not math.isfinite(when):
            leave_out(
                visit, "its months since the first visit are not known",
                "Add the column months, or acq_time to every visit.",
            )  # fmt: skip
        else:
            timed.append(Timed(visit, float(when), record.t1_checksum()))
    kept = []
    for one in timed:
        if any(o is not one and abs(o.months - one.months) < SAME_DAY_MONTHS for o in timed):
            leave_out(one.visit, "another visit has the same date", "Correct months or acq_time.")
        else:
            kept.append(one)
    kept.sort(key=lambda one: (one.months, one.visit.session))
    return tuple(kept) if len(kept) >= FEWEST else ()


class Comparisons:
    """Makes the jobs of participants as their visits end, in the process that sends jobs.

    Parameters
    ----------
    root, out : Path
    asked, every : sequence of Visit
        Those that are processed now, whose participants are compared, and all of the dataset.
    settings : Settings
    redo : bool

    Attributes
    ----------
    jobs : dict
        Key to job, of those that have been sent.
    unchanged, ended : list of Outcome
        Of participants whose results are there and unchanged, and, filled by who runs the jobs, of
        the others.
    """

    def __init__(
        self,
        root: Path,
        out: Path,
        asked: Sequence[Visit],
        every: Sequence[Visit],
        settings: Settings,
        redo: bool,
    ):
        self._root, self._out, self._settings, self._redo = root, out, settings, redo
        wanted = {visit.participant for visit in asked}
        self._visits = {
            who: those
            for who, those in by_participant(every).items()
            if who in wanted and sum(visit.has_t1 for visit in those) >= FEWEST
        }
        self._months = months_of(root, every) if self._visits else {}
        self._waiting: dict[str, set[str]] = {}
        self.jobs: dict[str, Comparison] = {}
        self.unchanged: list[Outcome] = []
        self.ended: list[Outcome] = []

    def begin(self, pending: Iterable[Job]) -> list[Comparison]:
        """Return the jobs of participants none of whose visits is still to be processed."""
        for job in pending:
            self._waiting.setdefault(job.visit.participant, set()).add(job.visit.key)
        ready = [who for who in self._visits if who not in self._waiting]
        return [job for who in ready for job in self._job(who)]

    def after(self, outcome: Outcome) -> list[Comparison]:
        """Return the job that the end of a visit makes ready, if any."""
        who = outcome.key.split("_")[0]
        left = self._waiting.get(who, set())
        if outcome.key not in left:
            return []
        left.remove(outcome.key)
        return [] if left else self._job(who)

    def _job(self, participant: str) -> list[Comparison]:
        visits = comparable(self._out, self._visits.get(participant, ()), self._months)
        if not visits:
            return []
        every = Visit(participant, SESSION, self._root / participant / SESSION)
        job = Comparison(self._root, self._out, every, self._settings, self._redo, visits)
        if not self._redo and job.is_done():
            self.unchanged.append(Outcome(every.key, UNCHANGED))
            failure_path(self._out, every.key).unlink(missing_ok=True)
            return []
        self.jobs[every.key] = job
        return [job]


def by_participant(visits: Iterable[Visit]) -> dict[str, list[Visit]]:
    """Return participant to visits."""
    found: dict[str, list[Visit]] = {}
    for visit in visits:
        found.setdefault(visit.participant, []).append(visit)
    return found


def months_of(root: Path, visits: Sequence[Visit]) -> dict[tuple[str, str], float | None]:
    """Return the months of every visit, as the tables of the cohort will have them."""
    from .clinical import read_clinical

    _, rows = read_clinical(root, visits, [])
    return {(str(r["participant_id"]), str(r["session_id"])): r.get("months") for r in rows}
