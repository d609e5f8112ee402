"""Brings a draft back into the scene."""

from __future__ import annotations

import numpy as np

from ..annotation.drafts import Draft
from ..scene.results import show_outcome
from ..scene.segmentation import write_labels
from ..worker.outcome import Outcome
from .visit import Visit


def show_draft(draft: Draft, visit: Visit) -> None:
    """Make a new segmentation of a draft, on the chosen T1, and the current result.

    The uncertainty map was not saved with it and is empty until the T1 is segmented again.

    Parameters
    ----------
    draft : Draft
        Of an exam with the key of the chosen T1.
    visit : Visit

    Raises
    ------
    BrainstemALSError
        The draft is of another version, or does not fit the T1.
    """
    offset = [int(n) for n in draft.grid.offset]
    outcome = Outcome.from_record(
        {**draft.outcome, "offset": offset},
        draft.prediction,
        np.zeros(draft.prediction.shape, np.float32),
    )
    t1 = visit.parameters.t1
    with visit.own_writes():
        nodes = show_outcome(outcome, t1, corrected="new")
        write_labels(nodes.segmentation, draft.labels, offset, t1, outcome.keys)
    visit.parameters.segmentation = nodes.segmentation
    visit.parameters.seconds_spent = draft.seconds_spent
    for name, value in (("subject_code", draft.subject), ("visit_date", draft.visit_date)):
        if value and not getattr(visit.parameters, name):
            setattr(visit.parameters, name, value)
    visit.show(nodes, outcome)
