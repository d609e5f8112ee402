"""The module ``qt``: PySide6's classes in one flat namespace, behaving as PythonQt's."""

from __future__ import annotations

import types

import shiboken6
from PySide6 import QtCore, QtGui, QtUiTools, QtWidgets

from . import deletion, signals
from .attributes import give_attributes

# A module written with these would not run in Slicer.
_PYSIDE_ONLY = {"Signal", "SignalInstance", "Slot", "Property", "ClassInfo", "QUiLoader"}

_CONNECTING = {"connect", "disconnect"}


def _classes(module: types.ModuleType) -> dict[str, object]:
    return {
        name: getattr(module, name)
        for name in dir(module)
        if name.startswith("Q") and name not in _PYSIDE_ONLY
    }


def _children(self: QtCore.QObject, _children=QtCore.QObject.children) -> tuple:
    return tuple(_children(self))


def _connect_by_signature(kind: type) -> None:
    """Replace PySide6's ``connect`` and ``disconnect``, which its attribute look-up finds first."""
    plain = kind.__getattribute__

    def look_up(self: QtCore.QObject, name: str) -> object:
        found = plain(self, name)
        return signals.connecting(self, name, found) if name in _CONNECTING else found

    kind.__getattribute__ = look_up


def _only_the_path(function: object) -> staticmethod:
    return staticmethod(lambda *args, **kwargs: function(*args, **kwargs)[0])


def _pythonqt_ways(names: dict[str, object], objects: list[type]) -> None:
    """Give the classes what PythonQt has and PySide6 has otherwise or not."""
    base = QtCore.QObject
    for kind in [kind for kind in objects if "__getattribute__" in kind.__dict__]:
        _connect_by_signature(kind)
    base.className = lambda self: self.metaObject().className()
    base.children = _children
    deletion.wait()
    base.delete = lambda self: shiboken6.delete(self)
    for kind in names.values():
        if isinstance(kind, type) and "exec" in kind.__dict__:
            kind.exec_ = kind.__dict__["exec"]
    # C++ returns the chosen filter through a pointer, which PythonQt leaves out.
    for name in ("getOpenFileName", "getSaveFileName", "getOpenFileNames"):
        original = getattr(QtWidgets.QFileDialog, name)
        setattr(QtWidgets.QFileDialog, name, _only_the_path(original))


def build() -> types.ModuleType:
    """Return the module; to be called once in a process, because it changes PySide6's classes."""
    names: dict[str, object] = {"Qt": QtCore.Qt}
    for module in (QtCore, QtGui, QtWidgets):
        names |= _classes(module)
    objects = [
        kind
        for kind in {id(value): value for value in names.values()}.values()
        if isinstance(kind, type) and issubclass(kind, QtCore.QObject)
    ]
    give_attributes([*objects, QtUiTools.QUiLoader])
    _pythonqt_ways(names, objects)
    module = types.ModuleType("qt", "Qt as Slicer's Python has it.")
    vars(module).update(names)
    return module
