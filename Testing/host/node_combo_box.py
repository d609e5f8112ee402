"""``qMRMLNodeComboBox``: choose a node of the scene."""

from __future__ import annotations

import vtk
from PySide6 import QtCore, QtWidgets
from slicer import vtkMRMLScene

from .observers import Observers


class qMRMLNodeComboBox(QtWidgets.QWidget):
    """Combo box that follows the nodes of the scene.

    As in Slicer it is no QComboBox but has one in it. Imitated: which nodes are offered
    (``nodeTypes``, ``showChildNodeTypes``, ``hideChildNodeTypes``, ``showHidden``,
    ``noneEnabled``), that the list follows added, removed and renamed nodes, the current node as a
    node and as an ID, ``currentNodeChanged``, that without "None" the first node to come becomes
    the current one, and that it is greyed out until it gets a scene. The entries that create,
    rename or delete nodes are left out; ``Host.choose`` picks an entry as the user does.
    """

    currentNodeChanged = QtCore.Signal(object)
    currentNodeIDChanged = QtCore.Signal(str)
    mrmlSceneChanged = QtCore.Signal(object)

    def __init__(self, parent: QtWidgets.QWidget | None = None):
        super().__init__(parent)
        self._combo = QtWidgets.QComboBox()
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._combo)
        self.setFocusProxy(self._combo)
        self.setEnabled(False)
        self._hidden_types: tuple[str, ...] = ()
        self._types: tuple[str, ...] = ()
        self._scene: vtkMRMLScene | None = None
        self._switches = {
            "showChildNodeTypes": True,
            "showHidden": False,
            "noneEnabled": False,
            "addEnabled": True,
            "removeEnabled": True,
            "editEnabled": False,
            "renameEnabled": False,
            "selectNodeUponCreation": True,
        }
        self._none_display = "None"
        self._base_name = ""
        self._current_id = ""
        self._told: object | None = None
        self._filling = False
        self._observers = Observers()
        self._combo.setSizeAdjustPolicy(QtWidgets.QComboBox.AdjustToMinimumContentsLengthWithIcon)
        self._combo.currentIndexChanged.connect(self._picked)

    # What is offered.

    def _get_types(self) -> tuple[str, ...]:
        return self._types

    def _set_types(self, types: object) -> None:
        self._types = tuple(types)
        self._fill()

    def _get_hidden_types(self) -> tuple[str, ...]:
        return self._hidden_types

    def _set_hidden_types(self, types: object) -> None:
        self._hidden_types = tuple(types)
        self._fill()

    def _switch(name: str) -> QtCore.Property:
        def read(self: qMRMLNodeComboBox) -> bool:
            return self._switches[name]

        def write(self: qMRMLNodeComboBox, on: bool) -> None:
            self._switches[name] = bool(on)
            self._fill()

        return QtCore.Property(bool, read, write)

    showChildNodeTypes = _switch("showChildNodeTypes")
    showHidden = _switch("showHidden")
    noneEnabled = _switch("noneEnabled")
    addEnabled = _switch("addEnabled")
    removeEnabled = _switch("removeEnabled")
    editEnabled = _switch("editEnabled")
    renameEnabled = _switch("renameEnabled")
    selectNodeUponCreation = _switch("selectNodeUponCreation")

    def _get_none_display(self) -> str:
        return self._none_display

    def _set_none_display(self, text: str) -> None:
        self._none_display = text
        self._fill()

    noneDisplay = QtCore.Property(str, _get_none_display, _set_none_display)

    def _get_base_name(self) -> str:
        return self._base_name

    def _set_base_name(self, name: str) -> None:
        self._base_name = name

    baseName = QtCore.Property(str, _get_base_name, _set_base_name)

    def setMRMLScene(self, scene: vtkMRMLScene | None) -> None:
        """Offer the nodes of another scene; None for none."""
        if scene is self._scene:
            return
        self._observers.clear()
        self._scene = scene
        self.setEnabled(scene is not None)
        if scene is not None:
            for event in (
                vtkMRMLScene.NodeAddedEvent,
                vtkMRMLScene.NodeRemovedEvent,
                vtkMRMLScene.EndBatchProcessEvent,
                vtkMRMLScene.EndCloseEvent,
            ):
                self._observers.add(scene, event, self._fill)
        self._fill()
        self.mrmlSceneChanged.emit(scene)

    def mrmlScene(self) -> vtkMRMLScene | None:
        """Return the scene."""
        return self._scene

    def _offered(self, node: object) -> bool:
        if node.GetHideFromEditors() and not self._switches["showHidden"]:
            return False
        if any(node.IsA(name) for name in self._hidden_types):
            return False
        if self._switches["showChildNodeTypes"]:
            return any(node.IsA(name) for name in self._types)
        return node.GetClassName() in self._types

    def _nodes(self) -> list:
        if self._scene is None:
            return []
        nodes = (self._scene.GetNthNode(n) for n in range(self._scene.GetNumberOfNodes()))
        return [node for node in nodes if self._offered(node)]

    def nodeFromIndex(self, index: int) -> object | None:
        """Return the node at a place of the list, "None" not counted; or None."""
        nodes = self._nodes()
        return nodes[index] if 0 <= index < len(nodes) else None

    def setCurrentNodeIndex(self, index: int) -> None:
        """Choose the node at a place of the list, "None" not counted."""
        self.setCurrentNode(self.nodeFromIndex(index))

    def nodeCount(self) -> int:
        """Return how many nodes are offered."""
        return len(self._nodes())

    def _fill(self, *_args: object) -> None:
        if self._scene is not None and self._scene.IsBatchProcessing():
            return
        nodes = self._nodes()
        for node in nodes:
            self._observers.add(node, vtk.vtkCommand.ModifiedEvent, self._renamed)
        ids = [node.GetID() for node in nodes]
        if self._current_id not in ids:
            self._current_id = ids[0] if ids and not self._switches["noneEnabled"] else ""
        self._filling = True
        self._combo.clear()
        if self._switches["noneEnabled"]:
            self._combo.addItem(self._none_display, "")
        for node in nodes:
            self._combo.addItem(node.GetName() or "", node.GetID())
        self._combo.setCurrentIndex(self._combo.findData(self._current_id))
        self._filling = False
        self._tell()

    def _renamed(self, node: object, _event: object) -> None:
        index = self._combo.findData(node.GetID()) if node.GetID() else -1
        if index >= 0 and self._combo.itemText(index) != (node.GetName() or ""):
            self._combo.setItemText(index, node.GetName() or "")

    # What is chosen.

    def _picked(self, index: int) -> None:
        if not self._filling:
            self._current_id = self._combo.itemData(index) or ""
            self._tell()

    def _tell(self) -> None:
        node = self.currentNode()
        if node is not self._told:
            self._told = node
            self.currentNodeChanged.emit(node)
            self.currentNodeIDChanged.emit(self._current_id)

    def currentNode(self) -> object | None:
        """Return the chosen node, or None."""
        if self._scene is None or not self._current_id:
            return None
        return self._scene.GetNodeByID(self._current_id)

    def setCurrentNode(self, node: object | None) -> None:
        """Choose a node; one that is not offered, or None, chooses none."""
        self.setCurrentNodeID("" if node is None else node.GetID() or "")

    def _get_id(self) -> str:
        return self._current_id

    def setCurrentNodeID(self, node_id: str) -> None:
        """Choose a node by its ID."""
        known = bool(node_id) and self._combo.findData(node_id) >= 0
        self._current_id = node_id if known else ""
        self._filling = True
        self._combo.setCurrentIndex(self._combo.findData(self._current_id))
        self._filling = False
        self._tell()

    hideChildNodeTypes = QtCore.Property("QStringList", _get_hidden_types, _set_hidden_types)
    nodeTypes = QtCore.Property("QStringList", _get_types, _set_types)
    currentNodeID = QtCore.Property(str, _get_id, setCurrentNodeID)
