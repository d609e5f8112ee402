"""A T1, labels of another program on it, and a store with three cases."""

from __future__ import annotations

import numpy as np
import pytest

from BrainstemALSLib.imaging.volume import Volume
from BrainstemALSLib.imaging.writing import write_volume
from Testing.annotation.exchange.files import AFFINE, ours, whole_labels, whole_t1


@pytest.fixture
def t1(tmp_path):
    path = tmp_path / "T1.nii.gz"
    write_volume(whole_t1(), path)
    return path


@pytest.fixture
def dseg(tmp_path):
    path = tmp_path / "sub-07_dseg.nii.gz"
    write_volume(Volume(whole_labels(), AFFINE), path)
    ours(tmp_path / "sub-07_dseg.tsv")
    return path


@pytest.fixture
def filled(store, make_approval, make_directions):
    """A store: two annotators on one exam, one of them in part, and a second exam with maps."""
    store.approve(make_approval(annotator="rater1", seconds_spent=33.25))
    store.approve(make_approval(annotator="rater2", approved_all=False))
    noise = np.random.default_rng(7)
    second = make_approval(exam="second", annotator="rater1", subject="ALS_18", seed=5)
    fa = Volume(noise.random(second.prediction.shape).astype("f4"), second.prediction.affine)
    images = {**second.images, "md": fa, "v1": make_directions(5)}
    store.approve(
        make_approval(
            exam="second", annotator="rater1", subject="ALS_18", seed=5, images=images, model={}
        )
    )
    return store
