"""``slicer.app``: the running application."""

from __future__ import annotations

from PySide6 import QtCore, QtWidgets

from .layout_manager import LayoutManager
from .modules import ModuleManager
from .nodes_io import IOManager
from .scene import Scene

VERSION = (5, 12, 0)
"""Version of Slicer that the host says it is: the newest that the module is written for."""


class CommandOptions:
    """Options of the command line; the host was given none."""

    testingEnabled = False
    noMainWindow = False
    ignoreRest = False


class qSlicerApplication(QtWidgets.QApplication):
    """Application without a main window.

    Imitated: the properties and functions below, which Slicer's own documentation of
    ``qSlicerCoreApplication`` and ``qSlicerApplication`` names. ``slicer.util.mainWindow()`` finds
    no window and returns None, as under ``--no-main-window``.
    """

    startupCompleted = QtCore.Signal()

    def __init__(self, temporary_path: str):
        super().__init__(["Slicer"])
        self._temporary_path = temporary_path
        self._scene: Scene | None = None
        self._modules = ModuleManager(self)
        self._options = CommandOptions()
        self.setQuitOnLastWindowClosed(False)

    def start(self, scene: Scene) -> None:
        """Take the scene; not in Slicer."""
        self._scene = scene
        self._layout = LayoutManager(scene)
        self._io = IOManager(scene.mrml)

    temporaryPath = QtCore.Property(str, lambda self: self._temporary_path)
    applicationVersion = QtCore.Property(str, lambda self: ".".join(map(str, VERSION)))
    applicationName = QtCore.Property(str, lambda self: "Slicer")
    majorVersion = QtCore.Property(int, lambda self: VERSION[0])
    minorVersion = QtCore.Property(int, lambda self: VERSION[1])
    slicerHome = QtCore.Property(str, lambda self: self._temporary_path)
    revision = QtCore.Property(str, lambda self: "00000")
    platform = QtCore.Property(str, lambda self: "test")

    def testingEnabled(self) -> bool:
        """Say whether message boxes are skipped; here they aren't."""
        return self._options.testingEnabled

    def commandOptions(self) -> CommandOptions:
        """Return the options of the command line."""
        return self._options

    def applicationLogic(self) -> object:
        """Return the ``vtkSlicerApplicationLogic``."""
        return self._scene.application_logic

    def mrmlScene(self) -> object:
        """Return the scene."""
        return self._scene.mrml

    def layoutManager(self) -> LayoutManager:
        """Return the layout manager."""
        return self._layout

    def moduleManager(self) -> ModuleManager:
        """Return the module manager."""
        return self._modules

    def coreIOManager(self) -> IOManager:
        """Return what loads and saves nodes."""
        return self._io

    def ioManager(self) -> IOManager:
        """Return the same."""
        return self._io

    def settings(self) -> QtCore.QSettings:
        """Return the user's settings, which here are a test's own."""
        return QtCore.QSettings()

    def userSettings(self) -> QtCore.QSettings:
        """Return the same."""
        return QtCore.QSettings()

    def pauseRender(self) -> None:
        """Hold back rendering; there is none."""

    def resumeRender(self) -> None:
        """Render again; there is nothing to render."""
