"""``qt.QUiLoader``: reads .ui files with the widgets of Slicer and CTK in them."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from PySide6 import QtCore, QtUiTools, QtWidgets

stand_ins: dict[str, type] = {}
"""Widget classes by the name that .ui files use, beside Qt's own."""


class UiFileError(RuntimeError):
    """A .ui file names what neither Qt nor the host has."""


class QUiLoader(QtUiTools.QUiLoader):
    """Loader that knows the stand-ins.

    The connections of a .ui file are made by name here: their signatures hold C++ types that only
    Slicer has, such as ``vtkMRMLScene*``. Classes and properties that don't exist are refused,
    where Qt would go on with a message.
    """

    def __init__(self, parent: QtCore.QObject | None = None):
        super().__init__(parent)
        self._made: list[QtWidgets.QWidget] = []
        self._unknown: list[str] = []

    def createWidget(
        self, class_name: str, parent: QtWidgets.QWidget | None = None, name: str = ""
    ) -> QtWidgets.QWidget:
        """Return a new widget; called by Qt for every widget of a .ui file."""
        kind = stand_ins.get(class_name)
        if kind is None:
            if class_name not in self.availableWidgets() and class_name not in {"Line"}:
                self._unknown.append(f"class {class_name}")
                class_name = "QWidget"
            widget = super().createWidget(class_name, parent, name)
        else:
            widget = kind(parent)
            widget.setObjectName(name)
        self._made.append(widget)
        return widget

    def load(
        self, device: QtCore.QIODevice, parent: QtWidgets.QWidget | None = None
    ) -> QtWidgets.QWidget:
        """Return the widget that an open .ui file describes.

        Raises
        ------
        UiFileError
            If a class, a property, or an end of a connection doesn't exist.
        """
        tree = ElementTree.fromstring(bytes(device.readAll()))
        connections = [
            tuple(connection.findtext(tag, "") for tag in ("sender", "signal", "receiver", "slot"))
            for connection in tree.findall("connections/connection")
        ]
        for found in tree.findall("connections"):
            tree.remove(found)
        _numbers_for_flags(tree)
        buffer = QtCore.QBuffer()
        buffer.setData(ElementTree.tostring(tree, encoding="utf-8"))
        buffer.open(QtCore.QIODevice.ReadOnly)
        self._made, self._unknown = [], []
        widget = super().load(buffer, parent)
        if widget is None:
            raise UiFileError(f"no .ui file: {self.errorString()}")
        named = {made.objectName: made for made in self._made}
        self._unknown += _unknown_properties(tree, named)
        if self._unknown:
            raise UiFileError(", ".join(sorted(set(self._unknown))))
        for sender, signal, receiver, slot in connections:
            _connect(named, sender, signal, receiver, slot)
        self._made = []
        return widget


def _unknown_properties(tree: ElementTree.Element, named: dict) -> list[str]:
    unknown = []
    for element in tree.iter("widget"):
        widget = named.get(element.get("name"))
        for prop in element.findall("property"):
            if prop.get("stdset") == "0" or widget is None:
                continue
            if widget.metaObject().indexOfProperty(prop.get("name")) < 0:
                unknown.append(f"property {prop.get('name')} of {element.get('class')}")
    return unknown


def _numbers_for_flags(tree: ElementTree.Element) -> None:
    """Replace ``<set>ctkPathLineEdit::Dirs</set>`` by its number; Qt knows only names of C++."""
    for element in tree.iter("widget"):
        kind = stand_ins.get(element.get("class"))
        for prop in element.findall("property") if kind else ():
            value = prop.find("set")
            if value is None or value.text.partition("::")[0] != kind.__name__:
                continue
            flags = [getattr(kind, part.rpartition("::")[2]) for part in value.text.split("|")]
            value.tag, value.text = "number", str(sum(flags))


def _connect(named: dict, sender: str, signal: str, receiver: str, slot: str) -> None:
    try:
        function = getattr(named[receiver], re.match(r"\w+", slot).group())
        named[sender].connect(signal, function)
    except (AttributeError, KeyError) as problem:
        raise UiFileError(f"connection {sender}.{signal} -> {receiver}.{slot}") from problem
