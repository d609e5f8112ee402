"""``qMRMLWidget`` and ``qSlicerWidget``: widgets that pass on the scene."""

from __future__ import annotations

from PySide6 import QtCore, QtWidgets


class qMRMLWidget(QtWidgets.QWidget):
    """Keeps the scene and tells by ``mrmlSceneChanged`` that it got another."""

    mrmlSceneChanged = QtCore.Signal(object)

    def __init__(self, parent: QtWidgets.QWidget | None = None):
        super().__init__(parent)
        self._scene: object | None = None

    def setMRMLScene(self, scene: object | None) -> None:
        """Take another scene; the same again changes nothing."""
        if scene is self._scene:
            return
        self._scene = scene
        self.mrmlSceneChanged.emit(scene)

    def mrmlScene(self) -> object | None:
        """Return the scene."""
        return self._scene


class qSlicerWidget(qMRMLWidget):
    """The same, from Slicer's own library of widgets."""
