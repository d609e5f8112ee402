"""How a widget shows a parameter and changes it.

As in Slicer the widget's class must be exactly one of these; a subclass, or another class, is
refused.
"""

from __future__ import annotations

import enum
import pathlib
from collections.abc import Callable

import slicer

from .annotations import Choice, Decimals, Maximum, Minimum, SingleStep, WithinRange, first, split

# Limits of a C++ int, which Slicer gives to an unbounded spin box.
_INT_LOW, _INT_HIGH = -(2**31), 2**31 - 1


class Connector:
    """One widget, bound to one parameter."""

    def __init__(self, widget: object, signal: object, read: Callable, write: Callable):
        self._signal = signal
        self.read = read
        self.write = write
        self.widget = widget
        self._callback: Callable | None = None

    def on_changed(self, callback: Callable | None) -> None:
        """Call a function when the user changes the widget; None ends it."""
        if callback is None:
            self._signal.disconnect(self._changed)
        else:
            self._signal.connect(self._changed)
        self._callback = callback

    def _changed(self, *_args: object) -> None:
        if self._callback is not None:
            self._callback()


def _property(widget: object, name: str, signal: str) -> Connector:
    return Connector(
        widget,
        getattr(widget, signal),
        lambda: getattr(widget, name),
        lambda value: setattr(widget, name, value),
    )


def _number(widget: object, kind: type, annotations: tuple) -> Connector:
    within = first(annotations, WithinRange)
    low, high = first(annotations, Minimum), first(annotations, Maximum)
    if type(widget).__name__ == "QSlider" and within is None and (low is None or high is None):
        raise RuntimeError("a slider needs a parameter with bounds")
    lowest, highest = (_INT_LOW, _INT_HIGH) if kind is int else (float("-inf"), float("inf"))
    widget.setMinimum(within.minimum if within else low.minimum if low else lowest)
    widget.setMaximum(within.maximum if within else high.maximum if high else highest)
    for annotation, setter in ((Decimals, "setDecimals"), (SingleStep, "setSingleStep")):
        found = first(annotations, annotation)
        if found is not None:
            getattr(widget, setter)(found.value)
    return _property(widget, "value", "valueChanged")


def _one_of(widget: object, values: list, texts: list[str]) -> Connector:
    widget.clear()
    widget.addItems(texts)

    def write(value: object) -> None:
        widget.currentIndex = values.index(value)

    return Connector(widget, widget.currentIndexChanged, lambda: values[widget.currentIndex], write)


def _combo_box(widget: object, kind: type, annotations: tuple) -> Connector | None:
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        label = getattr(kind, "label", lambda member: member.name)
        return _one_of(widget, list(kind), [label(member) for member in kind])
    if kind not in (int, float, str, bool):
        return None
    choice = first(annotations, Choice)
    if choice is None:
        raise RuntimeError("a combo box needs a parameter with Choice")
    return _one_of(widget, list(choice.choices), [str(value) for value in choice.choices])


def _path(widget: object, kind: type) -> Connector:
    return Connector(
        widget,
        widget.currentPathChanged,
        lambda: kind(widget.currentPath),
        lambda value: setattr(widget, "currentPath", str(value)),
    )


def _node(widget: object, kind: type) -> Connector:
    widget.nodeTypes = (kind().GetClassName(),)
    return Connector(widget, widget.currentNodeChanged, widget.currentNode, widget.setCurrentNode)


def _button(widget: object) -> Connector:
    widget.checkable = True
    return _property(widget, "checked", "toggled")


def connect(widget: object, hint: object) -> Connector:
    """Bind a widget to parameters of a type.

    Parameters
    ----------
    widget : QWidget
    hint : type or Annotated
        Type of the parameter.

    Raises
    ------
    RuntimeError
        If such a widget can't show such a parameter.
    """
    kind, annotations = split(hint)
    is_a = isinstance(kind, type)
    connector = None
    match type(widget).__name__:
        case "QCheckBox" if kind is bool:
            connector = _property(widget, "checked", "stateChanged")
        case "QPushButton" if kind is bool:
            connector = _button(widget)
        case "QSpinBox" | "QSlider" if kind is int:
            connector = _number(widget, int, annotations)
        case "QDoubleSpinBox" if kind is float:
            connector = _number(widget, float, annotations)
        case "QComboBox":
            connector = _combo_box(widget, kind, annotations)
        case "QLineEdit" if kind is str:
            connector = _property(widget, "text", "textChanged")
        case "QTextEdit" if kind is str:
            connector = Connector(
                widget, widget.textChanged, widget.toPlainText, widget.setPlainText
            )
        case "ctkPathLineEdit" if is_a and issubclass(kind, pathlib.PurePath):
            connector = _path(widget, kind)
        case "qMRMLNodeComboBox" if is_a and issubclass(kind, slicer.vtkMRMLNode):
            connector = _node(widget, kind)
    if connector is None:
        raise RuntimeError(f"a {type(widget).__name__} can't show a parameter of type {kind}")
    return connector
