"""What experts corrected, out of an annotation store, as training wants it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from BrainstemALSLib.annotation import CaseRecord, CaseStore
from BrainstemALSLib.errors import BrainstemALSError
from BrainstemALSLib.imaging import diffusion_maps
from BrainstemALSLib.imaging.volume import Volume


@dataclass(frozen=True, eq=False)
class Correction:
    """One exam as an expert approved it.

    Attributes
    ----------
    record : CaseRecord
        Codes, model, changes and the rest.
    images : dict of str to Volume
        ``t1`` and those of ``fa``, ``md`` and ``v1`` that there are, float32, cut to a box around
        the brainstem; V1 (i, j, k, 3), RAS, unit length or 0, never without FA.
    prediction, correction : Volume
        uint8 on the same box, values are ``Structure.index``.
    changed : Volume
        bool, where the expert changed the label.
    weights : Volume
        float32: 1 where the expert vouches for the label, 0 where nobody looked, so that it must
        not train. With ``record.approved_all`` it is 1 everywhere, else where ``changed`` is.
    """

    record: CaseRecord
    images: dict[str, Volume]
    prediction: Volume
    correction: Volume
    changed: Volume
    weights: Volume


def read_corrections(root: str | Path, warnings: list[str] | None = None) -> Iterator[Correction]:
    """Read the latest approved case of each exam, exams first approved first.

    One that vouches for the whole exam goes before later ones that vouch for a part.

    A case that is not as it was approved is skipped; then the exam's case before it counts.

    Parameters
    ----------
    root : str or Path
        Folder of an annotation store; nothing in it is written.
    warnings : list of str, optional
        Gets a sentence for each case that was skipped.

    Raises
    ------
    BrainstemALSError
        OUTPUT_REFUSED: the folder is no store, or one of a newer version.
    """
    warnings = [] if warnings is None else warnings
    store = CaseStore(root, read_only=True)
    records = store.cases()
    known = {record.case_id for record in records}
    warnings += [
        f"{case_id}: {problem}. The case was skipped."
        for case_id in store.ids()
        if case_id not in known
        for problem in store.verify(case_id)[:1]
    ]
    by_exam: dict[str, list[CaseRecord]] = {}
    for record in records:
        by_exam.setdefault(record.exam_key, []).append(record)
    for cases in by_exam.values():
        for record in sorted(cases, key=lambda c: (c.approved_all, c.age), reverse=True):
            try:
                case = store.read(record.case_id)
            except BrainstemALSError as error:
                warnings.append(f"{record.case_id}: {error.problem}. The case was skipped.")
                continue
            vouched = case.changed.array | record.approved_all
            yield Correction(
                record=record,
                images=_in_our_units(case.images, record.case_id, warnings),
                prediction=case.prediction,
                correction=case.correction,
                changed=case.changed,
                weights=Volume(vouched.astype(np.float32), case.changed.affine),
            )
            break


def _in_our_units(
    images: dict[str, Volume], case_id: str, warnings: list[str]
) -> dict[str, Volume]:
    """Images with FA from 0 to 1 and MD in 1e-3 mm2/s: a scene keeps them as they were loaded.

    A map that is neither is left out; without FA, so are directions.
    """
    kept = dict(images)
    scaled = {"fa": diffusion_maps.fractional_anisotropy, "md": diffusion_maps.mean_diffusivity}
    for role, in_our_unit in scaled.items():
        if role in kept:
            try:
                kept[role] = in_our_unit(role.upper(), kept[role])
            except BrainstemALSError as problem:
                warnings.append(f"{case_id}: {problem.problem}. {role.upper()} was left out.")
                del kept[role]
    if "fa" not in kept:
        kept.pop("v1", None)
    return kept
