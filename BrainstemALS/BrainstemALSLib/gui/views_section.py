"""Buttons of *Results* that change what the views show; the user's layout stays."""

from __future__ import annotations

from collections.abc import Iterator

import slicer

from ..scene.surfaces import surface_steps
from .messages import Messages
from .steps import Steps
from .visit import Visit

_ENTROPY_OPACITY = 0.6


class ViewsSection:
    """Shows surfaces and the uncertainty map.

    Parameters
    ----------
    ui : object
        Widgets of the panel.
    visit : Visit
    messages : Messages
    """

    def __init__(self, ui: object, visit: Visit, messages: Messages):
        self._ui, self._visit, self._messages = ui, visit, messages
        self._before: dict[str, tuple[str | None, float]] = {}  # the user's foregrounds
        self._steps = Steps(lambda: None, self._failed)
        ui.show3DButton.toggled.connect(self._surfaces)
        ui.entropyButton.toggled.connect(self._entropy)

    def new_result(self) -> None:
        """Show of a new result what is shown of results; what is not, stays as the user has it."""
        self._steps.stop()
        if self._ui.show3DButton.checked:
            self._surfaces()
        self._entropy()

    def stop(self) -> None:
        """Make no more surfaces."""
        self._steps.stop()

    def _surfaces(self, *_args: object) -> None:
        self._steps.stop()
        result = self._visit.result
        if result is None or result.segmentation.GetDisplayNode() is None:
            return
        shown = bool(self._ui.show3DButton.checked)
        result.segmentation.GetDisplayNode().SetVisibility3D(shown)
        if shown:
            self._steps.start(self._made(result.segmentation))

    def _made(self, segmentation: object) -> Iterator[float]:
        steps = surface_steps(segmentation)
        while True:
            # The guard must be off whenever the window has its turn: the expert may paint then.
            with self._visit.own_writes():
                fraction = next(steps, None)
            if fraction is None:
                return
            yield fraction

    def _entropy(self, *_args: object) -> None:
        result = self._visit.result
        entropy = result.entropy if result is not None and self._ui.entropyButton.checked else None
        composites = slicer.mrmlScene.GetNodesByClass("vtkMRMLSliceCompositeNode")
        composites.UnRegister(None)
        for number in range(composites.GetNumberOfItems()):
            view = composites.GetItemAsObject(number)
            if entropy is not None:
                before = view.GetForegroundVolumeID(), view.GetForegroundOpacity()
                self._before.setdefault(view.GetID(), before)
                view.SetForegroundVolumeID(entropy.GetID())
                view.SetForegroundOpacity(_ENTROPY_OPACITY)
            elif view.GetID() in self._before:
                volume, opacity = self._before.pop(view.GetID())
                view.SetForegroundVolumeID(volume)
                view.SetForegroundOpacity(opacity)

    def _failed(self, problem: Exception) -> None:
        with self._messages.refusals():
            raise problem
