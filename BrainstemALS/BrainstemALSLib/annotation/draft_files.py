"""The file of a draft: two label arrays and a JSON state in one ``.npz``, which carries checksums.

One file, because one file is replaced at once; uncompressed, because the window waits.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from . import layout
from .box import BoxGrid
from .codes import check_exam_key, check_seconds, is_code, is_visit_date

_SCHEMA = 2


@dataclass(frozen=True, eq=False)
class Draft:
    """One exam in work.

    Attributes
    ----------
    labels, prediction : numpy.ndarray, shape (i, j, k)
        uint8, values are ``Structure.index``, on the same box: as corrected so far, and as the
        model drew it.
    grid : BoxGrid
        The whole T1, and where the box lies in it.
    exam_key : str
        As ``codes.exam_key`` returns it.
    subject, annotator, visit_date : str
        As typed so far. What is no code (or no date) is not saved, for it may be an identity.
    seconds_spent : float
        Time the expert worked on it.
    outcome : dict
        Record of the segmentation that it began with, JSON.
    work : str
        Eight hexadecimal digits that tell two segmentations of one exam apart.
    saved_utc : str
        When it was saved, as 2026-03-31T12:00:00Z; set by ``DraftFolder.save``.
    """

    labels: np.ndarray
    prediction: np.ndarray
    grid: BoxGrid
    exam_key: str
    subject: str = ""
    annotator: str = ""
    visit_date: str = ""
    seconds_spent: float = 0.0
    outcome: dict[str, Any] = field(default_factory=dict)
    work: str = "00000000"
    saved_utc: str = ""

    @property
    def key(self) -> str:
        """Names the draft: exam and segmentation."""
        return f"{self.exam_key}-{self.work}"


def encode_draft(draft: Draft, count: int) -> memoryview:
    """Return the content of a draft's file.

    Parameters
    ----------
    draft : Draft
        What to save; its ``saved_utc`` becomes the present.
    count : int
        Number of this save within the session: of two files, the greater one is the newer.

    Raises
    ------
    ValueError
        Labels and prediction are not uint8 on one box within the T1, or the exam key or the time
        cannot be.
    """
    _check(draft)
    state = json.dumps({**_state(draft), "save": count}, allow_nan=False)
    # In memory: zipfile leaves a half-open archive behind where the disk is full.
    archive = io.BytesIO()
    np.savez(
        archive,
        labels=draft.labels,
        prediction=draft.prediction,
        state=np.frombuffer(state.encode(), dtype=np.uint8),
    )
    return archive.getbuffer()


def read_draft(path: Path) -> tuple[int, Draft] | None:
    """Return the number of the save and what it holds; None where the file is not whole."""
    try:
        with path.open("rb") as handle, np.load(handle, allow_pickle=False) as parts:
            labels, prediction = parts["labels"], parts["prediction"]
            state = json.loads(parts["state"].tobytes())
        if state["schema"] != _SCHEMA:
            return None
        names = ("exam_key", "subject", "annotator", "visit_date", "work", "saved_utc")
        draft = Draft(
            labels,
            prediction,
            BoxGrid(**state["t1_grid"]),
            **{name: str(state[name]) for name in names},
            seconds_spent=float(state["seconds_spent"]),
            outcome=dict(state["outcome"]),
        )
        _check(draft)
        return int(state["save"]), draft
    except (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile):
        return None


def _check(draft: Draft) -> None:
    check_exam_key(draft.exam_key)
    check_seconds(draft.seconds_spent)
    if not re.fullmatch("[0-9a-f]{8}", draft.work):
        raise ValueError("the work of a draft is eight hexadecimal digits")
    same = draft.labels.shape == draft.prediction.shape and draft.grid.holds(draft.labels.shape)
    if not same or draft.labels.dtype != np.uint8 or draft.prediction.dtype != np.uint8:
        raise ValueError("a draft holds two uint8 arrays on one box within the T1")


def _state(draft: Draft) -> dict[str, Any]:
    return {
        "schema": _SCHEMA,
        "exam_key": draft.exam_key,
        "work": draft.work,
        "subject": draft.subject if is_code(draft.subject) else "",
        "annotator": draft.annotator if is_code(draft.annotator) else "",
        "visit_date": draft.visit_date if is_visit_date(draft.visit_date) else "",
        "seconds_spent": float(draft.seconds_spent),
        "outcome": draft.outcome,
        "t1_grid": draft.grid.record(),
        "saved_utc": layout.utc_text(layout.utc_now()),
    }
