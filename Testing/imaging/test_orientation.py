"""The two orientations of a NIfTI header: one place in the patient, or a refusal."""

from __future__ import annotations

import struct

import nibabel as nib
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.imaging.reading import read_volume
from BrainstemALSLib.imaging.volume import Volume
from BrainstemALSLib.imaging.writing import write_volume

QOFFSET, SROW = 268, 280  # byte offsets in a NIfTI-1 header


def refusal(path) -> BrainstemALSError:
    with pytest.raises(BrainstemALSError) as caught:
        read_volume(path)
    assert path.name in str(caught.value)
    return caught.value


def test_two_sides(save, head, affine):
    mirrored = np.diag([-1.0, 1, 1, 1]) @ affine
    error = refusal(save("sides.nii.gz", head, qform=mirrored))
    assert error.code == ExitCode.UNSUITABLE_IMAGE
    assert "contradict" in error.problem


def turned(affine, degrees):
    turn = np.eye(4)
    turn[:3, :3] = Rotation.from_euler("z", degrees, degrees=True).as_matrix()
    return turn @ affine


def shifted(affine, millimetres):
    return affine + np.pad(np.array(millimetres, float)[:, None], ((0, 1), (3, 0)))


@pytest.mark.parametrize("code", [1, 2, 3, 4])
@pytest.mark.parametrize(
    "other",
    [
        lambda affine: turned(affine, 20),
        lambda affine: shifted(affine, (7, -9, 12)),
        lambda affine: shifted(affine, (0, 0, 0.2)),
    ],
)
def test_two_places_are_refused_whichever_a_program_would_follow(save, head, affine, code, other):
    """ITK would read one of them and nibabel the other (from an sform code of 2 on)."""
    error = refusal(save("two.nii.gz", head, qform=other(affine), codes=(1, code)))
    assert error.code == ExitCode.UNSUITABLE_IMAGE
    assert "qform and sform" in error.problem
    assert "fslorient" in error.remedy


@pytest.mark.parametrize("code", [1, 2, 3, 4])
@pytest.mark.parametrize("millimetres", [(0, 0, 0), (0.03, -0.04, 0.05)])
def test_two_forms_of_one_place_are_read(save, head, affine, code, millimetres):
    path = save("one.nii.gz", head, qform=shifted(affine, millimetres), codes=(1, code))
    np.testing.assert_allclose(read_volume(path).affine, affine, atol=0.1)


@pytest.mark.parametrize("codes", [(1, 0), (0, 1), (1, 1)])
@pytest.mark.parametrize("offset", [QOFFSET, SROW + 28])
def test_a_place_that_is_no_number(save, head, codes, offset):
    """Of the form that counts; a form whose code is 0 is not looked at."""
    path = save("nowhere.nii", head, codes=codes)
    content = bytearray(path.read_bytes())
    struct.pack_into("<f", content, offset, np.nan)
    path.write_bytes(content)
    used = codes[0] if offset == QOFFSET else codes[1]
    if used:
        assert refusal(path).code == ExitCode.UNREADABLE_IMAGE
    else:
        assert np.isfinite(read_volume(path).affine).all()


angles = st.one_of(st.sampled_from([0.0, 90.0, 180.0]), st.floats(-180, 180))
tilts = st.one_of(st.just(0.0), st.floats(-0.1, 0.1), st.floats(-30, 30))


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(st.tuples(st.sampled_from("xyz"), angles), max_size=2),
    st.tuples(st.sampled_from("xyz"), tilts),
    st.tuples(*[st.sampled_from([-1.0, 1.0])] * 3),
    st.sampled_from(["nibabel", "ITK"]),
)
def test_rounding_is_no_contradiction(tmp_path, turns, tilt, signs, writer):
    """Any orientation, close to half turns too, where a qform is good to 0.1 degrees only."""
    axes = np.diag(np.multiply(signs, (1.0, 0.9, 1.2)))
    for axis, angle in (*turns, tilt):
        axes = Rotation.from_euler(axis, angle, degrees=True).as_matrix() @ axes
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = axes, (-120.3, 85.7, -61.9)
    array = np.zeros((256, 2, 250), np.uint8)
    array[3] = 1
    path = tmp_path / "any.nii"
    if writer == "ITK":
        write_volume(Volume(array, affine), path)
    else:
        image = nib.Nifti1Image(array, affine)
        image.set_qform(affine, 1)
        nib.save(image, path)
    np.testing.assert_allclose(read_volume(path).affine, affine, atol=5e-3)
