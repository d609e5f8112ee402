"""Section *Exam*: the images of one visit and what is known of the patient."""

from __future__ import annotations

from slicer.i18n import tr as _

from ..prognosis import alsfrs
from . import choices
from .parameters import VisitParameters, alsfrs_ratings


class ExamSection:
    """Shows the parameters that the .ui file does not bind by itself.

    Parameters
    ----------
    ui : object
        Widgets of the panel.
    parameters : callable
        Returns the ``VisitParameters`` of the scene, or None while it is being closed.
    """

    def __init__(self, ui: object, parameters):
        self._ui = ui
        self._parameters = parameters
        entries = (("", _("not given")), ("F", _("female")), ("M", _("male")))
        choices.fill(ui.sexCombo, entries, self._choose_sex)

    def _choose_sex(self, value: str) -> None:
        if self._parameters() is not None:
            self._parameters().sex = value

    def update(self, parameters: VisitParameters) -> None:
        """Show the state of the parameters."""
        choices.select(self._ui.sexCombo, parameters.sex)
        self._ui.alsfrsTotalLabel.text = _rating_text(parameters)
        self._ui.examHintLabel.text = _hint(parameters)
        self._ui.examHintLabel.visible = bool(self._ui.examHintLabel.text)


def _rating_text(parameters: VisitParameters) -> str:
    ratings = alsfrs_ratings(parameters)
    total = alsfrs.total(ratings)
    if total is not None:
        return _("Total: {total} of {highest}").format(total=total, highest=alsfrs.HIGHEST_TOTAL)
    rated = sum(rating != alsfrs.NOT_RATED for rating in ratings)
    return _("{rated} of {items} items rated; the total needs all.").format(
        rated=rated, items=len(ratings)
    )


def _hint(parameters: VisitParameters) -> str:
    if parameters.t1 is None:
        return _("Load a T1-weighted image (drag it into Slicer) and choose it above.")
    given = [role.upper() for role in ("fa", "md", "dti") if getattr(parameters, role) is not None]
    if parameters.dwi is not None and given:
        return _(
            "{maps} given, so the DWI is not used; choose None there to have it fitted."
        ).format(maps=" and ".join(given))
    if parameters.dti is not None and len(given) > 1:
        return _("FA and MD are given, so the DTI is not used for those that are.")
    if parameters.dwi is not None:
        return _("The DWI is fitted and aligned with the T1, which takes a minute or two more.")
    return ""
