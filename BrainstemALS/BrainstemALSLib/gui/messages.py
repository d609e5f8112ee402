"""The one place of the panel where it speaks: a line with, at times, a button."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from slicer.i18n import tr as _

from ..errors import BrainstemALSError
from ..worker.log import where

# Only the frame is coloured, and only ours: text and background stay the user's theme's.
_COLOURS = {"error": "#c62828", "warning": "#ef6c00", "info": "#1565c0"}


class Messages:
    """Shows the latest message until it is closed or another takes its place.

    Parameters
    ----------
    ui : object
        Widgets of the panel: ``messageFrame``, ``messageLabel``, ``messageActionButton``,
        ``messageCloseButton``.
    """

    def __init__(self, ui: object):
        self._ui = ui
        self._action: Callable[[], None] | None = None
        ui.messageCloseButton.clicked.connect(self.clear)
        ui.messageActionButton.clicked.connect(self._act)
        self.clear()

    @property
    def text(self) -> str:
        """What is shown; empty when nothing is."""
        return self._ui.messageLabel.text

    def error(self, text: str) -> None:
        """Show what went wrong and what to do."""
        self._show("error", text)

    def warning(self, text: str) -> None:
        """Show what limits a result."""
        self._show("warning", text)

    def info(self, text: str) -> None:
        """Show what was done."""
        self._show("info", text)

    def offer(self, text: str, button: str, action: Callable[[], None]) -> None:
        """Show a message with a button that does something about it."""
        self._show("info", text)
        self._action = action
        self._ui.messageActionButton.text = button
        self._ui.messageActionButton.visible = True

    def clear(self, *_args: object) -> None:
        """Show nothing."""
        self._action = None
        self._ui.messageLabel.text = ""
        self._ui.messageActionButton.visible = False
        self._ui.messageFrame.visible = False

    @contextmanager
    def refusals(self) -> Iterator[None]:
        """Turn what stops the block into a message; nothing leaves it.

        A refusal is shown as it is. What nobody foresaw is shown as one sentence, and goes to
        Slicer's log by its kind and place alone: its own words may hold a name or a path.
        """
        try:
            yield
        except BrainstemALSError as refusal:
            text = str(refusal)
            self.error(text[:1].upper() + text[1:])
        except Exception as problem:
            logging.error("BrainstemALS: unexpected %s", where(problem))
            self.error(
                _("An unexpected problem stopped this ({kind}); please report it.").format(
                    kind=type(problem).__name__
                )
            )

    def _show(self, severity: str, text: str) -> None:
        self.clear()
        self._ui.messageLabel.text = text
        self._ui.messageFrame.setStyleSheet(
            f"QFrame#messageFrame {{ border: 2px solid {_COLOURS[severity]}; border-radius: 4px; }}"
        )
        self._ui.messageFrame.visible = True

    def _act(self, *_args: object) -> None:
        action = self._action
        self.clear()
        if action is not None:
            with self.refusals():
                action()
