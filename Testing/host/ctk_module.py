"""The module ``ctk``: the few widgets of the Common Toolkit that the panel uses."""

from __future__ import annotations

import types

from PySide6 import QtWidgets

from .collapsible_button import ctkCollapsibleButton
from .path_line_edit import ctkPathLineEdit


class ctkMessageBox(QtWidgets.QMessageBox):
    """Message box; CTK's offers besides not to be shown again, which is left out."""


WIDGETS = {kind.__name__: kind for kind in (ctkCollapsibleButton, ctkMessageBox, ctkPathLineEdit)}


def build() -> types.ModuleType:
    """Return the module."""
    module = types.ModuleType("ctk", "CTK as Slicer's Python has it.")
    vars(module).update(WIDGETS)
    return module
