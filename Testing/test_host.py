"""The host behaves as PythonQt does, and its widgets as Slicer's."""

from __future__ import annotations

from pathlib import Path

import pytest

from Testing.host.example import PANEL, example_panel, example_panel_file, volume  # noqa: F401


class TestPythonQt:
    """Properties are attributes, and nothing else is."""

    @pytest.mark.parametrize(
        ("kind", "name", "value"),
        [
            ("QLineEdit", "text", "T1"),
            ("QLabel", "toolTip", "why"),
            ("QPushButton", "enabled", False),
            ("QCheckBox", "checked", True),
            ("QSpinBox", "value", 7),
            ("QProgressBar", "value", 30),
            ("QGroupBox", "title", "x"),
            ("QTextEdit", "plainText", "x"),
        ],
    )
    def test_properties_are_read_and_written(self, host, kind, name, value):
        import qt

        widget = getattr(qt, kind)()
        setattr(widget, name, value)
        assert getattr(widget, name) == value
        with pytest.raises(TypeError, match="not callable"):
            getattr(widget, name)()

    def test_setters_and_other_functions_stay(self, host):
        import qt

        button = qt.QPushButton("Run")
        button.setText("Stop")
        assert button.text == "Stop"
        assert not button.isChecked()
        button.name = "stopButton"
        assert button.objectName == "stopButton"
        assert button.className() == "QPushButton"
        box = qt.QWidget()
        box.setLayout(qt.QVBoxLayout())
        box.layout().addWidget(button)
        assert box.children()[1] is button

    def test_there_are_no_other_attributes(self, host):
        import qt

        label = qt.QLabel()
        with pytest.raises(AttributeError, match="does not exist"):
            label.tooltip = "misspelt"
        with pytest.raises(AttributeError, match="can not be overwritten"):
            label.setText = "x"
        with pytest.raises(AttributeError, match="not writable"):
            label.sizeHint = 3

    def test_a_python_subclass_may_have_attributes(self, host):
        import qt

        class Mine(qt.QLabel):
            pass

        mine = Mine()
        mine.note = 3
        assert mine.note == 3

    def test_enumerators_are_integers(self, host):
        import qt

        assert qt.Qt.UserRole + 1 == 257
        assert qt.QMessageBox.Yes == 0x4000
        item = qt.QTreeWidgetItem()
        item.setData(0, qt.Qt.UserRole, "key")
        assert item.data(0, 256) == "key"

    def test_signals_by_attribute_and_by_signature(self, host):
        import qt

        heard = []
        spin = qt.QSpinBox()
        spin.valueChanged.connect(lambda value: heard.append(value))
        spin.connect("valueChanged(int)", heard.append)
        spin.value = 3
        assert heard == [3, 3]
        spin.disconnect("valueChanged(int)", heard.append)
        spin.value = 4
        assert heard == [3, 3, 4]
        with pytest.raises(AttributeError, match="no signal"):
            spin.connect("valueChange(int)", heard.append)

    def test_what_only_pyside_has_is_missing(self, host):
        import qt

        assert not hasattr(qt, "Signal")
        assert not hasattr(qt, "Slot")

    def test_a_process_and_its_output(self, host):
        import sys

        import qt

        process = qt.QProcess()
        ended = []
        process.connect(
            "finished(int,QProcess::ExitStatus)", lambda code, status: ended.append(code)
        )
        process.start(sys.executable, ["-c", "print('hello')"])
        host.wait_until(lambda: ended)
        assert ended == [0]
        assert process.readAllStandardOutput().data().split() == [b"hello"]

    def test_settings_are_not_the_users(self, host):
        import qt

        qt.QSettings().setValue("BrainstemALS/store", "x")
        assert Path(qt.QSettings().fileName()).is_relative_to(host.folder)
        assert qt.QSettings().value("BrainstemALS/store") == "x"


class TestUiFiles:
    def test_custom_widgets_and_their_properties(self, panel):
        import ctk
        import slicer

        widget, ui = panel
        assert isinstance(widget, slicer.qMRMLWidget)
        assert isinstance(ui.section, ctk.ctkCollapsibleButton)
        assert ui.section.collapsed
        assert ui.selector.nodeTypes == ("vtkMRMLScalarVolumeNode",)
        assert ui.selector.property("SlicerParameterName") == "image"
        assert ui.folderEdit.filters == 0x21

    def test_connections(self, panel):
        import slicer

        _, ui = panel
        assert ui.selector.mrmlScene() is slicer.mrmlScene
        ui.flipCheck.click()
        assert not ui.button.enabled

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            ('class="QPushButton"', 'class="qNoSuchButton"'),
            ('name="noneEnabled"', 'name="noneEnable"'),
            ("<receiver>selector", "<receiver>chooser"),
            ("<slot>setMRMLScene", "<slot>setScene"),
        ],
    )
    def test_what_does_not_exist_is_refused(self, host, panel_file, old, new):
        import slicer

        panel_file.write_text(PANEL.replace(old, new), encoding="utf-8")
        with pytest.raises(RuntimeError, match=r"qNoSuchButton|noneEnable|chooser|setScene"):
            slicer.util.loadUI(str(panel_file))

    def test_a_section_hides_and_shows_its_contents(self, host, panel):
        widget, ui = panel
        ui.hiddenLabel.visible = False
        widget.show()
        host.process_events()
        told = []
        ui.section.contentsCollapsed.connect(told.append)
        assert not ui.button.visible
        ui.section.click()
        assert told == [False]
        assert ui.button.visible
        assert not ui.hiddenLabel.visible
        ui.section.collapsed = True
        assert not ui.codeEdit.visible


class TestNodeComboBox:
    def test_follows_the_scene(self, panel):
        import slicer

        _, ui = panel
        assert ui.selector.currentNode() is None
        t1 = volume("T1")
        volume("labels", "vtkMRMLLabelMapVolumeNode")
        assert ui.selector.nodeCount() == 1
        assert ui.selector.currentNode() is None
        told = []
        ui.selector.currentNodeChanged.connect(told.append)
        ui.selector.setCurrentNode(t1)
        t1.SetName("T1 of today")
        assert ui.selector._combo.currentText == "T1 of today"
        assert ui.selector.currentNodeID == t1.GetID()
        slicer.mrmlScene.RemoveNode(t1)
        assert ui.selector.currentNode() is None
        assert told == [t1, None]

    def test_greyed_out_without_a_scene(self, host):
        import slicer

        selector = slicer.qMRMLNodeComboBox()
        selector.nodeTypes = ["vtkMRMLScalarVolumeNode"]
        volume()
        assert not selector.enabled
        assert selector.nodeCount() == 0
        selector.setMRMLScene(slicer.mrmlScene)
        assert selector.enabled
        assert selector.nodeCount() == 1

    def test_without_none_the_first_is_chosen(self, panel):
        _, ui = panel
        ui.selector.noneEnabled = False
        t1 = volume()
        assert ui.selector.currentNode() is t1

    def test_the_user_picks(self, host, panel):
        _, ui = panel
        t1 = volume()
        host.choose(ui.selector, t1)
        assert ui.selector.currentNode() is t1
        host.choose(ui.selector, None)
        assert ui.selector.currentNode() is None
        with pytest.raises(AssertionError, match="offer"):
            host.choose(ui.selector, volume("labels", "vtkMRMLLabelMapVolumeNode"))
        ui.selector.setCurrentNodeIndex(0)
        assert ui.selector.currentNode() is t1
        host.close_scene()
        assert ui.selector.currentNode() is None
