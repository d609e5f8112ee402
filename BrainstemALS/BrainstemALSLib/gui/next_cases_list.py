"""The list of next cases: which exams to correct, why, and where in them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import qt
import slicer
from slicer.i18n import tr as _

from ..annotation.next_cases import NextCase, NextCases, NextPlace, read_next_cases
from ..errors import BrainstemALSError, ExitCode
from ..imaging.intake import bids
from ..scene import views
from ..scene.nodes import in_scene
from . import settings
from .messages import Messages
from .visit import Visit

_CASE, _WHY = range(2)
_ROW = qt.Qt.UserRole
_PLACES_SHOWN = 3
"""An expert spends minutes, not an hour (our choice, as ``training.active.regions``)."""


class NextCasesList:
    """Shows a list that ``python -m training.active.next_cases`` wrote, and loads its exams.

    Parameters
    ----------
    ui : object
        Widgets of the panel.
    visit : Visit
    messages : Messages
    """

    def __init__(self, ui: object, visit: Visit, messages: Messages):
        self._ui, self._visit, self._messages = ui, visit, messages
        self._list: NextCases | None = None
        self._shown: tuple[NextCase, ...] = ()
        self._approved: frozenset[str] = frozenset()
        self._models: Mapping[str, Mapping[str, str]] | None = None
        self._loaded: dict[str, object] = {}  # exam key to the T1 that was loaded for it
        ui.nextCasesTree.setHeaderLabels([_("Exam"), _("Why")])
        ui.nextCasesEdit.nameFilters = ["next_cases (*.json)"]
        ui.nextCasesEdit.currentPath = settings.remembered("next cases")
        ui.nextCasesEdit.currentPathChanged.connect(self._chosen)
        ui.nextCasesTree.itemDoubleClicked.connect(self._double_clicked)
        ui.nextCasesTree.itemClicked.connect(self._clicked)
        ui.nextCasesTree.currentItemChanged.connect(self._current_changed)
        ui.loadCaseButton.clicked.connect(self._load_clicked)
        self._read(ui.nextCasesEdit.currentPath)

    def stand(self, approved: frozenset[str], models: Mapping[str, Mapping[str, str]]) -> None:
        """Take the exams off the list that were approved since, and say if it is out of date.

        Parameters
        ----------
        approved : frozenset of str
            Exam keys.
        models : mapping
            Of the models in use, as ``NextCases.model``.
        """
        if (approved, models) != (self._approved, self._models):
            self._approved, self._models = approved, models
            self._fill()

    def _chosen(self, *_args: object) -> None:
        path = self._ui.nextCasesEdit.currentPath
        settings.remember("next cases", path)
        self._read(path)

    def _read(self, path: str) -> None:
        self._list, problem = None, ""
        if path:
            try:
                self._list = read_next_cases(path)
            except BrainstemALSError as refusal:
                problem = str(refusal)
        self._fill()
        if problem:
            self._say(problem)

    def _fill(self) -> None:
        tree = self._ui.nextCasesTree
        tree.clear()
        found = self._list
        self._shown = () if found is None else found.open_cases(self._approved)
        for number, case in enumerate(self._shown):
            item = qt.QTreeWidgetItem(tree)
            item.setText(_CASE, f"{case.rank}. {Path(case.exam).name}")
            item.setText(_WHY, case.reason)
            item.setToolTip(_WHY, case.reason)
            item.setData(_CASE, _ROW, f"{number}")
            for which, place in enumerate(case.places[:_PLACES_SHOWN]):
                row = qt.QTreeWidgetItem(item)
                row.setText(_CASE, _("Place {number}").format(number=which + 1))
                row.setText(_WHY, place.reason)
                row.setToolTip(_WHY, place.reason)
                row.setData(_CASE, _ROW, f"{number} {which}")
            item.setExpanded(not number)
        self._current_changed()
        if found is None:
            self._say(_("No list is chosen; `python -m training.active.next_cases` writes one."))
        else:
            text = _("{count} exams, ranked by {strategy}; approved since: {left}.").format(
                count=len(self._shown),
                strategy=found.strategy,
                left=len(found.cases) - len(self._shown),
            )
            if self._models is not None and not found.is_of(self._models):
                text += " " + _("Another model made this list: write it anew.")
            self._say(text)

    def _say(self, text: str) -> None:
        self._ui.nextCasesLabel.text = text

    def _of(self, item: object | None) -> tuple[NextCase | None, NextPlace | None]:
        """The case of a row, and its place where the row is one."""
        data = item.data(_CASE, _ROW) if item is not None else None
        if not data:
            return None, None
        number, *which = (int(part) for part in data.split())
        case = self._shown[number]
        return case, case.places[which[0]] if which else None

    def _current_changed(self, *_args: object) -> None:
        case, _place = self._of(self._ui.nextCasesTree.currentItem())
        self._ui.loadCaseButton.enabled = case is not None

    def _clicked(self, item: object, *_column: object) -> None:
        case, place = self._of(item)
        if case is None or place is None:
            return
        if not self._is_open(case):
            self._messages.info(_("Load the exam first: double-click it."))
            return
        views.jump_to(slicer.mrmlScene, place.centre_ras)

    def _double_clicked(self, item: object, *_column: object) -> None:
        case, place = self._of(item)
        if case is not None and place is None:
            self._load(case)

    def _load_clicked(self, *_args: object) -> None:
        case, place = self._of(self._ui.nextCasesTree.currentItem())
        if case is not None:
            self._load(case, place)

    def _is_open(self, case: NextCase) -> bool:
        node = self._loaded.get(case.exam_key)
        return in_scene(node) and self._visit.parameters.t1 is node

    def _load(self, case: NextCase, place: NextPlace | None = None) -> None:
        """Load the T1 of a case, unless it is there, choose it, and look at a place in it."""
        with self._messages.refusals():
            node = self._loaded.get(case.exam_key)
            if not in_scene(node):
                node = self._loaded[case.exam_key] = _load_t1(case)
            self._visit.parameters.t1 = node
            slicer.util.setSliceViewerLayers(background=node, fit=True)
            place = place or next(iter(case.places), None)
            if place is not None:
                views.jump_to(slicer.mrmlScene, place.centre_ras)
            # Who is asked for places reviews those, and not the whole exam.
            self._ui.wholeExamCheck.checked = not case.places
            self._messages.info(
                _("Loaded. Segment it, then correct: {reason}").format(
                    reason=case.reason if place is None else place.reason
                )
            )


def _load_t1(case: NextCase) -> object:
    """Load the T1 of a case; BrainstemALSError where it is not there or cannot be read."""
    path = Path(case.exam)
    if path.is_dir() and not bids.is_bids(path):
        raise BrainstemALSError(
            "exam of the list",
            "it is a folder of DICOM files",
            "Load it with Slicer's DICOM module, then choose its T1 under Exam.",
            ExitCode.UNREADABLE_IMAGE,
        )
    if path.is_dir():
        name = bids.read_subject(path, case.session, with_dwi=False).names["t1"]
        path = next(iter(sorted(path.rglob(name))))
    if not path.is_file():
        raise BrainstemALSError(
            "exam of the list",
            "it is no longer where the list was made",
            "Write the list again with `python -m training.active.next_cases`.",
            ExitCode.UNREADABLE_IMAGE,
        )
    try:
        return slicer.util.loadVolume(str(path))
    except RuntimeError as error:
        raise BrainstemALSError(
            "exam of the list",
            "Slicer cannot read its T1",
            "Load it by hand and choose it under Exam.",
            ExitCode.UNREADABLE_IMAGE,
        ) from error
