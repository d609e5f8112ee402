"""Puts the host in place of Slicer."""

from __future__ import annotations

import atexit
import shutil
import sys
import tempfile
import types
from pathlib import Path

import slicer
import slicer.util
from PySide6 import QtCore

from . import (
    ctk_module,
    i18n,
    parameter_node,
    qt_module,
    sample_data,
    scripted_module,
    ui_loader,
)
from .modules import CoreModule, ModuleParent, WidgetRepresentation
from .mrml_widgets import qMRMLWidget, qSlicerWidget
from .node_combo_box import qMRMLNodeComboBox
from .segment_editor_widget import qMRMLSegmentEditorWidget
from .session import Host

_host: Host | None = None


def installed() -> Host:
    """Return the host, put in place at the first call."""
    global _host
    if _host is None:
        _host = _install()
    return _host


def _install() -> Host:
    folder = Path(tempfile.mkdtemp(prefix="slicer-host-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    _own_settings(folder)
    sys.modules["qt"] = qt = qt_module.build()
    qt.QUiLoader = ui_loader.QUiLoader
    sys.modules["ctk"] = ctk_module.build()
    _submodule("i18n", i18n.build(i18n.translate))
    slicer.modules = types.SimpleNamespace()
    sample_data.install()
    _widgets()
    host = Host(folder)
    slicer.app = host.app
    slicer.mrmlScene = host.scene
    for name, logic in host.module_logics.items():
        host.app.moduleManager().add(CoreModule(name, logic))
    _submodule("ScriptedLoadableModule", scripted_module.build())
    _submodule("parameterNodeWrapper", parameter_node.build())
    return host


def _own_settings(folder: Path) -> None:
    """Keep the settings of tests away from the user's."""
    settings = QtCore.QSettings
    settings.setDefaultFormat(settings.IniFormat)
    settings.setPath(settings.IniFormat, settings.UserScope, str(folder / "settings"))
    QtCore.QCoreApplication.setOrganizationName("host")
    QtCore.QCoreApplication.setApplicationName("Slicer")


def _widgets() -> None:
    for kind in (qMRMLWidget, qSlicerWidget, qMRMLNodeComboBox, qMRMLSegmentEditorWidget):
        setattr(slicer, kind.__name__, kind)
        ui_loader.stand_ins[kind.__name__] = kind
    ui_loader.stand_ins.update(ctk_module.WIDGETS)
    slicer.qSlicerScriptedLoadableModule = ModuleParent
    slicer.qSlicerScriptedLoadableModuleWidget = WidgetRepresentation


def _submodule(name: str, module: types.ModuleType) -> None:
    sys.modules[f"slicer.{name}"] = module
    setattr(slicer, name, module)
