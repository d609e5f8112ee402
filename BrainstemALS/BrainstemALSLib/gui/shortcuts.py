"""Keyboard shortcuts, alive only while the module is shown."""

from __future__ import annotations

from collections.abc import Callable

import qt

# Ctrl+Shift keeps clear of Slicer's own and of the Segment Editor's single keys.
BUTTONS = {
    "Ctrl+Shift+S": "segmentButton",
    "Ctrl+Shift+X": "cancelButton",
    "Ctrl+Shift+3": "show3DButton",
    "Ctrl+Shift+U": "entropyButton",
    "Ctrl+Shift+N": "uncertainButton",
    "Ctrl+Shift+O": "outlineCheck",
    "Ctrl+Shift+A": "approveButton",
    "Ctrl+Shift+E": "exportButton",
}
"""Key sequence to the button that it presses; a disabled button stays unpressed."""


class Shortcuts:
    """Presses buttons of the panel from the keyboard.

    Parameters
    ----------
    ui : object
        Widgets of the panel.
    parent : QWidget
        Window in which the keys work.
    """

    def __init__(self, ui: object, parent: object):
        self._shortcuts = [
            self._shortcut(keys, getattr(ui, name).click, parent) for keys, name in BUTTONS.items()
        ]
        self.enabled(False)

    @staticmethod
    def _shortcut(keys: str, press: Callable[[], None], parent: object) -> object:
        shortcut = qt.QShortcut(qt.QKeySequence(keys), parent)
        shortcut.activated.connect(press)
        return shortcut

    def enabled(self, on: bool) -> None:
        """Switch all of them on or off."""
        for shortcut in self._shortcuts:
            shortcut.enabled = on
