"""The simulated patient in Slicer's Sample Data module: computed here, never downloaded."""

from __future__ import annotations

import tempfile
from pathlib import Path

import qt
import slicer
from slicer.i18n import tr as _

from ..errors import BrainstemALSError, ExitCode
from ..imaging.reading import read_volume
from ..phantom.files import NAMES
from ..phantom.sample import sample_command
from ..worker.launch import worker_command

_ICONS = Path(__file__).resolve().parents[2] / "Resources" / "Icons"
CATEGORY, SAMPLE = "BrainstemALS", "BrainstemALSSimulatedPatient"


def register() -> None:
    """Put the simulated patient into the Sample Data module."""
    import SampleData

    SampleData.SampleDataLogic.registerCustomSampleDataSource(
        category=CATEGORY,
        sampleName=SAMPLE,
        # Lists, though nothing is downloaded: Slicer counts them.
        uris=[],
        fileNames=[],
        nodeNames=[],
        thumbnailFileName=str(_ICONS / "BrainstemALS.png"),
        customDownloader=_offered,
    )


def _offered(_source: object = None) -> list[object]:
    try:
        return list(load_simulated_patient())
    except BrainstemALSError as refusal:
        slicer.util.errorDisplay(str(refusal))
        return []


def load_simulated_patient() -> tuple[object, object, object]:
    """Compute the simulated patient and load it; the window stays alive meanwhile.

    Returns
    -------
    (t1, fa, md) : vtkMRMLScalarVolumeNode

    Raises
    ------
    BrainstemALSError
        OUTPUT_REFUSED: the temporary folder can't be written to; else what the computation refuses.
    """
    slicer.util.showStatusMessage(_("Computing the simulated patient …"))
    with tempfile.TemporaryDirectory(prefix="brainstem-als-sample-") as folder:
        _run(*sample_command(folder, worker_command()[0]))
        nodes = tuple(
            _load(Path(folder) / NAMES[role], role.upper()) for role in ("t1", "fa", "md")
        )
    slicer.util.setSliceViewerLayers(background=nodes[0], fit=True)
    slicer.util.showStatusMessage(_("Simulated patient, not a person"), 3000)
    return nodes


def _run(program: str, arguments: list[str]) -> None:
    process, failures = qt.QProcess(), []
    process.errorOccurred.connect(failures.append)
    process.start(program, arguments)
    while not process.waitForFinished(20) and process.state() != qt.QProcess.NotRunning:
        slicer.app.processEvents()
    # A process that did not even start reports a normal end.
    if failures or process.exitStatus() != qt.QProcess.NormalExit or process.exitCode() != 0:
        raise BrainstemALSError(
            "simulated patient",
            "it could not be computed",
            "Check that there is free space in the temporary folder, then try again.",
            ExitCode.OUTPUT_REFUSED,
        )


def _load(path: Path, what: str) -> object:
    volume = read_volume(path, what)
    node = slicer.util.addVolumeFromArray(
        volume.array.transpose(2, 1, 0), volume.affine, f"Simulated patient {what}"
    )
    node.SetDescription(_("Simulated patient, not a person"))
    return node
