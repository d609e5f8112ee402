"""The host's parameter nodes behave as Slicer's, through saving and loading a scene."""

from __future__ import annotations

from pathlib import Path

import pytest

from Testing.host.example import example_panel, example_panel_file, volume  # noqa: F401


def wrapper_class():
    """Declare parameters; after the host is in place."""
    from typing import Annotated

    import slicer
    from slicer.parameterNodeWrapper import Choice, Default, WithinRange, parameterNodeWrapper

    class Visit:
        image: slicer.vtkMRMLScalarVolumeNode
        code: str
        age: Annotated[int, WithinRange(0, 120)] = 0
        seconds: float
        flip: bool
        device: Annotated[str, Choice(["auto", "cpu"]), Default("auto")]
        folder: Path
        keys: list[str]

    annotations = {
        "image": slicer.vtkMRMLScalarVolumeNode,
        "code": str,
        "age": Annotated[int, WithinRange(0, 120)],
        "seconds": float,
        "flip": bool,
        "device": Annotated[str, Choice(["auto", "cpu"]), Default("auto")],
        "folder": Path,
        "keys": list[str],
    }
    Visit.__annotations__ = annotations
    return parameterNodeWrapper(Visit)


def new_visit():
    """Return a wrapper around the module's parameter node."""
    from slicer.ScriptedLoadableModule import ScriptedLoadableModuleLogic

    class ExampleLogic(ScriptedLoadableModuleLogic):
        pass

    return wrapper_class()(ExampleLogic().getParameterNode())


class TestParameterNode:
    def test_defaults_and_values(self, host):
        visit = new_visit()
        assert (visit.image, visit.code, visit.age, visit.flip) == (None, "", 0, False)
        assert visit.device == "auto"
        assert visit.folder == Path()
        visit.image = t1 = volume()
        visit.seconds = 1.25
        visit.keys = ["pyramid_left", "pyramid_right"]
        assert visit.image is t1
        assert visit.seconds == 1.25
        assert visit.keys == ["pyramid_left", "pyramid_right"]
        assert new_visit().seconds == 1.25

    @pytest.mark.parametrize(
        ("name", "value"),
        [("age", 121), ("age", None), ("age", "7"), ("device", "mps"), ("code", 3), ("image", 1)],
    )
    def test_other_values_are_refused(self, host, name, value):
        visit = new_visit()
        before = getattr(visit, name)
        with pytest.raises((TypeError, ValueError)):
            setattr(visit, name, value)
        assert getattr(visit, name) == before

    def test_widgets_follow_and_are_followed(self, panel):
        _, ui = panel
        visit = new_visit()
        visit.code = "S-01"
        assert visit.connectGui(ui) is None
        assert ui.codeEdit.text == "S-01"
        assert ui.ageSpin.maximum == 120
        assert ui.deviceCombo.count == 2
        ui.codeEdit.text = "S-02"
        ui.ageSpin.value = 60
        ui.flipCheck.click()
        ui.deviceCombo.setCurrentIndex(1)
        ui.folderEdit.currentPath = "/tmp/x"
        t1 = volume()
        ui.selector.setCurrentNode(t1)
        assert (visit.code, visit.age, visit.flip, visit.device) == ("S-02", 60, True, "cpu")
        assert visit.folder == Path("/tmp/x")
        assert visit.image is t1
        visit.age = 61
        visit.image = None
        assert ui.ageSpin.value == 61
        assert ui.selector.currentNode() is None

    def test_widgets_that_were_named_can_be_let_go(self, panel):
        _, ui = panel
        visit = new_visit()
        tag = visit.connectParametersToGui({"code": ui.codeEdit, "age": ui.ageSpin})
        ui.codeEdit.text, ui.ageSpin.value = "S-02", 60
        assert (visit.code, visit.age) == ("S-02", 60)
        visit.disconnectGui(tag)
        ui.codeEdit.text = "S-03"
        visit.age = 61
        assert (visit.code, ui.ageSpin.value) == ("S-02", 60)

    def test_a_widget_that_cannot_show_its_parameter_is_refused(self, panel):
        _, ui = panel
        ui.codeEdit.setProperty("SlicerParameterName", "")
        ui.button.setProperty("SlicerParameterName", "code")
        with pytest.raises(RuntimeError, match="QPushButton"):
            new_visit().connectGui(ui)
        ui.button.setProperty("SlicerParameterName", "nothing")
        with pytest.raises(ValueError, match="nothing"):
            new_visit().connectGui(ui)

    def test_observers_hear_one_change(self, host):
        import vtk

        visit = new_visit()
        heard = []
        visit.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda *_: heard.append(visit.age))
        visit.age = 5
        assert heard == [5]

    @pytest.mark.parametrize("name", ["visit.mrb", "visit.mrml"])
    def test_a_saved_scene_gives_everything_back(self, host, tmp_path, name):
        import slicer

        visit = new_visit()
        visit.image = volume("T1")
        visit.code = "S-01"
        visit.keys = ["a", "b"]
        host.save_scene(tmp_path / name)
        host.close_scene()
        assert new_visit().image is None
        host.load_scene(tmp_path / name)
        loaded = new_visit()
        assert loaded.code == "S-01"
        assert loaded.keys == ["a", "b"]
        assert loaded.image.GetName() == "T1"
        assert slicer.util.arrayFromVolume(loaded.image).sum() == 120 * 119 // 2
