"""`segment` with diffusion, from end to end: a simulated head, a process of its own.

The head is coarse and its series short, so that fitting takes seconds. All is simulated.
"""

from __future__ import annotations

import csv
import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import typer
from scipy import ndimage

from BrainstemALSLib.cli.app import app
from BrainstemALSLib.errors import ExitCode
from BrainstemALSLib.imaging.diffusion.process import DiffusionOptions
from BrainstemALSLib.imaging.geometry import resample
from BrainstemALSLib.imaging.registration import RegistrationOptions
from BrainstemALSLib.imaging.volume import Volume
from BrainstemALSLib.phantom.diffusion_head import full_tensors

from .scanned_head import DIRECTIONS, Scanned, scanned_head, segment, write_bids

AWAY_MM = (5.0, -4.0, 3.0)


@pytest.fixture(scope="module")
def scanned(once) -> Scanned:
    return once("scanned-head", scanned_head)


@pytest.fixture(scope="module")
def subject(scanned, tmp_path_factory) -> Path:
    """A BIDS subject whose series says that it lies some millimetres away."""
    return write_bids(scanned, tmp_path_factory.mktemp("bids"), AWAY_MM)


@pytest.fixture(scope="module")
def from_bids(subject, tmp_path_factory):
    out = tmp_path_factory.mktemp("results") / "out"
    return segment(subject, out), out


@pytest.fixture(scope="module")
def from_files(subject, tmp_path_factory):
    """The same images named one by one; gradients from where nobody would look for them."""
    elsewhere = tmp_path_factory.mktemp("gradients")
    for kind in ("bval", "bvec"):
        (elsewhere / f"table.{kind}").write_bytes(
            (subject / "dwi" / f"sub-01_dwi.{kind}").read_bytes()
        )
    out = tmp_path_factory.mktemp("results") / "out"
    series = elsewhere / "series.nii.gz"
    series.write_bytes((subject / "dwi" / "sub-01_dwi.nii.gz").read_bytes())
    given = ("--dwi", series, "--bval", elsewhere / "table.bval")
    given += ("--bvec", elsewhere / "table.bvec", "--no-motion")
    return segment(subject / "anat" / "sub-01_T1w.nii.gz", out, *given), out


def record(out: Path, name: str) -> dict:
    (path,) = out.glob(f"*_{name}.json")
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("way", ["from_bids", "from_files"])
def test_a_series_is_fitted_and_aligned(way, request):
    outcome, out = request.getfixturevalue(way)
    assert outcome.returncode == ExitCode.OK, outcome.stderr
    assert "Traceback" not in outcome.stderr
    names = {path.name for path in out.iterdir()}
    prefix = "sub-01_desc-brainstem"
    for file in ("diffusion.tsv", "param-fa_dwimap.nii.gz", "registration.png"):
        assert f"{prefix}_{file}" in names
    origin = record(out, "provenance")
    assert {"t1", "fa", "md"} <= set(origin["modalities_used"])
    assert origin["diffusion"]["diffusion"]["directions"] == DIRECTIONS
    said = {one["code"] for one in record(out, "qc")["findings"]}
    assert not {"diffusion_not_used", "dwi_not_read"} & said
    with (out / f"{prefix}_diffusion.tsv").open(encoding="utf-8", newline="") as handle:
        rows = {(r["key"], r["metric"]): r["value"] for r in csv.DictReader(handle, delimiter="\t")}
    assert 0.2 < float(rows["pons", "fa"]) < 0.8
    assert 0.4 < float(rows["pons", "md"]) < 1.5


def true_fa(scanned: Scanned, shape, affine) -> np.ndarray:
    """FA of the head's own tensors on a grid."""
    tensors = scanned.head.tensors
    placed = np.stack(
        [
            resample(Volume(tensors.array[..., n], tensors.affine), shape, affine).array
            for n in range(tensors.array.shape[-1])
        ],
        axis=-1,
    )
    values = np.linalg.eigvalsh(full_tensors(placed).astype(float))
    spread = ((values - values.mean(-1, keepdims=True)) ** 2).sum(-1)
    return np.sqrt(1.5 * spread / np.maximum((values**2).sum(-1), 1e-9))


def test_the_fa_map_lies_on_the_t1(from_bids, subject, scanned):
    t1 = nib.load(subject / "anat" / "sub-01_T1w.nii.gz")
    image = nib.load(from_bids[1] / "sub-01_desc-brainstem_param-fa_dwimap.nii.gz")
    np.testing.assert_allclose(image.affine[:3, :3], t1.affine[:3, :3], atol=1e-4)
    start = np.linalg.solve(t1.affine, image.affine[:, 3])[:3]
    np.testing.assert_allclose(start, np.rint(start), atol=1e-3)

    # Where the head's own FA is, and not where the series said that it lay.
    found = image.get_fdata(dtype=np.float32)
    truth = true_fa(scanned, image.shape, image.affine)
    inside = ndimage.binary_erosion(np.ones(image.shape), iterations=5)

    def likeness(moved_mm) -> float:
        voxels = np.linalg.solve(image.affine[:3, :3], moved_mm)
        moved = ndimage.shift(found, voxels, order=1)
        return float(np.corrcoef(moved[inside], truth[inside])[0, 1])

    here = likeness((0.0, 0.0, 0.0))
    assert here > 0.75
    assert here > likeness(AWAY_MM) + 0.1
    facts = record(from_bids[1], "provenance")["diffusion"]["registration"]
    assert facts["translation_mm"] == pytest.approx(np.linalg.norm(AWAY_MM), abs=2.0)


def without_directions(folder: Path, scanned: Scanned) -> tuple[str | Path, ...]:
    (folder / "dwi.bvec").unlink()
    return ("--bval", folder / "dwi.bval")


def four_directions(folder: Path, scanned: Scanned) -> tuple[str | Path, ...]:
    image = nib.load(folder / "dwi.nii.gz")
    data = np.asarray(image.dataobj)[..., :5]
    nib.save(nib.Nifti1Image(data, image.affine), folder / "dwi.nii.gz")
    for kind in ("bval", "bvec"):
        table = np.atleast_2d(np.loadtxt(folder / f"dwi.{kind}"))
        np.savetxt(folder / f"dwi.{kind}", table[:, :5], fmt="%.6f")
    return ()


@pytest.mark.parametrize(
    ("fault", "code"),
    [(without_directions, "dwi_not_read"), (four_directions, "diffusion_not_used")],
)
def test_a_series_that_cannot_be_fitted_costs_the_diffusion_alone(
    fault, code, subject, scanned, tmp_path
):
    for path in (subject / "dwi").iterdir():
        (tmp_path / path.name.removeprefix("sub-01_")).write_bytes(path.read_bytes())
    options = fault(tmp_path, scanned)
    out = tmp_path / "out"
    t1 = subject / "anat" / "sub-01_T1w.nii.gz"
    outcome = segment(t1, out, "--dwi", tmp_path / "dwi.nii.gz", *options)
    assert outcome.returncode == ExitCode.OK, outcome.stderr
    assert "Traceback" not in outcome.stdout + outcome.stderr
    assert record(out, "provenance")["modalities_used"] == ["t1"]
    said = {one["code"]: one for one in record(out, "qc")["findings"]}
    assert code in said, sorted(said)
    assert said[code]["severity"] == "warning"
    assert said[code]["action"]
    assert (out / "sub-01_desc-brainstem_dseg.nii.gz").exists()
    assert not list(out.glob("*dwimap*")) + list(out.glob("*_diffusion.tsv"))


FIT = ("denoise", "gibbs", "motion")


def test_options_left_out_are_those_of_the_library(from_bids):
    """In the command's help, and in what a run without options says that it did."""
    command = typer.main.get_command(app).commands["segment"]
    defaults = {parameter.name: parameter.default for parameter in command.params}
    expected = {name: getattr(DiffusionOptions(), name) for name in FIT}
    expected["unwarp"] = RegistrationOptions().unwarp
    assert {name: defaults[name] for name in expected} == expected
    origin = record(from_bids[1], "provenance")
    assert {name: origin["options"][name] for name in expected} == expected
    done = origin["diffusion"]["diffusion"]["corrected_here"]
    assert ("denoising" in done, "gibbs" in done, "motion" in done) == tuple(
        expected[name] for name in FIT
    )
