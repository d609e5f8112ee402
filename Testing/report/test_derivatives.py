"""The files of one exam, as another program reads them."""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import json
import math
from datetime import datetime, timezone

import nibabel as nib
import numpy as np
import pytest

from BrainstemALSLib.anatomy import by_key
from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.imaging.exam import Exam
from BrainstemALSLib.measurement.measure import measure
from BrainstemALSLib.report.derivatives import (
    derivative_names,
    write_dataset_description,
    write_derivatives,
)
from BrainstemALSLib.report.diffusion_files import DIFFUSION_FILES
from BrainstemALSLib.report.naming import derivative_name
from BrainstemALSLib.report.provenance import provenance_record, t1_checksum

PREFIX = "sub-07_desc-brainstem"


@pytest.fixture(scope="module")
def exam(segmentation):
    """The made-up exam with a structure that is empty, so that there is something missing."""
    array = segmentation.probabilities.array
    empty = np.zeros((*array.shape[:3], 1), array.dtype)
    return dataclasses.replace(
        segmentation,
        keys=(*segmentation.keys, "dorsal_raphe"),
        probabilities=dataclasses.replace(
            segmentation.probabilities, array=np.concatenate([array, empty], axis=-1)
        ),
        confidence={**segmentation.confidence, "dorsal_raphe": math.nan},
        intracranial_mm3=None,
    )


@pytest.fixture
def written(tmp_path, t1, exam, provenance):
    paths = write_derivatives(tmp_path, "sub-07", Exam(t1), exam, measure(exam, t1), provenance)
    return {path.name.removeprefix(f"{PREFIX}_"): path for path in paths}


def strict(path):
    def refuse(constant: str):
        pytest.fail(f"{constant} is not JSON")

    return json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse)


def table(path):
    with path.open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle, delimiter="\t"))


def test_everything_is_written_under_the_promised_names(written, tmp_path):
    of_diffusion = {derivative_name("sub-07", *file) for file in DIFFUSION_FILES}
    expected = set(derivative_names("sub-07")) - of_diffusion
    assert {path.name for path in written.values()} == expected
    assert {path.name for path in tmp_path.iterdir()} == expected


def test_labels_are_on_the_grid_of_the_t1(written, t1, exam):
    image = nib.load(written["dseg.nii.gz"])

    np.testing.assert_allclose(image.affine, t1.affine, atol=1e-4)
    np.testing.assert_array_equal(np.asarray(image.dataobj), exam.labels.array)
    assert image.get_data_dtype() == np.uint8


def test_probabilities_keep_their_place_and_order(written, exam):
    image = nib.load(written["probseg.nii.gz"])
    names = strict(written["probseg.json"])["LabelMap"]

    assert image.shape[-1] == len(names)
    np.testing.assert_allclose(image.affine, exam.probabilities.affine, atol=1e-4)
    position = names.index("pyramid_left")
    np.testing.assert_allclose(
        image.get_fdata()[..., position], exam.probability("pyramid_left"), atol=1 / 250
    )


def test_label_table_follows_bids(written, exam):
    rows = table(written["dseg.tsv"])
    structures = by_key()

    assert list(rows[0])[:4] == ["index", "name", "abbreviation", "color"]
    assert {"key", "side", "parent", "tissue", "tier", "snomed", "uberon"} <= set(rows[0])
    assert [row["key"] for row in rows] == sorted(exam.keys, key=lambda k: structures[k].index)
    in_image = set(np.unique(nib.load(written["dseg.nii.gz"]).dataobj)) - {0}
    assert in_image <= {int(row["index"]) for row in rows}
    assert all("" not in row.values() for row in rows)


def test_volume_table(written, exam, t1):
    rows = {row["key"]: row for row in table(written["volumes.tsv"])}
    volumes = {row.key: row for row in measure(exam, t1).volumes}

    assert set(rows) == set(volumes)
    assert rows["pons"]["kind"] == "composite"
    assert float(rows["pons"]["volume_soft_mm3"]) == pytest.approx(
        volumes["pons"].volume_soft_mm3, abs=1e-3
    )
    assert rows["dorsal_raphe"]["confidence"] == "n/a"
    assert rows["dorsal_raphe"]["confidence_word"] == "none"
    assert "nan" not in written["volumes.tsv"].read_text().lower()


def test_asymmetry_table(written):
    rows = {row["key"]: row for row in table(written["asymmetry.tsv"])}

    assert "corticospinal_tract" in rows
    assert abs(float(rows["pyramid"]["index_percent"])) < 2


def test_quality_record(written):
    record = strict(written["qc.json"])

    assert record["worst_severity"] == "warning"
    assert {f["code"] for f in record["findings"]} == {"structure_empty", "intracranial_unknown"}
    assert record["confidence"]["dorsal_raphe"] is None
    assert record["intracranial_volume_mm3_estimate"] is None


def test_provenance_tells_the_origin_and_no_folder(written):
    record = strict(written["provenance.json"])

    assert record["inputs"] == [{"role": "t1", "name": "sub-07_T1w.nii.gz", "sha256": "ab" * 32}]
    assert record["options"]["out"] == "results"
    assert record["options"]["overwrite"] is False
    assert record["model"]["brainstem"]["version"] == "1"
    assert record["device_reason"] == "no CUDA device was found"
    assert record["timings_s"] == {"infer": 1.5, "read": 0.2}
    assert {"python", "numpy", "SimpleITK", "torch"} <= set(record["versions"])
    assert record["versions"]["numpy"] == np.__version__
    assert "not a medical device" in record["intended_use"].lower()
    assert "synthetic" in record["training_data"]
    assert "someone" not in written["provenance.json"].read_text()


def test_provenance_gives_the_checksum_of_the_t1_back(written):
    assert t1_checksum(written["provenance.json"]) == "ab" * 32


@pytest.mark.parametrize("text", [None, "no JSON", "[]", '{"inputs": []}', '{"inputs": 1}', "é"])
def test_a_provenance_that_does_not_say_gives_no_checksum(tmp_path, text):
    if text is not None:
        (tmp_path / "provenance.json").write_text(text, encoding="latin-1")
    assert t1_checksum(tmp_path / "provenance.json") is None


def test_provenance_date_is_utc(exam, provenance):
    from datetime import timedelta

    local = datetime(2024, 5, 1, 1, 30, tzinfo=timezone(timedelta(hours=2)))

    assert provenance_record(provenance, exam, local)["date_utc"] == "2024-04-30T23:30:00Z"


@pytest.mark.parametrize("path", ["C:\\Users\\someone\\out", "/data/someone/out/"])
def test_folders_of_any_system_are_dropped(exam, provenance, path):
    options = {"out": path, "more": [path]}
    record = provenance_record(dataclasses.replace(provenance, options=options), exam)

    assert record["options"] == {"out": "out", "more": ["out"]}


def test_same_result_gives_the_same_images(tmp_path, t1, exam, provenance):
    measures = measure(exam, t1)
    sums = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        write_derivatives(tmp_path / name, "sub-07", Exam(t1), exam, measures, provenance)
        image = (tmp_path / name / f"{PREFIX}_dseg.nii.gz").read_bytes()
        sums.append(hashlib.sha256(image).hexdigest())
    assert sums[0] == sums[1]


def test_a_missing_folder_is_refused(tmp_path, t1, exam, provenance):
    with pytest.raises(BrainstemALSError) as refusal:
        write_derivatives(
            tmp_path / "gone", "sub-07", Exam(t1), exam, measure(exam, t1), provenance
        )
    assert refusal.value.code == ExitCode.OUTPUT_REFUSED


def test_dataset_description(tmp_path):
    record = strict(write_dataset_description(tmp_path))

    assert record["DatasetType"] == "derivative"
    assert record["GeneratedBy"][0]["Name"] == "BrainstemALS"
    assert [path.name for path in tmp_path.iterdir()] == ["dataset_description.json"]


def test_dataset_description_in_a_missing_folder_is_refused(tmp_path):
    with pytest.raises(BrainstemALSError) as refusal:
        write_dataset_description(tmp_path / "gone")
    assert refusal.value.code == ExitCode.OUTPUT_REFUSED
