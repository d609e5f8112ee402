"""Section *Segment*: device, run, progress, time left, cancel; and what is missing for it."""

from __future__ import annotations

import time
from collections.abc import Callable

from slicer.i18n import tr as _

from . import choices
from .parameters import VisitParameters

_ENOUGH_DONE = 0.15
"""Fraction of a run from which on the time left is worth saying."""


class SegmentSection:
    """Shows what runs; starting and cancelling is the panel's.

    Parameters
    ----------
    ui : object
        Widgets of the panel.
    parameters : callable
        Returns the ``VisitParameters``, or None while the scene closes.
    """

    def __init__(self, ui: object, parameters: Callable[[], VisitParameters | None]):
        self._ui, self._parameters = ui, parameters
        self._started: float | None = None
        devices = (
            ("auto", _("automatic")),
            ("cpu", _("CPU")),
            ("cuda", _("NVIDIA GPU")),
        )
        choices.fill(ui.deviceCombo, devices, self._choose_device)
        self.idle()

    def _choose_device(self, value: str) -> None:
        if self._parameters() is not None:
            self._parameters().device = value

    def update(self, parameters: VisitParameters, ready: bool, problem: str) -> None:
        """Show the parameters, and whether a run could start.

        Parameters
        ----------
        parameters : VisitParameters
        ready : bool
            What a run needs is installed.
        problem : str
            What is missing or to be known of the installation; empty for nothing.
        """
        choices.select(self._ui.deviceCombo, parameters.device)
        running = self._started is not None
        self._ui.segmentButton.enabled = ready and parameters.t1 is not None and not running
        self._ui.cancelButton.enabled = running
        self._ui.environmentLabel.text = problem
        self._ui.environmentLabel.visible = bool(problem)
        self._ui.installButton.visible = not ready

    def begin(self) -> None:
        """Show that a run has begun."""
        self._started = time.monotonic()
        self._ui.progressBar.visible = True
        self._ui.cancelButton.enabled = True
        self._ui.segmentButton.enabled = False
        self.progress(0.0, _("Handing over the images"))

    def progress(self, fraction: float, text: str) -> None:
        """Show how far a run is, 0-1, and what it does."""
        self._ui.progressBar.value = round(100 * fraction)
        left = ""
        if self._started is not None and _ENOUGH_DONE <= fraction < 1:
            seconds = self.seconds * (1 - fraction) / fraction
            left = _(" · about {seconds:.0f} s left").format(seconds=max(seconds, 1))
        self._ui.progressLabel.text = text + left
        self._ui.progressLabel.visible = True

    def cancelling(self) -> None:
        """Show that the run is being stopped."""
        self._ui.cancelButton.enabled = False
        self._ui.progressLabel.text = _("Cancelling")

    @property
    def seconds(self) -> float:
        """How long the present run has taken so far."""
        return 0.0 if self._started is None else time.monotonic() - self._started

    def idle(self, text: str = "") -> None:
        """Show that nothing runs, and how the last run ended."""
        self._started = None
        self._ui.progressBar.visible = False
        self._ui.progressLabel.text = text
        self._ui.progressLabel.visible = bool(text)
        self._ui.cancelButton.enabled = False

    def ran_on(self, device: str, reason: str) -> None:
        """Show where the last run was computed, and why there."""
        self._ui.deviceReasonLabel.text = (
            _("Ran on {device}: {reason}.").format(device=device.upper(), reason=reason)
            if device
            else ""
        )
        self._ui.deviceReasonLabel.visible = bool(device)
