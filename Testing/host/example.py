"""A small panel and a small module for the host's own tests."""

from __future__ import annotations

import numpy as np
import pytest

PANEL = """<?xml version="1.0" encoding="UTF-8"?>
<ui version="4.0"><class>Panel</class>
<widget class="qMRMLWidget" name="Panel"><layout class="QVBoxLayout">
 <item><widget class="ctkCollapsibleButton" name="section">
  <property name="text"><string>Section</string></property>
  <property name="collapsed"><bool>true</bool></property>
  <layout class="QVBoxLayout">
   <item><widget class="qMRMLNodeComboBox" name="selector">
    <property name="nodeTypes">
     <stringlist notr="true"><string>vtkMRMLScalarVolumeNode</string></stringlist>
    </property>
    <property name="showChildNodeTypes"><bool>false</bool></property>
    <property name="noneEnabled"><bool>true</bool></property>
    <property name="SlicerParameterName" stdset="0"><string notr="true">image</string></property>
   </widget></item>
   <item><widget class="QLineEdit" name="codeEdit">
    <property name="SlicerParameterName" stdset="0"><string notr="true">code</string></property>
   </widget></item>
   <item><widget class="QSpinBox" name="ageSpin">
    <property name="SlicerParameterName" stdset="0"><string notr="true">age</string></property>
   </widget></item>
   <item><widget class="QCheckBox" name="flipCheck">
    <property name="SlicerParameterName" stdset="0"><string notr="true">flip</string></property>
   </widget></item>
   <item><widget class="QComboBox" name="deviceCombo">
    <property name="SlicerParameterName" stdset="0"><string notr="true">device</string></property>
   </widget></item>
   <item><widget class="ctkPathLineEdit" name="folderEdit">
    <property name="filters"><set>ctkPathLineEdit::Dirs|ctkPathLineEdit::Writable</set></property>
    <property name="SlicerParameterName" stdset="0"><string notr="true">folder</string></property>
   </widget></item>
   <item><widget class="QPushButton" name="button"/></item>
   <item><widget class="QLabel" name="hiddenLabel"/></item>
  </layout></widget></item>
 <item><widget class="qMRMLSegmentEditorWidget" name="editor"/></item>
</layout></widget>
<connections>
 <connection><sender>Panel</sender><signal>mrmlSceneChanged(vtkMRMLScene*)</signal>
  <receiver>selector</receiver><slot>setMRMLScene(vtkMRMLScene*)</slot></connection>
 <connection><sender>flipCheck</sender><signal>toggled(bool)</signal>
  <receiver>button</receiver><slot>setDisabled(bool)</slot></connection>
</connections></ui>"""

MODULE = """
import slicer
from slicer.i18n import tr as _
from slicer.ScriptedLoadableModule import *

class Example(ScriptedLoadableModule):
    def __init__(self, parent):
        super().__init__(parent)
        parent.title = _("Example")
        parent.categories = ["Testing"]
        slicer.app.startupCompleted.connect(register)

def register():
    import SampleData
    SampleData.SampleDataLogic.registerCustomSampleDataSource(
        category="Example", sampleName="One", uris=[], fileNames=[], nodeNames=[],
        customDownloader=download)

def download(source):
    return source.sampleName

class ExampleWidget(ScriptedLoadableModuleWidget):
    def setup(self):
        super().setup()
        self.events = ["setup"]
        widget = slicer.util.loadUI(self.resourcePath("UI/Example.ui"))
        self.layout.addWidget(widget)
        self.ui = slicer.util.childWidgetVariables(widget)
        widget.setMRMLScene(slicer.mrmlScene)
        self.logic = ExampleLogic()
    def enter(self): self.events.append("enter")
    def exit(self): self.events.append("exit")
    def cleanup(self): self.events.append("cleanup")

class ExampleLogic(ScriptedLoadableModuleLogic):
    pass
"""


@pytest.fixture(name="panel_file")
def example_panel_file(tmp_path):
    path = tmp_path / "Panel.ui"
    path.write_text(PANEL, encoding="utf-8")
    return path


@pytest.fixture(name="panel")
def example_panel(host, panel_file):
    """A loaded .ui file: the widget and its named children."""
    import slicer

    widget = slicer.util.loadUI(str(panel_file))
    widget.setMRMLScene(slicer.mrmlScene)
    yield widget, slicer.util.childWidgetVariables(widget)
    widget.delete()


def volume(name="T1", kind="vtkMRMLScalarVolumeNode", shape=(4, 5, 6)):
    """Add a volume to the scene."""
    import slicer

    node = slicer.mrmlScene.AddNewNodeByClass(kind, name)
    slicer.util.updateVolumeFromArray(
        node, np.arange(np.prod(shape), dtype=np.int16).reshape(shape)
    )
    return node
