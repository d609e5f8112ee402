"""The decorator ``parameterNodeWrapper``."""

from __future__ import annotations

import typing
from collections.abc import Callable
from dataclasses import dataclass

import slicer.util
import vtk
from PySide6 import QtWidgets

from . import connectors
from .annotations import Default, Validator, first, split
from .storage import Storage, storage_for

PROPERTY_NAME = "SlicerParameterName"


@dataclass(frozen=True)
class Parameter:
    """One typed parameter of a wrapper."""

    name: str
    hint: object
    storage: Storage
    validators: tuple[Validator, ...]
    default: object

    def write(self, node: object, value: object) -> None:
        """Keep a value in a parameter node, if it may be."""
        self.storage.check(value)
        for validator in self.validators:
            validator.validate(value)
        self.storage.write(node, self.name, value)

    def read(self, node: object) -> object:
        """Return the value in a parameter node."""
        if not self.storage.has(node, self.name):
            self.write(node, self.default)
        return self.storage.read(node, self.name)


def _parameter(kind: type, name: str, hint: object) -> Parameter:
    type_, annotations = split(hint)
    storage = storage_for(type_)
    annotated = first(annotations, Default)
    default = storage.default if annotated is None else annotated.value
    return Parameter(
        name,
        hint,
        storage,
        tuple(found for found in annotations if isinstance(found, Validator)),
        getattr(kind, name, default),
    )


class Wrapper:
    """What every parameter node wrapper has beside its parameters."""

    allParameters: typing.ClassVar[dict[str, Parameter]]

    def __init__(self, parameterNode: object):
        self.parameterNode = parameterNode
        self._guis: dict[int, dict[str, connectors.Connector]] = {}
        self._next_tag = 0
        self._updating = False
        for parameter in self.allParameters.values():
            if not parameter.storage.has(parameterNode, parameter.name):
                parameter.write(parameterNode, parameter.default)

    def _known(self, name: str) -> Parameter:
        if name not in self.allParameters:
            raise ValueError(f"no parameter {name} among {', '.join(self.allParameters)}")
        return self.allParameters[name]

    def getValue(self, name: str) -> object:
        """Return the value of a parameter."""
        return self._known(name).read(self.parameterNode)

    def setValue(self, name: str, value: object) -> None:
        """Set the value of a parameter; TypeError or ValueError if it may not be."""
        parameter = self._known(name)
        with slicer.util.NodeModify(self.parameterNode):
            parameter.write(self.parameterNode, value)

    def default(self, name: str) -> Default:
        """Return the value of a parameter that was never set."""
        return Default(self._known(name).default)

    def dataType(self, name: str) -> object:
        """Return the type of a parameter, with its annotations."""
        return self._known(name).hint

    def connectGui(self, gui: object) -> None:
        """Bind every widget that has the property ``SlicerParameterName``, for good.

        As in Slicer it does not say the tag that ``disconnectGui`` needs.

        Parameters
        ----------
        gui : QWidget or object
            A widget with the others in it, or an object with widgets as attributes.
        """
        if isinstance(gui, QtWidgets.QWidget):
            widgets = gui.findChildren(QtWidgets.QWidget)
        else:
            widgets = vars(gui).values()
        named = {
            widget.property(PROPERTY_NAME): widget
            for widget in widgets
            if widget.property(PROPERTY_NAME)
        }
        self.connectParametersToGui(named)

    def connectParametersToGui(self, mapping: dict[str, object]) -> int:
        """Bind widgets by the name of their parameter; returns a tag for ``disconnectGui``."""
        for name in mapping:
            self._known(name)
        bound = {
            name: connectors.connect(widget, self.dataType(name))
            for name, widget in mapping.items()
        }
        tag, self._next_tag = self._next_tag, self._next_tag + 1
        self._guis[tag] = bound
        for name, connector in bound.items():
            connector.write(self.getValue(name))
            connector.on_changed(self._taker(name, connector))
        self.AddObserver(vtk.vtkCommand.ModifiedEvent, self._show)
        return tag

    def disconnectGui(self, tag: int) -> None:
        """Undo ``connectParametersToGui``."""
        for connector in self._guis.pop(tag, {}).values():
            connector.on_changed(None)

    def _taker(self, name: str, connector: connectors.Connector) -> Callable[[], None]:
        def take() -> None:
            if not self._updating:
                self.setValue(name, connector.read())

        return take

    def _show(self, *_event: object) -> None:
        # A wrapper whose node goes with it may be told while it is being collected, and is empty.
        if getattr(self, "_updating", True):
            return
        self._updating = True
        try:
            with slicer.util.NodeModify(self.parameterNode):
                for bound in self._guis.values():
                    for name, connector in bound.items():
                        connector.write(self.getValue(name))
        finally:
            self._updating = False

    def StartModify(self) -> int:
        """Hold back ModifiedEvent."""
        return self.parameterNode.StartModify()

    def EndModify(self, was_modifying: int) -> int:
        """Send ModifiedEvent once, if anything changed."""
        return self.parameterNode.EndModify(was_modifying)

    def AddObserver(self, event: object, callback: Callable, priority: float = 0.0) -> int:
        """Observe the parameter node."""
        return self.parameterNode.AddObserver(event, callback, priority)

    def RemoveObserver(self, tag: int) -> None:
        """Undo ``AddObserver``."""
        self.parameterNode.RemoveObserver(tag)

    def Modified(self) -> None:
        """Send ModifiedEvent."""
        self.parameterNode.Modified()


def _member(name: str) -> property:
    return property(
        lambda self: self.getValue(name), lambda self, value: self.setValue(name, value)
    )


def _wrap(kind: type) -> type:
    hints = typing.get_type_hints(kind, include_extras=True)
    parameters = {name: _parameter(kind, name, hint) for name, hint in hints.items()}
    reserved = sorted({name for name in parameters if hasattr(Wrapper, name)})
    if reserved:
        raise ValueError(f"reserved names in a parameterNodeWrapper: {', '.join(reserved)}")
    for name in parameters:
        setattr(kind, name, _member(name))
    kind.allParameters = parameters
    for name, member in vars(Wrapper).items():
        if callable(member) and (name == "__init__" or not name.startswith("__")):
            setattr(kind, name, member)
    return kind


def parameterNodeWrapper(kind: type | None = None) -> object:
    """Turn a class with typed members into one whose members are parameters of a node."""
    return _wrap if kind is None else _wrap(kind)


def isParameterNodeWrapper(kind: object) -> bool:
    """Say whether a class or an object of it was made by ``parameterNodeWrapper``."""
    return hasattr(kind, "allParameters")
