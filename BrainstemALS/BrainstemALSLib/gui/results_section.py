"""Section *Results*: volumes, diffusion, asymmetry, confidence, and what limits them."""

from __future__ import annotations

from collections.abc import Callable, Collection
from html import escape
from itertools import groupby

import qt
from slicer.i18n import tr as _

from ..anatomy.coordinates import load_coordinates
from ..measurement import Measures
from ..measurement.plausibility import plausible_ranges
from ..report.diffusion_cells import DiffusionCells
from ..report.summary_rows import WHOLE, SummaryRow, summary_rows, volume_text

_NAME, _LEFT, _RIGHT, _TOTAL, _INDEX, _CONFIDENCE, _SPREAD, _FA, _MD, _REFERENCE = range(10)
_METRIC_COLUMNS = (("fa", _FA), ("md", _MD))
_SEPARATOR = " "
_NAME_LETTERS = 22


class ResultsSection:
    """Fills the tables from ``Measures``.

    Parameters
    ----------
    ui : object
        Widgets of the panel.
    pick : callable
        Gets the keys of the structures of a row that was clicked.
    """

    def __init__(self, ui: object, pick: Callable[[tuple[str, ...]], None]):
        self._ui, self._pick = ui, pick
        ui.volumeTree.setHeaderLabels(
            [
                _("Structure"),
                _("Left"),
                _("Right"),
                _("Total"),
                _("L−R %"),
                _("Confidence"),
                "±",
                _("FA"),
                _("MD"),
                _("Reference"),
            ]
        )
        for column in range(1, ui.volumeTree.columnCount):
            ui.volumeTree.header().setSectionResizeMode(column, qt.QHeaderView.ResizeToContents)
        self._note = _(
            "Volumes in mm³; ± is half the range between the outlines of probability 0.25 and "
            "0.75; L−R is positive when the left is larger. A reference is a plausible range, "
            "which catches failures, not disease. Comparison with norms: Stage and risk."
        )
        self._diffusion_note = _(
            "FA and MD (10⁻³ mm²/s): means away from cerebrospinal fluid, left / right; point at a "
            "value for its uncertainty, AD and RD."
        )
        ui.volumeTree.itemClicked.connect(self._clicked)
        self.clear()

    def clear(self) -> None:
        """Show that there is no result."""
        self._ui.volumeTree.clear()
        self._ui.findingsText.clear()
        self._ui.findingsText.visible = False
        self._ui.summaryLabel.text = _("No result yet.")
        self._ui.findingsTitleLabel.text = ""
        self._show_diffusion(False)
        self._enable(False)

    def show(self, measures: Measures, summary: str, corrected: Collection[str] = ()) -> None:
        """Show measures.

        Parameters
        ----------
        measures : Measures
        summary : str
            Sentence on what they come from.
        corrected : collection of str
            Keys of structures that an expert changed; they are marked.
        """
        self._ui.summaryLabel.text = summary
        self._ui.volumeTree.clear()
        cells = DiffusionCells(measures)
        self._show_diffusion(bool(cells))
        for group, rows in groupby(summary_rows(measures), key=lambda row: row.group):
            parent = self._ui.volumeTree if group == WHOLE else self._heading(group.capitalize())
            for row in rows:
                self._volume_row(parent, row, corrected, cells)
        self._places(cells)
        # Long names give way to the numbers; their tooltip has them whole.
        letter = self._ui.volumeTree.fontMetrics().horizontalAdvance("x")
        self._ui.volumeTree.setColumnWidth(_NAME, letter * _NAME_LETTERS)
        self._findings(measures)
        self._enable(True)

    def _enable(self, on: bool) -> None:
        for widget in (self._ui.show3DButton, self._ui.entropyButton, self._ui.showAllButton):
            widget.enabled = on

    def _show_diffusion(self, on: bool) -> None:
        for _metric, column in _METRIC_COLUMNS:
            self._ui.volumeTree.setColumnHidden(column, not on)
        self._ui.tableNoteLabel.text = f"{self._note} {self._diffusion_note}" if on else self._note

    def _heading(self, text: str) -> object:
        item = qt.QTreeWidgetItem(self._ui.volumeTree)
        item.setText(_NAME, text)
        item.setExpanded(True)
        return item

    def _volume_row(
        self, parent: object, row: SummaryRow, corrected: Collection[str], cells: DiffusionCells
    ) -> None:
        item = qt.QTreeWidgetItem(parent)
        changed = any(key in corrected for key in row.keys)
        item.setText(_NAME, f"{row.name} *" if changed else row.name)
        tip = _("{name}: evidence tier {tier}").format(name=row.name, tier=row.tier)
        item.setToolTip(_NAME, _("{tip}; corrected by hand").format(tip=tip) if changed else tip)
        if row.has_sides:
            item.setText(_LEFT, volume_text(row.left_mm3))
            item.setText(_RIGHT, volume_text(row.right_mm3))
            if row.index_percent is not None:
                item.setText(_INDEX, f"{row.index_percent:+.1f}")
        item.setText(_TOTAL, volume_text(row.total_mm3))
        if row.spread_mm3 is not None:
            item.setText(_SPREAD, volume_text(row.spread_mm3))
        self._metrics(item, row.keys, cells)
        self._reference(item, row)
        number = "" if row.word == "none" else f" {row.confidence:.2f}"
        item.setText(_CONFIDENCE, _(row.word) + number)
        self._align(item)
        item.setData(_NAME, qt.Qt.UserRole, _SEPARATOR.join(row.keys))

    @staticmethod
    def _metrics(item: object, keys: tuple[str, ...], cells: DiffusionCells) -> None:
        details = [cells.cell(keys, metric) for metric in cells.metrics]
        tip = "\n".join(cell.detail for cell in details if cell)
        for metric, column in _METRIC_COLUMNS:
            cell = cells.cell(keys, metric)
            if cell is not None:
                item.setText(column, cell.text)
                item.setToolTip(column, tip)

    @staticmethod
    def _reference(item: object, row: SummaryRow) -> None:
        bounds = plausible_ranges().get(row.keys[0]) if len(row.keys) == 1 else None
        if bounds is None:
            item.setText(_REFERENCE, _("none yet"))
            return
        item.setText(_REFERENCE, f"{bounds.low_mm3:,.0f} – {bounds.high_mm3:,.0f}")
        item.setToolTip(
            _REFERENCE,
            _("Plausible range, not a norm. {source} ({status}).").format(
                source=bounds.source, status=bounds.status
            ),
        )

    def _places(self, cells: DiffusionCells) -> None:
        """Tier C: nuclei that are a place in an average brain, and never get a volume."""
        heading = self._heading(_("Known only as a place (tier C)"))
        heading.setExpanded(False)
        complexes: dict[str, list[str]] = {}
        nuclei: dict[str, list[str]] = {}
        names: dict[str, str] = {}
        for place in load_coordinates():
            stem = place.key.removesuffix("_left").removesuffix("_right")
            complexes.setdefault(stem, []).append(place.complex)
            nuclei.setdefault(stem, []).append(place.key)
            names[stem] = place.name.removesuffix(f", {place.side}")
        for stem, name in names.items():
            item = qt.QTreeWidgetItem(heading)
            item.setText(_NAME, name)
            item.setText(_TOTAL, _("no volume"))
            item.setText(_CONFIDENCE, _("prior only"))
            item.setToolTip(
                _NAME,
                _("An MRI can't show it: its place comes from an average brain. A click shows the "
                  "structure around it."),
            )  # fmt: skip
            self._metrics(item, tuple(nuclei[stem]), cells)
            self._align(item)
            item.setData(_NAME, qt.Qt.UserRole, _SEPARATOR.join(dict.fromkeys(complexes[stem])))

    @staticmethod
    def _align(item: object) -> None:
        for column in (_LEFT, _RIGHT, _TOTAL, _SPREAD, _INDEX, _FA, _MD, _REFERENCE):
            item.setTextAlignment(column, qt.Qt.AlignRight | qt.Qt.AlignVCenter)

    def _findings(self, measures: Measures) -> None:
        paragraphs = [
            f"<p><b>{escape(_(finding.severity).capitalize())}:</b> {escape(finding.message)} "
            f"<i>{escape(finding.action)}</i></p>"
            for finding in measures.findings
        ]
        self._ui.findingsText.setHtml("".join(paragraphs))
        self._ui.findingsText.visible = bool(paragraphs)
        self._ui.findingsTitleLabel.text = (
            _("Findings ({count})").format(count=len(paragraphs))
            if paragraphs
            else _("No quality findings.")
        )

    def _clicked(self, item: object, *_column: object) -> None:
        keys = item.data(_NAME, qt.Qt.UserRole)
        if keys:
            self._pick(tuple(keys.split(_SEPARATOR)))
