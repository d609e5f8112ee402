"""Diffusion in the tables, on the terminal and in the panel's cells."""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest
from rich.console import Console

from BrainstemALSLib.imaging.exam import Exam
from BrainstemALSLib.imaging.volume import Volume
from BrainstemALSLib.measurement import measure
from BrainstemALSLib.report.console import print_measures
from BrainstemALSLib.report.derivatives import write_derivatives
from BrainstemALSLib.report.diffusion_cells import DiffusionCells


@pytest.fixture(scope="module")
def maps(segmentation, make_grid):
    """FA that is 0.5 on the left and 0.4 on the right, MD of tissue; nothing below the pons."""
    shape, affine = make_grid((2.0, 2.0, 2.0), (64.0, 64.0, 96.0))
    places = np.moveaxis(np.indices(shape), 0, -1) @ affine[:3, :3].T + affine[:3, 3]
    shown = places[..., 2] > -13
    fa = np.where(places[..., 0] < 0, 0.5, 0.4) * shown
    return {
        "fa": Volume(fa.astype(np.float32), affine),
        "md": Volume(np.where(shown, 0.75, 0.0).astype(np.float32), affine),
    }


@pytest.fixture(scope="module")
def with_diffusion(segmentation, t1, maps):
    return measure(segmentation, t1, maps)


def terminal(measures, width=80):
    stream = io.StringIO()
    print_measures(measures, Console(file=stream, width=width, color_system=None))
    return stream.getvalue()


def table(path):
    with path.open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle, delimiter="\t"))


def test_the_files_hold_values_reasons_and_asymmetry(
    tmp_path, t1, maps, segmentation, with_diffusion, provenance
):
    exam = Exam(t1, **maps)
    written = write_derivatives(tmp_path, "sub-07", exam, segmentation, with_diffusion, provenance)
    paths = {path.name.rpartition("_")[2]: path for path in written}
    rows = {(row["key"], row["metric"]): row for row in table(paths["diffusion.tsv"])}
    measured = {(row.key, row.metric): row for row in with_diffusion.diffusion}
    assert rows.keys() == measured.keys()
    left = rows["basis_pontis_left", "fa"]
    assert float(left["value"]) == pytest.approx(0.5, abs=0.02)
    assert float(left["n_effective"]) > 10
    assert float(left["uncertainty"]) >= float(left["standard_error"])
    gone = rows["pyramid_left", "fa"]
    assert gone["value"] == gone["sd"] == "n/a"
    assert "map shows" in gone["remark"]

    pairs = {(r["key"], r["metric"]): r for r in table(paths["diffusionasymmetry.tsv"])}
    assert float(pairs["basis_pontis", "fa"]["index_percent"]) == pytest.approx(22.2, abs=3)
    assert pairs["pyramid", "fa"]["index_percent"] == "n/a"
    text = paths["diffusion.tsv"].read_text() + paths["diffusionasymmetry.tsv"].read_text()
    assert "nan" not in text.lower()
    assert "\t\t" not in text


def test_the_terminal_shows_both_sides_in_80_columns(with_diffusion):
    text = terminal(with_diffusion)
    part = text[text.index("Diffusion") :]
    (line,) = [line for line in part.splitlines() if line.strip().startswith("Basis pontis")]
    assert " 0.50 / 0.4" in line
    assert "0.75 / 0.75" in line
    assert max(map(len, text.splitlines())) <= 80
    for line in part[: part.index("Means away")].splitlines():
        assert "…" not in line[29:]


def test_without_maps_the_terminal_says_nothing_of_diffusion(measures):
    assert "Diffusion" not in terminal(measures)


def test_fluid_spaces_are_not_listed(make_segmentation, make_grid):
    grid = make_grid((1.0, 1.0, 1.0), (50.0, 40.0, 40.0))
    spheres = {"fourth_ventricle": ((-12.0, 0, 0), 6.0), "red_nucleus_left": ((8.0, 0, 0), 8.0)}
    segmentation = make_segmentation(spheres, *grid)
    flat = Volume(np.full(grid[0], 0.8, np.float32), grid[1])
    text = terminal(measure(segmentation, segmentation.labels, {"md": flat}))
    part = text[text.index("Diffusion") : text.index("Means away")]
    assert "Red nucleus" in part
    assert "ventricle" not in part


def test_a_cell_says_what_stands_behind_it(with_diffusion):
    cells = DiffusionCells(with_diffusion)
    cell = cells.cell(("basis_pontis_left", "basis_pontis_right"), "fa")
    assert cell.text.startswith("0.50 / 0.4")
    assert cell.has_value
    assert cell.index.startswith("+")
    first, second = cell.detail.splitlines()
    assert first.startswith("FA left: 0.")
    assert second.startswith("FA right: 0.")
    assert "effective voxels" in first

    missing = cells.cell(("pyramid_left", "pyramid_right"), "md")
    assert missing.text == "n/a / n/a"
    assert (missing.index, missing.uncertainty, missing.has_value) == ("", "", False)
    assert "none, the map shows" in missing.detail
    assert cells.cell(("fourth_ventricle",), "fa") is None
    assert cells.metrics == ("fa", "md")


def test_places_are_listed_once_with_both_sides(with_diffusion):
    places = dict(DiffusionCells(with_diffusion).places())
    assert places["Hypoglossal nucleus"] == (
        "hypoglossal_nucleus_left",
        "hypoglossal_nucleus_right",
    )
    assert len(places) == 10
