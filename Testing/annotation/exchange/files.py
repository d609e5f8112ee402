"""Files of other programs, and what the tests of their exchange share."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from BrainstemALSLib.annotation.exchange import Choices, import_corrections
from BrainstemALSLib.errors import BrainstemALSError
from BrainstemALSLib.imaging.volume import Volume

LEFT, RIGHT, RED = 23, 24, 9
SHAPE = (28, 32, 30)
KEPT = (
    "exam_key",
    "subject",
    "annotator",
    "visit_date",
    "model",
    "keys",
    "modalities",
    "seconds_spent",
    "approved_all",
    "from_simulation",
)
# Oblique, 4 mm, first axis to the left.
TURN = np.deg2rad(12.0)
AFFINE = np.eye(4)
AFFINE[:3, :3] = np.array(
    [[np.cos(TURN), -np.sin(TURN), 0], [np.sin(TURN), np.cos(TURN), 0], [0, 0, 1]]
) @ np.diag([-4.0, 4.0, 4.0])
AFFINE[:3, 3] = (50.25, -60.5, -55.75)


def whole_t1():
    noise = np.random.default_rng(0).normal(300, 30, SHAPE)
    return Volume(noise.astype(np.float32), AFFINE)


def whole_labels(values=(LEFT, RIGHT, RED)):
    labels = np.zeros(SHAPE, np.uint8)
    labels[10:13, 12:18, 10:16] = values[0]
    labels[13:16, 12:18, 10:16] = values[1]
    labels[11, 13:15, 11:13] = values[2]
    return labels


def table(path, rows):
    with path.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle, delimiter="\t")
        writer.writerows(rows)
    return path


def ours(path, values=(LEFT, RIGHT, RED)):
    keys = ("basis_pontis_left", "basis_pontis_right", "red_nucleus_left")
    return table(path, [("index", "name"), *zip(values, keys, strict=True)])


def refused(code, words, *arguments, **choices):
    with pytest.raises(BrainstemALSError, match=words) as refusal:
        import_corrections(*arguments, Choices(**choices))
    assert refusal.value.code == code
    assert str(refusal.value).count("\n") == 0
    return str(refusal.value)


def only(store):
    (record,) = store.cases()
    return store.read(record.case_id)


def first(store, annotator="rater1"):
    """The case of subject ALS-017 by one annotator."""
    return next(r for r in store.cases() if (r.subject, r.annotator) == ("ALS-017", annotator))
