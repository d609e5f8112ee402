"""Images from memory pass the same checks as files, and are never called by a name of theirs."""

from __future__ import annotations

import numpy as np
import pytest

from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.imaging.exam import exam_from_volumes, read_exam
from BrainstemALSLib.imaging.volume import Volume


@pytest.fixture
def dti(fa, md, affine) -> Volume:
    """Tensors along k with the head's FA (nearly) and its MD, in mm2/s."""
    array = np.zeros((*fa.shape, 3, 3), np.float32)
    for axis, value in enumerate((1 - 0.8 * fa, 1 - 0.8 * fa, 1 + 1.6 * fa)):
        array[..., axis, axis] = 1e-3 * md * value
    return Volume(array, affine)


def refusal(**images) -> BrainstemALSError:
    with pytest.raises(BrainstemALSError) as caught:
        exam_from_volumes(**images)
    return caught.value


def test_the_same_exam_as_from_files(save, head, fa, md, affine):
    files = read_exam(save("t.nii.gz", head), save("f.nii.gz", fa), save("m.nii.gz", md * 1e-3))
    arrays = [Volume(array, affine) for array in (head, fa, md * np.float32(1e-3))]
    exam = exam_from_volumes(*arrays)
    for name in ("t1", "fa", "md"):
        np.testing.assert_allclose(getattr(exam, name).array, getattr(files, name).array, rtol=1e-6)
    assert exam.names == {"t1": "T1", "fa": "FA", "md": "MD"}
    assert exam.checksums == {}


@pytest.mark.parametrize("dtype", [np.int16, np.uint16, np.float64, ">f4"])
def test_any_type_and_a_last_axis_of_one(head, affine, dtype):
    exam = exam_from_volumes(Volume(head.astype(dtype)[..., None], affine))
    assert exam.t1.array.dtype == np.float32
    assert exam.t1.shape == head.shape
    np.testing.assert_allclose(exam.t1.array, head, atol=1)


def test_tensors_give_both_maps(head, fa, md, dti, affine):
    exam = exam_from_volumes(Volume(head, affine), tensors=dti)
    np.testing.assert_allclose(exam.md.array, md, atol=1e-4)
    assert exam.fa.array[md > 0].min() >= 0
    assert np.corrcoef(exam.fa.array.ravel(), fa.ravel())[0, 1] > 0.99
    assert exam.names == {"t1": "T1", **dict.fromkeys(("fa", "md", "ad", "rd", "v1"), "DTI")}


def test_a_map_that_is_given_comes_before_the_tensors(head, fa, dti, affine):
    exam = exam_from_volumes(Volume(head, affine), fa=Volume(fa, affine), tensors=dti)
    np.testing.assert_array_equal(exam.fa.array, fa)
    assert exam.md is not None
    both = exam_from_volumes(Volume(head, affine), fa=Volume(fa, affine), md=exam.md, tensors=dti)
    assert both.names["md"] == "MD"
    assert {both.names[name] for name in ("ad", "rd", "v1")} == {"DTI"}
    assert (both.ad.array >= both.rd.array).all()


def bent(affine) -> np.ndarray:
    return affine @ np.array([[1, 0.2, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda a, m: (a[0], m), "2D"),
        (lambda a, m: (np.stack([a] * 3, -1), m), "3 values per voxel"),
        (lambda a, m: (a * np.nan, m), "not numbers"),
        (lambda a, m: (a * 0, m), "same value"),
        (lambda a, m: (a, m * 10), "voxel size"),
        (lambda a, m: (a, m * np.nan), "orientation"),
        (lambda a, m: (a, np.diag([2.0, 2, 0, 1])), "orientation"),
        (lambda a, m: (a, bent(m)), "perpendicular"),
        (lambda a, m: (a[:, :, :12], m), "covers only"),
    ],
)
def test_a_t1_that_will_not_do(head, affine, change, words):
    array, matrix = change(head.copy(), affine.copy())
    error = refusal(t1=Volume(array, matrix))
    assert error.subject == "T1"
    assert words in error.problem


def test_maps_that_will_not_do(head, fa, md, dti, affine):
    t1 = Volume(head, affine)
    elsewhere = affine.copy()
    elsewhere[2, 3] += 150
    assert refusal(t1=t1, fa=Volume(fa, elsewhere)).subject == "FA"
    assert refusal(t1=t1, md=Volume(md * 1e6, affine)).subject == "MD"
    for changed in (
        Volume(dti.array, elsewhere),
        Volume(dti.array * 1e6, affine),
        Volume(dti.array * 0, affine),
        Volume(dti.array, np.diag([9.0, 9, 9, 1])),
    ):
        error = refusal(t1=t1, tensors=changed)
        assert error.subject == "DTI"
        assert error.code in set(ExitCode) - {ExitCode.UNEXPECTED}
