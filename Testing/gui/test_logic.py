"""The module without its panel: from a script, with a batch, and as sample data."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from BrainstemALSLib.errors import BrainstemALSError
from BrainstemALSLib.imaging.writing import write_volume
from BrainstemALSLib.phantom.sample import SEED

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def logic(host, local):
    """The module's logic; no panel was opened."""
    module, _widget = host.load_module(ROOT / "BrainstemALS" / "BrainstemALS.py")
    return module.BrainstemALSLogic()


@pytest.mark.usefixtures("remembered")
def test_process_segments_and_says_how_far_it_is(logic, patient, add_volume):
    told = []
    result = logic.process(
        add_volume(patient.t1),
        add_volume(patient.fa),
        add_volume(patient.md),
        progress=lambda stage, fraction, text: told.append((fraction, text)),
    )
    assert result.segmentation.GetSegmentation().GetNumberOfSegments() >= 40
    assert result.record["modalities"] == ["t1", "fa", "md"]
    assert [fraction for fraction, _ in told] == sorted(fraction for fraction, _ in told)
    assert told[-1][0] == 1.0


def test_process_refuses_in_a_sentence(logic, add_volume, t1):
    with pytest.raises(BrainstemALSError, match="no brainstem was found"):
        logic.process(add_volume(t1))
    with pytest.raises(BrainstemALSError, match="T1"):
        logic.process(None)


def test_the_batch_example_of_the_docs_runs_as_it_stands(host, patient, tmp_path):
    """Slicer --no-main-window --python-script, played with the host."""
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("sub-01", "sub-02"):
        write_volume(patient.t1, folder / f"{name}_T1w.nii.gz", dtype=np.float32)
    (folder / "sub-03_T1w.nii.gz").write_bytes(b"no image")
    run = (
        "import sys, runpy; from Testing.host import install; host = install(); host.new_scene();"
        "sys.path.insert(0, 'BrainstemALS'); host.load_module('BrainstemALS/BrainstemALS.py');"
        # slicer.util.exit ends an application with an event loop; here main says what it would.
        "batch = runpy.run_path('docs/batch.py');"
        f"sys.exit(batch['main']({str(folder)!r}, {str(tmp_path / 'out')!r}))"
    )
    outcome = subprocess.run(
        [sys.executable, "-c", run], cwd=ROOT, capture_output=True, text=True, timeout=300
    )
    assert "sub-03" in outcome.stdout
    written = {path.name for path in (tmp_path / "out").iterdir()}
    for subject in ("sub-01", "sub-02"):
        assert f"{subject}_desc-brainstem_dseg.nii.gz" in written, outcome.stdout + outcome.stderr
    assert not any(name.startswith("sub-03") for name in written)
    assert outcome.returncode == 1  # one of three failed


def test_the_simulated_patient_is_registered_and_loads(host, logic, patient):
    import slicer

    host.complete_startup()
    (source,) = slicer.modules.sampleDataSources["BrainstemALS"]
    assert Path(source.thumbnailFileName).is_file()
    nodes = source.customDownloader(source)
    assert [node.GetName() for node in nodes] == [
        f"Simulated patient {role}" for role in ("T1", "FA", "MD")
    ]
    assert "not a person" in nodes[0].GetDescription()
    assert patient.description["seed"] == SEED
    shown = slicer.util.arrayFromVolume(nodes[0]).transpose(2, 1, 0)
    np.testing.assert_allclose(shown, patient.t1.array, rtol=1e-5, atol=1e-3)
