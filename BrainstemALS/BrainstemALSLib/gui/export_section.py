"""Section *Export*: files of the current result for other programs."""

from __future__ import annotations

from pathlib import Path

import slicer
from slicer.i18n import tr as _

from ..annotation.codes import check_visit_date
from ..errors import BrainstemALSError, ExitCode
from ..scene.export import export_files, export_names, export_stem
from . import settings
from .messages import Messages
from .visit import Visit


class ExportSection:
    """Writes label map, segmentation and volumes.

    Parameters
    ----------
    ui : object
        Widgets of the panel.
    visit : Visit
    messages : Messages
    """

    def __init__(self, ui: object, visit: Visit, messages: Messages):
        self._ui, self._visit, self._messages = ui, visit, messages
        ui.exportFolderEdit.currentPath = settings.remembered("export")
        ui.exportFolderEdit.currentPathChanged.connect(
            lambda *_: settings.remember("export", ui.exportFolderEdit.currentPath)
        )
        ui.exportButton.clicked.connect(self._export)

    def update(self) -> None:
        """Show whether there is something to export, and why not."""
        visit = self._visit
        self._ui.exportButton.enabled = visit.result is not None and visit.measures is not None
        text = ""
        if visit.result is not None and visit.outcome is None:
            text = _("The record of this result can't be read: segment again to export it.")
        elif visit.result is not None and visit.measures is None:
            text = _("The volumes have to be measured again after a correction.")
        self._ui.exportLabel.text = text
        self._ui.exportLabel.visible = bool(text)

    def _export(self, *_args: object) -> None:
        with self._messages.refusals():
            folder = self._ui.exportFolderEdit.currentPath
            if not folder:
                raise BrainstemALSError(
                    "export",
                    "no folder is chosen",
                    "Choose one under Folder.",
                    ExitCode.OUTPUT_REFUSED,
                )
            parameters = self._visit.parameters
            self._visit.check_one_exam()
            check_visit_date(parameters.visit_date)
            stem = export_stem(parameters.subject_code, parameters.visit_date)
            existing = [name for name in export_names(stem) if (Path(folder) / name).exists()]
            if existing and not slicer.util.confirmOkCancelDisplay(
                _("The folder already holds files of this subject and visit. Replace them?"),
                _("Export"),
            ):
                return
            files = export_files(
                folder, stem, self._visit.result, self._visit.measures, overwrite=bool(existing)
            )
            self._messages.info(
                _("Exported {count} files, {first} and others.").format(
                    count=len(files), first=files[0].name
                )
            )
