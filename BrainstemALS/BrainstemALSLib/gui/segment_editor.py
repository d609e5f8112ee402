"""The Segment Editor inside the panel: its parameter node, and its life with the module's."""

from __future__ import annotations

import slicer

_TAG = "BrainstemALSSegmentEditor"


class SegmentEditor:
    """Keeps an embedded ``qMRMLSegmentEditorWidget`` in step with module and scene.

    Parameters
    ----------
    widget : qMRMLSegmentEditorWidget
    """

    def __init__(self, widget: object):
        self._widget = widget
        widget.setMaximumNumberOfUndoStates(10)
        # The panel chooses both; a second pair of selectors would only contradict it.
        widget.setSegmentationNodeSelectorVisible(False)
        widget.setSourceVolumeNodeSelectorVisible(False)
        self.renew()

    def renew(self) -> None:
        """Give the widget its parameter node; after a scene was closed it needs another one."""
        node = slicer.mrmlScene.GetSingletonNode(_TAG, "vtkMRMLSegmentEditorNode")
        if node is None:
            node = slicer.vtkMRMLSegmentEditorNode()
            node.SetSingletonTag(_TAG)
            node.SetOverwriteMode(node.OverwriteAllSegments)
            node = slicer.mrmlScene.AddNode(node)
        # Before the scene: the widget then writes its defaults into this node.
        self._widget.setMRMLSegmentEditorNode(node)
        self._widget.setMRMLScene(slicer.mrmlScene)

    def show(self, segmentation: object | None, source: object | None) -> None:
        """Edit a segmentation over a source volume; None for neither."""
        self._widget.setSegmentationNode(segmentation)
        self._widget.setSourceVolumeNode(source)
        self._widget.enabled = segmentation is not None

    def select(self, segment_id: str) -> None:
        """Make a segment the one that is edited."""
        self._widget.setCurrentSegmentID(segment_id)

    def save_for_undo(self) -> None:
        """Let the editor's undo lead back to the segments as they are now."""
        self._widget.saveStateForUndo()

    def enter(self) -> None:
        """Take mouse and keys of the views; when the module is shown."""
        self._widget.setupViewObservations()
        self._widget.installKeyboardShortcuts()

    def leave(self) -> None:
        """Give them back; when another module is shown."""
        self._widget.setActiveEffect(None)
        self._widget.uninstallKeyboardShortcuts()
        self._widget.removeViewObservations()
