"""``ctkPathLineEdit``: a path, typed or chosen."""

from __future__ import annotations

from PySide6 import QtCore, QtWidgets


class ctkPathLineEdit(QtWidgets.QWidget):
    """Line with a button beside it that opens a file dialog.

    Imitated: ``currentPath``, ``currentPathChanged(QString)``, the editable combo box inside,
    ``filters`` (kinds of path), ``nameFilters``, ``label`` and ``settingKey`` as values, and that
    ``Files`` among the filters makes the button ask for a file, and ``Writable`` for one to write.
    The history of paths is left out.
    """

    currentPathChanged = QtCore.Signal(str)

    # From ctkPathLineEdit.h.
    Dirs = 0x001
    Files = 0x002
    Drives = 0x004
    NoSymLinks = 0x008
    AllEntries = Dirs | Files | Drives
    Readable = 0x010
    Writable = 0x020
    Executable = 0x040
    Hidden = 0x100
    NoDotAndDotDot = 0x1000
    NoDot = 0x2000
    NoDotDot = 0x4000

    def __init__(self, parent: QtWidgets.QWidget | None = None):
        super().__init__(parent)
        self._line = QtWidgets.QComboBox()
        self._line.setEditable(True)
        self._line.setSizePolicy(QtWidgets.QSizePolicy.Expanding, QtWidgets.QSizePolicy.Fixed)
        self._line.setMinimumContentsLength(8)
        self._button = QtWidgets.QToolButton()
        self._button.setText("...")
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._line)
        layout.addWidget(self._button)
        self.setFocusProxy(self._line)
        self._values: dict[str, object] = {
            "filters": self.AllEntries | self.NoDotAndDotDot | self.Readable,
            "nameFilters": [],
            "label": "",
            "settingKey": "",
            "showHistoryButton": True,
            "showBrowseButton": True,
        }
        self._button.clicked.connect(self.browse)
        self._line.editTextChanged.connect(self.currentPathChanged)

    def _value(name: str, kind: object) -> QtCore.Property:
        def read(self: ctkPathLineEdit) -> object:
            return self._values[name]

        def write(self: ctkPathLineEdit, value: object) -> None:
            self._values[name] = value

        return QtCore.Property(kind, read, write)

    filters = _value("filters", int)
    nameFilters = _value("nameFilters", "QStringList")
    label = _value("label", str)
    settingKey = _value("settingKey", str)
    showHistoryButton = _value("showHistoryButton", bool)
    showBrowseButton = _value("showBrowseButton", bool)

    def comboBox(self) -> QtWidgets.QComboBox:
        """Return the combo box inside."""
        return self._line

    def addCurrentPathToHistory(self) -> None:
        """Keep the path for the next time; there is no history here."""

    def browse(self) -> None:
        """Open a dialog for a file to read or to write, or for a folder."""
        label, filters = self._values["label"], self._values["filters"]
        names = ";;".join(self._values["nameFilters"])
        if not filters & self.Files:
            path = QtWidgets.QFileDialog.getExistingDirectory(self, label, self.currentPath)
        elif filters & self.Writable:
            path = QtWidgets.QFileDialog.getSaveFileName(self, label, self.currentPath, names)
        else:
            path = QtWidgets.QFileDialog.getOpenFileName(self, label, self.currentPath, names)
        if path:
            self.setCurrentPath(path)

    def _get_path(self) -> str:
        return self._line.currentText

    def setCurrentPath(self, path: str) -> None:
        """Show a path."""
        self._line.setEditText(path)

    currentPath = QtCore.Property(str, _get_path, setCurrentPath)
