"""Reading: good files come in whole, each bad one is refused by one sentence."""

from __future__ import annotations

import gzip
import struct

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk

from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.imaging.geometry import to_sitk
from BrainstemALSLib.imaging.reading import read_label_map, read_volume
from BrainstemALSLib.imaging.volume import Volume

PIXDIM, SROW = 76, 280  # byte offsets in a NIfTI-1 header


def refusal(path, read=read_volume) -> BrainstemALSError:
    with pytest.raises(BrainstemALSError) as caught:
        read(path)
    text = str(caught.value)
    assert path.name in text
    assert str(path.parent) not in text
    assert "\n" not in text
    assert "itk" not in text.lower()
    return caught.value


def patch(path, offset, layout, *values):
    """Change bytes of an uncompressed file."""
    content = bytearray(path.read_bytes())
    struct.pack_into(layout, content, offset, *values)
    path.write_bytes(content)
    return path


# --- good files -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz", "a.nrrd", "a.mha"])
def test_every_format_gives_the_same_volume(tmp_path, head, affine, name):
    sitk.WriteImage(to_sitk(Volume(head, affine)), str(tmp_path / name))
    volume = read_volume(tmp_path / name)
    assert volume.array.dtype == np.float32
    np.testing.assert_array_equal(volume.array, head)
    np.testing.assert_allclose(volume.affine, affine, atol=1e-4)


def test_agrees_with_nibabel_on_an_oblique_scaled_integer_file(tmp_path, head, affine):
    turn = np.eye(4)
    turn[:2, :2] = [[np.cos(0.4), -np.sin(0.4)], [np.sin(0.4), np.cos(0.4)]]
    image = nib.Nifti1Image(head.astype(np.int16), turn @ affine)
    image.header.set_slope_inter(0.5, 3.0)
    nib.save(image, tmp_path / "oblique.nii.gz")
    volume, expected = (
        read_volume(tmp_path / "oblique.nii.gz"),
        nib.load(tmp_path / "oblique.nii.gz"),
    )
    np.testing.assert_allclose(volume.array, expected.get_fdata(), rtol=1e-6)
    np.testing.assert_allclose(volume.affine, expected.affine, atol=1e-4)


@pytest.mark.parametrize("axes", [1, 2])
def test_trailing_axes_of_one_are_dropped(save, head, axes):
    path = save("four.nii.gz", head.reshape(head.shape + (1,) * axes))
    np.testing.assert_array_equal(read_volume(path).array, head)


def test_a_trailing_axis_of_one_is_dropped_from_metaimage_too(tmp_path, head):
    image = sitk.GetImageFromArray(head.transpose(2, 1, 0)[None], isVector=False)
    sitk.WriteImage(image, str(tmp_path / "four.mha"))
    np.testing.assert_array_equal(read_volume(tmp_path / "four.mha").array, head)


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("a.nrrd", b"space: left-posterior-superior", b"space dimension: 3"),
        ("a.nrrd", b"space directions", b"#space directions"),
        ("a.mha", b"TransformMatrix", b"Comment"),
    ],
)
def test_text_headers_without_orientation_are_refused(tmp_path, head, name, old, new):
    """ITK would take left for granted where the file does not say it."""
    path = tmp_path / name
    sitk.WriteImage(sitk.GetImageFromArray(head), str(path))
    read_volume(path)
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new, 1))
    error = refusal(path)
    assert error.code == ExitCode.UNREADABLE_IMAGE
    assert "left and right are unknown" in error.problem


@pytest.mark.parametrize("name", ["a.vtk", "a.gipl", "a.tif"])
def test_formats_that_the_guide_does_not_name_are_refused(tmp_path, head, name):
    sitk.WriteImage(sitk.GetImageFromArray(head), str(tmp_path / name))
    assert "not an image that can be read" in refusal(tmp_path / name).problem


def test_either_orientation_alone_is_enough(save, head, affine):
    for codes in ((1, 0), (0, 1)):
        volume = read_volume(save(f"{codes[0]}.nii.gz", head, codes=codes))
        np.testing.assert_allclose(volume.affine, affine, atol=1e-4)


def test_a_compressed_file_without_gz_in_its_name_and_the_reverse(tmp_path, t1, head):
    plain = tmp_path / "plain.nii"
    plain.write_bytes(gzip.decompress(t1.read_bytes()))
    np.testing.assert_array_equal(read_volume(plain).array, head)
    misnamed = tmp_path / "misnamed.nii.gz"
    misnamed.write_bytes(plain.read_bytes())
    np.testing.assert_array_equal(read_volume(misnamed).array, head)


def test_big_endian_file(tmp_path, head, affine):
    header = nib.Nifti1Header(endianness=">")
    nib.save(nib.Nifti1Image(head.astype(">f4"), affine, header), tmp_path / "big.nii")
    volume = read_volume(tmp_path / "big.nii")
    np.testing.assert_array_equal(volume.array, head)
    np.testing.assert_allclose(volume.affine, affine, atol=1e-4)


def test_label_map_keeps_its_labels(save, head):
    labels = (head > 100).astype(np.int16) * 7
    for name, array in (("i.nii.gz", labels), ("f.nii.gz", labels.astype(np.float32))):
        read = read_label_map(save(name, array)).array
        assert read.dtype == np.uint8
        np.testing.assert_array_equal(read, labels)


# --- files that are none ----------------------------------------------------------------------


def test_missing_file(tmp_path):
    error = refusal(tmp_path / "none.nii.gz")
    assert (error.code, error.problem) == (ExitCode.UNREADABLE_IMAGE, "there is no such T1 file")


def test_folder(tmp_path):
    (tmp_path / "dicom").mkdir()
    error = refusal(tmp_path / "dicom")
    assert error.code == ExitCode.UNREADABLE_IMAGE
    assert "folder" in error.problem
    assert "dcm2niix" in error.remedy


@pytest.mark.parametrize(
    "name", ["notes.nii.gz", "notes.nii", "notes.txt", "notes.nrrd", "notes.mha"]
)
def test_text_is_no_image(tmp_path, name, capfd):
    (tmp_path / name).write_text("this is not an image\n" * 50)
    assert refusal(tmp_path / name).code == ExitCode.UNREADABLE_IMAGE
    assert capfd.readouterr() == ("", "")


def test_empty_file(tmp_path):
    (tmp_path / "empty.nii.gz").touch()
    assert "incomplete" in refusal(tmp_path / "empty.nii.gz").problem


@pytest.mark.parametrize("name", ["t.nii.gz", "t.nii", "t.nrrd", "t.mha"])
@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize("kept", [200, 0.5, -20])
def test_truncated_file(tmp_path, head, affine, name, compressed, kept, capfd):
    whole = tmp_path / f"whole-{name}"
    sitk.WriteImage(to_sitk(Volume(head, affine)), str(whole), useCompression=compressed)
    content = whole.read_bytes()
    stop = int(len(content) * kept) if kept == 0.5 else kept
    (tmp_path / name).write_bytes(content[:stop])
    assert refusal(tmp_path / name).code == ExitCode.UNREADABLE_IMAGE
    assert capfd.readouterr() == ("", "")


def test_corrupt_gzip(tmp_path, t1):
    content = bytearray(t1.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 40] = bytes(40)
    (tmp_path / "corrupt.nii.gz").write_bytes(content)
    assert "damaged" in refusal(tmp_path / "corrupt.nii.gz").problem


# --- images of the wrong kind -----------------------------------------------------------------


def test_series(save, head):
    error = refusal(save("dwi.nii.gz", np.stack([head, head], axis=-1)))
    assert error.code == ExitCode.UNSUITABLE_IMAGE
    assert "4D" in error.problem


@pytest.mark.parametrize("shape", [(40, 40), (40, 40, 1), (1, 40, 40)])
def test_single_slice(save, shape):
    error = refusal(save("slice.nii.gz", np.random.default_rng(0).random(shape).astype("f4")))
    assert error.code == ExitCode.UNSUITABLE_IMAGE
    assert "2D" in error.problem


def test_colour_image(tmp_path, head, affine):
    colour = Volume(np.repeat(head[..., None], 3, axis=-1).astype("u1"), affine)
    sitk.WriteImage(to_sitk(colour), str(tmp_path / "colour.nii.gz"))
    error = refusal(tmp_path / "colour.nii.gz")
    assert error.code == ExitCode.UNSUITABLE_IMAGE
    assert "3 values per voxel" in error.problem


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_not_a_number(save, head, value):
    broken = head.copy()
    broken[3, 4, 5] = value
    error = refusal(save("nan.nii.gz", broken))
    assert error.code == ExitCode.UNSUITABLE_IMAGE
    assert "NaN" in error.problem


def test_constant(save, head):
    error = refusal(save("flat.nii.gz", np.full_like(head, 3)))
    assert error.code == ExitCode.UNSUITABLE_IMAGE
    assert "same value" in error.problem


@pytest.mark.parametrize(
    ("value", "words"), [(0.5, "whole numbers"), (-1.0, "whole numbers"), (np.nan, "NaN")]
)
def test_label_map_of_anything_else(save, head, value, words):
    values = np.zeros_like(head)
    values[0, 0, 0] = value
    assert words in refusal(save("p.nii.gz", values), read_label_map).problem


def test_label_map_with_nan_in_another_format(tmp_path, head):
    values = np.zeros_like(head)
    values[0, 0, 0] = np.nan
    sitk.WriteImage(sitk.GetImageFromArray(values), str(tmp_path / "p.nrrd"))
    assert "whole numbers" in refusal(tmp_path / "p.nrrd", read_label_map).problem
    assert "NaN" in refusal(tmp_path / "p.nrrd").problem


# --- headers that ITK would repair in silence -------------------------------------------------


@pytest.mark.parametrize("value", [0.0, 0.1, 1000.0, np.inf, np.nan])
@pytest.mark.parametrize("axis", [0, 2])
def test_zero_or_absurd_voxel_size(save, head, value, axis):
    path = patch(save("size.nii", head), PIXDIM + 4 * (axis + 1), "<f", value)
    error = refusal(path)
    assert error.code == ExitCode.UNSUITABLE_IMAGE
    assert "voxel size" in error.problem


@pytest.mark.parametrize("name", ["size.nrrd", "size.mha"])
@pytest.mark.parametrize("spacing", [1000.0, 0.01])
def test_absurd_voxel_size_of_other_formats(tmp_path, head, name, spacing):
    image = sitk.GetImageFromArray(head)
    image.SetSpacing([1, 1, spacing])
    sitk.WriteImage(image, str(tmp_path / name))
    assert "voxel size" in refusal(tmp_path / name).problem


def test_voxel_size_in_metres_is_understood(save, head, affine):
    path = patch(save("metre.nii", head, codes=(1, 0)), PIXDIM + 4, "<3f", *[0.004] * 3)
    patch(path, 123, "<B", 1)
    np.testing.assert_allclose(read_volume(path).spacing, 4.0, rtol=1e-5)


def test_no_orientation(save, head):
    error = refusal(save("lost.nii.gz", head, codes=(0, 0)))
    assert error.code == ExitCode.UNREADABLE_IMAGE
    assert "left and right are unknown" in error.problem


@pytest.mark.parametrize("row", [(0, 0, 0, 0), (-4, 0, 0, 78), (np.nan,) * 4])
@pytest.mark.parametrize("codes", [(0, 1), (1, 1)])
def test_singular_orientation(save, head, row, codes):
    path = patch(save("singular.nii", head, codes=codes), SROW + 16, "<4f", *row)
    error = refusal(path)
    assert error.code == ExitCode.UNREADABLE_IMAGE
    assert "orientation" in error.problem


@pytest.mark.parametrize(
    ("name", "header", "broken"),
    [
        ("s.nrrd", b"(0,0,1)", b"(0,0,0)"),
        ("s.mha", b"1 0 0 0 1 0 0 0 1", b"1 0 0 0 1 0 0 0 0"),
    ],
)
def test_singular_orientation_of_other_formats(tmp_path, head, name, header, broken, capfd):
    sitk.WriteImage(sitk.GetImageFromArray(head), str(tmp_path / name))
    content = (tmp_path / name).read_bytes()
    assert header in content
    (tmp_path / name).write_bytes(content.replace(header, broken, 1))
    error = refusal(tmp_path / name)
    assert error.code == ExitCode.UNREADABLE_IMAGE
    assert "orientation" in error.problem
    assert capfd.readouterr() == ("", "")


def test_sheared_axes(tmp_path, save, head, affine):
    sheared = affine.copy()
    sheared[0, 1] = 1.0
    spacing = np.linalg.norm(sheared[:3, :3], axis=0)
    nifti = save("sheared.nii", head, sform=sheared, codes=(0, 1))
    patch(nifti, PIXDIM + 4, "<3f", *spacing)
    sitk.WriteImage(sitk.GetImageFromArray(head), str(tmp_path / "sheared.nrrd"))
    content = (tmp_path / "sheared.nrrd").read_bytes()
    (tmp_path / "sheared.nrrd").write_bytes(content.replace(b"(0,0,1)", b"(0,0.3,1)", 1))
    for name in ("sheared.nii", "sheared.nrrd"):
        assert "perpendicular" in refusal(tmp_path / name).problem


def test_two_voxel_sizes(save, head, affine):
    path = patch(save("two.nii", head), PIXDIM + 4, "<f", 2.0)
    assert "two different voxel sizes" in refusal(path).problem
    assert refusal(path).code == ExitCode.UNREADABLE_IMAGE


def test_header_and_voxels_in_two_files(tmp_path, head, affine):
    nib.save(nib.Nifti1Pair(head, affine), tmp_path / "pair.hdr")
    for name in ("pair.hdr", "pair.img"):
        assert "two files" in refusal(tmp_path / name).problem


def test_nifti2(tmp_path, head, affine):
    nib.save(nib.Nifti2Image(head, affine), tmp_path / "two.nii.gz")
    assert "NIfTI-2" in refusal(tmp_path / "two.nii.gz").problem
