"""What `segment` refuses, and with which code; in this process, because nothing is computed."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from typer.testing import CliRunner

from BrainstemALSLib.cli.app import app
from BrainstemALSLib.errors import ExitCode

SHAPE, SPACING_MM = (48, 48, 48), 2.5
AFFINE = np.diag([-SPACING_MM, SPACING_MM, SPACING_MM, 1.0])
AFFINE[:3, 3] = -AFFINE[:3, :3] @ ((np.array(SHAPE) - 1) / 2)
SROW = 280  # byte offset in a NIfTI-1 header


def radius() -> np.ndarray:
    return np.sqrt(((np.indices(SHAPE) - 23.5) ** 2).sum(0)) * SPACING_MM


def save(path: Path, array: np.ndarray, affine=AFFINE) -> Path:
    image = nib.Nifti1Image(array.astype(np.float32), affine)
    image.set_qform(affine, 1)
    image.set_sform(affine, 1)
    nib.save(image, path)
    return path


@pytest.fixture
def t1(tmp_path) -> Path:
    noise = np.random.default_rng(0).normal(20, 5, SHAPE)
    return save(tmp_path / "sub-01_T1w.nii", 100.0 * (radius() < 50) + noise)


def segment(*arguments: object) -> tuple[int, str]:
    """Run the command; return its code and its refusal, which is one line."""
    outcome = CliRunner().invoke(app, ["segment", *map(str, arguments)])
    (line,) = outcome.stderr.strip().splitlines()
    assert line.startswith("brainstem-als: ")
    return outcome.exit_code, line


def test_ct(tmp_path):
    noise = np.random.default_rng(0).normal(0, 8, SHAPE)
    skull = (radius() >= 45) & (radius() < 50)
    ct = np.select([radius() < 45, skull], [35.0, 900.0], -1000.0) + noise
    code, line = segment(save(tmp_path / "scan.nii", ct), "--out", tmp_path / "out")
    assert code == ExitCode.UNSUITABLE_IMAGE
    assert "scan.nii" in line
    assert "CT" in line
    assert not (tmp_path / "out").exists()


def test_singular_affine(t1, tmp_path):
    content = bytearray(t1.read_bytes())
    struct.pack_into("<4f", content, SROW + 32, *[0.0] * 4)
    t1.write_bytes(content)
    code, line = segment(t1, "--out", tmp_path / "out")
    assert code == ExitCode.UNREADABLE_IMAGE
    assert "orientation" in line
    assert not (tmp_path / "out").exists()


def test_two_orientations(t1, tmp_path):
    image = nib.load(t1)
    image = nib.Nifti1Image(np.asarray(image.dataobj).copy(), image.affine, image.header)
    moved = AFFINE.copy()
    moved[:3, 3] += (7, -9, 12)
    image.set_sform(moved, 2)
    nib.save(image, tmp_path / "two.nii")
    code, line = segment(tmp_path / "two.nii", "--out", tmp_path / "out")
    assert code == ExitCode.UNSUITABLE_IMAGE
    assert "two.nii" in line
    assert "qform and sform" in line
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("scale", [1.0, 3e-6, 1e3])
def test_md_in_an_unknown_unit(t1, tmp_path, scale):
    """Given 0.8 for brain: read as 1e-3 mm2/s it is right, so the others must be wrong."""
    md = save(tmp_path / "MD.nii", np.where(radius() < 50, 0.8, 0.0) * scale)
    if scale == 1.0:
        (tmp_path / "models").mkdir()
        code, _ = segment(t1, "--md", md, "--out", tmp_path / "out", "--model", tmp_path / "models")
        assert code == ExitCode.MODEL_UNAVAILABLE  # every image has passed
        return
    code, line = segment(t1, "--md", md, "--out", tmp_path / "out")
    assert code == ExitCode.UNSUITABLE_DIFFUSION
    assert "MD.nii" in line
    assert not (tmp_path / "out").exists()


def test_fa_beyond_one(t1, tmp_path):
    fa = save(tmp_path / "FA.nii", np.where(radius() < 50, 400.0, 0.0))
    code, line = segment(t1, "--fa", fa, "--out", tmp_path / "out")
    assert code == ExitCode.UNSUITABLE_DIFFUSION
    assert "FA.nii" in line


def test_maps_of_another_place(t1, tmp_path):
    elsewhere = AFFINE.copy()
    elsewhere[0, 3] += 400.0
    fa = save(tmp_path / "FA.nii", np.where(radius() < 50, 0.4, 0.0), elsewhere)
    code, line = segment(t1, "--fa", fa, "--out", tmp_path / "out")
    assert code == ExitCode.MISMATCHED_IMAGES
    assert "FA.nii" in line
    assert not (tmp_path / "out").exists()


def test_overwrite_does_not_reach_the_results_of_another_image(t1, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    origin = out / "sub-01_desc-brainstem_provenance.json"
    origin.write_text(json.dumps({"inputs": [{"role": "t1", "sha256": "0" * 64}]}))
    code, line = segment(t1, "--out", out, "--overwrite")
    assert code == ExitCode.OUTPUT_REFUSED
    assert t1.name in line
    assert "--stem" in line
    assert list(out.iterdir()) == [origin]
    (tmp_path / "models").mkdir()
    code, _ = segment(t1, "--out", out, "--stem", "second", "--model", tmp_path / "models")
    assert code == ExitCode.MODEL_UNAVAILABLE  # the name is free: it went on to the model


@pytest.mark.parametrize("stem", ["../x", "a b"])
def test_a_stem_that_is_no_name(t1, tmp_path, stem):
    code, line = segment(t1, "--out", tmp_path / "out", "--stem", stem)
    assert code == ExitCode.USAGE
    assert "--stem" in line
    assert not (tmp_path / "out").exists()
