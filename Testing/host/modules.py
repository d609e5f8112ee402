"""``slicer.modules`` and the module manager: how Slicer finds and opens scripted modules."""

from __future__ import annotations

import importlib.util
import sys
import types
from pathlib import Path

import slicer
from PySide6 import QtCore, QtWidgets

from .mrml_widgets import qMRMLWidget


class ModuleParent:
    """What a scripted module writes its title, categories and the rest to."""

    def __init__(self, path: Path):
        self.path = str(path)
        self.name = path.stem
        self.title = ""
        self.categories: list[str] = []
        self.dependencies: list[str] = []
        self.contributors: list[str] = []
        self.helpText = ""
        self.acknowledgementText = ""
        self.icon: object = None
        self.hidden = False
        self.widget: object = None

    def widgetRepresentation(self) -> WidgetRepresentation | None:
        """Return the widget, if the module was opened."""
        return None if self.widget is None else WidgetRepresentation(self.widget)


class CoreModule:
    """A module of Slicer itself: the host has its logic only."""

    def __init__(self, name: str, logic: object):
        self.name = name
        self._logic = logic

    def logic(self) -> object:
        """Return the module's logic."""
        return self._logic


class WidgetRepresentation:
    """``qSlicerScriptedLoadableModuleWidget``: holds the Python widget of a scripted module."""

    def __init__(self, widget: object):
        self._widget = widget

    def self(self) -> object:
        """Return the Python widget."""
        return self._widget


class ModuleManager(QtCore.QObject):
    """Opens modules, and tells when one is about to go."""

    moduleAboutToBeUnloaded = QtCore.Signal(str)

    def __init__(self, parent: QtCore.QObject):
        super().__init__(parent)
        self._modules: dict[str, ModuleParent | CoreModule] = {}
        self._loaded: dict[str, tuple[ModuleParent, types.ModuleType]] = {}

    def module(self, name: str) -> ModuleParent | CoreModule | None:
        """Return a module by its name, or None."""
        return self._modules.get(name)

    def add(self, module: ModuleParent | CoreModule) -> None:
        """Make a module known as ``slicer.modules.<name in small letters>``."""
        self._modules[module.name] = module
        setattr(slicer.modules, module.name.lower(), module)

    def load(self, path: Path) -> tuple[types.ModuleType, object]:
        """Import a module's file and open it.

        Returns
        -------
        (module, widget)
            The Python module, and its widget after ``setup``.
        """
        parent = ModuleParent(path)
        folder = str(path.parent)
        if folder not in sys.path:
            sys.path.append(folder)
        spec = importlib.util.spec_from_file_location(parent.name, path)
        module = importlib.util.module_from_spec(spec)
        sys.modules[parent.name] = module
        spec.loader.exec_module(module)
        self.add(parent)
        instance = getattr(module, parent.name)(parent)
        setattr(slicer.modules, f"{parent.name}Instance", instance)
        self._loaded[parent.name] = parent, module
        holder = qMRMLWidget()
        holder.setLayout(QtWidgets.QVBoxLayout())
        holder.setMRMLScene(slicer.mrmlScene)
        parent.widget = getattr(module, f"{parent.name}Widget")(holder)
        setattr(slicer.modules, f"{parent.name}Widget", parent.widget)
        parent.widget.setup()
        return module, parent.widget

    def unload_all(self) -> None:
        """Close every scripted module, as Slicer does when it ends."""
        for name, (parent, _module) in list(self._loaded.items()):
            self.moduleAboutToBeUnloaded.emit(name)
            holder = parent.widget and parent.widget.parent
            if holder:
                holder.deleteLater()
            parent.widget = None
            del self._loaded[name], self._modules[name], sys.modules[name]
            for known in (name.lower(), f"{name}Instance", f"{name}Widget"):
                if hasattr(slicer.modules, known):
                    delattr(slicer.modules, known)
