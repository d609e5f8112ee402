"""Loads the .ui files and puts them together."""

from __future__ import annotations

from pathlib import Path

import slicer

SECTIONS = ("Exam", "Segment", "Results", "Correct", "Export", "Learning", "Stage")
_FOLDER = Path(__file__).resolve().parents[2] / "Resources" / "UI"


def load_ui(name: str) -> object:
    """Return the widget of ``Resources/UI/<name>.ui``."""
    return slicer.util.loadUI(str(_FOLDER / f"{name}.ui"))


def load_panel() -> tuple[object, object]:
    """Load the panel with its sections.

    Returns
    -------
    (widget, ui)
        The outermost widget, and an object with every named widget as an attribute.
    """
    panel = load_ui("BrainstemALS")
    holder = slicer.util.childWidgetVariables(panel).sectionsWidget
    sections = [load_ui(f"{name}Section") for name in SECTIONS]
    for section in sections:
        holder.layout().addWidget(section)
    exam = slicer.util.childWidgetVariables(sections[0]).examSectionButton
    exam.layout().addRow(load_ui("ClinicalForm"))
    panel.setMRMLScene(slicer.mrmlScene)
    for section in sections:
        section.setMRMLScene(slicer.mrmlScene)
    return panel, slicer.util.childWidgetVariables(panel)
