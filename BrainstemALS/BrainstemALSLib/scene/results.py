"""A finished run, shown in the scene."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..errors import BrainstemALSError, ExitCode
from .companions import companion, put_array, put_beside
from .entropy_volume import show_as_entropy
from .map_nodes import show_maps
from .measure_nodes import add_charts, fill_pair_table, fill_volume_table
from .nodes import grid_shape, scene_of, voxel_to_local, voxel_to_world
from .result_nodes import (
    CHARTS,
    COLOUR,
    COMPUTED,
    ENTROPY,
    PAIRS,
    PREDICTION,
    RECORD,
    TABLE,
    LabelsNow,
    ResultNodes,
)
from .segmentation import approved_case, mark_approved, new_segmentation, write_labels

if TYPE_CHECKING:
    from ..measurement import Measures
    from ..worker.outcome import Outcome

__all__ = [
    "LabelsNow",
    "ResultNodes",
    "approved_case",
    "mark_approved",
    "show_maps",
    "show_measures",
    "show_outcome",
]

_APPROVED = "The earlier segmentation is approved and was left as it is; this is a new one."
_UNKNOWN = (
    "What the model had predicted before is no longer in the scene, so corrections could not be "
    "told from it: the earlier segmentation was left as it is; this is a new one."
)


def show_outcome(
    outcome: Outcome,
    t1_node: object,
    *,
    corrected: str = "keep",
    previous: ResultNodes | None = None,
    maps: Mapping[str, object] | None = None,
) -> ResultNodes:
    """Show the outcome of a run: segmentation, uncertainty, volumes and charts.

    ``show_maps`` then shows the diffusion maps, where there are any.

    Nothing that a user made is lost: an approved segmentation is never written to, whatever
    ``corrected`` says; a new one is then made beside it, and the ``notice`` of the return value
    says so. The same happens where corrections cannot be told any more.

    Parameters
    ----------
    outcome : Outcome
        Labels and entropy on a box of the T1's grid.
    t1_node : vtkMRMLScalarVolumeNode
        The T1 that was segmented.
    corrected : str
        What happens to segments that were corrected since the previous run: ``keep`` them,
        ``replace`` them, or show the outcome as a ``new`` segmentation.
    previous : ResultNodes, optional
        Result that is written into; without one, or once it was deleted, a new one is made.
    maps : mapping, optional
        Nodes that took part beside the T1, by role (``fa``, ``md``, ``dti``, ``dwi``); noted in
        the result.

    Returns
    -------
    ResultNodes

    Raises
    ------
    BrainstemALSError
        UNSUITABLE_IMAGE: the T1 is gone. MISMATCHED_IMAGES: it is another image than was segmented,
        or the previous segmentation no longer lies on its grid. Then the scene is as it was.
    """
    if corrected not in ("keep", "replace", "new"):
        raise ValueError(f"corrected is keep, replace or new, not {corrected!r}")
    scene_of(t1_node, "T1")
    if grid_shape(t1_node, "T1") != tuple(outcome.shape):
        raise BrainstemALSError(
            "T1",
            "it is not the image that was segmented",
            "Segment it again.",
            ExitCode.MISMATCHED_IMAGES,
        )
    voxel_to_world(t1_node, "T1")
    target, keep, notice = _target(t1_node, corrected, previous)
    node = target or new_segmentation(t1_node, "Brainstem")
    labels = np.asfortranarray(outcome.labels.array)  # VTK's order: turned round once, not twice
    write_labels(node, labels, outcome.offset, t1_node, outcome.keys, keep)
    node.SetAttribute(RECORD, json.dumps(outcome.record(), allow_nan=False))
    _show_prediction(node, labels, outcome.offset, t1_node)
    _show_entropy(node, outcome.entropy.array, outcome.offset, t1_node)
    _show_measures(node, outcome.measures)
    result = ResultNodes.from_segmentation(node, notice)
    result.note_maps(maps or {})
    for role in COMPUTED:
        if role not in outcome.maps:  # maps of an earlier run stay in the scene, for themselves
            node.SetNodeReferenceID(COMPUTED[role], None)
    if "v1" not in outcome.maps:
        node.SetNodeReferenceID(COLOUR, None)
    return result


def show_measures(result: ResultNodes, measures: Measures) -> ResultNodes:
    """Show measures that were taken again, after corrections, in the tables and charts.

    Raises
    ------
    BrainstemALSError
        UNSUITABLE_IMAGE: the segmentation was deleted.
    """
    scene_of(result.segmentation, "segmentation")
    _show_measures(result.segmentation, measures)
    return ResultNodes.from_segmentation(result.segmentation, result.notice)


def _target(
    t1_node: object, corrected: str, previous: ResultNodes | None
) -> tuple[object | None, tuple[str, ...], str]:
    """Return the node to write into (None: a new one), the keys to keep, and the notice."""
    if previous is None or previous.t1 is not t1_node or corrected == "new":
        return None, (), ""
    if approved_case(previous.segmentation) is not None:
        return None, (), _APPROVED
    if corrected == "replace":
        return previous.segmentation, (), ""
    if previous.predicted() is None:
        return None, (), _UNKNOWN
    return previous.segmentation, previous.corrected(), ""


def _show_prediction(
    segmentation: object, labels: np.ndarray, offset: Sequence[int], t1_node: object
) -> None:
    node = companion(
        segmentation, PREDICTION, "vtkMRMLLabelMapVolumeNode", "Brainstem as predicted"
    )
    node.SetHideFromEditors(True)
    put_array(node, labels, _box_affine(t1_node, offset), t1_node)


def _show_entropy(
    segmentation: object, entropy: np.ndarray, offset: Sequence[int], t1_node: object
) -> None:
    is_new = segmentation.GetNodeReference(ENTROPY) is None
    node = companion(segmentation, ENTROPY, "vtkMRMLScalarVolumeNode", "Brainstem uncertainty")
    if is_new:  # before there are voxels, of which Slicer would compute a histogram
        show_as_entropy(node)
    voxels = np.asarray(entropy, dtype=np.float32)
    put_array(node, voxels, _box_affine(t1_node, offset), t1_node)


def _show_measures(segmentation: object, measures: Measures) -> None:
    table = companion(segmentation, TABLE, "vtkMRMLTableNode", "Brainstem volumes")
    fill_volume_table(table, measures)
    pairs = companion(segmentation, PAIRS, "vtkMRMLTableNode", "Brainstem left and right")
    fill_pair_table(pairs, measures.asymmetries)
    if segmentation.GetNodeReference(CHARTS) is None:
        segmentation.RemoveNodeReferenceIDs(CHARTS)
        for chart in add_charts(segmentation.GetScene(), pairs):
            segmentation.AddNodeReferenceID(CHARTS, chart.GetID())
            for node in (chart, *_series_of(chart)):
                put_beside(node, segmentation)


def _series_of(chart: object) -> list[object]:
    count = chart.GetNumberOfPlotSeriesNodes()
    return [chart.GetNthPlotSeriesNode(number) for number in range(count)]


def _box_affine(t1_node: object, offset: Sequence[int]) -> np.ndarray:
    affine = voxel_to_local(t1_node)
    affine[:3, 3] += affine[:3, :3] @ np.asarray(offset, dtype=float)
    return affine
