"""The validation set of the gate: the same exams every time, none that a model learned from.

It holds simulated exams of held-out anatomies, or where none are built simulated patients of the
one anatomy that is installed (``frozen_patients``), and those approved cases of a store that are
set aside: about every fifth subject, told by the code alone, so that all visits of a subject are on
one side for ever. Fine-tuning has to leave these out (``is_set_aside``). What the set is made of is
kept with checksums; where one no longer fits, the set is refused, and not quietly another one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from BrainstemALSLib.durability import write_whole
from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.imaging.checksum import sha256_of
from BrainstemALSLib.imaging.exam import Exam
from BrainstemALSLib.imaging.volume import Volume

from .. import anatomies
from ..corrections import Correction, read_corrections
from ..data import repository, work_dir
from . import frozen_patients
from .gate_scores import APPROVED, PATIENT, SIMULATED, ValidationCase

FORMAT = 1
PATIENTS_FORMAT = 2
"""Of a set with simulated patients, which versions that know format 1 alone would overlook."""
SEED = 20261
"""Of the simulated exams; own choice, and not that of ``training.evaluation``."""
REPEATS = 6
"""Exams that can be drawn of each anatomy, the second once all have one."""
ASIDE_EVERY = 5
"""About one subject in five is set aside; own choice."""
_SIMULATION = (
    "synthesis.py", "fibre_field.py", "fibre_directions.py", "geometry_augmentation.py",
    "labels.py", "evaluation/simulate.py", "evaluation/grids.py",
)  # fmt: skip


@dataclass(frozen=True)
class FrozenCase:
    """One exam of the set.

    Attributes
    ----------
    kind : str
        As in ``ValidationCase``.
    name : str
        Anatomy, or case id; never a subject's code.
    seed : int or None
        Of the images of a simulated exam, or of a simulated patient.
    sha256 : str
        Of the anatomy's file, of a simulated patient's true labels, or over the checksums of the
        case's files.
    """

    kind: str
    name: str
    seed: int | None
    sha256: str


@dataclass(frozen=True)
class FrozenSet:
    """The whole set.

    Attributes
    ----------
    cases : tuple of FrozenCase
        Simulated exams first, in an order in which every beginning is a mixture.
    simulation : str
        SHA-256 of the code that draws the images.
    """

    cases: tuple[FrozenCase, ...]
    simulation: str

    @property
    def identity(self) -> str:
        """SHA-256 of what it is made of, hexadecimal."""
        return hashlib.sha256(_json(self)).hexdigest()

    @property
    def format(self) -> int:
        """Format of its file."""
        return PATIENTS_FORMAT if self._has(PATIENT) else FORMAT

    @property
    def anatomies(self) -> tuple[str, ...]:
        """Names of the anatomies in it."""
        return tuple(dict.fromkeys(c.name for c in self.cases if c.kind == SIMULATED))

    def first(self, count: int | None) -> FrozenSet:
        """Return the first simulated exams or patients only, and all approved cases.

        Without a count, one exam of each anatomy, or all simulated patients.
        """
        simulated, patients, approved = (
            [c for c in self.cases if c.kind == kind] for kind in (SIMULATED, PATIENT, APPROVED)
        )
        exams = len(self.anatomies) if count is None else count
        return FrozenSet((*simulated[:exams], *patients[:count], *approved), self.simulation)

    def current_simulation(self) -> str:
        """Checksum of today's code that would draw its exams."""
        return frozen_patients.code_sum() if self._has(PATIENT) else simulation_sum()

    def _has(self, kind: str) -> bool:
        return any(case.kind == kind for case in self.cases)


def is_set_aside(subject: str) -> bool:
    """Return whether a subject's approved cases are for the gate, and not for training.

    Parameters
    ----------
    subject : str
        Code of the subject in the annotation store.
    """
    # Codes lose their hyphens in BIDS names: one subject must not change sides by its spelling.
    code = subject.casefold().replace("-", "").replace("_", "")
    digest = hashlib.sha256(b"BrainstemALS validation " + code.encode()).digest()
    return int.from_bytes(digest[:8], "big") % ASIDE_EVERY == 0


def frozen_file() -> Path:
    """Where the set is kept."""
    return work_dir() / "gate" / "frozen_set.json"


def make_frozen_set(store: Path | None = None) -> FrozenSet:
    """Make a set of what there is now; where no held-out anatomy is built, of simulated patients.

    Raises
    ------
    BrainstemALSError
        The store is none; a file of the installation is missing.
    """
    names = _held_out()
    drawn, simulation = (
        (_of_anatomies(names), simulation_sum())
        if names
        else (_of_patients(), frozen_patients.code_sum())
    )
    approved = [] if store is None else _set_aside(store)
    return FrozenSet((*drawn, *approved), simulation)


def _held_out() -> list[str]:
    try:
        return anatomies.built_cases(held_out=True)
    except BrainstemALSError:  # not even what anatomies are built from
        return []


def _of_anatomies(names: list[str]) -> list[FrozenCase]:
    # By a hash of the name: sources and their order are mixed, in the same way every time.
    names.sort(key=lambda name: hashlib.sha256(name.encode()).digest())
    sums = {name: sha256_of(anatomies.anatomies_dir() / f"{name}.nii.gz") for name in names}
    return [
        FrozenCase(SIMULATED, name, _seed(number, repeat), sums[name])
        for repeat in range(REPEATS)
        for number, name in enumerate(names)
    ]


def _of_patients() -> list[FrozenCase]:
    seeds = frozen_patients.seeds()
    return [
        FrozenCase(PATIENT, frozen_patients.ANATOMY, seed, frozen_patients.truth_sum(truth))
        for seed, (_, truth) in zip(seeds, frozen_patients.drawn(seeds), strict=True)
    ]


def _set_aside(store: Path) -> list[FrozenCase]:
    return [
        FrozenCase(APPROVED, case.record.case_id, None, _sum_of(case))
        for case in read_corrections(store)
        if case.record.approved_all and is_set_aside(case.record.subject)
    ]


def left_out(frozen: FrozenSet, store: Path) -> int:
    """Count the exams that are set aside and that a set, made earlier, does not hold."""
    known = {case.name for case in frozen.cases}
    return sum(case.name not in known for case in _set_aside(store))


def load_frozen_set(store: Path | None = None, anew: bool = False) -> FrozenSet:
    """Return the set that was kept, or make and keep one.

    Parameters
    ----------
    store : Path, optional
        Annotation store, for a set that is made now.
    anew : bool
        Make one even where there is one.

    Raises
    ------
    BrainstemALSError
        The kept one is damaged, or the simulation has changed since.
    """
    path = frozen_file()
    if not anew and path.exists():
        try:
            content = json.loads(path.read_bytes())
            kept = FrozenSet(
                tuple(FrozenCase(**case) for case in content["cases"]), content["simulation"]
            )
            if content["format"] != kept.format:
                raise ValueError("another format")
        except (ValueError, KeyError, TypeError) as error:
            raise _refused("its file is damaged") from error
        if kept.simulation != kept.current_simulation():
            raise _refused("the code that simulates its exams has changed")
        return kept
    made = make_frozen_set(store)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, _json(made))
    return made


def up_to_date(store: Path, anew: bool = False) -> tuple[FrozenSet, list[str]]:
    """Return the set that was kept, or a new one where it can no longer be judged by.

    For a panel, whose users have no command line: the kept set stays as long as its exams are what
    they were. A new one is made, and said, where it cannot be used any more, or where it holds no
    approved case although some are set aside.

    Returns
    -------
    (set, sentences)
    """
    try:
        kept = load_frozen_set(store, anew)
        approved = {case.name: case.sha256 for case in kept.cases if case.kind == APPROVED}
        now = {case.name: case.sha256 for case in _set_aside(store)}
        if approved.items() <= now.items() and (approved or not now):
            return kept, []
    except BrainstemALSError:
        pass
    made = load_frozen_set(store, anew=True)
    told = "The validation set was made anew; earlier judgements were made on another one."
    return made, [told]


def exams(frozen: FrozenSet, store: Path | None = None) -> Iterator[ValidationCase]:
    """Draw or read the exams of a set, one at a time.

    Raises
    ------
    BrainstemALSError
        An anatomy or a case is no longer the one that was frozen, or is gone.
    """
    for case in frozen.cases:
        if case.kind == SIMULATED:
            yield _simulated(case)
    yield from _patients([case for case in frozen.cases if case.kind == PATIENT])
    wanted = {case.name: case for case in frozen.cases if case.kind == APPROVED}
    if not wanted:
        return
    if store is None:
        raise BrainstemALSError(
            "validation set",
            "it holds approved cases, and no store is named",
            "Name the annotation store with --store.",
            ExitCode.USAGE,
        )
    for correction in read_corrections(store):
        frozen_case = wanted.pop(correction.record.case_id, None)
        if frozen_case is not None:
            if _sum_of(correction) != frozen_case.sha256:
                raise _refused(f"the case {frozen_case.name} was altered")
            yield _approved(correction)
    if wanted:
        raise _refused(f"the case {min(wanted)} is gone, or was corrected anew")


def simulation_sum() -> str:
    """SHA-256 of the code that draws the images, whatever its line ends."""
    total = hashlib.sha256()
    for name in _SIMULATION:
        text = (repository() / "training" / name).read_text(encoding="utf-8")
        total.update(text.encode())
    return total.hexdigest()


def _simulated(case: FrozenCase) -> ValidationCase:
    from ..evaluation import adapter

    path = anatomies.anatomies_dir() / f"{case.name}.nii.gz"
    if not path.exists() or sha256_of(path) != case.sha256:
        raise _refused(f"the anatomy {case.name} is gone or was built anew")
    exam, truth = adapter.simulate(case.name, int(case.seed or 0))
    name = f"{case.name}, seed {case.seed}"
    return ValidationCase(name, case.name, SIMULATED, truth, exam)


def _patients(cases: list[FrozenCase]) -> Iterator[ValidationCase]:
    if not cases:
        return
    drawn = frozen_patients.drawn([int(case.seed or 0) for case in cases])
    for case, (exam, truth) in zip(cases, drawn, strict=True):
        if frozen_patients.truth_sum(truth) != case.sha256:
            raise _refused(f"the simulated patient of seed {case.seed} comes out otherwise now")
        name = f"simulated patient, seed {case.seed}"
        yield ValidationCase(name, case.name, PATIENT, truth, exam)


def _approved(correction: Correction) -> ValidationCase:
    names = {role: f"{role}.nii.gz" for role in correction.images}
    exam = Exam(**correction.images, names=names)
    array = correction.correction.array.astype(np.uint8)
    truth = Volume(array, correction.correction.affine)
    # The subject only groups; nothing with it is written.
    record = correction.record
    return ValidationCase(record.case_id, record.subject, APPROVED, truth, exam)


def _seed(number: int, repeat: int) -> int:
    return int(np.random.SeedSequence([SEED, number, repeat]).generate_state(1)[0])


def _sum_of(correction: Correction) -> str:
    text = json.dumps(correction.record.checksums, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _json(frozen: FrozenSet) -> bytes:
    content = {
        "format": frozen.format,
        "simulation": frozen.simulation,
        "cases": [asdict(case) for case in frozen.cases],
    }
    return (json.dumps(content, indent=1) + "\n").encode()


def _refused(problem: str) -> BrainstemALSError:
    return BrainstemALSError(
        "validation set",
        problem,
        "Make a new one with --new-set; earlier judgements were made on the old one.",
        ExitCode.USAGE,
    )
