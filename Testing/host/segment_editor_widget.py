"""``qMRMLSegmentEditorWidget``: the Segment Editor, on its real logic."""

from __future__ import annotations

from PySide6 import QtCore, QtWidgets
from slicer import vtkMRMLSegmentEditorNode, vtkSlicerSegmentEditorLogic

from .mrml_widgets import qMRMLWidget


class qMRMLSegmentEditorWidget(qMRMLWidget):
    """Editor without effects.

    Imitated: scene, editor node, segmentation, source volume and current segment; undo and redo,
    which are those of ``vtkSlicerSegmentEditorLogic``; and whether views and keys are taken. What
    an effect paints, ``Host.paint`` does through the same logic.
    """

    segmentationNodeChanged = QtCore.Signal(object)
    sourceVolumeNodeChanged = QtCore.Signal(object)
    currentSegmentIDChanged = QtCore.Signal(str)

    def __init__(self, parent: QtWidgets.QWidget | None = None):
        super().__init__(parent)
        self._logic = vtkSlicerSegmentEditorLogic()
        self._node: vtkMRMLSegmentEditorNode | None = None
        self._values: dict[str, object] = {
            "segmentationNodeSelectorVisible": True,
            "sourceVolumeNodeSelectorVisible": True,
            "switchToSegmentationsButtonVisible": True,
            "undoEnabled": True,
            "readOnly": False,
            "jumpToSelectedSegmentEnabled": False,
            "autoShowSourceVolumeNode": True,
        }
        self._effect = ""
        self._observing_views = False
        self._shortcuts_installed = False
        self.setMaximumNumberOfUndoStates(10)
        self._build()

    def _build(self) -> None:
        """Lay out a list of segments and the two buttons, so that the panel has its proportions."""
        self._list = QtWidgets.QListWidget()
        self._list.setMaximumHeight(140)
        self._undo_button, self._redo_button = QtWidgets.QPushButton(), QtWidgets.QPushButton()
        self._undo_button.setText("Undo")
        self._redo_button.setText("Redo")
        self._undo_button.clicked.connect(self.undo)
        self._redo_button.clicked.connect(self.redo)
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._list)
        row = QtWidgets.QHBoxLayout()
        row.addWidget(self._undo_button)
        row.addWidget(self._redo_button)
        layout.addLayout(row)

    def _switch(name: str) -> QtCore.Property:
        def read(self: qMRMLSegmentEditorWidget) -> bool:
            return self._values[name]

        def write(self: qMRMLSegmentEditorWidget, on: bool) -> None:
            self._values[name] = bool(on)

        return QtCore.Property(bool, read, write)

    segmentationNodeSelectorVisible = _switch("segmentationNodeSelectorVisible")
    sourceVolumeNodeSelectorVisible = _switch("sourceVolumeNodeSelectorVisible")
    switchToSegmentationsButtonVisible = _switch("switchToSegmentationsButtonVisible")
    undoEnabled = _switch("undoEnabled")
    readOnly = _switch("readOnly")
    jumpToSelectedSegmentEnabled = _switch("jumpToSelectedSegmentEnabled")
    autoShowSourceVolumeNode = _switch("autoShowSourceVolumeNode")

    def setSegmentationNodeSelectorVisible(self, on: bool) -> None:
        """Show the selector of the segmentation."""
        self._values["segmentationNodeSelectorVisible"] = bool(on)

    def setSourceVolumeNodeSelectorVisible(self, on: bool) -> None:
        """Show the selector of the source volume."""
        self._values["sourceVolumeNodeSelectorVisible"] = bool(on)

    def setSwitchToSegmentationsButtonVisible(self, on: bool) -> None:
        """Show the button that leads to the Segmentations module."""
        self._values["switchToSegmentationsButtonVisible"] = bool(on)

    def setReadOnly(self, on: bool) -> None:
        """Allow no changes."""
        self._values["readOnly"] = bool(on)

    def _get_states(self) -> int:
        return self._logic.GetMaximumNumberOfUndoStates()

    def setMaximumNumberOfUndoStates(self, count: int) -> None:
        """Remember so many states."""
        self._logic.SetMaximumNumberOfUndoStates(count)

    maximumNumberOfUndoStates = QtCore.Property(int, _get_states, setMaximumNumberOfUndoStates)

    # What is edited.

    def setMRMLScene(self, scene: object | None) -> None:
        """Take another scene."""
        self._logic.SetMRMLScene(scene)
        super().setMRMLScene(scene)

    def setMRMLSegmentEditorNode(self, node: vtkMRMLSegmentEditorNode | None) -> None:
        """Take another editor node, which remembers the choices in the scene."""
        self._node = node
        self._logic.SetSegmentEditorNode(node)
        self._show()

    def mrmlSegmentEditorNode(self) -> vtkMRMLSegmentEditorNode | None:
        """Return the editor node."""
        return self._node

    def setSegmentationNode(self, node: object | None) -> None:
        """Edit a segmentation; without an editor node nothing happens, as in Slicer."""
        if self._node is None or node is self._node.GetSegmentationNode():
            return
        self._logic.SetSegmentationNode(node)
        self._node.SetAndObserveSegmentationNode(node)
        ids = self._segment_ids()
        self.setCurrentSegmentID(ids[0] if ids else "")
        self._show()
        self.segmentationNodeChanged.emit(node)

    def segmentationNode(self) -> object | None:
        """Return the segmentation."""
        return None if self._node is None else self._node.GetSegmentationNode()

    def setSourceVolumeNode(self, node: object | None) -> None:
        """Edit over a volume; without an editor node nothing happens, as in Slicer."""
        if self._node is None or node is self._node.GetSourceVolumeNode():
            return
        self._logic.SetSourceVolumeNode(node)
        self._node.SetAndObserveSourceVolumeNode(node)
        self.sourceVolumeNodeChanged.emit(node)

    def sourceVolumeNode(self) -> object | None:
        """Return the source volume."""
        return None if self._node is None else self._node.GetSourceVolumeNode()

    def _segment_ids(self) -> tuple[str, ...]:
        node = self.segmentationNode()
        return () if node is None else tuple(node.GetSegmentation().GetSegmentIDs())

    def setCurrentSegmentID(self, segment_id: str) -> None:
        """Choose the segment that is edited."""
        if self._node is None or segment_id == self._current():
            return
        self._node.SetSelectedSegmentID(segment_id)
        self._logic.SetCurrentSegmentID(segment_id)
        self._show()
        self.currentSegmentIDChanged.emit(segment_id)

    def _current(self) -> str:
        return "" if self._node is None else self._node.GetSelectedSegmentID() or ""

    def currentSegmentID(self) -> str:
        """Return the ID of the segment that is edited."""
        return self._current()

    def _show(self) -> None:
        self._list.clear()
        node = self.segmentationNode()
        for segment_id in self._segment_ids():
            self._list.addItem(node.GetSegmentation().GetSegment(segment_id).GetName())
            if segment_id == self._current():
                self._list.setCurrentRow(self._list.count - 1)

    # Effects, undo, views.

    def setActiveEffectByName(self, name: str) -> None:
        """Choose an effect; an empty name chooses none."""
        self._effect = name
        if self._node is not None:
            self._node.SetActiveEffectName(name)

    def setActiveEffect(self, effect: object | None) -> None:
        """Choose an effect; None chooses none."""
        self.setActiveEffectByName("" if effect is None else effect.name)

    def activeEffect(self) -> object | None:
        """Return the chosen effect; there are none here."""
        return None

    def setEffectNameOrder(self, names: object) -> None:
        """Order the effects; there are none here."""

    def saveStateForUndo(self) -> None:
        """Let ``undo`` lead back to the segments as they are now."""
        self._logic.SaveStateForUndo()

    def undo(self, *_args: object) -> None:
        """Go back one state."""
        self._logic.Undo()
        self._show()

    def redo(self, *_args: object) -> None:
        """Go forward one state."""
        self._logic.Redo()
        self._show()

    def setupViewObservations(self) -> None:
        """Take the mouse of the views."""
        self._observing_views = True

    def removeViewObservations(self) -> None:
        """Give it back."""
        self._observing_views = False

    def installKeyboardShortcuts(self, parent: object = None) -> None:
        """Take the keys."""
        self._shortcuts_installed = True

    def uninstallKeyboardShortcuts(self) -> None:
        """Give them back."""
        self._shortcuts_installed = False

    def updateWidgetFromMRML(self) -> None:
        """Show the state of the editor node."""
        self._show()
