"""A diffusion series on its way to the worker, and maps on their way back."""

from __future__ import annotations

import json

import numpy as np
import pytest

from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.imaging.dwi import Dwi
from BrainstemALSLib.imaging.finding import Finding
from BrainstemALSLib.imaging.volume import Volume
from BrainstemALSLib.worker.requests import (
    read_series,
    remove_inputs,
    segment_params,
    write_exam,
)

T1 = Volume(np.zeros((3, 4, 5), np.uint8), np.eye(4))
NOTE = Finding("slices_dropped", "warning", "Two slices are dark.", "Look at them.")


@pytest.fixture
def series() -> Dwi:
    """A view of voxels as VTK keeps them: the values of one voxel lie together."""
    random = np.random.default_rng(0)
    voxels = random.integers(0, 4000, size=(6, 5, 4, 7)).astype(np.int16).transpose(2, 1, 0, 3)
    bvecs = random.normal(size=(7, 3))
    bvecs /= np.linalg.norm(bvecs, axis=1)[:, None]
    affine = np.eye(4)
    affine[:3, 3] = random.normal(size=3)
    return Dwi(
        Volume(voxels, affine),
        np.array([0.0, *random.uniform(900, 1100, 6)]),
        bvecs,
        "j-",
        frozenset({"motion", "denoising"}),
        (NOTE,),
    )


def test_a_series_arrives_bit_for_bit(tmp_path, series):
    params = json.loads(json.dumps(segment_params(tmp_path, T1, dwi=series), allow_nan=False))
    fractions = list(write_exam(tmp_path, T1, dwi=series))
    assert fractions[-1] == 1.0

    back = read_series(tmp_path, params["dwi"])

    assert back.volume.array.dtype == np.float32
    np.testing.assert_array_equal(back.volume.array, series.volume.array)
    np.testing.assert_array_equal(back.volume.affine, series.volume.affine)
    np.testing.assert_array_equal(back.bvals, series.bvals)
    np.testing.assert_array_equal(back.bvecs, series.bvecs)
    assert (back.phase_encoding, back.corrected) == ("j-", series.corrected)
    assert back.findings == (NOTE,)
    remove_inputs(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_series_of_another_folder_is_not_read(tmp_path, series):
    record = segment_params(tmp_path, T1, dwi=series)["dwi"]
    with pytest.raises(BrainstemALSError) as refusal:
        read_series(tmp_path, {**record, "array": "../dwi.npy"})
    assert refusal.value.code == ExitCode.USAGE
