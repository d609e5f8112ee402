"""Section *Exam*: the images of one visit and what is known of the patient."""

from __future__ import annotations

from slicer.i18n import tr as _

from ..prognosis import alsfrs, kings, mitos
from . import choices
from .parameters import VisitParameters, alsfrs_ratings, is_true


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
        self._ui.alsfrs5Label.text = _cutting_food(is_true(parameters.gastrostomy))
        self._ui.examHintLabel.text = _hint(parameters)
        self._ui.examHintLabel.visible = bool(self._ui.examHintLabel.text)


def _rating_text(parameters: VisitParameters) -> str:
    """Total, King's stage and MiToS, each as a range while what is missing leaves it open."""
    ratings = alsfrs_ratings(parameters)
    low, high = alsfrs.total_range(ratings)
    rated = sum(rating != alsfrs.NOT_RATED for rating in ratings)
    if not rated:
        return _("No item rated.")
    fed, niv = is_true(parameters.gastrostomy), is_true(parameters.niv)
    total = _("Total: {total} of {highest}").format(
        total=low if low == high else f"{low}–{high}", highest=alsfrs.HIGHEST_TOTAL
    )
    text = _("{total}. King's: {kings}. MiToS: {mitos}.").format(
        total=total,
        kings=_stages(kings.possible_stages(ratings, fed, niv)),
        mitos=_stages(mitos.possible_stages(ratings)),
    )
    missing = []
    if rated < len(ratings):
        missing.append(
            _("{rated} of {items} items are rated").format(rated=rated, items=len(ratings))
        )
    if fed is None or niv is None:
        missing.append(_("gastrostomy or NIV is not given (Disease history)"))
    if missing:
        text = _("{text} Ranges, because {missing}.").format(
            text=text, missing=_(" and ").join(missing)
        )
    return text


def _stages(possible: tuple[int, ...]) -> str:
    """Stages that are still possible, such as 2, 2–4 or 2 or 4."""
    first, last = possible[0], possible[-1]
    if first == last:
        return str(first)
    if last - first == len(possible) - 1:
        return f"{first}–{last}"
    head = possible[:-1]
    span = str(head[0]) if len(head) == 1 else f"{head[0]}–{head[-1]}"
    return _("{span} or {last}").format(span=span, last=last)


def _cutting_food(gastrostomy: bool | None) -> str:
    """Name of item 5, by the form that is rated."""
    if gastrostomy is None:
        return _("5. Cutting food")
    return _("5b. Cutting food (gastrostomy)") if gastrostomy else _("5a. Cutting food")


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
