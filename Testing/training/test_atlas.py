"""The training atlas and anatomies, where they have been built from the shared data."""

from __future__ import annotations

import json

import numpy as np
import pytest

from BrainstemALSLib.anatomy import by_key, load_structures
from BrainstemALSLib.errors import BrainstemALSError
from training import anatomies
from training.atlas import MEDULLA_END_Z, SPACING, atlas_path, box_affine


def _shared_or_skip() -> None:
    from training.data import shared_data

    try:
        shared_data()
    except BrainstemALSError as missing:
        pytest.skip(str(missing))


@pytest.fixture(scope="module")
def atlas():
    if not atlas_path().exists():
        pytest.skip("the atlas is not built here: run `make atlas`")
    from BrainstemALSLib.imaging.reading import read_label_map

    return read_label_map(atlas_path())


def test_box_is_symmetric_about_the_midline():
    x = box_affine()[0, 3] + SPACING * np.arange(180)
    assert np.allclose(x, -x[::-1])


def test_every_structure_is_drawn_and_pairs_mirror(atlas):
    for structure in load_structures():
        mask = atlas.array == structure.index
        assert mask.any(), structure.key
        other = by_key()[structure.mirror_key].index
        mirrored = (atlas.array == other)[::-1]
        overlap = 2 * (mask & mirrored).sum() / (mask.sum() + mirrored.sum())
        assert overlap > 0.97, structure.key


def test_nothing_is_labelled_below_the_medulla(atlas):
    brainstem = np.isin(atlas.array, [s.index for s in load_structures()])
    lowest = np.flatnonzero(brainstem.any((0, 1)))[0] * SPACING + atlas.affine[2, 3]
    assert lowest >= MEDULLA_END_Z - SPACING


def test_held_out_subjects_are_fixed_and_disjoint():
    _shared_or_skip()
    cases = anatomies.all_cases()
    held = [case for case in cases if anatomies.is_held_out(case, cases)]
    assert 15 <= len(held) <= len(cases) // 4
    assert {case.split("-")[0] for case in held} == {"hoa2", "synthseg"}


@pytest.mark.parametrize("name", anatomies.HOA2_SHIFTED[:2])
def test_shifted_label_maps_are_mended(name):
    _shared_or_skip()
    if f"hoa2-{name}" not in anatomies.all_cases():
        pytest.skip("this subject is not among the shared data")
    labels, _, _ = anatomies.load_source_map(f"hoa2-{name}")
    voxel = 0.7**3
    brainstem = np.count_nonzero(labels == 15) * voxel
    assert 13_000 < brainstem < 30_000, "label 15 must be the brainstem after mending"


def test_built_anatomies_agree_with_their_own_brainstem():
    report = anatomies.anatomies_dir() / "report.json"
    if not report.exists():
        pytest.skip("the anatomies are not built here: run `make atlas`")
    figures = json.loads(report.read_text())
    dice = [entry["brainstem_dice"] for entry in figures.values()]
    assert np.median(dice) > 0.9
    assert min(dice) > 0.8
