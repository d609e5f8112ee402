"""Asymmetry of diffusion, and what limits its values."""

from __future__ import annotations

import dataclasses
import math

import pytest

from BrainstemALSLib.imaging.volume import Volume
from BrainstemALSLib.measurement import measure
from BrainstemALSLib.measurement.asymmetry import asymmetry_index
from BrainstemALSLib.measurement.diffusion_asymmetry import diffusion_asymmetries
from BrainstemALSLib.measurement.diffusion_findings import (
    ASYMMETRY_PERCENT,
    HIGHEST_TISSUE_MD,
    diffusion_findings,
)
from BrainstemALSLib.measurement.diffusion_value import DiffusionValue


def pair(left, right, metric="fa", voxels=50.0, uncertainty=0.005, stem="cst_pons"):
    """Two sides of one structure."""
    return tuple(
        DiffusionValue(
            f"{stem}_{side}",
            f"Corticospinal tract in the basis pontis, {side}",
            "structure",
            side,
            metric,
            value,
            n_effective=voxels,
            uncertainty=None if value is None else uncertainty,
        )
        for side, value in (("left", left), ("right", right))
    )


def found(values):
    return diffusion_findings(values, diffusion_asymmetries(values))


def codes(values):
    return {f.code: f.severity for f in found(values)}


def test_the_index_is_that_of_the_volumes():
    (row,) = diffusion_asymmetries(pair(0.55, 0.45))
    assert row.index_percent == asymmetry_index(0.55, 0.45) == pytest.approx(20.0)
    assert (row.key, row.name) == ("cst_pons", "Corticospinal tract in the basis pontis")
    assert (row.left, row.right) == (0.55, 0.45)


def test_the_uncertainty_of_the_index_is_the_slope_of_the_index():
    (row,) = diffusion_asymmetries(pair(0.55, 0.45, uncertainty=0.01))
    step = 1e-6
    slopes = [
        (asymmetry_index(0.55 + step, 0.45) - asymmetry_index(0.55, 0.45)) / step,
        (asymmetry_index(0.55, 0.45 + step) - asymmetry_index(0.55, 0.45)) / step,
    ]
    assert row.uncertainty_percent == pytest.approx(0.01 * math.hypot(*slopes), rel=1e-3)


def test_no_index_without_both_sides():
    (row,) = diffusion_asymmetries(pair(0.55, None))
    assert row.index_percent is None
    assert row.remark
    (alone,) = diffusion_asymmetries(pair(0.55, 0.5)[:1])
    assert alone.right is alone.index_percent is None


def test_a_large_asymmetry_is_found_where_it_is_certain():
    large = 0.5 * (1 + 1.2 * ASYMMETRY_PERCENT["fa"] / 100)
    (finding,) = found(pair(large, 0.5))
    assert (finding.code, finding.severity) == ("diffusion_asymmetry_large", "warning")
    assert "larger on the left" in finding.message
    assert found(pair(0.52, 0.5)) == ()
    assert found(pair(large, 0.5, uncertainty=0.1)) == ()
    assert codes(pair(large, 0.5, voxels=3.0)) == {"diffusion_few_voxels": "info"}


def test_fluid_in_a_value():
    assert codes(pair(HIGHEST_TISSUE_MD + 0.1, HIGHEST_TISSUE_MD + 0.1, "md")) == {
        "diffusion_near_fluid": "warning"
    }
    assert found(pair(0.9, 0.9, "md")) == ()


def test_what_has_no_value_is_counted_once():
    values = tuple(
        row
        for n in range(8)
        for metric in ("fa", "md")
        for row in pair(None, None, metric, voxels=0.0, stem=f"part{n}")
    )
    (finding,) = found(values)
    assert finding.code == "diffusion_not_measured"
    assert "16 of 16" in finding.message
    assert "and 13 more" in finding.message


def test_a_wrong_unit_or_a_wrong_fit_is_an_error(segmentation, t1, truth, make_maps, make_grid):
    maps = make_maps(truth, *make_grid((2.0, 2.0, 2.0), (64.0, 64.0, 96.0)))
    assert not [f for f in measure(segmentation, t1, maps).findings if f.severity == "error"]
    halved = Volume(maps["md"].array / 2, maps["md"].affine)
    (finding,) = [
        f for f in measure(segmentation, t1, {"md": halved}).findings if f.severity == "error"
    ]
    assert (finding.code, finding.structure) == ("diffusion_implausible", "white_matter")


def test_a_region_out_of_view_is_a_warning(segmentation, t1, truth, make_maps, make_grid):
    maps = make_maps(truth, *make_grid((2.0, 2.0, 2.0), (64.0, 64.0, 96.0)))
    above = {}
    for name, volume in maps.items():
        affine = volume.affine.copy()
        affine[2, 3] += 2.0 * 20
        above[name] = Volume(volume.array[:, :, 20:], affine)
    findings = measure(segmentation, t1, above).findings
    (finding,) = [f for f in findings if f.code == "diffusion_region_missing"]
    assert (finding.severity, finding.structure) == ("warning", "medulla")
    assert "Whole medulla oblongata" in finding.message


def test_sampled_places_raise_no_finding():
    row = dataclasses.replace(pair(1.9, 0.6, "md")[0], kind="sampled")
    other = dataclasses.replace(pair(1.9, 0.6, "md")[1], kind="sampled")
    assert found((row, other)) == ()
