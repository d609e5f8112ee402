"""Undo of a run: the result as it was before the model wrote into it."""

from __future__ import annotations

import slicer

from ..errors import BrainstemALSError, ExitCode
from .nodes import in_scene, matrix_of
from .result_nodes import COLOUR, COMPUTED, MAPS, PAIRS, RECORD, TABLE, ResultNodes
from .segmentation import approved_case


class RunUndo:
    """One step back across a run.

    Take it before ``show_outcome`` writes into a result; ``undo`` then brings back segments,
    prediction, uncertainty and volumes together, so that corrections are still told from what was
    predicted when they were made. Edits made after the run go with it, as they were made on it;
    ``redo`` brings run and edits back. Nodes that were deleted meanwhile stay deleted.

    Parameters
    ----------
    result : ResultNodes
        Result that the run is going to write into.
    """

    def __init__(self, result: ResultNodes):
        self._result = result
        self._history = slicer.vtkSegmentationHistory()
        self._history.SetSegmentation(result.segmentation.GetSegmentation())
        # One for the state before the run, one that undo adds so that redo can return to it.
        self._history.SetMaximumNumberOfStates(2)
        self._history.SaveState()
        self._other = _Companions(result)
        self._undone = False

    @property
    def can_undo(self) -> bool:
        """Whether there is a run to take back."""
        return self._possible() and not self._undone

    @property
    def can_redo(self) -> bool:
        """Whether a run was taken back and can return: until something else is edited."""
        return self._possible() and self._undone and self._history.IsRestoreNextStateAvailable()

    def undo(self) -> None:
        """Bring back the result as it was before the run.

        Raises
        ------
        BrainstemALSError
            OUTPUT_REFUSED: the result was approved or deleted since, or was undone already.
        """
        self._refuse_unless(self.can_undo)
        later = _Companions(self._result)
        self._history.RestorePreviousState()
        self._other.restore(self._result)
        self._other, self._undone = later, True

    def redo(self) -> None:
        """Bring back the run, and the edits after it.

        Raises
        ------
        BrainstemALSError
            OUTPUT_REFUSED: the result was approved, deleted or edited since it was undone.
        """
        self._refuse_unless(self.can_redo)
        earlier = _Companions(self._result)
        self._history.RestoreNextState()
        self._other.restore(self._result)
        self._other, self._undone = earlier, False

    def _possible(self) -> bool:
        node = self._result.segmentation
        return in_scene(node) and approved_case(node) is None

    @staticmethod
    def _refuse_unless(possible: bool) -> None:
        if not possible:
            raise BrainstemALSError(
                "segmentation",
                "there is no run that could be undone or redone",
                "An approved or deleted segmentation stays as it is.",
                ExitCode.OUTPUT_REFUSED,
            )


class _Companions:
    """What hangs on a segmentation. Images and tables are replaced, never changed in place
    (``companions``), so that holding them is enough."""

    def __init__(self, result: ResultNodes):
        node = result.segmentation
        self._record = node.GetAttribute(RECORD)
        self._references = {
            name: node.GetNodeReferenceID(name)
            for name in (*MAPS.values(), *COMPUTED.values(), COLOUR)
        }
        computed = [node.GetNodeReference(name) for name in (*COMPUTED.values(), COLOUR)]
        self._images = {}
        for volume in (result.prediction, result.entropy, *computed):
            if in_scene(volume):
                matrix = matrix_of([[0.0] * 4] * 4)
                volume.GetIJKToRASMatrix(matrix)
                self._images[volume] = (volume.GetImageData(), matrix)
        tables = (node.GetNodeReference(role) for role in (TABLE, PAIRS))
        self._tables = {table: table.GetTable() for table in tables if table is not None}

    def restore(self, result: ResultNodes) -> None:
        result.segmentation.SetAttribute(RECORD, self._record)
        for name, node_id in self._references.items():
            result.segmentation.SetNodeReferenceID(name, node_id)
        for volume, (image, matrix) in self._images.items():
            if in_scene(volume):
                volume.SetIJKToRASMatrix(matrix)
                volume.SetAndObserveImageData(image)
        for table, content in self._tables.items():
            if in_scene(table):
                table.SetAndObserveTable(content)
