"""The scene of the application: a real MRML scene with what Slicer has put into it at start-up."""

from __future__ import annotations

import vtk
from slicer import (
    vtkCacheManager,
    vtkDataIOManager,
    vtkMRMLCrosshairNode,
    vtkMRMLLayoutNode,
    vtkMRMLScene,
    vtkMRMLSliceLogic,
    vtkMRMLSliceNode,
    vtkMRMLSubjectHierarchyNode,
    vtkMRMLViewNode,
    vtkSlicerApplicationLogic,
    vtkSlicerColorLogic,
    vtkSlicerMarkupsLogic,
    vtkSlicerModelsLogic,
    vtkSlicerPlotsLogic,
    vtkSlicerSegmentationsModuleLogic,
    vtkSlicerTablesLogic,
    vtkSlicerTerminologiesModuleLogic,
    vtkSlicerTextsLogic,
    vtkSlicerTransformLogic,
    vtkSlicerVolumesLogic,
)

from .observers import Observers

SLICE_VIEWS = ("Red", "Green", "Yellow")

# Logic classes by the name of their module; each registers the nodes of its module.
_MODULES = {
    "Colors": vtkSlicerColorLogic,
    "Markups": vtkSlicerMarkupsLogic,
    "Models": vtkSlicerModelsLogic,
    "Plots": vtkSlicerPlotsLogic,
    "Terminologies": vtkSlicerTerminologiesModuleLogic,
    "Segmentations": vtkSlicerSegmentationsModuleLogic,
    "Tables": vtkSlicerTablesLogic,
    "Texts": vtkSlicerTextsLogic,
    "Transforms": vtkSlicerTransformLogic,
    "Volumes": vtkSlicerVolumesLogic,
}

# Nodes that Slicer's plugins give a place in the subject hierarchy.
_IN_HIERARCHY = (
    "vtkMRMLVolumeNode",
    "vtkMRMLSegmentationNode",
    "vtkMRMLModelNode",
    "vtkMRMLTableNode",
    "vtkMRMLPlotChartNode",
    "vtkMRMLPlotSeriesNode",
    "vtkMRMLMarkupsNode",
    "vtkMRMLTextNode",
    "vtkMRMLTransformNode",
)


class Scene:
    """Scene, application logic and the logics of the modules."""

    def __init__(self, temporary_path: str):
        # Colour files and terminologies belong to the application and are not in slicer-core; their
        # absence is no news.
        vtk.vtkObject.GlobalWarningDisplayOff()
        self.mrml = vtkMRMLScene()
        self._bundles(temporary_path)
        self.application_logic = vtkSlicerApplicationLogic()
        self.application_logic.SetMRMLScene(self.mrml)
        self.application_logic.SetTemporaryPath(temporary_path)
        self.logics = {name: kind() for name, kind in _MODULES.items()}
        self.application_logic.SetColorLogic(self.logics["Colors"])
        for name, logic in self.logics.items():
            logic.SetMRMLApplicationLogic(self.application_logic)
            logic.SetMRMLScene(self.mrml)
            self.application_logic.SetModuleLogic(name, logic)
        crosshair = vtkMRMLCrosshairNode()
        crosshair.SetCrosshairName("default")
        self.mrml.AddNode(crosshair)
        vtkMRMLSliceNode.AddDefaultSliceOrientationPresets(self.mrml)
        self.slice_logics = vtk.vtkCollection()
        self._views()
        vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(self.mrml)
        vtk.vtkObject.GlobalWarningDisplayOn()
        self._first = {node.GetID() for node in self.nodes()}
        self._observers = Observers()
        self._observers.add(self.mrml, vtkMRMLScene.NodeAddedEvent, self._note_added)
        self._observers.add(self.mrml, vtkMRMLScene.EndBatchProcessEvent, self._place_all)

    def _bundles(self, temporary_path: str) -> None:
        """Give the scene what it needs to unpack .mrb files."""
        cache = vtkCacheManager()
        cache.SetRemoteCacheDirectory(temporary_path)
        manager = vtkDataIOManager()
        manager.SetCacheManager(cache)
        self.mrml.SetCacheManager(cache)
        self.mrml.SetDataIOManager(manager)

    def nodes(self) -> list:
        """Return all nodes."""
        return [self.mrml.GetNthNode(n) for n in range(self.mrml.GetNumberOfNodes())]

    def _views(self) -> None:
        for name in SLICE_VIEWS:
            logic = vtkMRMLSliceLogic()
            logic.SetMRMLApplicationLogic(self.application_logic)
            logic.SetMRMLScene(self.mrml)
            node = logic.AddSliceNode(name)
            node.SetOrientation({"Red": "Axial", "Green": "Coronal", "Yellow": "Sagittal"}[name])
            node.SetDimensions(300, 300, 1)
            node.SetFieldOfView(250.0, 250.0, 1.0)
            self.slice_logics.AddItem(logic)
        self.application_logic.SetSliceLogics(self.slice_logics)
        layout = vtkMRMLLayoutNode()
        layout.SetViewArrangement(vtkMRMLLayoutNode.SlicerLayoutFourUpView)
        self.mrml.AddNode(layout)
        view = vtkMRMLViewNode()
        view.SetSingletonTag("1")
        view.SetLayoutName("1")
        self.mrml.AddNode(view)

    def clear(self) -> None:
        """Leave nothing of an earlier test, singleton nodes neither."""
        self.mrml.Clear(False)
        for node in self.nodes():
            if node.GetID() not in self._first and node.GetScene() is not None:
                self.mrml.RemoveNode(node)

    # Slicer's subject hierarchy plugins place a node when it was added.

    def _note_added(self, *_event: object) -> None:
        if not self.mrml.IsBatchProcessing():
            self._place_all()

    def _place_all(self, *_event: object) -> None:
        hierarchy = vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(self.mrml)
        for node in self.nodes():
            if node.GetHideFromEditors() or hierarchy.GetItemByDataNode(node):
                continue
            if any(node.IsA(kind) for kind in _IN_HIERARCHY):
                hierarchy.CreateItem(hierarchy.GetSceneItemID(), node)
