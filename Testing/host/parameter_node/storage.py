"""How a parameter's value is kept in a ``vtkMRMLScriptedModuleNode``: as text or as a reference."""

from __future__ import annotations

import enum
import pathlib
import typing

import slicer


class Storage:
    """Keeps values of one type; ``convert`` makes the value of its text."""

    def __init__(self, kind: type, default: object, convert: object = None, accepts: object = None):
        self._kind = kind
        self.default = default
        self._convert = convert or kind
        self._accepts = accepts or kind

    def check(self, value: object) -> None:
        """Raise TypeError or ValueError for a value of another type."""
        if value is None:
            raise ValueError("a value is needed, not None")
        if not isinstance(value, self._accepts):
            raise TypeError(f"{value!r} is not of type {self._kind.__name__}")

    def has(self, node: object, name: str) -> bool:
        """Say whether the node has the parameter."""
        return bool(node.HasParameter(name))

    def write(self, node: object, name: str, value: object) -> None:
        """Keep a value."""
        node.SetParameter(name, value.name if isinstance(value, enum.Enum) else str(value))

    def read(self, node: object, name: str) -> object:
        """Return the value."""
        return self._convert(node.GetParameter(name))


class NodeStorage(Storage):
    """Keeps a node as a reference, so that it follows IDs that change when a scene is loaded."""

    def __init__(self, kind: type):
        super().__init__(kind, None)

    def check(self, value: object) -> None:
        """Raise TypeError for anything but a node of the type, or None."""
        if value is not None:
            super().check(value)

    def write(self, node: object, name: str, value: object) -> None:
        """Keep a node, or that there is none."""
        node.SetParameter(name, "")
        node.SetNodeReferenceID(name, None if value is None else value.GetID())

    def read(self, node: object, name: str) -> object | None:
        """Return the node; None when it was removed."""
        return node.GetNodeReference(name)


class ListStorage(Storage):
    """Keeps a list: its length, and each entry as a parameter of its own. Read gives a new list."""

    def __init__(self, entry: Storage):
        super().__init__(list, [], accepts=(list, tuple))
        self._entry = entry

    def check(self, value: object) -> None:
        """Raise TypeError or ValueError for what is no list of entries."""
        super().check(value)
        for entry in value:
            self._entry.check(entry)

    def has(self, node: object, name: str) -> bool:
        """Say whether the node has the parameter."""
        return bool(node.HasParameter(f"{name}.count"))

    def write(self, node: object, name: str, value: object) -> None:
        """Keep a list."""
        node.SetParameter(f"{name}.count", str(len(value)))
        for position, entry in enumerate(value):
            self._entry.write(node, f"{name}.{position}", entry)

    def read(self, node: object, name: str) -> list:
        """Return the list."""
        count = int(node.GetParameter(f"{name}.count"))
        return [self._entry.read(node, f"{name}.{position}") for position in range(count)]


def storage_for(kind: object) -> Storage:
    """Return how values of a type are kept.

    Raises
    ------
    TypeError
        If the host doesn't know the type.
    """
    if typing.get_origin(kind) is list:
        return ListStorage(storage_for(typing.get_args(kind)[0]))
    if isinstance(kind, type):
        if kind is bool:
            return Storage(bool, False, convert="True".__eq__)
        if kind is int:
            return Storage(int, 0)
        if kind is float:
            return Storage(float, 0.0, accepts=(int, float))
        if kind is str:
            return Storage(str, "")
        if issubclass(kind, pathlib.PurePath):
            return Storage(kind, kind())
        if issubclass(kind, enum.Enum):
            return Storage(kind, next(iter(kind)), convert=kind.__getitem__)
        if issubclass(kind, slicer.vtkMRMLNode):
            return NodeStorage(kind)
    raise TypeError(f"parameters of type {kind} are not imitated")
