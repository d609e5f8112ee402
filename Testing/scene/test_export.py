"""Exported files: all or none, and no patient's name in them."""

from __future__ import annotations

import csv
from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk

from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.imaging.geometry import from_sitk
from BrainstemALSLib.measurement.diffusion_value import DiffusionValue
from BrainstemALSLib.scene.export import export_files, export_names, export_stem
from BrainstemALSLib.scene.labelmap import placed
from BrainstemALSLib.scene.results import show_outcome
from BrainstemALSLib.scene.segmentation import write_labels

STEM = "sub-P07_ses-20260314"


@pytest.fixture
def result(outcome, t1_node, paint):
    shown = show_outcome(outcome, t1_node)
    i, j, k = outcome.offset
    window = (slice(i, i + 2), slice(j - 2, j + 6), slice(k, k + 5))
    paint(shown.segmentation, t1_node, "pyramid_left", window)
    return shown


def test_all_files_are_written(result, outcome, measures, t1, tmp_path):
    folder = tmp_path / "Größe ß" / "日本"

    files = export_files(folder, STEM, result, measures)

    assert [path.name for path in files] == [
        "sub-P07_ses-20260314_desc-brainstem_dseg.nii.gz",
        "sub-P07_ses-20260314_desc-brainstem_dseg.tsv",
        "sub-P07_ses-20260314_desc-brainstem_dseg.seg.nrrd",
        "sub-P07_ses-20260314_desc-brainstem_volumes.tsv",
        "sub-P07_ses-20260314_desc-brainstem_volumes.csv",
    ]
    assert sorted(folder.iterdir()) == sorted(files)
    labels, offset = result.labels()
    written = from_sitk(sitk.ReadImage(str(files[0])))
    np.testing.assert_array_equal(written.array, placed(labels, offset, ((0, 0, 0), t1.shape)))
    np.testing.assert_allclose(written.affine, t1.affine, atol=1e-4)
    with files[1].open(encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle, delimiter="\t"))
    assert {row["key"] for row in rows} == set(outcome.keys)
    with files[4].open(encoding="utf-8-sig", newline="") as handle:
        sheet = list(csv.DictReader(handle))
    assert float(sheet[0]["volume_soft_mm3"]) == measures.volumes[0].volume_soft_mm3
    assert len(sheet) == len(measures.volumes)


def test_diffusion_is_exported_where_there_is_any(result, measures, tmp_path):
    value = DiffusionValue("pyramid_left", "Pyramid", "structure", "left", "fa", 0.52)
    files = export_files(tmp_path, STEM, result, replace(measures, diffusion=(value,)))

    assert [path.name.rpartition("_")[2] for path in files[-2:]] == [
        "diffusion.tsv",
        "diffusionasymmetry.tsv",
    ]
    with files[-2].open(encoding="utf-8") as handle:
        (row,) = csv.DictReader(handle, delimiter="\t")
    assert (row["key"], row["metric"], float(row["value"])) == ("pyramid_left", "fa", 0.52)

    # A result without diffusion leaves no table of an earlier one behind.
    export_files(tmp_path, STEM, result, measures, overwrite=True)
    assert not files[-2].exists()
    assert not files[-1].exists()


def test_no_file_names_the_patient(result, measures, tmp_path):
    for path in export_files(tmp_path, STEM, result, measures):
        assert b"Doe" not in path.read_bytes()
        assert "Doe" not in path.name


def test_files_are_not_replaced_unasked(result, measures, tmp_path):
    first = export_files(tmp_path, STEM, result, measures)
    content = first[0].read_bytes()
    with pytest.raises(BrainstemALSError, match="already holds") as refusal:
        export_files(tmp_path, STEM, result, measures)
    assert refusal.value.code == ExitCode.OUTPUT_REFUSED

    again = export_files(tmp_path, STEM, result, measures, overwrite=True)

    assert again == first
    assert first[0].read_bytes() == content


def test_what_fails_leaves_nothing(scene, result, measures, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    with pytest.raises(BrainstemALSError, match="cannot be written"):
        export_files(blocked / "sub", STEM, result, measures)
    scene.RemoveNode(result.t1)
    with pytest.raises(BrainstemALSError):
        export_files(tmp_path / "out", STEM, result, measures)
    scene.Clear(True)
    with pytest.raises(BrainstemALSError, match="no longer in the scene"):
        export_files(tmp_path / "out", STEM, result, measures)
    assert not (tmp_path / "out").exists()


def test_the_stem_is_a_code_and_a_date():
    assert export_stem(" P07 ", "2026-03-14") == STEM
    assert export_stem("sub-P07") == "sub-P07"
    assert export_stem("ALS-01_7") == "sub-ALS017"
    for code in ("", "Jane Doe", "a/b", "..", "--"):
        with pytest.raises(BrainstemALSError, match="subject code") as refusal:
            export_stem(code)
        assert refusal.value.code == ExitCode.USAGE
        assert code == "" or code not in str(refusal.value)
    assert len(export_names("sub-1")) == 7


def test_an_empty_segmentation_is_exported_too(result, outcome, measures, t1_node, tmp_path):
    nothing = np.zeros_like(outcome.labels.array)
    write_labels(result.segmentation, nothing, outcome.offset, t1_node, outcome.keys)

    files = export_files(tmp_path, STEM, result, measures)

    assert not from_sitk(sitk.ReadImage(str(files[0]))).array.any()
    assert files[2].stat().st_size > 0


def test_the_segmentation_file_has_the_segmented_box_and_what_lies_outside(
    result, outcome, measures, t1_node, paint, tmp_path
):
    result.segmentation.GetSegmentation().AddEmptySegment("mine", "lesion")
    paint(result.segmentation, t1_node, "mine", (slice(1, 3),) * 3)

    files = export_files(tmp_path, STEM, result, measures)

    sizes = np.array(sitk.ReadImage(str(files[2])).GetSize())
    first = np.minimum(outcome.offset, 1)
    last = np.add(outcome.offset, outcome.labels.shape)
    np.testing.assert_array_equal(sizes, last - first)
    assert b"lesion" in files[2].read_bytes()
