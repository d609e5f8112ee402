"""What the panel remembers in the scene: one parameter node of the module."""

from __future__ import annotations

from typing import Annotated

import slicer
from slicer.parameterNodeWrapper import WithinRange, parameterNodeWrapper

from ..prognosis import fvc as forced_vital_capacity
from ..prognosis.alsfrs import HIGHEST_RATING, ITEMS, NOT_RATED

NOT_GIVEN = -1.0
LONGEST_MONTHS = 600.0
HIGHEST_FVC = int(forced_vital_capacity.HIGHEST)
Months = Annotated[float, WithinRange(NOT_GIVEN, LONGEST_MONTHS)]
Rating = Annotated[int, WithinRange(NOT_RATED, HIGHEST_RATING)]


@parameterNodeWrapper
class VisitParameters:
    """State of one visit, saved with the scene.

    ``t1``, ``fa``, ``md``, ``dti``, ``dwi`` are the inputs and ``segmentation`` what was made of
    them.
    ``subject_code`` and ``visit_date`` (YYYY-MM-DD) name what is exported and approved; ``age`` is
    in years, 0 for not given; ``sex`` is ``F``, ``M`` or empty, as in BIDS; ``alsfrs1`` to
    ``alsfrs12`` are the ratings of the ALSFRS-R, -1 for not rated. ``seconds_spent`` is the time an
    expert has worked on ``segmentation`` since it was made or last approved.
    What only a prediction reads: ``group`` is a word of ``prediction.person_file.GROUPS`` and
    ``onset`` of its ``ONSETS``; ``months_since_onset``, until this visit, and ``diagnostic_delay``
    are -1 for not given; ``fvc`` is in per cent predicted, 0 for not given; ``intracranial_ml`` and
    its standard deviation are 0 for not given, and ``intracranial_wins`` takes it where an exam has
    its own; ``ftd`` to ``niv`` are ``yes``, ``no`` or empty; ``earlier_visits`` is the JSON of
    ``clinical_record.Earlier``; ``prior`` is the share of ALS, in per cent, among those who are
    asked about.
    """

    t1: slicer.vtkMRMLScalarVolumeNode
    fa: slicer.vtkMRMLScalarVolumeNode
    md: slicer.vtkMRMLScalarVolumeNode
    dti: slicer.vtkMRMLDiffusionTensorVolumeNode
    dwi: slicer.vtkMRMLDiffusionWeightedVolumeNode
    segmentation: slicer.vtkMRMLSegmentationNode
    subject_code: str
    visit_date: str
    age: Annotated[int, WithinRange(0, 120)] = 0
    sex: str
    alsfrs1: Rating = NOT_RATED
    alsfrs2: Rating = NOT_RATED
    alsfrs3: Rating = NOT_RATED
    alsfrs4: Rating = NOT_RATED
    alsfrs5: Rating = NOT_RATED
    alsfrs6: Rating = NOT_RATED
    alsfrs7: Rating = NOT_RATED
    alsfrs8: Rating = NOT_RATED
    alsfrs9: Rating = NOT_RATED
    alsfrs10: Rating = NOT_RATED
    alsfrs11: Rating = NOT_RATED
    alsfrs12: Rating = NOT_RATED
    group: str
    onset: str
    months_since_onset: Months = NOT_GIVEN
    diagnostic_delay: Months = NOT_GIVEN
    fvc: Annotated[int, WithinRange(0, HIGHEST_FVC)] = 0
    intracranial_ml: Annotated[int, WithinRange(0, 9999)] = 0
    intracranial_sd_ml: Annotated[int, WithinRange(0, 999)] = 0
    intracranial_wins: bool
    ftd: str
    c9orf72: str
    riluzole: str
    definite_ee: str
    gastrostomy: str
    niv: str
    earlier_visits: str
    prior: Annotated[int, WithinRange(1, 99)] = 50
    device: str = "auto"
    flip: bool = True
    outline_only: bool
    seconds_spent: float


def fits_a_series(parameters: VisitParameters) -> bool:
    """Return whether a run would fit the DWI: it is chosen, and no map that wins over it."""
    maps = (parameters.fa, parameters.md, parameters.dti)
    return parameters.dwi is not None and all(node is None for node in maps)


def alsfrs_ratings(parameters: VisitParameters) -> list[int]:
    """Return the twelve ratings in their order."""
    return [getattr(parameters, f"alsfrs{n}") for n in range(1, len(ITEMS) + 1)]


def is_true(word: str) -> bool | None:
    """Return what ``yes``, ``no`` or an empty word says."""
    return {"yes": True, "no": False}.get(word)
