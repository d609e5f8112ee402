"""Segments every T1 of a folder inside Slicer, without a window.

    Slicer --no-main-window --python-script docs/batch.py FOLDER_OF_T1S FOLDER_FOR_RESULTS

Takes diffusion along where it lies beside a T1 under the same name: sub-01_FA.nii.gz and
sub-01_MD.nii.gz beside sub-01_T1w.nii.gz, or a series with its gradients, sub-01_dwi.nrrd. Results
that are there already are left alone. Ends with the number of images that could not be segmented.
Results are named after the T1: if a file is named after a patient, so are they, and so is what is
printed.
"""

import sys
from pathlib import Path

import slicer

from BrainstemALSLib.errors import BrainstemALSError
from BrainstemALSLib.measurement.records import measures_from_record
from BrainstemALSLib.module_logic import process
from BrainstemALSLib.report.naming import derivative_stem
from BrainstemALSLib.scene.export import export_files
from BrainstemALSLib.worker.client import WorkerClient


def load(path):
    """Load a volume; None where there is no such file."""
    return slicer.util.loadVolume(str(path)) if path.exists() else None


def segment(t1_path, out, client):
    """Segment one exam and write its files."""
    stem = t1_path.name.removesuffix("_T1w.nii.gz")
    fa, md = (load(t1_path.with_name(f"{stem}_{role}.nii.gz")) for role in ("FA", "MD"))
    dwi = load(t1_path.with_name(f"{stem}_dwi.nrrd"))
    result = process(load(t1_path), fa, md, dwi=dwi, client=client)
    measures = measures_from_record(result.record["measures"])
    export_files(out, derivative_stem(t1_path.name), result, measures)


def main(source, out):
    """Segment all; returns how many failed."""
    failed = 0
    # One worker for all of them: the models are loaded once.
    with WorkerClient() as client:
        for t1_path in sorted(Path(source).glob("*_T1w.nii.gz")):
            try:
                segment(t1_path, out, client)
                print(f"{t1_path.name}: done")
            except (BrainstemALSError, RuntimeError) as problem:  # RuntimeError: not an image
                failed += 1
                print(f"{t1_path.name}: {problem}")
            slicer.mrmlScene.Clear(0)
    return failed


if __name__ == "__main__":
    slicer.util.exit(main(*sys.argv[1:3]))
