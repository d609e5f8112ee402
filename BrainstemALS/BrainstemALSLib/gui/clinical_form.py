"""Fold *Disease history* of the section *Exam*: what a prediction reads beside the images."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import qt
import slicer
from slicer.i18n import tr as _

from ..annotation.codes import check_visit_date
from ..errors import BrainstemALSError, ExitCode
from . import choices
from .clinical_record import (
    FLAGS,
    Earlier,
    add_earlier,
    earlier_rows,
    fill_form,
    keep_earlier,
    months_between,
    person_json,
    relative_to,
    with_exams,
)
from .messages import Messages
from .parameters import VisitParameters
from .questions import is_this_visit

ROWS = 2
"""Earlier visits that the table has room for; a file may hold more, which are kept."""
_FILTER = "JSON (*.json)"


class ClinicalForm:
    """Shows and changes the parameters that the .ui file does not bind by itself.

    Parameters
    ----------
    ui : object
        Widgets of the panel.
    parameters : callable
        Returns the ``VisitParameters`` of the scene, or None while it is being closed.
    messages : Messages
    """

    def __init__(self, ui: object, parameters: Callable[[], Any], messages: Messages):
        self._ui, self._parameters, self._messages = ui, parameters, messages
        self._showing = False
        onsets = (
            ("", _("not given")),
            ("spinal", _("spinal (limbs)")),
            ("bulbar", _("bulbar")),
            ("respiratory", _("respiratory")),
        )
        diagnoses = (
            ("", _("not given")),
            ("ALS", _("ALS")),
            ("MIMIC", _("a disease that resembles ALS")),
            ("HC", _("healthy")),
        )
        answers = (("", "–"), ("yes", _("yes")), ("no", _("no")))
        self._combos = {"group": ui.groupCombo, "onset": ui.onsetCombo}
        choices.fill(ui.groupCombo, diagnoses, self._chooser("group"))
        choices.fill(ui.onsetCombo, onsets, self._chooser("onset"))
        for name in FLAGS:
            self._combos[name] = getattr(ui, f"{name}Combo")
            choices.fill(self._combos[name], answers, self._chooser(name))
        self._rows = [
            tuple(getattr(ui, f"earlier{what}{row}Spin") for what in ("Months", "Total", "Fvc"))
            for row in range(1, ROWS + 1)
        ]
        for row, spins in enumerate(self._rows):
            for spin in spins:
                spin.keyboardTracking = False
                spin.valueChanged.connect(lambda *_args, row=row: self._entered(row))
        ui.onsetDateEdit.editingFinished.connect(self._date_entered)
        ui.intracranialSpin.editingFinished.connect(self._head_entered)
        ui.loadPersonButton.clicked.connect(self._load)
        ui.savePersonButton.clicked.connect(self._save)

    def update(self, parameters: VisitParameters) -> None:
        """Show the state of the parameters."""
        for name, combo in self._combos.items():
            choices.select(combo, getattr(parameters, name))
        visits = earlier_rows(parameters)
        self._showing = True
        try:
            for spins, visit in zip(self._rows, self._in_rows(visits), strict=True):
                self._show_row(spins, visit)
        finally:
            self._showing = False
        hidden = len(visits) - ROWS
        self._ui.earlierMoreLabel.visible = hidden > 0
        self._ui.earlierMoreLabel.text = _("and {count} more before, from the record.").format(
            count=hidden
        )

    @staticmethod
    def _in_rows(visits: list[Earlier]) -> list[Earlier]:
        shown = visits[-ROWS:]
        return [*shown, *(Earlier() for _row in range(ROWS - len(shown)))]

    @staticmethod
    def _show_row(spins: tuple[object, ...], visit: Earlier) -> None:
        months, total, fvc = spins
        points = visit.shown_total()
        months.value = visit.months_before
        total.value = -1 if points is None else points
        total.enabled = visit.ratings is None
        total.toolTip = (
            _("Total of the ALSFRS-R at that visit.")
            if visit.ratings is None
            else _("From the items in the record.")
        )
        fvc.value = round(visit.fvc or 0)

    def _chooser(self, name: str) -> Callable[[str], None]:
        def choose(value: str) -> None:
            if self._parameters() is not None:
                setattr(self._parameters(), name, value)

        return choose

    def _entered(self, row: int) -> None:
        parameters = self._parameters()
        if self._showing or parameters is None:
            return
        visits = earlier_rows(parameters)
        rows = self._in_rows(visits)
        months, total, fvc = (spin.value for spin in self._rows[row])
        before = rows[row]
        rows[row] = replace(
            before,
            months_before=round(float(months), 1),
            total=None if total < 0 or before.ratings is not None else int(total),
            fvc=before.fvc if fvc == round(before.fvc or 0) else float(fvc) or None,
        )
        keep_earlier(parameters, [*visits[:-ROWS], *rows])

    def _date_entered(self) -> None:
        """Keep the months between two dates; the date of onset itself is nowhere kept."""
        text = self._ui.onsetDateEdit.text.strip()
        parameters = self._parameters()
        if not text or parameters is None:
            return
        with self._messages.refusals():
            check_visit_date(text)
            months = months_between(text, parameters.visit_date)
            if months is None:
                raise BrainstemALSError(
                    "date of onset",
                    "the visit has no date, or is earlier",
                    "Enter the visit date above, or the months since onset.",
                    ExitCode.USAGE,
                )
            parameters.months_since_onset = months
            self._ui.onsetDateEdit.text = ""

    def _head_entered(self) -> None:
        """Say at once what the prediction would refuse."""
        from ..prediction.head_size import MM3_A_ML, entered_volume

        volume = self._ui.intracranialSpin.value
        if volume:
            with self._messages.refusals():
                entered_volume(MM3_A_ML * volume, None, _("Head (ICV)"))

    # Records.

    def _load(self, *_args: object) -> None:
        with self._messages.refusals():
            name = qt.QFileDialog.getOpenFileName(
                slicer.util.mainWindow(), _("Load record"), "", _FILTER
            )
            if not name:
                return
            person = read_record(Path(name))
            this = is_this_visit()
            if this is None:
                return
            if this:
                fill_form(self._parameters(), person)
                self._messages.info(_("The record is shown; its last visit is taken for this one."))
            elif add_earlier(self._parameters(), person):
                self._messages.info(_("The visits of the record are shown as earlier ones."))
            else:
                raise BrainstemALSError(
                    "record",
                    "it can't be told how long ago its visits were",
                    "Enter the months from onset to this visit first; the record needs them too, "
                    "for its first visit.",
                    ExitCode.USAGE,
                )

    def _save(self, *_args: object) -> None:
        with self._messages.refusals():
            person = person_json(self._parameters())
            name = qt.QFileDialog.getSaveFileName(
                slicer.util.mainWindow(), _("Save record"), "", _FILTER
            )
            if not name:
                return
            path = Path(name).with_suffix(".json")
            if path != Path(name) and path.exists():  # the dialog asked about another name
                raise BrainstemALSError(
                    "record", "a file of this name exists", "Choose another name.",
                    ExitCode.OUTPUT_REFUSED,
                )  # fmt: skip
            write_record(path, person)
            self._messages.info(
                _("Saved what is entered here. The images of this visit are not in it.")
            )


def read_record(path: Path) -> dict[str, Any]:
    """Return a person's record as JSON values, exams with their whole path.

    Raises
    ------
    BrainstemALSError
        As ``prediction.person_file.read_person``.
    """
    from ..prediction.person_file import read_person

    read_person(path)  # refuses what no prediction could read
    content = json.loads(path.read_text(encoding="utf-8-sig"))
    return with_exams(content, lambda exam: str((path.parent / exam).resolve()))


def write_record(path: Path, person: dict[str, Any]) -> None:
    """Write a person's record; exams below its folder relative to it.

    Raises
    ------
    BrainstemALSError
        OUTPUT_REFUSED: the place takes no file.
    """
    content = with_exams(person, relative_to(path.parent.resolve()))
    partial = path.with_name(f".{path.name}.partial")
    try:
        partial.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        partial.replace(path)
    except OSError:
        partial.unlink(missing_ok=True)
        raise BrainstemALSError(
            "record", "it can't be written there", "Choose a folder that you may write to.",
            ExitCode.OUTPUT_REFUSED,
        ) from None  # fmt: skip
