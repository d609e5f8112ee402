"""A combo box whose entries stand for values, so that their texts may be translated."""

from __future__ import annotations

from collections.abc import Callable, Sequence


def fill(combo: object, entries: Sequence[tuple[str, str]], chosen: Callable[[str], None]) -> None:
    """Put entries into a combo box.

    Parameters
    ----------
    combo : QComboBox
    entries : sequence of (value, text)
    chosen : callable
        Gets the value when the user picks an entry; not when ``select`` does.
    """
    for value, text in entries:
        combo.addItem(text, value)
    combo.activated.connect(lambda *_: chosen(combo.itemData(combo.currentIndex)))


def select(combo: object, value: str) -> None:
    """Show the entry of a value; the first where there is none."""
    combo.currentIndex = max(combo.findData(value), 0)
