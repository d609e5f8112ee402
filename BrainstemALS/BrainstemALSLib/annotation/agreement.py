"""Two or more experts on one exam: their labels on one box, compared where they vouch for them.

Each annotator's latest case counts. A case that was reviewed only in part speaks for the voxels its
annotator changed and for no others (as in ``training.corrections``): what nobody looked at is the
model's drawing, and two copies of it are no agreement of two experts.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from ..errors import BrainstemALSError, ExitCode
from ..imaging.checks import ORIENTATION_GAP_MM
from ..imaging.geometry import same_grid
from ..imaging.volume import Volume
from .agreement_places import Place, find_places
from .agreement_scores import TOLERANCE_MM, PairScores, score_pair
from .box import BoxGrid
from .case_files import Case
from .consensus import Consensus, Opinions, consensus_of, disagreement_of
from .records import CaseRecord
from .store import CaseStore

RULES = ("both", "any")
"""Where two annotators are compared: where both vouch, or where at least one does."""


@dataclass(frozen=True, eq=False)
class SharedExam:
    """One exam as several annotators approved it, on the smallest box that holds all their boxes.

    Attributes
    ----------
    records : tuple of CaseRecord
        One for each annotator, sorted by code.
    grid : BoxGrid
        The whole T1, and where the box lies in it.
    t1, prediction : Volume
        T1 (0 where no case has it) and the model's labels; of several cases the first one's.
    opinions : Opinions
        Labels of all annotators, and where each vouches for them.
    """

    records: tuple[CaseRecord, ...]
    grid: BoxGrid
    t1: Volume
    prediction: Volume
    opinions: Opinions

    @property
    def annotators(self) -> tuple[str, ...]:
        """Codes, in the order of ``opinions``."""
        return tuple(record.annotator for record in self.records)


@dataclass(frozen=True, eq=False)
class Agreement:
    """What is known of the agreement on one exam.

    Attributes
    ----------
    exam : SharedExam
        What was compared.
    rule : str
        One of ``RULES``.
    pairs : tuple of PairScores
        All pairs of annotators.
    consensus : Consensus
        By majority or STAPLE.
    disagreement : Volume
        float32 in the exam's box: share of the vouching annotators who are not of the largest
        group that says the same; 0 where fewer than two vouch.
    places : tuple of Place
        Where to talk about it, the largest first.
    """

    exam: SharedExam
    rule: str
    pairs: tuple[PairScores, ...]
    consensus: Consensus
    disagreement: Volume
    places: tuple[Place, ...]


def shared_exams(
    store: CaseStore, annotators: Collection[str] = (), exam: str = ""
) -> dict[str, tuple[CaseRecord, ...]]:
    """Return the latest case of each annotator, for exams that at least two of them approved.

    Parameters
    ----------
    store : CaseStore
        Opened to read.
    annotators : collection of str
        Only these; all where it is empty.
    exam : str
        Exam key or its beginning; all exams where it is empty.

    Returns
    -------
    dict
        Exam key to records sorted by annotator; exams in the order of their first approval.

    Raises
    ------
    BrainstemALSError
        USAGE: no exam, or more than one, begins like ``exam``. UNSUITABLE_IMAGE: nobody shared one.
    """
    records = store.cases()
    keys = list(dict.fromkeys(record.exam_key for record in records))
    if exam:
        keys = [full_exam_key(keys, exam)]
    found: dict[str, tuple[CaseRecord, ...]] = {}
    for key in keys:
        latest: dict[str, CaseRecord] = {}
        for record in sorted((r for r in records if r.exam_key == key), key=lambda r: r.age):
            if not annotators or record.annotator in annotators:
                latest[record.annotator] = record
        if len(latest) > 1:
            found[key] = tuple(latest[code] for code in sorted(latest))
    if not found:
        raise BrainstemALSError(
            "annotation store",
            "no exam in it was approved by two annotators"
            if not exam
            else "this exam was not approved by two annotators",
            "Let a second annotator correct and approve an exam under another code.",
            ExitCode.UNSUITABLE_IMAGE,
        )
    return found


def full_exam_key(keys: Collection[str], beginning: str) -> str:
    """Return the one key that begins so; raises USAGE where there is none or more than one."""
    matches = [key for key in keys if key.startswith(beginning.lower())]
    if len(matches) != 1:
        raise BrainstemALSError(
            "exam key",
            "no exam of the store begins so" if not matches else "several exams begin so",
            "Give more of the key; case.json of each case has it as exam_key.",
            ExitCode.USAGE,
        )
    return matches[0]


def bring_together(cases: Collection[Case]) -> SharedExam:
    """Bring cases of one exam to one box.

    Outside an annotator's stored box (16 mm around the labels) nothing is labelled; that is vouched
    for where the annotator vouched for everything.

    Raises
    ------
    BrainstemALSError
        MISMATCHED_IMAGES: the cases do not lie on one T1.
    ValueError
        Fewer than two cases, or of more than one exam.
    """
    cases = sorted(cases, key=lambda case: case.record.annotator)
    records = tuple(case.record for case in cases)
    if len(cases) < 2 or len({record.exam_key for record in records}) > 1:
        raise ValueError("an agreement needs two cases or more of one exam")
    whole = [_whole(record.grid) for record in records]
    if not all(same_grid(whole[0], other, ORIENTATION_GAP_MM) for other in whole[1:]):
        raise BrainstemALSError(
            records[-1].case_id,
            "this case lies on another T1 than the first case of the same exam",
            "Correct and approve the exam again on the T1 that the others used.",
            ExitCode.MISMATCHED_IMAGES,
        )
    starts = np.array([record.grid.offset for record in records])
    stops = starts + [record.box_shape for record in records]
    start, shape = starts.min(axis=0), stops.max(axis=0) - starts.min(axis=0)
    grid = BoxGrid(records[0].grid.shape, records[0].grid.affine, tuple(start))
    windows = [
        tuple(slice(a, b) for a, b in zip(first - start, last - start, strict=True))
        for first, last in zip(starts, stops, strict=True)
    ]

    def put(arrays: list[np.ndarray], fill: list[object], dtype: type) -> list[np.ndarray]:
        whole = [np.full(tuple(shape), value, dtype=dtype) for value in fill]
        for target, window, array in zip(whole, windows, arrays, strict=True):
            target[window] = array
        return whole

    everything = [record.approved_all for record in records]
    labels = put([case.correction.array for case in cases], [0] * len(cases), np.uint8)
    vouched = put(
        [case.changed.array | case.record.approved_all for case in cases], everything, bool
    )
    t1, prediction = np.zeros(tuple(shape), np.float32), np.zeros(tuple(shape), np.uint8)
    for window, case in reversed(list(zip(windows, cases, strict=True))):
        t1[window], prediction[window] = case.images["t1"].array, case.prediction.array
    affine = grid.box_affine
    return SharedExam(
        records,
        grid,
        Volume(t1, affine),
        Volume(prediction, affine),
        Opinions(np.stack(labels), np.stack(vouched), affine),
    )


def agree(
    exam: SharedExam,
    method: str = "staple",
    rule: str = "both",
    tolerance_mm: float = TOLERANCE_MM,
    limit: int = 20,
) -> Agreement:
    """Compare the annotators of one exam.

    Parameters
    ----------
    exam : SharedExam
        As ``bring_together`` returns it.
    method : str
        Of the consensus, see ``consensus.METHODS``.
    rule : str
        One of ``RULES``.
    tolerance_mm : float
        Of the normalised surface distance.
    limit : int
        How many places are listed.

    Raises
    ------
    ValueError
        Another method or rule.
    """
    if rule not in RULES:
        raise ValueError(f"the rule is one of {RULES}, not {rule}")
    opinions = exam.opinions
    meet = np.logical_and if rule == "both" else np.logical_or
    scores = [
        score_pair(
            (exam.annotators[a], exam.annotators[b]),
            opinions.labels[a],
            opinions.labels[b],
            meet(opinions.vouched[a], opinions.vouched[b]),
            opinions.affine,
            tolerance_mm,
        )
        for a, b in combinations(range(len(exam.records)), 2)
    ]
    disagreement = disagreement_of(opinions)
    return Agreement(
        exam,
        rule,
        tuple(scores),
        consensus_of(opinions, exam.prediction.array, method),
        disagreement,
        find_places(opinions, disagreement, limit),
    )


def _whole(grid: BoxGrid) -> Volume:
    # A view of one voxel with the right shape: nothing of the size of a T1 is allocated.
    return Volume(np.broadcast_to(np.zeros((), np.uint8), grid.shape), grid.affine)
