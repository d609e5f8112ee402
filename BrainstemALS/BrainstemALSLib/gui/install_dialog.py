"""The dialog that installs what is missing: says what and how large, asks, then shows."""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

import qt
import slicer
from slicer.i18n import tr as _

from ..errors import BrainstemALSError
from ..installation.check import Change, check
from ..installation.failures import InstallError
from ..installation.gpu import find_gpu
from ..installation.install import install, install_with_extension, install_with_slicer, progress
from ..installation.interpreter import Interpreter
from ..installation.models import install_models
from ..installation.plan import InstallPlan, Route, plan
from . import settings
from .background import Background
from .ui_files import load_ui

_LOG_LINES = 2000


class InstallDialog:
    """Checks before it changes anything, stays alive while it does, and can be cancelled.

    Parameters
    ----------
    wanted : sequence of str, optional
        Requirements; those of the extension when left out.
    interpreter : Interpreter, optional
        Where to install; Slicer's Python when left out.
    """

    def __init__(self, wanted: Sequence[str] | None = None, interpreter: Interpreter | None = None):
        self._wanted, self._interpreter = wanted, interpreter
        self._plan: InstallPlan | None = None
        self._folder = Path(tempfile.mkdtemp(prefix="BrainstemALS-install-"))
        self._background = Background()
        self._cancel = threading.Event()
        self._lines: deque[str] = deque()  # filled by the thread, emptied by the timer
        self.widget = load_ui("InstallDialog")
        self.ui = ui = slicer.util.childWidgetVariables(self.widget)
        ui.whatLabel.text = _(
            "BrainstemALS computes with PyTorch and fits diffusion with DIPY, which Slicer does "
            "not bring. Check says what would be installed, from where, and whether it fits this "
            "Slicer; only Install changes anything. Images never leave this computer."
        )
        ui.modelEdit.currentPath = settings.remembered("model")
        ui.offlineRadio.toggled.connect(self._route_chosen)
        ui.checkButton.clicked.connect(self._check)
        ui.startButton.clicked.connect(self._start)
        ui.closeButton.clicked.connect(self._close)
        ui.logEdit.setMaximumBlockCount(_LOG_LINES)
        ui.installBar.visible = False
        self._timer = qt.QTimer()
        self._timer.setInterval(100)
        self._timer.timeout.connect(self._show_lines)

    def run(self) -> None:
        """Show the dialog until it is closed."""
        try:
            self.widget.exec_()
        finally:
            self.close()

    def close(self) -> None:
        """Stop what runs and remove what was downloaded by the way."""
        self._cancel.set()
        self._background.close()
        self._timer.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _route_chosen(self, *_args: object) -> None:
        self.ui.wheelsEdit.enabled = self.ui.offlineRadio.checked
        self.ui.startButton.enabled = False
        self._plan = None

    def _route(self) -> Route:
        if self.ui.offlineRadio.checked:
            return Route.OFFLINE
        return Route.PYTORCH_EXTENSION if _pytorch_extension() else Route.ONLINE

    def _check(self, *_args: object) -> None:
        route, wheels = self._route(), self.ui.wheelsEdit.currentPath

        def look() -> tuple[InstallPlan, tuple[Change, ...]]:
            made = plan(
                route,
                self._folder,
                wheels=Path(wheels) if wheels else None,
                interpreter=self._interpreter or Interpreter.ask(),
                wanted=self._wanted,
                gpu=find_gpu(),
            )
            return made, check(made, self._lines.append, self._cancel)

        def checked(found: tuple[InstallPlan, tuple[Change, ...]]) -> None:
            self._plan, changes = found
            listed = ", ".join(map(str, changes))
            self._idle(
                self._plan.text
                + (_(" Comes: {changes}.").format(changes=listed) if changes else "")
            )
            self.ui.startButton.enabled = bool(self._plan.missing)

        self._busy(_("Looking what would be installed …"))
        if self._take_model():
            self._background.start(look, checked, self._failed)

    def _take_model(self) -> bool:
        """Take a model from a folder, where one was chosen; False where it can't be used."""
        chosen = self.ui.modelEdit.currentPath
        if chosen == settings.remembered("model"):
            return True
        try:
            target = (
                install_models(Path(chosen), settings.local_folder() / "models") if chosen else ""
            )
        except BrainstemALSError as refusal:
            self._idle(str(refusal))
            return False
        settings.remember("model", str(target))
        self.ui.modelEdit.currentPath = str(target)
        return True

    def _start(self, *_args: object) -> None:
        made = self._plan
        if made is None:
            return
        if made.route is Route.PYTORCH_EXTENSION:
            self._in_slicer(lambda: install_with_extension(made, _pytorch_extension()))
        elif made.route is Route.ONLINE and hasattr(slicer, "packaging"):
            # Slicer's own way knows what other modules need, and shows a window of its own.
            self._in_slicer(lambda: install_with_slicer(made, slicer))
        else:
            self._busy(_("Installing …"))
            self._background.start(
                lambda: install(made, self._lines.append, self._cancel),
                lambda _none: self._installed(),
                self._failed,
            )

    def _in_slicer(self, work: Callable[[], None]) -> None:
        self._busy(_("Installing; Slicer answers again when it is done …"))
        self.ui.closeButton.enabled = False  # nobody could press it meanwhile
        slicer.app.processEvents()
        try:
            with slicer.util.WaitCursor():
                work()
        except BrainstemALSError as refusal:
            self._failed(refusal)
        else:
            self._installed()

    def _installed(self) -> None:
        self._plan = None
        self._idle(_("Installed. Segmenting can start; Slicer need not be restarted."))

    def _failed(self, problem: Exception) -> None:
        if isinstance(problem, InstallError) and problem.details:
            self.ui.logEdit.appendPlainText(problem.details)
        if isinstance(problem, BrainstemALSError):
            self._idle(str(problem))
        else:
            self._idle(_("An unexpected problem ({kind}).").format(kind=type(problem).__name__))

    def _busy(self, text: str) -> None:
        self._cancel.clear()
        self.ui.planLabel.text = text
        self.ui.checkButton.enabled = self.ui.startButton.enabled = False
        self.ui.closeButton.text = _("Cancel")
        self.ui.installBar.setRange(0, 0)
        self.ui.installBar.visible = True
        self._timer.start()

    def _idle(self, text: str) -> None:
        self._show_lines()
        self._timer.stop()
        self.ui.planLabel.text = text
        self.ui.checkButton.enabled = True
        self.ui.closeButton.text = _("Close")
        self.ui.closeButton.enabled = True
        self.ui.installBar.visible = False

    def _close(self, *_args: object) -> None:
        if self._background.running:
            self._cancel.set()
        else:
            self.widget.accept()

    def _show_lines(self, *_args: object) -> None:
        while self._lines:
            line = self._lines.popleft()
            fraction = progress(line)
            if fraction is None:
                self.ui.logEdit.appendPlainText(line)
            else:
                self.ui.installBar.setRange(0, 100)
                self.ui.installBar.value = round(100 * fraction)


def _pytorch_extension() -> object | None:
    """Logic of the PyTorch extension; None where it is not installed."""
    if not hasattr(slicer.modules, "pytorchutils"):
        return None
    import PyTorchUtils

    return PyTorchUtils.PyTorchUtilsLogic()
