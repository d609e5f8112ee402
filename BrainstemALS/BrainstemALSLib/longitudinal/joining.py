"""Which visits belong together, and what they look like on one grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..anatomy import CONTEXT, by_key
from ..imaging.exam import Exam
from ..imaging.finding import Finding
from ..imaging.volume import Volume
from ..segmentation.result import Segmentation
from . import findings
from .alignment import Movements, moved, register_pairs
from .template import Template, build_template, likeness

SMALLEST_COVERED = 0.95
"""Share of the brainstem that a visit has to show, as for diffusion (``registration.to_t1``)."""
LARGEST_RESIDUAL_MM = 2.0
"""There and back again: beyond two voxels nothing was found (our choice)."""
ONE_PERSON, ONE_SCANNER = 0.7, 0.925
"""Likeness (``template.likeness``) below which visits are not of one person, and below which they
are not of one contrast. Our choice between what simulated visits of one person on one scanner, on
two scanners, and of two persons reach, see docs/results/longitudinal_error.md."""
SCANNER_UNTOLD = 0.96
"""The same as the second where nobody says which scanner a visit is from: above all that two
scanners reached there (0.958). Set after unjudged change between two scanners was called beyond
measurement error on held-out anatomies."""


@dataclass(frozen=True, eq=False)
class Visit:
    """A visit that may take part.

    Attributes
    ----------
    number : int
        What it is called, from 0.
    months : float
    exam : Exam
        With maps that lie on its T1, where there are any.
    place : Any
        Where its brainstem is, as ``segmenter.locate`` says it: has ``centre``, RAS mm.
    scanner : str or None
        Where it is known.
    """

    number: int
    months: float
    exam: Exam
    place: Any
    scanner: str | None = None


@dataclass(frozen=True, eq=False)
class Joined:
    """Visits of one person on one grid.

    Attributes
    ----------
    visits : list of Visit
    movements : list of numpy.ndarray, shape (4, 4)
        RAS mm of each visit to RAS mm of the common space.
    template : Template
    segmentation : Segmentation
        Of the template, on its grid.
    likeness : dict
        Number of a visit to its likeness, 0-1, with the visit that it is most like.
    residual_mm : dict
        Number of a visit to how exactly it was registered, see ``alignment``.
    findings : tuple of Finding
    one_contrast : bool
        Whether all visits have one contrast, so that they can be compared.
    """

    visits: list[Visit]
    movements: list[np.ndarray]
    template: Template
    segmentation: Segmentation
    likeness: dict[int, float]
    residual_mm: dict[int, float]
    findings: tuple[Finding, ...]
    one_contrast: bool


def join(visits: Sequence[Visit], segmenter: Any) -> Joined:
    """Bring visits to one grid, and leave out those that do not belong to the others.

    Parameters
    ----------
    visits : sequence of Visit
        Two or more, in an order that does not depend on how they were given.
    segmenter : CanSegment
        See ``pipeline``.

    Raises
    ------
    BrainstemALSError
        MISMATCHED_IMAGES: no two fit. UNSUITABLE_IMAGE: fewer than two show the brainstem.
        Else what the segmenter refuses.
    """
    visits, noted = list(visits), []
    movements = register_pairs([v.exam.t1 for v in visits], [v.place.centre for v in visits])
    keep = list(range(len(visits)))
    while True:
        # Visits that no registration reaches go first: nothing could be compared.
        bad = [n for n in keep if movements.residual_mm(n, keep) > LARGEST_RESIDUAL_MM]
        if bad:
            keep = _without(keep, bad)
            noted += [findings.another_person(visits[n].number, None) for n in bad]
        if len(keep) < 2:
            raise findings.not_one_person()
        place, template = _template(visits, keep, movements)
        short = [n for n, s in zip(keep, template.covered, strict=True) if s < SMALLEST_COVERED]
        if short:
            shares = dict(zip(keep, template.covered, strict=True))
            noted += [findings.not_covered(visits[n].number, shares[n]) for n in short]
            keep = _without(keep, short)
            if len(keep) < 2:
                raise findings.too_few(len(keep), noted)
            continue
        segmentation = segmenter.segment(
            Exam(t1=template.t1, names={"t1": "template"}), place=place
        )
        alike = _alike(template, segmentation)
        best = dict(zip(keep, alike.max(axis=1), strict=True))
        strange = [n for n in keep if best[n] < ONE_PERSON]
        if not strange:
            break
        noted += [findings.another_person(visits[n].number, best[n]) for n in strange]
        keep = _without(keep, strange)
    named = {visits[n].scanner for n in keep}
    limit = ONE_SCANNER if len(named) == 1 and None not in named else SCANNER_UNTOLD
    odd = [n for n, row in zip(keep, alike, strict=True) if _least(row) < limit]
    if odd:
        noted.append(findings.another_scanner(sorted(visits[n].number for n in odd)))
    return Joined(
        [visits[n] for n in keep],
        [movements.to_common(n, keep) for n in keep],
        template,
        segmentation,
        {visits[n].number: round(float(best[n]), 3) for n in keep},
        {visits[n].number: round(movements.residual_mm(n, keep), 3) for n in keep},
        tuple(noted),
        not odd,
    )


def _without(keep: list[int], gone: list[int]) -> list[int]:
    return [n for n in keep if n not in gone]


def _template(visits: list[Visit], keep: list[int], movements: Movements) -> tuple[Any, Template]:
    """Where the brainstem is in the common space, and the template there."""
    to_common = [movements.to_common(n, keep) for n in keep]
    centres = [
        moved(m, np.asarray(visits[n].place.centre, float)[None])[0]
        for n, m in zip(keep, to_common, strict=True)
    ]
    centre = np.mean(centres, axis=0)
    t1s = [
        Volume(visits[n].exam.t1.array, m @ visits[n].exam.t1.affine)
        for n, m in zip(keep, to_common, strict=True)
    ]
    return replace(visits[keep[0]].place, centre=centre), build_template(t1s, centre)


def _alike(template: Template, segmentation: Segmentation) -> np.ndarray:
    """Likeness of every visit with every other, (n, n); -1 with itself."""
    stem = [structure.index for structure in by_key().values() if structure.parent != CONTEXT]
    inside = np.isin(segmentation.labels.array, stem)
    count = len(template.even)
    alike = np.full((count, count), -1.0)
    for a in range(count):
        for b in range(a + 1, count):
            alike[a, b] = alike[b, a] = likeness(template.even[a], template.even[b], inside)
    return alike


def _least(row: np.ndarray) -> float:
    """Least likeness with another visit; -1 stands for the visit itself."""
    return float(np.sort(row)[1])
