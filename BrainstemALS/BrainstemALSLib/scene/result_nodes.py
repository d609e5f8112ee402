"""The nodes of one result, found again in a scene that was loaded from a file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from vtk.util.numpy_support import vtk_to_numpy

from ..errors import BrainstemALSError, ExitCode
from .labelmap import Box, on_grid_of_t1, placed
from .nodes import PREFIX, ROLE, T1, grid_shape, in_scene, scene_of, voxel_to_local, voxel_to_world
from .segmentation import corrected_keys, edited_extent, read_labels, segmentations_of

RECORD = PREFIX + "Record"
"""Attribute of the segmentation: ``Outcome.record()`` as JSON."""
ENTROPY, PREDICTION = PREFIX + "Entropy", PREFIX + "Prediction"
MAPS = {role: PREFIX + role.upper() for role in ("fa", "md", "dti", "dwi")}
"""Node references of the segmentation: the diffusion images that took part in the run."""
COMPUTED = {role: PREFIX + "Computed" + role.upper() for role in ("fa", "md", "ad", "rd", "v1")}
"""Node references of the segmentation: maps that the run computed, registered to the T1."""
COLOUR = PREFIX + "ComputedColour"
TABLE, PAIRS, CHARTS = PREFIX + "Table", PREFIX + "Pairs", PREFIX + "Charts"


@dataclass(frozen=True, eq=False)
class LabelsNow:
    """Labels as they are in the scene, beside what was predicted, on the same box.

    Attributes
    ----------
    offset : tuple of 3 int
        First voxel of the box in the T1's grid.
    labels, prediction : numpy.ndarray, shape (i, j, k)
        uint8, values ``Structure.index``.
    """

    offset: tuple[int, int, int]
    labels: np.ndarray
    prediction: np.ndarray


@dataclass(frozen=True, eq=False)
class ResultNodes:
    """Nodes of one result.

    Attributes
    ----------
    segmentation : vtkMRMLSegmentationNode
        What the user sees and corrects; the others hang on its node references.
    entropy : vtkMRMLScalarVolumeNode or None
        Uncertainty 0-1 on the segmented box. None, as below, once the user has deleted it.
    prediction : vtkMRMLLabelMapVolumeNode or None
        What the model said, on the same box; hidden.
    table : vtkMRMLTableNode or None
        Volumes.
    plots : tuple of vtkMRMLPlotChartNode
        Left against right, and asymmetry.
    notice : str
        What ``show_outcome`` did other than it was asked to, a sentence; mostly empty.
    """

    segmentation: object
    entropy: object | None
    prediction: object | None
    table: object | None
    plots: tuple[object, ...]
    notice: str = ""

    @classmethod
    def from_segmentation(cls, node: object | None, notice: str = "") -> ResultNodes | None:
        """Return the result of a segmentation.

        None where there is no such node, it is not of this library, or it or its T1 was deleted.
        """
        if not in_scene(node) or node.GetAttribute(ROLE) != "segmentation":
            return None
        if node.GetNodeReference(T1) is None:
            return None
        count = node.GetNumberOfNodeReferences(CHARTS)
        charts = (node.GetNthNodeReference(CHARTS, number) for number in range(count))
        return cls(
            segmentation=node,
            entropy=node.GetNodeReference(ENTROPY),
            prediction=node.GetNodeReference(PREDICTION),
            table=node.GetNodeReference(TABLE),
            plots=tuple(chart for chart in charts if chart is not None),
            notice=notice,
        )

    @classmethod
    def find(cls, t1_node: object | None) -> ResultNodes | None:
        """Return the newest result of a T1; None where there is none."""
        for node in reversed(segmentations_of(t1_node)):
            result = cls.from_segmentation(node)
            if result is not None:
                return result
        return None

    @property
    def t1(self) -> object | None:
        """The T1; None once it was deleted."""
        return self.segmentation.GetNodeReference(T1) if in_scene(self.segmentation) else None

    @property
    def maps(self) -> dict[str, object]:
        """Diffusion images of the run that are still in the scene, by role.

        ``dti`` and ``dwi`` as they were given; ``fa``, ``md``, ``ad``, ``rd`` and ``v1`` as they
        were used, computed or given.
        """
        return {
            role: self.segmentation.GetNodeReference(name)
            for names in (MAPS, COMPUTED)
            for role, name in names.items()
            if self.segmentation.GetNodeReference(name) is not None
        }

    @property
    def colours(self) -> object | None:
        """FA in the colours of the fibres; None where none was computed, or it was deleted."""
        return self.segmentation.GetNodeReference(COLOUR)

    def note_maps(self, nodes: Mapping[str, object]) -> None:
        """Note which FA, MD, DTI and DWI took part in the run; other roles are left out."""
        for role, name in MAPS.items():
            node = nodes.get(role)
            self.segmentation.SetNodeReferenceID(name, None if node is None else node.GetID())

    @property
    def record(self) -> dict:
        """What ``Outcome.record()`` said, in the present voxel order of the T1 (``on_grid_of_t1``).

        Empty where nothing readable is stored, or the T1 is gone.
        """
        t1 = self.t1
        try:
            record = json.loads(self.segmentation.GetAttribute(RECORD) or "{}") if t1 else {}
            return _in_order_of(t1, record, self.box[0]) if record else {}
        except (ValueError, TypeError, KeyError, AttributeError):
            return {}

    @property
    def box(self) -> Box:
        """First voxel and size of the segmented box in the T1's grid.

        The whole grid, once the nodes that tell are gone.

        Raises
        ------
        BrainstemALSError
            UNSUITABLE_IMAGE: the T1 or the segmentation is gone.
        """
        scene_of(self.segmentation, "segmentation")
        scene_of(self.t1, "T1")
        for node in (self.prediction, self.entropy):
            found = self._on_grid(node)
            if found is not None:
                return found[1], found[0].shape
        return (0, 0, 0), grid_shape(self.t1, "T1")

    def predicted(self) -> np.ndarray | None:
        """Return the predicted labels on ``box``; None once nobody can tell."""
        found = self._on_grid(self.prediction)
        return None if found is None else found[0]

    def uncertainty(self) -> np.ndarray | None:
        """Return the entropy on ``box``, 0-1; None once nobody can tell."""
        found = self._on_grid(self.entropy)
        return None if found is None else found[0]

    def corrected(self) -> tuple[str, ...]:
        """Return the keys of the structures that were changed since the prediction, by index.

        Raises
        ------
        BrainstemALSError
            UNSUITABLE_IMAGE: the nodes that tell are gone. MISMATCHED_IMAGES: the segmentation no
            longer lies on the grid of the T1.
        """
        prediction = self._prediction()
        return corrected_keys(self.segmentation, prediction, self.box[0], self.t1)

    def labels(self) -> tuple[np.ndarray, tuple[int, int, int]]:
        """Return the labels as they are now, on a box that has all, and its first voxel.

        Raises
        ------
        BrainstemALSError
            UNSUITABLE_IMAGE: T1 or segmentation are gone. MISMATCHED_IMAGES: they no longer lie on
            one grid.
        """
        scene_of(self.segmentation, "segmentation")
        t1 = self.t1
        scene_of(t1, "T1")
        box = edited_extent(self.segmentation, t1, *self.box)
        predicted = self.predicted()
        if predicted is not None:
            predicted = placed(predicted, self.box[0], box)
        return read_labels(self.segmentation, t1, *box, predicted), box[0]

    def labels_now(self) -> LabelsNow:
        """Return labels and prediction on one box that has every labelled voxel.

        Raises
        ------
        BrainstemALSError
            As ``corrected``.
        """
        prediction = self._prediction()
        labels, offset = self.labels()
        return LabelsNow(offset, labels, placed(prediction, self.box[0], (offset, labels.shape)))

    def _on_grid(self, node: object) -> tuple[np.ndarray, tuple[int, int, int]] | None:
        """Return the voxels of a volume node and their place in the T1's grid.

        A node that did not come along when the T1 was moved by a transform is taken to have moved
        with it: the prediction is hidden, and nobody can move it.
        """
        t1 = self.t1
        if not in_scene(node) or not in_scene(t1) or node.GetImageData() is None:
            return None
        array = vtk_to_numpy(node.GetImageData().GetPointData().GetScalars())
        array = array.reshape(node.GetImageData().GetDimensions(), order="F")
        for to_space in (lambda one: voxel_to_world(one, "T1"), voxel_to_local):
            found = on_grid_of_t1(array, (0, 0, 0), np.linalg.solve(to_space(t1), to_space(node)))
            if found is not None:
                return found
        return None

    def _prediction(self) -> np.ndarray:
        prediction = self.predicted()
        if prediction is None:
            raise BrainstemALSError(
                "segmentation",
                "what the model had predicted is no longer in the scene",
                "Segment the T1 again.",
                ExitCode.UNSUITABLE_IMAGE,
            )
        return prediction


def _in_order_of(t1_node: object, record: dict, offset: tuple[int, int, int]) -> dict:
    """Return a record whose voxel indices and affine are those that the T1 has now."""
    affine = voxel_to_world(t1_node, "T1")
    turned = np.linalg.solve(affine[:3, :3], np.array(record["affine"])[:3, :3])
    view = [
        [n - 1 - last, n - 1 - first] if along < -0.5 else [first, last]
        for (first, last), n, along in zip(
            record["field_of_view"], grid_shape(t1_node, "T1"), np.diag(turned), strict=True
        )
    ]
    return {**record, "affine": affine.tolist(), "offset": list(offset), "field_of_view": view}
