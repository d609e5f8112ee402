"""Table nodes of measures."""

from __future__ import annotations

import math

import numpy as np
import pytest

from BrainstemALSLib.imaging.volume import Volume
from BrainstemALSLib.measurement import measure
from BrainstemALSLib.scene.measure_nodes import fill_volume_table


def columns_of(node):
    table = node.GetTable()
    return {
        table.GetColumnName(n): [
            table.GetValue(row, n).ToString() for row in range(table.GetNumberOfRows())
        ]
        for n in range(table.GetNumberOfColumns())
    }


def test_diffusion_has_columns_only_where_it_was_measured(scene, segmentation, t1, measures):
    node = scene.AddNewNodeByClass("vtkMRMLTableNode")
    fill_volume_table(node, measures)
    assert "FA" not in columns_of(node)

    maps = {
        "fa": Volume(np.full(t1.shape, 0.5, np.float32), t1.affine),
        "md": Volume(np.full(t1.shape, 0.8, np.float32), t1.affine),
    }
    fill_volume_table(node, measure(segmentation, t1, maps))
    columns = columns_of(node)
    assert {"FA", "FA ±", "FA voxels", "MD"} <= set(columns)
    assert "AD" not in columns
    pons = columns["Key"].index("pons")
    assert float(columns["FA"][pons]) == pytest.approx(0.5)
    assert float(columns["FA voxels"][pons]) > 100
    assert node.GetColumnUnitLabel("MD") == "1e-3 mm2/s"


def test_what_has_no_diffusion_value_is_nan(scene, segmentation, t1):
    outside = Volume(np.full((4, 4, 4), 0.5, np.float32), t1.affine + 0)
    outside.affine[:3, 3] += 400.0
    node = scene.AddNewNodeByClass("vtkMRMLTableNode")
    fill_volume_table(node, measure(segmentation, t1, {"fa": outside}))
    assert all(math.isnan(float(value)) for value in columns_of(node)["FA"])
