"""Writing: every reader gets back what went in, and a failure leaves nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.imaging.geometry import box_around
from BrainstemALSLib.imaging.reading import read_label_map, read_volume
from BrainstemALSLib.imaging.volume import Volume
from BrainstemALSLib.imaging.writing import write_probabilities, write_volume

LIBRARY = Path(__file__).resolve().parents[2] / "BrainstemALS"
OBLIQUE = box_around(
    (3, -40, 12),
    (6, 7, 8),
    (0.7, 1.2, 0.9),
    Rotation.from_euler("xyz", [10, 170, -20], degrees=True).as_matrix(),
)


@settings(max_examples=25, deadline=None)
@given(
    st.tuples(*[st.floats(-180, 180)] * 3),
    st.tuples(*[st.sampled_from([-1.0, 1.0])] * 3),
    st.tuples(*[st.floats(0.5, 4)] * 3),
)
def test_affine_in_both_forms(tmp_path_factory, euler, signs, spacing):
    rotation = Rotation.from_euler("xyz", euler, degrees=True).as_matrix() * signs
    affine = box_around((10, -20, 30), (5, 6, 7), spacing, rotation)
    path = tmp_path_factory.mktemp("w") / "a.nii"
    array = np.random.default_rng(0).random((5, 6, 7)).astype("f4")
    write_volume(Volume(array, affine), path)
    image = nib.load(path)
    np.testing.assert_array_equal(image.get_fdata(dtype=np.float32), array)
    # A float32 quaternion loses up to 1e-3 rad close to half turns, over 5-7 voxels of 4 mm.
    for (matrix, code), tolerance in (
        (image.get_sform(coded=True), 2e-5),
        (image.get_qform(coded=True), 8e-3),
    ):
        assert code > 0
        np.testing.assert_allclose(matrix, affine, atol=tolerance)
    np.testing.assert_allclose(read_volume(path).affine, affine, atol=2e-5)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.float32, bool])
def test_array_type_is_kept(tmp_path, dtype):
    array = (np.arange(6 * 7 * 8).reshape(6, 7, 8) % 2).astype(dtype)
    write_volume(Volume(array, OBLIQUE), tmp_path / "a.nii.gz")
    image = nib.load(tmp_path / "a.nii.gz")
    assert image.get_data_dtype() == (np.uint8 if dtype is bool else dtype)
    np.testing.assert_array_equal(np.asarray(image.dataobj), array)


def test_float16_is_written_as_float32(tmp_path):
    array = np.random.default_rng(0).random((6, 7, 8, 2)).astype("f2")
    write_volume(Volume(array, OBLIQUE), tmp_path / "a.nii.gz")
    assert nib.load(tmp_path / "a.nii.gz").get_data_dtype() == np.float32
    np.testing.assert_array_equal(nib.load(tmp_path / "a.nii.gz").get_fdata(), array)


def test_real_values_into_integers_are_rounded_and_clipped(tmp_path):
    array = np.full((6, 7, 8), 0.6, np.float32)
    array[0, 0, 0], array[1, 0, 0] = 300, -5
    write_volume(Volume(array, OBLIQUE), tmp_path / "a.nii.gz", dtype=np.uint8)
    stored = np.asarray(nib.load(tmp_path / "a.nii.gz").dataobj)
    assert (stored[0, 0, 0], stored[1, 0, 0], stored[2, 0, 0]) == (255, 0, 1)


def test_labels_are_never_changed_in_silence(tmp_path):
    labels = Volume(np.full((6, 7, 8), 300, np.uint16), OBLIQUE)
    with pytest.raises(ValueError, match="do not fit"):
        write_volume(labels, tmp_path / "a.nii.gz", dtype=np.uint8)
    assert list(tmp_path.iterdir()) == []
    write_volume(labels, tmp_path / "a.nii.gz")
    np.testing.assert_array_equal(read_label_map(tmp_path / "a.nii.gz").array, labels.array)


def test_scaled_bytes_come_back_as_fractions_in_every_reader(tmp_path):
    entropy = Volume(np.random.default_rng(1).random((6, 7, 8)).astype("f4"), OBLIQUE)
    write_volume(entropy, tmp_path / "e.nii.gz", dtype=np.uint8, scale=1 / 255)
    image = nib.load(tmp_path / "e.nii.gz")
    assert image.get_data_dtype() == np.uint8
    np.testing.assert_allclose(image.get_fdata(), entropy.array, atol=0.5 / 255 + 1e-6)
    np.testing.assert_allclose(
        read_volume(tmp_path / "e.nii.gz").array, entropy.array, atol=0.5 / 255 + 1e-6
    )


def test_probabilities_have_a_fourth_axis_of_bytes(tmp_path):
    array = np.random.default_rng(2).dirichlet(np.ones(5), (6, 7, 8)).astype(np.float16)
    write_probabilities(Volume(array, OBLIQUE), tmp_path / "p.nii.gz")
    image = nib.load(tmp_path / "p.nii.gz")
    assert image.shape == (6, 7, 8, 5)
    assert image.get_data_dtype() == np.uint8
    np.testing.assert_allclose(image.get_fdata(), array, atol=0.5 / 255 + 1e-3)
    np.testing.assert_allclose(image.affine, OBLIQUE, atol=1e-4)
    np.testing.assert_allclose(image.get_qform(), OBLIQUE, atol=1e-4)


def test_probabilities_need_their_fourth_axis(tmp_path):
    with pytest.raises(ValueError, match="4 axes"):
        write_probabilities(Volume(np.zeros((6, 7, 8), "f4"), OBLIQUE), tmp_path / "p.nii.gz")


def test_the_same_volume_gives_the_same_bytes(tmp_path):
    volume = Volume(np.random.default_rng(3).random((6, 7, 8)).astype("f4"), OBLIQUE)
    for name in ("a.nii.gz", "b.nii.gz"):
        write_volume(volume, tmp_path / name)
    assert (tmp_path / "a.nii.gz").read_bytes() == (tmp_path / "b.nii.gz").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.nii.gz", "b.nii.gz"]


def test_shear_and_other_endings_are_refused(tmp_path):
    array = np.zeros((3, 3, 3), "u1")
    with pytest.raises(ValueError, match="sheared"):
        write_volume(
            Volume(array, OBLIQUE @ [[1, 0.1, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]),
            tmp_path / "a.nii",
        )
    with pytest.raises(ValueError, match="end in"):
        write_volume(Volume(array, OBLIQUE), tmp_path / "a.nrrd")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there(tmp_path, capfd):
    with pytest.raises(BrainstemALSError) as caught:
        write_volume(Volume(np.zeros((3, 3, 3), "u1"), OBLIQUE), tmp_path / "no" / "a.nii.gz")
    assert caught.value.code == ExitCode.OUTPUT_REFUSED
    assert str(tmp_path) not in str(caught.value)
    assert capfd.readouterr() == ("", "")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit on file sizes")
def test_a_short_write_is_noticed_and_leaves_nothing(tmp_path):
    """ITK reports success when the system takes only the beginning of a file."""
    code = """
import resource, signal, sys
import numpy as np
from BrainstemALSLib.errors import BrainstemALSError
from BrainstemALSLib.imaging.volume import Volume
from BrainstemALSLib.imaging.writing import write_volume
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
try:
    write_volume(Volume(np.zeros((60, 60, 60), "f4"), np.eye(4)), sys.argv[1])
except BrainstemALSError as refusal:
    print(refusal)
    sys.exit(int(refusal.code))
"""
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "a.nii.gz"],
        env={**os.environ, "PYTHONPATH": str(LIBRARY)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == ExitCode.OUTPUT_REFUSED, done.stderr
    assert done.stdout.count("\n") == 1
    assert done.stderr == ""
    assert list(tmp_path.iterdir()) == []
