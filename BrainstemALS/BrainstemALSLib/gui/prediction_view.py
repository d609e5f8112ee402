"""Shows what the worker predicts: the blocks of the report, as text and pictures."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

import qt
from slicer.i18n import tr as _

from ..report.statements import RESEARCH_USE

_SHARP = 2.0
"""Pixels of a picture for one of the screen: sharp on screens of high density too."""
_SVG = re.compile(r"(<svg\b.*?</svg>)", re.DOTALL)
_SIZE = re.compile(r'viewBox="0 0 ([\d.]+) ([\d.]+)"')
_TITLE = re.compile(r"<title>(.*?)</title>", re.DOTALL)
_BOXES = re.compile(r"</?(?:section|div|main|header)\b[^>]*>")
_CLASS = re.compile(r' class="?([\w ]+)"?')
_DIM = "font-size:small;margin:2px 0"
# Qt's rich text knows no style sheet of ours in a label, so classes of the report become styles.
_STYLES = {
    "big": "font-weight:600;margin:4px 0",
    "none": "font-weight:600;margin:4px 0",
    "dim": _DIM,
    "src": _DIM,
    "lim": "font-size:small;margin:2px 0 2px -24px",
    "sim": "background-color:#fff3d6;color:#7a4f00;font-weight:600",
}
_HEADINGS = {
    "<h2>": '<p style="font-size:large;font-weight:600;margin:10px 0 2px 0">',
    "</h2>": "</p>",
    "<h3>": '<p style="margin:4px 0 0 0"><b>',
    "</h3>": "</b></p>",
    "<ul>": '<ul style="margin:2px 0 2px -24px">',
}
_SEVERITY = {"error": "No number", "warning": "Take care", "info": "Note"}


class PredictionView:
    """Fills the view with labels, one for each text and picture; they are kept and used again.

    Parameters
    ----------
    ui : object
        Widgets of the panel.
    """

    def __init__(self, ui: object):
        self._ui = ui
        self._labels: list[object] = []
        self.clear()

    def clear(self) -> None:
        """Show nothing."""
        self._ui.predictionView.visible = False
        self._ui.predictionNoticeLabel.text = ""
        for label in self._labels:
            label.clear()
            label.visible = False

    def show(self, answer: Mapping[str, Any]) -> None:
        """Show an answer of ``worker.predicting``."""
        self.clear()
        self._ui.predictionNoticeLabel.text = notice(answer)
        pieces = [piece for block in answer["blocks"] for piece in pieces_of(block["html"])]
        pieces.append(findings_html(answer["findings"]))
        while len(self._labels) < len(pieces):
            self._labels.append(self._new_label())
        for label, piece in zip(self._labels, pieces, strict=False):
            if piece.startswith("<svg"):
                self._show_picture(label, piece)
            else:
                label.setText(piece)
                label.toolTip = ""
            label.visible = True
        self._ui.predictionView.visible = True

    @staticmethod
    def _show_picture(label: object, svg: str) -> None:
        found = _TITLE.search(svg)
        title = found.group(1) if found else ""
        pixmap = picture(svg)
        if pixmap.isNull():
            label.setText(_("({title}: see the exported report.)").format(title=title))
        else:
            label.setPixmap(pixmap)
        label.toolTip = title

    def _new_label(self) -> object:
        label = qt.QLabel(self._ui.predictionBlocks)
        label.wordWrap = True
        label.setTextFormat(qt.Qt.RichText)
        label.setTextInteractionFlags(qt.Qt.TextSelectableByMouse)
        self._ui.predictionBlocks.layout().addWidget(label)
        return label


def notice(answer: Mapping[str, Any]) -> str:
    """Return what stands above the numbers."""
    said = [_(RESEARCH_USE), _("Not for diagnosis.")]
    if answer["simulated"]:
        said.append(_("Trained on simulated cohort: how well it does on real people is not known."))
    if answer["simulated_norms"]:
        said.append(_("Images are scored by simulated norms."))
    return f"<b>{escape(' '.join(said))}</b>"


def pieces_of(html: str) -> Iterator[str]:
    """Yield texts, in what Qt's labels know of HTML, and pictures of a block of the report."""
    for part in _SVG.split(_with_notice(html)):
        if part.startswith("<svg"):
            yield part
        elif re.sub(r"<[^>]*>", "", part).strip():
            yield _for_label(part)


def _with_notice(html: str) -> str:
    """Say beside the numbers of each block that they are for no diagnosis."""
    said = escape(_("Research use only, not for diagnosis."))
    before, found, source = html.rpartition('<p class="src">')
    if found:
        return before + found + source.replace("</p>", f". {said}</p>", 1)
    return html + f'<p class="src">{said}</p>'


def findings_html(findings: list[list[str]]) -> str:
    """Return findings as a list, the worst first."""
    if not findings:
        return f"<p>{escape(_('Nothing was found that limits these numbers further.'))}</p>"
    items = "".join(
        f"<li><b>{escape(_(_SEVERITY.get(severity, severity)))}</b> ({escape(where)}): "
        f"{escape(said)}</li>"
        for severity, where, said in findings
    )
    return _for_label(f"<h2>{escape(_('What limits these numbers'))}</h2><ul>{items}</ul>")


def picture(svg: str) -> object:
    """Return an SVG of the report as a pixmap on white, whatever the colours of the window."""
    width, height = (float(value) for value in _SIZE.search(svg).groups())
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_SHARP * width:g}" '
        f'height="{_SHARP * height:g}" '
    )
    first = svg.index(">") + 1
    ground = f'<rect width="{width:g}" height="{height:g}" fill="#ffffff"/>'
    whole = head + svg[len("<svg ") : first] + ground + svg[first:]
    pixmap = qt.QPixmap()
    pixmap.loadFromData(qt.QByteArray(whole.encode("utf-8")))
    pixmap.setDevicePixelRatio(_SHARP)
    return pixmap


def _for_label(html: str) -> str:
    text = _BOXES.sub("", html)
    for old, new in _HEADINGS.items():
        text = text.replace(old, new)
    text = _CLASS.sub(lambda found: _style(found.group(1)), text)
    return text.replace("<p>", '<p style="margin:2px 0">')


def _style(names: str) -> str:
    style = ";".join(_STYLES[name] for name in names.split() if name in _STYLES)
    return f' style="{style}"' if style else ""
