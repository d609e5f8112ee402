"""``slicer.i18n``: translation to the language of the application, which here is English."""

from __future__ import annotations

import re
import types

from PySide6 import QtCore

_FIELD = re.compile(r"(?<!\{)\{([^{}]+)\}(?!\})")


def build(translate) -> types.ModuleType:
    """Return the module.

    Parameters
    ----------
    translate : callable
        ``translate(context, text)`` of the application.
    """
    module = types.ModuleType("slicer.i18n")

    def tr(text: str) -> str:
        """Translate; a translation that loses a placeholder is not used, as in Slicer."""
        if not isinstance(text, str):
            raise TypeError(f"tr() takes a string, not {type(text).__name__}")
        translated = translate("", text)
        return translated if set(_FIELD.findall(text)) == set(_FIELD.findall(translated)) else text

    module.tr = tr
    module.translate = translate
    return module


def translate(context: str, text: str) -> str:
    """Return the text in the application's language."""
    return QtCore.QCoreApplication.translate(context, text)
