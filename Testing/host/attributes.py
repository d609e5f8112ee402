"""Qt properties as Python attributes, and no others, as PythonQt has them.

PythonQt reads ``label.text`` and writes ``label.text = "x"`` through the property of that name, so
``label.text()`` calls a string and fails. A C++ object takes no attribute that it doesn't have.
Both are where code written for PySide6 breaks in Slicer, so the host holds to both.
"""

from __future__ import annotations

from PySide6 import QtCore

PACKAGE = __name__.rpartition(".")[0]


class QtAttribute:
    """A Qt property as an attribute of its class.

    On the class itself it is whatever PySide6 has there, so that static functions stay callable.
    """

    def __init__(self, name: str, original: object, writable: bool):
        self._name = name
        self._original = original
        self._writable = writable
        self._setter = f"set{name[0].upper()}{name[1:]}"
        # A static function, such as QCoreApplication.applicationName, takes no object.
        self._reader = original if type(original).__name__ == "method_descriptor" else None

    def __get__(self, instance: object, owner: type) -> object:
        if instance is None:
            if self._original is None:
                return self
            bind = getattr(type(self._original), "__get__", None)
            return bind(self._original, None, owner) if bind else self._original
        if self._reader is not None:
            return self._reader(instance)
        value = instance.property(self._name)
        return tuple(value) if isinstance(value, list) else value

    def __set__(self, instance: object, value: object) -> None:
        if not self._writable:
            kind = type(instance).__name__
            raise AttributeError(f"Property '{self._name}' of {kind} object is not writable")
        setter = getattr(instance, self._setter, None)
        try:
            if setter is not None:
                setter(value)
                return
        except TypeError:
            pass  # an int for an enumeration, say: the property itself converts it
        if not instance.setProperty(self._name, value):
            kind = type(value).__name__
            raise AttributeError(
                f"Property '{self._name}' does not accept an object of type {kind}"
            )


class _Name:
    """``obj.name`` is the object name."""

    def __get__(self, instance: QtCore.QObject, owner: type) -> object:
        return self if instance is None else instance.objectName

    def __set__(self, instance: QtCore.QObject, value: str) -> None:
        instance.setObjectName(value)


def _set_attribute(self: QtCore.QObject, name: str, value: object) -> None:
    kind = type(self)
    for base in kind.__mro__:
        known = base.__dict__.get(name)
        if isinstance(known, QtCore.Property):
            known.fset(self, value)
            return
        if known is not None and hasattr(type(known), "__set__"):
            known.__set__(self, value)
            return
    # PySide6 itself keeps signals, and children of what a .ui file describes, as attributes.
    child = isinstance(value, QtCore.QObject) and value.objectName == name
    if child or type(value).__name__ == "SignalInstance":
        self.__dict__[name] = value
        return
    stand_in = kind.__module__.startswith(PACKAGE + ".")
    derived = not kind.__module__.startswith("PySide6.") and not stand_in
    if derived or (stand_in and name.startswith("_")) or name.startswith("__"):
        self.__dict__[name] = value
    elif name in {bytes(key).decode() for key in self.dynamicPropertyNames()}:
        self.setProperty(name, value)
    elif hasattr(kind, name):
        raise AttributeError(f"Slot '{name}' can not be overwritten on {kind.__name__} object")
    else:
        raise AttributeError(
            f"'{name}' does not exist on {kind.__name__} and creating new attributes on C++ "
            "objects is not allowed"
        )


def give_attributes(classes: list[type]) -> None:
    """Make every Qt property of these classes an attribute.

    Parameters
    ----------
    classes : list of type
        Classes of PySide6 that derive from QObject; all of them once, in any order.
    """
    for kind in classes:
        meta = kind.staticMetaObject
        for index in range(meta.propertyOffset(), meta.propertyCount()):
            prop = meta.property(index)
            attribute = QtAttribute(prop.name(), kind.__dict__.get(prop.name()), prop.isWritable())
            setattr(kind, prop.name(), attribute)
    QtCore.QObject.name = _Name()
    for kind in classes:
        kind.__setattr__ = _set_attribute
