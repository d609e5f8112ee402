"""What tests do with the host."""

from __future__ import annotations

import time
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import slicer
import vtk
from PySide6 import QtCore, QtWidgets
from vtk.util import numpy_support

from . import deletion, sample_data
from .application import qSlicerApplication
from .heartbeat import Heartbeat
from .person import Person
from .problems import Problems
from .scene import Scene


class Host:
    """Slicer without a window, for tests."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.app = qSlicerApplication(str(folder))
        self._problems = Problems()
        self._problems.watch()
        self._scene = Scene(str(folder))
        self.app.start(self._scene)
        self.person = Person(self._problems.add)

    @property
    def module_logics(self) -> dict[str, object]:
        """Logics of Slicer's own modules, by the name of the module."""
        return self._scene.logics

    @property
    def scene(self) -> object:
        """The ``vtkMRMLScene``."""
        return self._scene.mrml

    def new_scene(self) -> None:
        """Start afresh: no module, no node of an earlier test, no answers."""
        self.app.moduleManager().unload_all()
        self._scene.clear()
        QtCore.QSettings().clear()
        sample_data.forget()
        if self.app.receivers("2startupCompleted()"):
            self.app.startupCompleted.disconnect()
        self.process_events()
        self._problems.take()
        self.person.reset()

    def close_scene(self) -> None:
        """Close the scene as File > Close Scene does."""
        self.scene.Clear(False)
        self.process_events()

    def close(self) -> None:
        """Unload the modules, and fail if a slot raised or a dialog went unanswered."""
        self.app.moduleManager().unload_all()
        self.process_events()
        self.check()
        assert not self.person.unused, f"{self.person.unused} answers that nobody asked for"

    def check(self) -> None:
        """Fail if a slot raised, or Qt complained, since the last call."""
        found = self._problems.take()
        assert not found, "\n".join(found)

    def problems(self) -> list[str]:
        """Return what ``check`` would fail for, and forget it."""
        return self._problems.take()

    # Modules.

    def load_module(self, path: Path | str) -> tuple[types.ModuleType, object]:
        """Open a scripted module; returns the Python module and its widget."""
        return self.app.moduleManager().load(Path(path).resolve())

    def complete_startup(self) -> None:
        """Tell the modules that the application has started."""
        self.app.startupCompleted.emit()
        self.process_events()

    def enter(self, widget: object) -> None:
        """Show a module."""
        widget.parent.show()
        widget.enter()
        self.process_events()

    def exit(self, widget: object) -> None:
        """Show another module."""
        widget.exit()
        widget.parent.hide()
        self.process_events()

    # Time.

    def process_events(self) -> None:
        """Run the event loop until there is nothing to do, deletions included."""
        self.app.processEvents()
        deletion.carry_out()
        self.app.processEvents()

    def wait_until(self, predicate: Callable[[], object], timeout_s: float = 10.0) -> None:
        """Run the event loop until a condition holds; AssertionError when it never does."""
        end = time.monotonic() + timeout_s
        while not predicate():
            assert time.monotonic() < end, f"not within {timeout_s} s"
            self.app.processEvents(QtCore.QEventLoop.AllEvents, 20)
            deletion.carry_out()
            time.sleep(0.001)
            self.check()

    @contextmanager
    def heartbeat(self, interval_ms: int = 5) -> Iterator[Heartbeat]:
        """Measure how long the GUI was blocked at most, in ``longest`` (seconds)."""
        beat = Heartbeat(interval_ms)
        try:
            yield beat
        finally:
            beat.stop()

    # A person.

    def answer(self, *answers: object) -> None:
        """Let a person give these answers to the modal dialogs to come, one to each.

        Parameters
        ----------
        *answers : QMessageBox.StandardButton, str, Path or callable
            For a message box the button, or the text on it; for a file dialog the path; for any
            dialog a function that gets it and presses what it likes.
        """
        self.person.will(*answers)

    def choose(self, selector: object, node: object | None) -> None:
        """Pick a node in a ``qMRMLNodeComboBox``, or "None", as the user does with the mouse."""
        index = selector._combo.findData("" if node is None else node.GetID())
        assert selector.isEnabled(), "the selector is greyed out"
        assert index >= 0, "the selector doesn't offer it"
        selector._combo.setCurrentIndex(index)

    def paint(self, editor: object, mask: np.ndarray, mode: str = "add") -> None:
        """Paint with the expert's brush on the current segment, through the editor's real logic.

        Parameters
        ----------
        editor : qMRMLSegmentEditorWidget
        mask : ndarray (i, j, k)
            Nonzero where the brush was, on the grid of the source volume.
        mode : str
            ``add`` or ``remove``.
        """
        logic = editor._logic
        logic.SaveStateForUndo()
        kinds = {"add": logic.ModificationModeAdd, "remove": logic.ModificationModeRemove}
        logic.ModifySegmentByLabelmap(
            editor.segmentationNode(),
            editor.currentSegmentID(),
            _labelmap(mask, editor.sourceVolumeNode()),
            kinds[mode],
            False,
            False,
        )

    # Pictures and files.

    def screenshot(
        self, widget: QtWidgets.QWidget, path: Path | str, size: tuple[int, int] | None = None
    ) -> Path:
        """Save a picture of a widget as PNG.

        Parameters
        ----------
        widget : QWidget
        path : Path
        size : (int, int), optional
            Width and height in pixels.
        """
        if size is not None:
            widget.resize(*size)
        widget.show()
        self.process_events()
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        assert widget.grab().save(str(path), "PNG"), f"could not write {path}"
        return path

    def panel_screenshot(
        self, widget: object, path: Path | str, size: tuple[int, int] = (420, 640)
    ) -> Path:
        """Save a picture of a module as Slicer's module panel shows it: in a scroll area.

        Parameters
        ----------
        widget : ScriptedLoadableModuleWidget
        path : Path
        size : (int, int)
            Width and height in pixels; at a screen of 1366x768 about 420x640 are left for it.
        """
        area = QtWidgets.QScrollArea()
        area.setWidgetResizable(True)
        area.setWidget(widget.parent)
        widget.parent.show()
        try:
            return self.screenshot(area, path, size)
        finally:
            taken = area.takeWidget()
            # PySide still counts it, and all in it, among what goes with the area.
            taken.setParent(None)
            area.delete()
            taken.show()

    @contextmanager
    def font_scale(self, factor: float) -> Iterator[None]:
        """Enlarge the application's font for a while."""
        before = self.app.font()
        larger = self.app.font()
        larger.setPointSizeF(before.pointSizeF() * factor)
        self.app.setFont(larger)
        try:
            yield
        finally:
            self.app.setFont(before)

    def save_scene(self, path: Path | str) -> None:
        """Save the scene with its data: ``.mrb``, or ``.mrml`` with the files beside it."""
        assert self.app.coreIOManager().save_scene(str(path)), f"could not write {path}"

    def load_scene(self, path: Path | str) -> None:
        """Close the scene and load another, as a new day would begin."""
        assert self.app.coreIOManager().load_scene(str(path)), f"could not read {path}"
        self.process_events()


def _labelmap(mask: np.ndarray, volume: object) -> object:
    """Return a mask (i, j, k) on a volume's grid as ``vtkOrientedImageData``."""
    matrix = vtk.vtkMatrix4x4()
    volume.GetIJKToRASMatrix(matrix)
    values = np.ascontiguousarray(mask.astype(np.uint8).transpose(2, 1, 0)).ravel()
    labelmap = slicer.vtkOrientedImageData()
    labelmap.SetDimensions(mask.shape)
    labelmap.SetImageToWorldMatrix(matrix)
    labelmap.GetPointData().SetScalars(numpy_support.numpy_to_vtk(values, deep=True))
    return labelmap
