"""Volumes, diffusion and asymmetries as table and plot nodes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

import vtk

from ..measurement import Measures
from ..measurement.asymmetry import Asymmetry
from ..measurement.confidence import confidence_word
from ..measurement.diffusion_value import METRICS
from ..report.wording import short_name

_MM3, _PERCENT = "mm3", "%"
_VOLUME_COLUMNS = (
    ("Structure", "", "Name of the structure or of the whole it is part of"),
    ("Key", "", "Name in files and in the segmentation"),
    ("Side", "", "The patient's own left or right"),
    ("Region", "", "Region of the brainstem"),
    ("Tier", "", "Evidence: A visible, B needs a prior, C prior only (no volume)"),
    ("Volume", _MM3, "Sum of the probabilities times the voxel volume"),
    ("Label volume", _MM3, "Labelled voxels times the voxel volume"),
    ("Half range", _MM3, "Half the range between the outlines of probability 0.25 and 0.75"),
    ("Confidence", "", "Mean probability over the labelled voxels, 0-1"),
    ("Confidence in words", "", ""),
)
_METRIC_NAMES = {
    "fa": "Fractional anisotropy, 0-1",
    "md": "Mean diffusivity",
    "ad": "Axial diffusivity",
    "rd": "Radial diffusivity",
}
_PAIR_COLUMNS = (
    ("Structure", "", "Name of the pair"),
    ("Left", _MM3, "Volume on the patient's left"),
    ("Right", _MM3, "Volume on the patient's right"),
    ("Asymmetry", _PERCENT, "100 (L - R) / mean; positive when the left is larger"),
)
_LEFT_COLOR, _RIGHT_COLOR, _INDEX_COLOR = (0.13, 0.40, 0.67), (0.90, 0.47, 0.10), (0.35, 0.35, 0.35)


def fill_volume_table(node: object, measures: Measures) -> None:
    """Fill a table node with the volumes, and with diffusion where it was measured.

    What has no value is NaN: the volume of a structure of tier C, or diffusion in too few voxels.
    """
    rows = [
        (
            row.name,
            row.key,
            row.side,
            row.parent or "",
            row.tier,
            row.volume_soft_mm3,
            row.volume_label_mm3,
            row.half_range_mm3,
            row.confidence,
            confidence_word(row.confidence, row.tier),
        )
        for row in measures.volumes
    ]
    columns, more = _diffusion(measures)
    rows = [(*row, *more(row[1])) for row in rows]
    _fill(node, (*_VOLUME_COLUMNS, *columns), rows)


def fill_pair_table(node: object, pairs: Iterable[Asymmetry]) -> None:
    """Fill a table node with the pairs that have an asymmetry index."""
    rows = [
        (short_name(pair.name), pair.left_mm3, pair.right_mm3, pair.index_percent)
        for pair in pairs
        if pair.index_percent is not None
    ]
    _fill(node, _PAIR_COLUMNS, rows)


def _diffusion(
    measures: Measures,
) -> tuple[list[tuple[str, str, str]], Callable[[str], list[float | None]]]:
    """Return the columns of diffusion, and what gives their values of a key."""
    values = {(row.key, row.metric): row for row in measures.diffusion}
    metrics = [metric for metric in METRICS if any(found == metric for _, found in values)]
    columns = []
    for metric in metrics:
        name, unit = metric.upper(), METRICS[metric]
        columns += [
            (name, unit, f"{_METRIC_NAMES[metric]}: weighted mean away from fluid"),
            (f"{name} ±", unit, "Uncertainty from noise and outline"),
            (f"{name} voxels", "", "Effective number of voxels"),
        ]

    def of(key: str) -> list[float | None]:
        cells: list[float | None] = []
        for metric in metrics:
            row = values.get((key, metric))
            cells += [row.value, row.uncertainty, row.n_effective] if row else [None] * 3
        return cells

    return columns, of


def add_charts(scene: object, pair_table: object) -> tuple[object, object]:
    """Add charts of a pair table: left against right, and asymmetry.

    Returns
    -------
    tuple of vtkMRMLPlotChartNode
    """
    left = _series(scene, pair_table, "Left", _LEFT_COLOR)
    right = _series(scene, pair_table, "Right", _RIGHT_COLOR)
    index = _series(scene, pair_table, "Asymmetry", _INDEX_COLOR)
    return (
        _chart(scene, "Volumes, left and right", "Volume (mm3)", (left, right)),
        _chart(scene, "Asymmetry", "(L - R) / mean (%)", (index,)),
    )


def _fill(
    node: object, columns: Sequence[tuple[str, str, str]], rows: Sequence[Sequence[object]]
) -> None:
    table = vtk.vtkTable()
    for position, (name, _unit, _description) in enumerate(columns):
        values = [row[position] for row in rows]
        is_text = any(isinstance(value, str) for value in values)
        array = vtk.vtkStringArray() if is_text else vtk.vtkDoubleArray()
        array.SetName(name)
        for value in values:
            array.InsertNextValue(value if is_text else math.nan if value is None else value)
        table.AddColumn(array)
    node.SetAndObserveTable(table)
    node.SetUseColumnTitleAsColumnHeader(True)
    for name, unit, description in columns:
        node.SetColumnTitle(name, f"{name} ({unit})" if unit else name)
        node.SetColumnUnitLabel(name, unit)
        node.SetColumnDescription(name, description)
    node.SetLocked(True)


def _series(scene: object, table: object, column: str, color: tuple[float, float, float]) -> object:
    node = scene.AddNewNodeByClass("vtkMRMLPlotSeriesNode", scene.GenerateUniqueName(column))
    node.SetAndObserveTableNodeID(table.GetID())
    node.SetPlotType(node.PlotTypeBar)
    node.SetLabelColumnName("Structure")
    node.SetYColumnName(column)
    node.SetColor(*color)
    return node


def _chart(scene: object, title: str, axis: str, series: Iterable[object]) -> object:
    node = scene.AddNewNodeByClass("vtkMRMLPlotChartNode", scene.GenerateUniqueName(title))
    node.SetTitle(title)
    node.SetYAxisTitle(axis)
    for one in series:
        node.AddAndObservePlotSeriesNodeID(one.GetID())
    return node
