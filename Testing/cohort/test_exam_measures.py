import math

import pytest

from BrainstemALSLib.cohort.exam_measures import exam_rows, quality_of
from BrainstemALSLib.imaging.exam import exam_from_volumes
from BrainstemALSLib.imaging.volume import Volume
from BrainstemALSLib.measurement.measure import measure
from BrainstemALSLib.report.derivatives import write_derivatives
from BrainstemALSLib.report.provenance import Provenance
from Testing.cohort import light


@pytest.fixture(scope="module")
def exam(tmp_path_factory):
    """The measures of one exam with FA, and their rows, through the files."""
    folder = tmp_path_factory.mktemp("exam")
    t1 = light.head(1)
    fa = Volume((t1.array > 60).astype("float32") * 0.4, t1.affine)
    exam = exam_from_volumes(t1, fa=fa)
    found = light.LightSegmenter().segment(exam)
    measures = measure(found, exam.t1, exam.maps)
    write_derivatives(folder, "sub-01_ses-02", exam, found, measures, Provenance())
    rows = exam_rows(folder, "sub-01_ses-02", "sub-01", "ses-02")
    return measures, {(row["structure"], row["measure"]): row for row in rows}


def test_rows_hold_what_was_measured(exam):
    measures, rows = exam
    for volume in measures.volumes:
        row = rows[volume.key, "volume"]
        assert row["value"] == pytest.approx(volume.volume_soft_mm3, abs=1e-4)
        assert row["uncertainty"] == pytest.approx(0.35 * volume.half_range_mm3 / 0.67449, abs=1e-3)
        assert (row["unit"], row["session_id"]) == ("mm3", "ses-02")
    for pair in measures.asymmetries:
        if pair.index_percent is not None:
            assert rows[pair.key, "volume_asymmetry"]["value"] == pytest.approx(
                pair.index_percent, abs=1e-4
            )
    for value in measures.diffusion:
        if value.metric == "fa" and value.value is not None:
            assert rows[value.key, "fa"]["value"] == pytest.approx(value.value, abs=1e-4)
    assert any(measure == "fa" for _, measure in rows)
    icv = rows["intracranial", "volume"]
    assert icv["value"] == measures.intracranial.volume_mm3
    assert math.isnan(icv["uncertainty"])


def finding(code, severity, structure=None):
    return {"code": code, "severity": severity, "structure": structure}


@pytest.mark.parametrize(
    ("structure", "measure", "found", "expected"),
    [
        ("pons", "volume", [], "good"),
        ("pons", "volume", [finding("t1_only", "info")], "good"),
        ("pons", "volume", [finding("resolution_coarse", "warning")], "warning"),
        ("pons", "volume", [finding("resolution_coarse", "error")], "bad"),
        ("pyramid_left", "volume", [finding("low_confidence", "warning", "pyramid_left")],
         "warning"),
        ("pyramid", "volume_asymmetry", [finding("low_confidence", "warning", "pyramid_left")],
         "warning"),
        ("pyramid_right", "volume", [finding("low_confidence", "warning", "pyramid_left")], "good"),
        ("medulla", "volume", [finding("structure_empty", "warning", "pyramid_left")], "good"),
        ("pyramid_left", "volume", [finding("low_confidence", "error", "brainstem")], "bad"),
        ("brainstem", "volume", [finding("field_of_view_cut_inferior", "error", "medulla")], "bad"),
        ("brainstem", "volume", [finding("low_confidence", "warning", "medulla")], "good"),
        ("intracranial", "volume", [finding("low_confidence", "error", "brainstem")], "good"),
        ("pons", "volume", [finding("volume_implausible", "warning", "intracranial")], "good"),
        ("pons", "volume", [finding("diffusion_implausible", "error")], "good"),
        ("pons", "volume", [finding("registration_failed", "warning")], "good"),
        ("pons", "fa", [finding("diffusion_implausible", "error")], "bad"),
        ("pons", "md_asymmetry", [finding("dwi_not_read", "warning")], "warning"),
        ("pons", "fa", [finding("field_of_view_cut_superior", "error", "brainstem")], "bad"),
        ("pons", "fa", [finding("x", "warning"), finding("y", "error")], "bad"),
        ("pons", "fa", [finding("y", "error"), finding("x", "warning")], "bad"),
    ],
)  # fmt: skip
def test_quality_follows_the_findings(structure, measure, found, expected):
    assert quality_of(structure, measure, found) == expected
