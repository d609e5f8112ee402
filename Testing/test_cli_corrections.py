"""``brainstem-als agreement`` and ``corrections``, as a user calls them."""

from __future__ import annotations

import csv
import json
from dataclasses import replace

import matplotlib.image
import nibabel as nib
import numpy as np
import pytest
from typer.testing import CliRunner

from BrainstemALSLib.anatomy import by_key
from BrainstemALSLib.annotation import Approval, BoxGrid, CaseStore
from BrainstemALSLib.annotation.codes import exam_key
from BrainstemALSLib.cli.app import app
from BrainstemALSLib.errors import ExitCode
from BrainstemALSLib.imaging.volume import Volume
from BrainstemALSLib.imaging.writing import write_volume


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def exam(segmentation, t1):
    """A prediction of spheres on its T1, as an approval without changes."""
    return Approval(
        images={"t1": t1},
        prediction=segmentation.labels,
        correction=segmentation.labels,
        grid=BoxGrid(t1.shape, t1.affine, (0, 0, 0)),
        exam_key=exam_key(t1),
        subject="ALS-017",
        annotator="rater1",
        visit_date="2026-03-31",
        keys=tuple(segmentation.keys),
    )


@pytest.fixture
def filled(tmp_path, exam):
    """A store in which a second annotator forgot a pyramid and moved the left pons."""
    store = CaseStore(tmp_path / "store")
    store.approve(exam)
    labels = exam.correction.array.copy()
    indices = {key: structure.index for key, structure in by_key().items()}
    labels[labels == indices["pyramid_left"]] = indices["medullary_tegmentum_left"]
    moved = np.roll(labels == indices["basis_pontis_left"], 1, axis=1)
    labels[moved & (labels == 0)] = indices["basis_pontis_left"]
    correction = Volume(labels, exam.correction.affine)
    store.approve(replace(exam, annotator="rater2", correction=correction))
    return store


def test_agreement_writes_everything(filled, exam, tmp_path):
    out = tmp_path / "out"
    outcome = run("agreement", filled.root, "--out", out)
    assert outcome.exit_code == 0, outcome.output
    assert "rater1 - rater2" in outcome.output
    stem = f"sub-ALS017_ses-{exam.exam_key[:8]}_desc-"
    with (out / f"{stem}agreement_scores.tsv").open(encoding="utf-8") as handle:
        rows = {row["key"]: row for row in csv.DictReader(handle, delimiter="\t")}
    assert rows["pyramid_left"]["dice"] == "0"
    assert rows["pyramid_left"]["assd_mm"] == "n/a"
    assert rows["pyramid_right"]["dice"] == "1"
    assert 0.8 < float(rows["basis_pontis_left"]["dice"]) < 1
    assert float(rows["basis_pontis_left"]["difference_mm3"]) > 0
    with (out / f"{stem}agreement_places.tsv").open(encoding="utf-8") as handle:
        places = list(csv.DictReader(handle, delimiter="\t"))
    named = {place["structures"]: place for place in places}
    pyramid = named["medullary_tegmentum_left / pyramid_left"]
    at = [float(pyramid[name]) for name in ("x_mm", "y_mm", "z_mm")]
    assert np.linalg.norm(np.subtract(at, (-6.0, 3.0, -22.0))) < 3.0
    summary = json.loads((out / f"{stem}agreement_summary.json").read_text())
    (pair,) = summary["pairs"]
    assert 0.5 < pair["kappa_brainstem"] < 1
    record = filled.cases()[0]
    image = nib.load(out / f"{stem}disagreement_map.nii.gz")
    assert set(np.unique(image.dataobj)) == {0.0, 0.5}
    assert np.all(np.array(image.shape) >= record.box_shape)
    assert int(np.asarray(nib.load(out / f"{stem}vouching_map.nii.gz").dataobj).min()) == 2
    picture = matplotlib.image.imread(out / f"{stem}agreement_overview.png")
    assert picture.shape[1] > 1500
    assert picture[..., :3].std() > 0.05

    again = run("agreement", filled.root, "--out", out)
    assert again.exit_code == ExitCode.OUTPUT_REFUSED
    assert run("agreement", filled.root, "--out", out, "--overwrite").exit_code == 0


def test_the_consensus_can_be_approved(filled, tmp_path):
    out = tmp_path / "out"
    assert run("agreement", filled.root, "--out", out, "--consensus", "majority").exit_code == 0
    outcome = run("corrections", "import", out, "--store", filled.root)
    assert outcome.exit_code == 0, outcome.output
    latest = filled.latest(filled.cases()[0].exam_key)
    assert latest.annotator == "consensus"
    assert latest.revision == 3
    assert not latest.approved_all  # ties are undecided


def test_one_annotator_is_no_agreement(tmp_path, exam):
    store = CaseStore(tmp_path / "store")
    store.approve(exam)
    outcome = run("agreement", store.root, "--out", tmp_path / "out")
    assert outcome.exit_code == ExitCode.UNSUITABLE_IMAGE
    assert "no exam in it was approved by two annotators" in outcome.output
    assert not (tmp_path / "out").exists()
    outcome = run("agreement", tmp_path, "--out", tmp_path / "out")
    assert outcome.exit_code == ExitCode.OUTPUT_REFUSED


@pytest.mark.parametrize("form", ["bids", "seg.nrrd", "monailabel"])
def test_corrections_go_out_and_come_back(filled, tmp_path, form):
    out, copy = tmp_path / "out", tmp_path / "copy"
    outcome = run("corrections", "export", filled.root, out, "--format", form)
    assert outcome.exit_code == 0, outcome.output
    assert "Wrote 2 cases" in outcome.output
    outcome = run("corrections", "import", out, "--store", copy)
    assert outcome.exit_code == 0, outcome.output
    assert "Stored 2 cases; 0 were there already." in outcome.output
    records = CaseStore(copy).cases()
    assert [record.annotator for record in records] == ["rater1", "rater2"]
    assert {record.visit_date for record in records} == {""}
    outcome = run("corrections", "export", filled.root, out, "--format", form)
    assert outcome.exit_code == ExitCode.OUTPUT_REFUSED


def test_a_label_map_is_imported_with_its_options(exam, tmp_path):
    write_volume(exam.images["t1"], tmp_path / "t1.nii.gz")
    write_volume(exam.correction, tmp_path / "drawn.nii.gz")
    write_volume(exam.prediction, tmp_path / "before.nii.gz")
    rows = "".join(f"{s.index}\t{s.key}\n" for s in by_key().values())
    (tmp_path / "labels.tsv").write_text(f"index\tkey\n{rows}")
    options = ["--t1", tmp_path / "t1.nii.gz", "--labels", tmp_path / "labels.tsv"]
    options += ["--store", tmp_path / "store", "--annotator", "rater1", "--partial"]
    source = tmp_path / "drawn.nii.gz"

    outcome = run("corrections", "import", source, *options)
    assert outcome.exit_code == ExitCode.USAGE
    assert outcome.output.startswith("brainstem-als: drawn.nii.gz: its name has no subject code")
    options += ["--subject", "ALS-3", "--visit-date", "2026-01-02"]
    options += ["--prediction", tmp_path / "before.nii.gz"]
    assert run("corrections", "import", source, *options).exit_code == 0

    (record,) = CaseStore(tmp_path / "store").cases()
    assert record.exam_key == exam.exam_key
    assert (record.subject, record.visit_date, record.approved_all) == (
        "ALS-3",
        "2026-01-02",
        False,
    )
    assert record.changes == {}
