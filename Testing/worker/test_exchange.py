"""Arrays on their way: bit for bit, in parts, and refused when something is wrong."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.imaging.volume import Volume
from BrainstemALSLib.worker.exchange import (
    array_record,
    read_array,
    read_volume_record,
    save_array,
    write_in_parts,
)

AFFINE = np.array([[-0.9, 0.1, 0, 90.3], [0.1, 0.9, 1e-17, -126], [0, 0, 1.1, 1 / 3], [0, 0, 0, 1]])

dtypes = st.one_of(
    hnp.boolean_dtypes(),
    hnp.integer_dtypes(),
    hnp.unsigned_integer_dtypes(),
    hnp.floating_dtypes(sizes=(16, 32, 64)),
)


@st.composite
def arrays(draw):
    """Arrays of any layout: C, Fortran, transposed, reversed and with steps."""
    shape = draw(hnp.array_shapes(min_dims=1, max_dims=5, min_side=0, max_side=6))
    dtype = draw(dtypes)
    count = int(np.prod(shape)) * dtype.itemsize
    bits = np.random.default_rng(draw(st.integers(0, 99))).integers(0, 2, count, np.uint8)
    array = bits.view(dtype).reshape(shape)
    if draw(st.booleans()):
        array = np.asfortranarray(array)
    array = array.transpose(draw(st.permutations(range(array.ndim))))
    steps = st.sampled_from([slice(None), slice(None, None, -1), slice(None, None, 2)])
    return array[tuple(draw(steps) for _ in shape)]


@settings(deadline=None, max_examples=150)
@given(arrays(), st.integers(1, 200))
def test_any_array_comes_back_bit_for_bit(tmp_path_factory, array, part_bytes):
    path = tmp_path_factory.getbasetemp() / "exchanged.npy"
    fractions = list(write_in_parts(array, path, part_bytes))
    back = np.load(path, allow_pickle=False)
    assert back.dtype == array.dtype
    assert back.shape == array.shape
    assert back.tobytes() == array.tobytes()
    assert fractions[-1] == 1.0
    assert fractions == sorted(fractions)


def test_voxels_of_vtk_are_written_as_they_lie_in_memory(tmp_path):
    kji = np.random.default_rng(0).random((30, 40, 50), np.float32)
    seen = kji.transpose(2, 1, 0)
    steps = list(write_in_parts(seen, tmp_path / "t1.npy", part_bytes=40 * 50 * 4))
    assert len(steps) == 30
    assert (tmp_path / "t1.npy").read_bytes().endswith(kji.tobytes())
    np.testing.assert_array_equal(np.load(tmp_path / "t1.npy"), seen)


def test_a_volume_keeps_its_place_to_the_last_bit(tmp_path):
    volume = Volume(np.arange(24, dtype=np.int16).reshape(2, 3, 4), AFFINE)
    save_array(volume.array, tmp_path / "t1.npy")
    back = read_volume_record(tmp_path, array_record("t1.npy", volume))
    np.testing.assert_array_equal(back.array, volume.array)
    np.testing.assert_array_equal(back.affine, AFFINE)
    assert isinstance(back.array, np.memmap)


@pytest.mark.parametrize("affine", [np.full((4, 4), np.nan), np.eye(3)])
def test_an_image_that_lies_nowhere(affine):
    with pytest.raises(BrainstemALSError) as caught:
        array_record("t1.npy", Volume(np.zeros((2, 2, 2)), affine))
    assert caught.value.code is ExitCode.UNSUITABLE_IMAGE


@pytest.mark.parametrize("name", ["../t1.npy", "/etc/passwd", "a/b.npy"])
def test_no_file_outside_the_folder_is_read(tmp_path, name):
    with pytest.raises(BrainstemALSError, match="outside its folder"):
        read_volume_record(tmp_path, {"array": name, "affine": np.eye(4).tolist()})


def test_pickles_are_neither_written_nor_read(tmp_path):
    objects = np.array([{"a": 1}, None], dtype=object)
    with pytest.raises(ValueError, match="objects"):
        next(write_in_parts(objects, tmp_path / "new.npy"))
    np.save(tmp_path / "old.npy", objects, allow_pickle=True)
    with pytest.raises(BrainstemALSError) as caught:
        read_array(tmp_path / "old.npy")
    assert caught.value.code is ExitCode.UNREADABLE_IMAGE


@pytest.mark.parametrize("content", [None, b"", b"\x93NUMPY", "cut"])
def test_a_file_that_is_gone_or_cut_off(tmp_path, content):
    path = tmp_path / "t1.npy"
    if content == "cut":
        save_array(np.zeros(1000), path)
        os.truncate(path, 4000)
    elif content is not None:
        path.write_bytes(content)
    with pytest.raises(BrainstemALSError, match="gone or incomplete"):
        read_array(path)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="/dev/full is Linux's")
def test_a_full_disk_is_said_so():
    with pytest.raises(BrainstemALSError) as caught:
        save_array(np.zeros(1 << 20), "/dev/full")
    assert caught.value.code is ExitCode.OUTPUT_REFUSED
    assert "Free space" in caught.value.remedy


def test_a_folder_that_is_gone_is_said_so(tmp_path):
    with pytest.raises(BrainstemALSError) as caught:
        save_array(np.zeros(3), tmp_path / "gone" / "t1.npy")
    assert caught.value.code is ExitCode.OUTPUT_REFUSED


def test_clients_need_numpy_and_nothing_else():
    modules = ("client", "session", "requests", "outcome", "temporary", "launch", "process_tree")
    names = "\n".join(f"import BrainstemALSLib.worker.{module}" for module in modules)
    code = f"import sys\n{names}\nprint(*{{name.split('.')[0] for name in sys.modules}})"
    outcome = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    loaded = set(outcome.stdout.split())
    assert "numpy" in loaded, outcome.stderr
    assert not loaded & {"torch", "scipy", "SimpleITK", "nibabel", "slicer", "vtk"}
