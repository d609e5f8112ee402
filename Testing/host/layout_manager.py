"""``slicer.app.layoutManager()``: the views, here without windows."""

from __future__ import annotations

from slicer import vtkMRMLLayoutNode

from .scene import SLICE_VIEWS, Scene


class SliceWidget:
    """One slice view: its nodes and its logic are real, its window is missing."""

    def __init__(self, logic: object):
        self._logic = logic

    def sliceLogic(self) -> object:
        """Return the ``vtkMRMLSliceLogic``."""
        return self._logic

    def mrmlSliceNode(self) -> object:
        """Return the ``vtkMRMLSliceNode``."""
        return self._logic.GetSliceNode()

    def mrmlSliceCompositeNode(self) -> object:
        """Return the ``vtkMRMLSliceCompositeNode``."""
        return self._logic.GetSliceCompositeNode()


class LayoutManager:
    """Which views there are, and what they show."""

    def __init__(self, scene: Scene):
        self._scene = scene

    def _node(self) -> vtkMRMLLayoutNode:
        return self._scene.mrml.GetFirstNodeByClass("vtkMRMLLayoutNode")

    def sliceViewNames(self) -> tuple[str, ...]:
        """Return the names of the slice views."""
        return SLICE_VIEWS

    def sliceWidget(self, name: str) -> SliceWidget | None:
        """Return a slice view by its name, or None."""
        if name not in SLICE_VIEWS:
            return None
        index = SLICE_VIEWS.index(name)
        return SliceWidget(self._scene.slice_logics.GetItemAsObject(index))

    def mrmlSliceLogics(self) -> object:
        """Return a collection of ``vtkMRMLSliceLogic``."""
        return self._scene.slice_logics

    def resetSliceViews(self) -> None:
        """Fit the slice views to their background."""
        for index in range(self._scene.slice_logics.GetNumberOfItems()):
            self._scene.slice_logics.GetItemAsObject(index).FitSliceToBackground()

    def resetThreeDViews(self) -> None:
        """Fit the 3D views; there are none."""

    @property
    def threeDViewCount(self) -> int:
        """Number of 3D views."""
        return 0

    @property
    def layout(self) -> int:
        """The arrangement of views."""
        return self._node().GetViewArrangement()

    @layout.setter
    def layout(self, arrangement: int) -> None:
        self.setLayout(arrangement)

    def setLayout(self, arrangement: int) -> None:
        """Arrange the views."""
        self._node().SetViewArrangement(arrangement)
