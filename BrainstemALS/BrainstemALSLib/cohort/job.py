"""One visit through the pipeline, in whatever process: never raises but for what stops them all."""

from __future__ import annotations

import json
import shutil
import time
import traceback
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..durability import write_whole
from ..errors import BrainstemALSError, ExitCode
from ..file_lock import FileLock, LockUnsupportedError
from .discovery import Visit
from .run_record import inputs_of, is_unchanged, record_path, write_record
from .settings import Settings
from .warm import shared_segmenter

if TYPE_CHECKING:
    from ..imaging.prepare import PreparationOptions

DONE, UNCHANGED, FAILED = "done", "unchanged", "failed"
STOPS_ALL = (
    ExitCode.MODEL_UNAVAILABLE,
    ExitCode.DEVICE_UNAVAILABLE,
    ExitCode.MISSING_PACKAGE,
)
"""What would fail for every visit: the run ends instead of failing a thousand times."""
LOGS, LOCKS = "logs", "logs/locks"
_WAIT_S, _POLL_S = 30.0, 0.2


@dataclass(frozen=True)
class Job:
    """One visit to process.

    Attributes
    ----------
    root, out : Path
        BIDS dataset and folder of the results, absolute.
    visit : Visit
    settings : Settings
    redo : bool
        Even where the results are there and unchanged.
    """

    root: Path
    out: Path
    visit: Visit
    settings: Settings
    redo: bool = False

    def is_done(self) -> bool:
        """Whether its results are there, whole and of these inputs and settings."""
        return is_unchanged(self.visit, self.root, self.out, self.settings)

    def process(self, started: float) -> None:
        """Make the results; raises what goes wrong. ``started``: ``time.perf_counter`` then."""
        _process(self, started)


@dataclass(frozen=True)
class Outcome:
    """How a job ended.

    Attributes
    ----------
    key : str
        Of the visit.
    status : str
        ``done``, ``unchanged`` or ``failed``.
    problem, remedy : str
        Of a failure; nothing of them tells a value of an image, a name or a folder.
    code : int
        ``ExitCode`` of a failure.
    where : str
        Lines of code that an unexpected problem passed through.
    seconds : float
    """

    key: str
    status: str
    problem: str = ""
    remedy: str = ""
    code: int = 0
    where: str = ""
    seconds: float = 0.0


def run_job(job: Job) -> Outcome:
    """Process one visit, and leave a log where it failed.

    Returns
    -------
    Outcome
        Whatever goes wrong with the visit is in it; only interruptions pass.
    """
    started = time.perf_counter()
    key = job.visit.key
    try:
        with _alone(job):
            if not job.redo and job.is_done():
                _forget_failure(job)
                return Outcome(key, UNCHANGED)
            job.process(started)
            _forget_failure(job)
        return Outcome(key, DONE, seconds=time.perf_counter() - started)
    except BrainstemALSError as refusal:
        outcome = Outcome(key, FAILED, refusal.problem, refusal.remedy, int(refusal.code))
    except ModuleNotFoundError as missing:
        outcome = Outcome(
            key, FAILED, f"the package {missing.name} is missing",
            "Run brainstem-als doctor: it says how to install it.", int(ExitCode.MISSING_PACKAGE),
        )  # fmt: skip
    except MemoryError as problem:
        outcome = Outcome(
            key, FAILED, "there was not enough memory", "Run it again with fewer --n-procs.",
            int(ExitCode.UNEXPECTED), _where(problem),
        )  # fmt: skip
    except Exception as problem:
        # Not the exception's own text: it may carry a folder, and a folder may carry a name.
        outcome = Outcome(
            key, FAILED, f"unexpected problem ({type(problem).__name__})",
            "Look at the images; report what the log says if they are right.",
            int(ExitCode.UNEXPECTED), _where(problem),
        )  # fmt: skip
    write_failure(job, outcome)
    return outcome


def _process(job: Job, started: float) -> None:
    from ..pipeline import segment_to_folder
    from ..report.derivatives import DATASET_DESCRIPTION

    visit, settings = job.visit, job.settings
    folder = job.out / visit.place
    sweep(job)
    # From here on the results are not whole until the record is back.
    record_path(job.out, visit).unlink(missing_ok=True)
    inputs = inputs_of(visit, job.root)
    choices = {name: path for name in ("fa", "md") if (path := getattr(visit, name)) is not None}
    source, stem = source_of(job)
    saved = segment_to_folder(
        folder,
        source,
        shared_segmenter(settings),
        choices=choices,
        stem=stem,
        preparation=preparation_of(settings),
        overwrite=True,
        # A T1 that was put in the place of another one is what makes a visit be done again.
        replace_other=True,
        probabilities=settings.probabilities,
        options=settings.options(),
    )
    # It describes a whole dataset: it lies in the output folder, once.
    (folder / DATASET_DESCRIPTION).unlink(missing_ok=True)
    files = [path for path in saved.files if path.name != DATASET_DESCRIPTION]
    write_record(visit, job.out, settings, inputs, files, time.perf_counter() - started)


def preparation_of(settings: Settings) -> PreparationOptions:
    """Return how the diffusion of every visit is prepared."""
    from ..imaging.diffusion.process import DiffusionOptions
    from ..imaging.prepare import PreparationOptions
    from ..imaging.registration import RegistrationOptions, checked_axis

    return PreparationOptions(
        DiffusionOptions(settings.denoise, settings.gibbs, settings.motion),
        RegistrationOptions(settings.unwarp, checked_axis(settings.phase_encoding)),
        settings.register,
    )


def source_of(job: Job) -> tuple[Path, str | None]:
    """Folder of the visit; or its T1 and what to call it, where its series is not to be used."""
    from ..imaging.intake.bids import read_subject

    visit = job.visit
    if visit.has_series or visit.fa or visit.md or not (visit.folder / "dwi").is_dir():
        return visit.folder, None
    name = read_subject(visit.folder, with_dwi=False).names["t1"]
    return visit.folder / "anat" / name, visit.key


def sweep(job: Job) -> None:
    """Remove what a killed run of the visit left half-written."""
    folder = job.out / job.visit.place
    if folder.is_dir():
        for partial in folder.glob(".partial-*"):
            if partial.is_dir():
                shutil.rmtree(partial, ignore_errors=True)
            else:
                partial.unlink(missing_ok=True)


def failure_path(out: Path, key: str) -> Path:
    """Return where the log of a failed visit lies."""
    return out / LOGS / f"{key}.json"


def write_failure(job: Job, outcome: Outcome) -> None:
    """Leave a log of a failed visit; a full disk is no reason to stop the others."""
    with suppress(OSError):
        path = failure_path(job.out, outcome.key)
        path.parent.mkdir(parents=True, exist_ok=True)
        content = {
            "participant_id": job.visit.participant,
            "session_id": job.visit.session,
            **{k: v for k, v in asdict(outcome).items() if k != "seconds"},
        }
        write_whole(path, (json.dumps(content, indent=1) + "\n").encode())


def _forget_failure(job: Job) -> None:
    with suppress(OSError):
        failure_path(job.out, job.visit.key).unlink(missing_ok=True)


def _alone(job: Job) -> ExitStack:
    """Keep another process off the same visit: a worker may outlive the run that started it."""
    stack = ExitStack()
    folder = job.out / LOCKS
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / f"{job.visit.key}.lock")
    deadline = time.monotonic() + _WAIT_S
    try:
        while not lock.acquire():
            if time.monotonic() > deadline:
                raise BrainstemALSError(
                    job.visit.key, "another process works on this visit",
                    "Wait for it, then run the same command again.", ExitCode.OUTPUT_REFUSED,
                )  # fmt: skip
            time.sleep(_POLL_S)
    except LockUnsupportedError:
        return stack
    stack.callback(lock.release)
    stack.callback(_remove, lock.path)
    return stack


def _remove(lock_file: Path) -> None:
    with suppress(OSError):  # Windows deletes no open file
        lock_file.unlink(missing_ok=True)


def _where(problem: BaseException) -> str:
    frames = traceback.extract_tb(problem.__traceback__)
    places = [f"{Path(frame.filename).name}:{frame.lineno}" for frame in reversed(frames)]
    return f"{type(problem).__name__} at {' < '.join(places[:8])}"
