"""`segment` from end to end: a real head, the bundled models, a process of its own."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from typer.testing import CliRunner

from BrainstemALSLib.anatomy import by_key
from BrainstemALSLib.cli.app import app
from BrainstemALSLib.cli.icbm import icbm_path
from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.imaging.geometry import resample
from BrainstemALSLib.imaging.reading import read_volume
from BrainstemALSLib.imaging.writing import write_volume
from BrainstemALSLib.report.derivatives import derivative_names
from BrainstemALSLib.report.diffusion_files import DIFFUSION_FILES
from BrainstemALSLib.report.naming import derivative_name

LIBRARY = Path(__file__).resolve().parents[1] / "BrainstemALS"
PREFIX = "sub-icbm_desc-brainstem"
OPTIONS = ("--device", "cpu", "--threads", "1")


def segment(t1: Path, out: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "BrainstemALSLib.cli", "segment", t1, "--out", out, *OPTIONS],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "PYTHONPATH": str(LIBRARY), "COLUMNS": "200"},
    )


@pytest.fixture(scope="module")
def t1(tmp_path_factory) -> Path:
    """The ICBM T1 at 2 mm: the brainstem of 152 people in a file that is quick to work on."""
    path = tmp_path_factory.mktemp("images") / "sub-icbm_T1w.nii.gz"
    whole = read_volume(icbm_path("t1"))
    affine = whole.affine @ np.diag([2.0, 2.0, 2.0, 1.0])
    write_volume(resample(whole, [n // 2 for n in whole.shape], affine), path)
    return path


@pytest.fixture(scope="module")
def ran(t1, tmp_path_factory) -> tuple[subprocess.CompletedProcess[str], Path]:
    out = tmp_path_factory.mktemp("results") / "out"
    return segment(t1, out), out


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle, delimiter="\t"))


def test_it_ends_well_and_says_where_the_results_are(ran):
    outcome, out = ran
    assert outcome.returncode == ExitCode.OK, outcome.stderr
    assert "Traceback" not in outcome.stderr
    assert "Ran on cpu" in outcome.stdout
    expected = {*derivative_names("sub-icbm"), "dataset_description.json"}
    expected -= {derivative_name("sub-icbm", *file) for file in DIFFUSION_FILES}  # there was none
    assert {path.name for path in out.iterdir()} == expected


def test_every_image_lies_on_the_grid_of_the_t1(ran, t1):
    expected = nib.load(t1)
    for name in ("dseg", "entropy"):
        image = nib.load(ran[1] / f"{PREFIX}_{name}.nii.gz")
        assert image.shape == expected.shape
        np.testing.assert_allclose(image.affine, expected.affine, atol=1e-4)
    probabilities = nib.load(ran[1] / f"{PREFIX}_probseg.nii.gz")
    np.testing.assert_allclose(
        probabilities.affine[:3, :3], expected.affine[:3, :3], atol=1e-4
    )  # a box of the same voxels ...
    start = np.linalg.solve(expected.affine, probabilities.affine[:, 3])[:3]
    np.testing.assert_allclose(start, np.rint(start), atol=1e-3)  # ... between whole ones
    assert (start > -0.01).all()
    values = probabilities.get_fdata(dtype=np.float32)
    assert 0 <= values.min() <= values.max() <= 1


def test_labels_show_a_brainstem_of_human_size(ran):
    image = nib.load(ran[1] / f"{PREFIX}_dseg.nii.gz")
    labels = np.asarray(image.dataobj)
    known = {structure.index for structure in by_key().values()}
    assert set(np.unique(labels)) <= known | {0}
    volumes = {row["key"]: row for row in table(ran[1] / f"{PREFIX}_volumes.tsv")}
    assert 20_000 < float(volumes["brainstem"]["volume_soft_mm3"]) < 50_000


def test_tables_have_their_columns(ran):
    rows = table(ran[1] / f"{PREFIX}_dseg.tsv")
    assert list(rows[0])[:4] == ["index", "name", "abbreviation", "color"]
    assert "key" in rows[0]
    volumes = table(ran[1] / f"{PREFIX}_volumes.tsv")
    assert {"key", "kind", "volume_soft_mm3", "volume_label_mm3"} <= set(volumes[0])
    assert {"brainstem", "midbrain", "pons", "medulla"} <= {row["key"] for row in volumes}
    assert table(ran[1] / f"{PREFIX}_asymmetry.tsv")


def test_records_and_picture_open(ran, t1):
    import hashlib

    from matplotlib.image import imread

    records = {path.name: json.loads(path.read_text()) for path in ran[1].glob("*.json")}
    assert records["dataset_description.json"]["DatasetType"] == "derivative"
    origin = records[f"{PREFIX}_provenance.json"]
    assert origin["inputs"] == [
        {
            "role": "t1",
            "name": t1.name,
            "sha256": hashlib.sha256(t1.read_bytes()).hexdigest(),
        }
    ]
    assert set(origin["model"]) == {"locator", "structures"}
    assert origin["options"]["flip"] is True
    assert origin["model"]["structures"]["mirrored"] == "averaged"
    assert float(origin["model"]["structures"]["temperature"]) > 0
    assert "findings" in records[f"{PREFIX}_qc.json"]
    picture = imread(ran[1] / f"{PREFIX}_overview.png")
    assert min(picture.shape[:2]) > 200
    assert picture[..., :3].std() > 0.05


def test_a_second_run_is_refused_and_touches_nothing(ran, t1):
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in ran[1].iterdir()}
    outcome = segment(t1, ran[1])
    assert outcome.returncode == ExitCode.OUTPUT_REFUSED == 20
    assert "--overwrite" in outcome.stderr
    after = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in ran[1].iterdir()}
    assert after == before


@pytest.mark.parametrize(
    ("words", "flip"), [([], True), (["--flip"], True), (["--no-flip"], False)]
)
def test_the_mirror_image_is_averaged_unless_left_out(monkeypatch, tmp_path, words, flip):
    asked = []

    def late_segmenter(device, model, flip, threads):
        asked.append(flip)
        raise BrainstemALSError("T1", "enough is known", "Stop here.", ExitCode.USAGE)

    monkeypatch.setattr("BrainstemALSLib.cli.inference.LateSegmenter", late_segmenter)
    arguments = ["segment", str(tmp_path / "t1.nii"), "--out", str(tmp_path / "out"), *words]
    assert CliRunner().invoke(app, arguments).exit_code == ExitCode.USAGE
    assert asked == [flip]
