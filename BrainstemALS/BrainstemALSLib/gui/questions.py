"""Questions that only the user can answer."""

from __future__ import annotations

import qt
import slicer
from slicer.i18n import tr as _


def what_becomes_of(count: int) -> str | None:
    """Ask what a new run does with corrected structures.

    Parameters
    ----------
    count : int
        How many were corrected.

    Returns
    -------
    str or None
        ``keep``, ``replace`` or ``new``, as ``scene.results.show_outcome`` wants it; None to let
        everything be.
    """
    box = qt.QMessageBox(slicer.util.mainWindow())
    box.setWindowTitle(_("Brainstem ALS"))
    box.setIcon(qt.QMessageBox.Question)
    box.setText(
        _("{count} structures were corrected by hand. What shall become of them?").format(
            count=count
        )
    )
    answers = {
        _("Keep corrections"): "keep",
        _("Replace everything"): "replace",
        _("Make a new segmentation"): "new",
    }
    for text in answers:
        box.addButton(text, qt.QMessageBox.AcceptRole)
    box.addButton(qt.QMessageBox.Cancel)
    box.exec_()
    clicked = box.clickedButton()
    return answers.get(clicked.text.replace("&", "")) if clicked is not None else None


def is_this_visit() -> bool | None:
    """Ask whether the last visit of a record is this one.

    Returns
    -------
    bool or None
        False: all its visits are earlier ones. None to let everything be.
    """
    box = qt.QMessageBox(slicer.util.mainWindow())
    box.setWindowTitle(_("Brainstem ALS"))
    box.setIcon(qt.QMessageBox.Question)
    box.setText(
        _("Is the last visit of the record the one of this T1? What is entered now is replaced.")
    )
    answers = {_("This visit"): True, _("An earlier visit"): False}
    for text in answers:
        box.addButton(text, qt.QMessageBox.AcceptRole)
    box.addButton(qt.QMessageBox.Cancel)
    box.exec_()
    clicked = box.clickedButton()
    return answers.get(clicked.text.replace("&", "")) if clicked is not None else None
