"""A person at the mouse: answers the dialogs that stop everything else."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from pathlib import Path

from PySide6 import QtCore, QtWidgets


class Person:
    """Answers each modal dialog that opens, in the order of the answers.

    An answer is a button of a message box (``QMessageBox.Yes``, or the text on the button), a path
    for a file dialog, or a function that gets the dialog and presses what it likes. A dialog that
    opens without a fitting answer is reported and dismissed: it would stop a test for ever.

    Parameters
    ----------
    report : callable
        Gets a sentence when a dialog could not be answered.
    """

    PATIENCE_MS = 5000

    def __init__(self, report: Callable[[str], None]):
        self._answers: deque = deque()
        self._report = report
        self.seen: list[str] = []
        """Texts of the message boxes, titles of other dialogs."""
        self._waited = 0
        self._timer = QtCore.QTimer()
        self._timer.setInterval(20)
        self._timer.timeout.connect(self._look)

    def reset(self) -> None:
        """Forget answers and what was seen."""
        self._answers.clear()
        self.seen.clear()
        self._timer.start()

    @property
    def unused(self) -> int:
        """Number of answers that nobody asked for."""
        return len(self._answers)

    def will(self, *answers: object) -> None:
        """Give these answers to the dialogs to come."""
        self._answers.extend(answers)

    def _look(self) -> None:
        dialog = QtWidgets.QApplication.activeModalWidget()
        shown = isinstance(dialog, QtWidgets.QDialog) and dialog.isVisible()
        if not shown or isinstance(dialog, QtWidgets.QProgressDialog):
            self._waited = 0
            return
        if self._answers:
            self._waited = 0
            self.seen.append(_words(dialog))
            self._give(dialog, self._answers.popleft())
            return
        self._waited += self._timer.interval
        if self._waited >= self.PATIENCE_MS:
            self._waited = 0
            self._refuse(dialog, "an answer")

    def _give(self, dialog: QtWidgets.QDialog, answer: object) -> None:
        if callable(answer):
            answer(dialog)
        elif isinstance(dialog, QtWidgets.QFileDialog) and isinstance(answer, Path):
            dialog.findChild(QtWidgets.QLineEdit, "fileNameEdit").setText(str(answer))
            dialog.accept()
        elif isinstance(dialog, QtWidgets.QMessageBox):
            self._press(dialog, answer)
        else:
            self._refuse(dialog, repr(answer))

    def _press(self, box: QtWidgets.QMessageBox, answer: object) -> None:
        texts = {button.text.replace("&", ""): button for button in box.buttons()}
        button = texts.get(answer) if isinstance(answer, str) else box.button(answer)
        if button is None:
            self._refuse(box, f"{answer!r}, only {', '.join(texts)}")
        else:
            button.click()

    def _refuse(self, dialog: QtWidgets.QDialog, wanted: str) -> None:
        self._report(f"dialog without {wanted}: {_words(dialog)}")
        dialog.reject()


def _words(dialog: QtWidgets.QDialog) -> str:
    return dialog.text if isinstance(dialog, QtWidgets.QMessageBox) else dialog.windowTitle
