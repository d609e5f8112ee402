"""What the benchmark runs in processes of their own, so that each has its time and memory.

    python -m training.evaluation.bench_child prepare|warm|ants FOLDER NAME

Files in FOLDER, by name of the image: ``NAME_t1.nii.gz`` what both methods segment;
``NAME_truth.nii.gz`` and ``NAME_stripped.nii.gz`` (simulated images only); each method writes
``NAME_<method>.nii.gz`` and ``NAME_<method>.json``.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np

from BrainstemALSLib.imaging.geometry import crop, from_sitk, to_sitk
from BrainstemALSLib.imaging.volume import Volume

WARM_REPEATS = 3
SIMULATED_BOX_MM = np.array([96.0, 108.0, 120.0])  # field of view of the anatomies
_ANTS_SEED = 1


def prepare(folder: Path, name: str, seed: int) -> None:
    """Draw one simulated exam and write its T1, truth and skull-stripped T1."""
    from . import adapter

    exam, truth, brain = adapter.simulate_with_mask(name, seed)
    _write(exam.t1, folder / f"{name}_t1.nii.gz")
    _write(truth, folder / f"{name}_truth.nii.gz")
    _write(Volume(exam.t1.array * brain, exam.t1.affine), folder / f"{name}_stripped.nii.gz")


def warm(folder: Path, name: str, model_dir: Path | None = None) -> None:
    """Read and segment with models already loaded: one run to warm up, then the timed ones."""
    from . import adapter

    t1 = folder / f"{name}_t1.nii.gz"
    segmenter = adapter.segmenter("cpu", model_dir)
    segmentation = segmenter.segment(adapter.read_t1(t1))
    seconds = []
    for _ in range(WARM_REPEATS):
        start = time.perf_counter()
        segmentation = segmenter.segment(adapter.read_t1(t1))
        seconds.append(time.perf_counter() - start)
    _write(segmentation.labels, folder / f"{name}_ours.nii.gz")
    _report(folder / f"{name}_ours.json", float(np.median(seconds)), segmentation.model)


def ants_syn(folder: Path, name: str) -> None:
    """Register the ICBM T1 to the image by ANTs' SyN at its defaults and carry the atlas over."""
    import ants

    from BrainstemALSLib.cli.icbm import icbm_path

    from .icbm import atlas_labels

    simulated = (folder / f"{name}_truth.nii.gz").exists()
    # Template and atlas are skull-stripped. A simulated image has a true brain mask, which ANTs is
    # given; for a real one the stripping that ANTs would need is not charged to it.
    fixed_path = folder / f"{name}_{'stripped' if simulated else 't1'}.nii.gz"
    template = _read(icbm_path("t1"))
    atlas = atlas_labels()
    if simulated:
        template = _around(template, atlas)
    _write(template, folder / f"{name}_template.nii.gz")
    _write(atlas, folder / f"{name}_atlas.nii.gz")
    start = time.perf_counter()
    fixed = ants.image_read(str(fixed_path))
    moving = ants.image_read(str(folder / f"{name}_template.nii.gz"))
    labels = ants.image_read(str(folder / f"{name}_atlas.nii.gz"))
    found = ants.registration(fixed, moving, type_of_transform="SyN", random_seed=_ANTS_SEED)
    carried = ants.apply_transforms(
        fixed, labels, found["fwdtransforms"], interpolator="genericLabel"
    )
    seconds = time.perf_counter() - start
    ants.image_write(carried, str(folder / f"{name}_ants.nii.gz"))
    for path in {*found["fwdtransforms"], *found["invtransforms"]}:
        Path(path).unlink(missing_ok=True)
    version = {"name": "antspyx", "version": ants.__version__}
    _report(folder / f"{name}_ants.json", seconds, {"ants": version})


def _around(image: Volume, atlas: Volume) -> Volume:
    """The part of the template that the field of view of a simulated image shows."""
    voxels = np.argwhere(atlas.array)
    centre = atlas.affine[:3, :3] @ voxels.mean(0) + atlas.affine[:3, 3]
    middle = np.linalg.solve(image.affine, np.append(centre, 1))[:3]
    half = SIMULATED_BOX_MM / 2 / image.spacing
    low = np.clip(np.floor(middle - half).astype(int), 0, None)
    return crop(image, low, np.minimum(np.ceil(middle + half).astype(int), image.shape))


def _read(path: Path) -> Volume:
    import SimpleITK as sitk

    return from_sitk(sitk.ReadImage(str(path)))


def _write(volume: Volume, path: Path) -> None:
    import SimpleITK as sitk

    sitk.WriteImage(to_sitk(volume), str(path))


def _report(path: Path, seconds: float, model: dict) -> None:
    path.write_text(json.dumps({"seconds": seconds, "model": model}))


def main() -> None:
    """Run one task."""
    task, folder, name, *rest = sys.argv[1:]
    if task == "prepare":
        prepare(Path(folder), name, int(rest[0]))
    elif task == "warm":
        warm(Path(folder), name, Path(rest[0]) if rest else None)
    else:
        ants_syn(Path(folder), name)


if __name__ == "__main__":
    main()
