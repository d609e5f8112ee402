"""The panel in the Qt host, with a scene that has an exam in it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from BrainstemALSLib.imaging.volume import Volume
from BrainstemALSLib.phantom.sample import sample_patient
from Testing.gui import remembering
from Testing.scene.conftest import measures, outcome  # noqa: F401  (fixtures)

MODULE = Path(__file__).resolve().parents[2] / "BrainstemALS" / "BrainstemALS.py"


@pytest.fixture(scope="session")
def patient(once: Callable[..., Any]) -> Any:
    """The simulated patient of the Sample Data module, computed once for all that test."""
    return once("sample-patient", sample_patient)


@pytest.fixture
def remembered(shared_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Segment each exam once in a run of the tests, see ``remembering``.

    For tests of what the panel does around a run. It comes before the panel, which names its worker
    as it opens.
    """
    from BrainstemALSLib.gui import worker_process
    from BrainstemALSLib.worker import client

    def command(python: str | None = None, *args: Any, **options: Any) -> tuple[str, list[str]]:
        program, (_, *own) = real(python, *args, **options)
        return program, [remembering.__file__, *own]

    real = client.worker_command
    folder = shared_folder / "remembered"
    folder.mkdir(exist_ok=True)
    monkeypatch.setenv(remembering.FOLDER, str(folder))
    for module in (worker_process, client):
        monkeypatch.setattr(module, "worker_command", command)


@pytest.fixture
def unhurried(remembered: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """As ``remembered``, with time to do something in the middle of a run."""
    monkeypatch.setenv(remembering.PAUSE, "2")


@pytest.fixture
def local(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's own folder for drafts and logs, empty."""
    folder = tmp_path / "local"
    monkeypatch.setenv("XDG_DATA_HOME", str(folder))
    monkeypatch.setenv("APPDATA", str(folder))
    return folder


@pytest.fixture
def opened(host: Any, local: Path) -> Any:
    """The module's widget, opened."""
    _module, widget = host.load_module(MODULE)
    host.enter(widget)
    return widget


@pytest.fixture
def panel(opened: Any) -> Any:
    """The panel."""
    return opened.panel


@pytest.fixture
def add_volume(host: Any) -> Callable[[Volume, str], Any]:
    """Give a function that loads a volume as a user would: it is in the scene then."""
    import slicer

    def add(volume: Volume, name: str = "Doe^Jane") -> Any:
        array = np.ascontiguousarray(volume.array.transpose(2, 1, 0))
        return slicer.util.addVolumeFromArray(array, volume.affine, name)

    return add


@pytest.fixture
def exam(host: Any, panel: Any, patient: Any, add_volume: Any) -> dict[str, Any]:
    """T1, FA and MD of the simulated patient, chosen in the panel."""
    nodes = {role: add_volume(getattr(patient, role)) for role in ("t1", "fa", "md")}
    for role, node in nodes.items():
        host.choose(getattr(panel.ui, f"{role}Selector"), node)
    return nodes


@pytest.fixture
def spheres(host: Any, panel: Any, t1: Volume, add_volume: Any, outcome: Any) -> Any:  # noqa: F811
    """A result without the model: the T1 of spheres, segmented."""
    from BrainstemALSLib.scene.results import show_outcome

    node = add_volume(t1)
    host.choose(panel.ui.t1Selector, node)
    with panel.visit.own_writes():
        result = show_outcome(outcome, node)
    panel.visit.parameters.segmentation = result.segmentation
    panel.visit.show(result, outcome)
    panel._new_result()
    return node


@pytest.fixture
def stroke(host: Any, panel: Any) -> Callable[..., None]:
    """Give a function that paints a cube into a structure, as the expert's brush does."""

    def paint(key: str, first: tuple[int, int, int], size: int = 3, mode: str = "add") -> None:
        editor = panel.ui.segmentEditor
        editor.setCurrentSegmentID(key)
        mask = np.zeros(editor.sourceVolumeNode().GetImageData().GetDimensions(), np.uint8)
        mask[tuple(slice(a, a + size) for a in first)] = 1
        host.paint(editor, mask, mode)

    return paint


@pytest.fixture
def filled(host: Any, panel: Any, spheres: Any) -> Any:
    """The panel with the form of a patient filled in."""
    from Testing.gui.predicting import fill

    return fill(panel)


@pytest.fixture
def predicted(host: Any, panel: Any, spheres: Any) -> Any:
    """The panel with a prediction shown."""
    from Testing.gui.predicting import predict

    return predict(host, panel)
