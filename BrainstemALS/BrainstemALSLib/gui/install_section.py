"""The part of *Segment* that says what is missing, and opens the dialog that brings it."""

from __future__ import annotations

import sys
from collections.abc import Callable

from slicer.i18n import tr as _

from ..errors import BrainstemALSError
from ..installation.gpu import find_gpu, torch_build, why_unused
from ..installation.requirements import Missing, missing
from . import settings
from .background import Background


class InstallSection:
    """Looks at the installation when the module is opened; nothing is installed unasked.

    Parameters
    ----------
    ui : object
        Widgets of the panel.
    changed : callable
        Called when what is installed may be another.

    Attributes
    ----------
    fits : bool
        A run would fit a diffusion series, which needs more than a run without.
    """

    def __init__(self, ui: object, changed: Callable[[], None]):
        self._ui, self._changed = ui, changed
        self.fits = False
        self._background = Background()
        self._missing: tuple[Missing, ...] = ()
        self._model_problem = self._gpu_note = ""
        ui.installButton.clicked.connect(self._open)

    @property
    def ready(self) -> bool:
        """Whether what a run needs is there."""
        return not self._lacking and not self._model_problem

    @property
    def _lacking(self) -> tuple[Missing, ...]:
        return tuple(item for item in self._missing if self.fits or not item.only_for_a_fit)

    @property
    def problem(self) -> str:
        """What is missing, or why a GPU is not used, in plain words; empty when all is well."""
        lacking = self._lacking
        names = ", ".join(str(item) for item in lacking)
        if lacking and all(item.only_for_a_fit for item in lacking):
            return _(
                "Missing for fitting the DWI: {names}. Install it, or choose no DWI: everything "
                "else works without. Nothing is installed without you."
            ).format(names=names)
        if lacking:
            return _("Missing for segmentation: {names}. Nothing is installed without you.").format(
                names=names
            )
        return self._model_problem or self._gpu_note

    def look(self) -> None:
        """Look at packages and model now, and at the GPU beside the window."""
        self._missing = missing()
        self._model_problem = _model_problem()
        if self.ready and sys.platform != "darwin" and not self._background.running:
            # nvidia-smi may take seconds to answer.
            self._background.start(_gpu_note, self._gpu_found, lambda _problem: None)

    def close(self) -> None:
        """Wait for what looks at the GPU."""
        self._background.close()

    def _gpu_found(self, note: str) -> None:
        if note != self._gpu_note:
            self._gpu_note = note
            self._changed()

    def _open(self, *_args: object) -> None:
        from .install_dialog import InstallDialog

        InstallDialog().run()
        self.look()
        self._changed()


def _model_problem() -> str:
    from pathlib import Path

    from ..segmentation.models import LOCATOR, STRUCTURES, find_model

    folder = settings.remembered("model")
    try:
        for name in (LOCATOR, STRUCTURES):
            find_model(name, Path(folder) if folder else None)
    except BrainstemALSError as refusal:
        return str(refusal)
    return ""


def _gpu_note() -> str:
    return why_unused(find_gpu(), torch_build())
