"""Buttons of *Results* that change what the views show; the user's layout stays."""

from __future__ import annotations

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
        self._steps = Steps(lambda: None, self._failed)
        ui.show3DButton.toggled.connect(self._surfaces)
        ui.entropyButton.toggled.connect(self._entropy)

    def new_result(self) -> None:
        """Show of a new result what was shown of the old one."""
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

    def _made(self, segmentation: object):
        for fraction in surface_steps(segmentation):
            with self._visit.own_writes():
                yield fraction

    def _entropy(self, *_args: object) -> None:
        result = self._visit.result
        if result is None or result.entropy is None:
            return
        if self._ui.entropyButton.checked:
            slicer.util.setSliceViewerLayers(
                foreground=result.entropy, foregroundOpacity=_ENTROPY_OPACITY
            )
        else:
            slicer.util.setSliceViewerLayers(foreground=None)

    def _failed(self, problem: Exception) -> None:
        with self._messages.refusals():
            raise problem
