"""Carries the training atlas into real anatomies, so that training sees real shapes.

    python -m training.anatomies [--jobs 2] [--only CASE ...]

Source shapes: 80 manual subcortical maps of HCP subjects (HOA2) and 12 whole-head maps (SynthSeg).
Both draw the brainstem as one label. Registration is driven by labels only (brainstem together with
ventral diencephalon, cerebellum, fourth and third ventricle, thalamus): an affine, then SyN on mean
squares of a picture in which every such class has a value of its own.

The two sources end the medulla at different levels of the cord, and not where our atlas does. Both
pictures are therefore cut at the higher of the two ends before the deformable step; below the cut
the transform continues smoothly and the atlas decides where the medulla ends.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
from concurrent.futures import ProcessPoolExecutor
from functools import lru_cache
from pathlib import Path

import numpy as np
from scipy import ndimage

from BrainstemALSLib.anatomy import CONTEXT, by_key, load_structures
from BrainstemALSLib.imaging.volume import Volume

from . import labels as L
from .atlas import atlas_path, close_gaps
from .data import shared_data, work_dir

SPACING = 0.75
BOX_MM = np.array([96.0, 108.0, 120.0])
BOX_SHIFT_MM = np.array([0.0, -6.0, -12.0])  # more room towards cerebellum and cord
REGISTRATION_SPACING = 1.5
CUT_MARGIN_MM = 1.0
# HOA2 maps in which every label from 6 on is one too low (found by ../shared/data's README: there
# is no label 6 and the brainstem is 14). 523032 is named with them but not among the files at hand.
HOA2_SHIFTED = ("192540", "361941", "523032")
# Values of the registration picture: neighbours differ by at least 1.
PICTURE = {"brainstem": 3.0, "thalamus": 2.0, "cerebellum": 1.0, "ventricle": -1.0}

HOA2_CLASSES = {
    "brainstem": (15, 25, 26, 27, 28),
    "thalamus": (16, 17),
    "cerebellum": (29, 30, 31, 32),
    "ventricle": (4, 5),
}
SYNTHSEG_CLASSES = {
    "brainstem": (16, 28, 60),
    "thalamus": (10, 49),
    "cerebellum": (7, 8, 46, 47),
    "ventricle": (14, 15),
}
HOA2_CONTEXT = {
    L.CSF: (1, 2, 3, 4, 6, 18, 19),
    L.DEEP_GREY: (7, 8, 9, 10, 11, 12, 13, 14, 20, 21, 22, 23),
    L.THALAMUS: (16, 17),
    L.VENTRAL_DIENCEPHALON: (25, 26, 27, 28),
    L.CEREBELLAR_GREY: (29, 30),
    L.CEREBELLAR_WHITE: (31, 32),
}
SYNTHSEG_CONTEXT = {
    L.CSF: (4, 5, 14, 24, 43, 44),
    L.CEREBRAL_WHITE: (2, 41, 77, 85),
    L.CEREBRAL_GREY: (3, 42),
    L.CEREBELLAR_WHITE: (7, 46),
    L.CEREBELLAR_GREY: (8, 47),
    L.DEEP_GREY: (11, 12, 13, 17, 18, 26, 50, 51, 52, 53, 54, 58),
    L.THALAMUS: (10, 49),
    L.VENTRAL_DIENCEPHALON: (28, 60),
}
PEDUNCLE = "middle_cerebellar_peduncle"
RIM_MM = 2.0
AQUEDUCT = by_key()["cerebral_aqueduct"].index
FOURTH_VENTRICLE = by_key()["fourth_ventricle"].index
# Every fifth HOA2 and every fourth SynthSeg subject, in name order, never enters training.
HELD_OUT_EVERY = {"hoa2": 5, "synthseg": 4}


def all_cases() -> list[str]:
    """Case names, ``hoa2-100307`` or ``synthseg-01``, in a fixed order."""
    maps = shared_data() / "labelmaps"
    hoa2 = sorted(
        p.name.removesuffix("_dseg.nii.gz") for p in (maps / "hoa2/dseg").glob("*.nii.gz")
    )
    synthseg = sorted(
        p.name.removesuffix(".nii.gz").removeprefix("training_seg_")
        for p in (maps / "synthseg").glob("training_seg_*.nii.gz")
    )
    return [f"hoa2-{name}" for name in hoa2] + [f"synthseg-{name}" for name in synthseg]


def is_held_out(case: str, cases: list[str]) -> bool:
    """Whether a subject is kept from training."""
    source = case.split("-")[0]
    of_source = [name for name in cases if name.startswith(source)]
    return of_source.index(case) % HELD_OUT_EVERY[source] == HELD_OUT_EVERY[source] - 1


def anatomies_dir() -> Path:
    """Folder of the built anatomies."""
    return work_dir() / "anatomies"


def built_cases(held_out: bool) -> list[str]:
    """Names of the built anatomies that are held out, or that are not."""
    cases = all_cases()
    return [
        case
        for case in cases
        if (anatomies_dir() / f"{case}.nii.gz").exists() and is_held_out(case, cases) == held_out
    ]


def data_fingerprint(cases: list[str]) -> str:
    """SHA-256 over the files of anatomies: what a run has learned from."""
    digest = hashlib.sha256()
    for case in cases:
        digest.update(case.encode())
        digest.update((anatomies_dir() / f"{case}.nii.gz").read_bytes())
    return digest.hexdigest()


def load_anatomy(case: str) -> Volume:
    """Read one anatomy: uint8 labels (``labels`` module) on its 0.75 mm RAS box."""
    from BrainstemALSLib.imaging.reading import read_label_map

    return read_label_map(anatomies_dir() / f"{case}.nii.gz")


def load_source_map(case: str) -> tuple[np.ndarray, np.ndarray, str]:
    """Read a source label map with the known shift mended.

    Returns
    -------
    (labels, affine, source)
        int16 array (i, j, k) in RAS order, its affine (4, 4), and ``hoa2`` or ``synthseg``.
    """
    import nibabel as nib

    source, name = case.split("-")
    folder = shared_data() / "labelmaps" / source
    file = f"dseg/{name}_dseg.nii.gz" if source == "hoa2" else f"training_seg_{name}.nii.gz"
    image = nib.as_closest_canonical(nib.load(folder / file))
    array = np.asarray(image.dataobj).astype(np.int16)
    if source == "hoa2" and name in HOA2_SHIFTED:
        array[array >= 6] += 1
    return array, image.affine, source


def _picture(array: np.ndarray, classes: dict[str, tuple[int, ...]]) -> np.ndarray:
    out = np.zeros(array.shape, np.float32)
    for name, values in classes.items():
        out[np.isin(array, values)] = PICTURE[name]
    return out


def _atlas_picture(atlas: np.ndarray) -> np.ndarray:
    """The registration picture of our atlas, in the same classes as the sources.

    The sources end the brainstem before the middle cerebellar peduncle and count that with the
    cerebellum; so does the picture, or the registration would draw the peduncle into the pons.
    """
    out = np.zeros(atlas.shape, np.float32)
    stem = [s.index for s in load_structures() if s.parent != CONTEXT and s.stem != PEDUNCLE]
    out[np.isin(atlas, [*stem, AQUEDUCT, L.VENTRAL_DIENCEPHALON])] = PICTURE["brainstem"]
    out[atlas == L.THALAMUS] = PICTURE["thalamus"]
    peduncle = [s.index for s in load_structures() if s.stem == PEDUNCLE]
    cerebellum = (L.CEREBELLAR_WHITE, L.CEREBELLAR_GREY, *peduncle)
    out[np.isin(atlas, cerebellum)] = PICTURE["cerebellum"]
    out[np.isin(atlas, (FOURTH_VENTRICLE, L.THIRD_VENTRICLE))] = PICTURE["ventricle"]
    return out


@lru_cache(maxsize=1)
def _registration_atlas():
    """Atlas picture at 1.5 mm and atlas labels at 0.5 mm as ANTs images."""
    import nibabel as nib

    image = nib.load(atlas_path())
    labels = np.asarray(image.dataobj).astype(np.float32)
    smooth = ndimage.gaussian_filter(_atlas_picture(labels), 1.0)[::3, ::3, ::3]
    affine = image.affine @ np.diag([3.0, 3.0, 3.0, 1.0])
    return _ants_image(np.ascontiguousarray(smooth), affine), _ants_image(labels, image.affine)


def _ants_image(array: np.ndarray, affine: np.ndarray):
    import ants
    import nibabel as nib

    return ants.from_nibabel_nifti(nib.Nifti1Image(array, affine))


def _lowest_brainstem_z(picture: np.ndarray, affine: np.ndarray) -> float:
    """RAS z of the caudal end: the lowest level with at least 40 mm2 of brainstem."""
    area = (picture > 2.5).sum((0, 1)) * abs(affine[0, 0] * affine[1, 1])
    return float(affine[2, 2] * np.flatnonzero(area >= 40)[0] + affine[2, 3])


def build_anatomy(case: str) -> dict[str, float]:
    """Register, warp, fuse and write one anatomy.

    Returns
    -------
    dict
        Dice of the warped with the subject's own brainstem + ventral diencephalon above the cut,
        and the volume (mm3) of the warped brainstem.
    """
    import ants

    from BrainstemALSLib.imaging.writing import write_volume

    source_labels, source_affine, source = load_source_map(case)
    classes = HOA2_CLASSES if source == "hoa2" else SYNTHSEG_CLASSES
    full = _picture(source_labels, classes)
    stem = np.argwhere(full == PICTURE["brainstem"])
    centre = source_affine[:3, :3] @ stem.mean(0) + source_affine[:3, 3]

    def box(spacing: float) -> tuple[np.ndarray, tuple[int, ...]]:
        affine = np.diag([spacing] * 3 + [1.0])
        affine[:3, 3] = centre + BOX_SHIFT_MM - BOX_MM / 2
        return affine, tuple(int(n) for n in np.round(BOX_MM / spacing))

    def sample(array: np.ndarray, affine: np.ndarray, order: int, spacing: float) -> np.ndarray:
        target, shape = box(spacing)
        matrix = np.linalg.inv(affine) @ target
        return ndimage.affine_transform(array, matrix[:3, :3], matrix[:3, 3], shape, order=order)

    fixed_affine, _ = box(REGISTRATION_SPACING)
    fixed = sample(full, source_affine, 1, REGISTRATION_SPACING)
    atlas_picture, atlas_labels = _registration_atlas()
    moving = ants.to_nibabel_nifti(atlas_picture)
    moving_array, moving_affine = np.asarray(moving.dataobj), moving.affine

    fixed_image = _ants_image(fixed, fixed_affine)
    affine_step = ants.registration(
        fixed_image, atlas_picture, "Affine", aff_metric="meansquares", random_seed=1,
        aff_iterations=(100, 50), aff_shrink_factors=(4, 2), aff_smoothing_sigmas=(2, 1),
        aff_random_sampling_rate=0.3,
    )  # fmt: skip
    rough = ants.apply_transforms(fixed_image, atlas_picture, affine_step["fwdtransforms"]).numpy()
    cut = max(_lowest_brainstem_z(p, fixed_affine) for p in (rough, fixed)) + CUT_MARGIN_MM
    keep = np.arange(fixed.shape[2]) * fixed_affine[2, 2] + fixed_affine[2, 3] >= cut
    weight = ndimage.gaussian_filter1d(keep.astype(np.float32), 1.0)[None, None, :]
    # The atlas is cut by the same plane, seen through the affine.
    plane = ants.apply_transforms(
        atlas_picture,
        _ants_image(np.broadcast_to(weight, fixed.shape).copy(), fixed_affine),
        affine_step["fwdtransforms"],
        whichtoinvert=[True],
        defaultvalue=1.0,
    ).numpy()
    sharpened = ndimage.gaussian_filter(fixed, 0.5) * weight
    moving_cut = _ants_image(np.ascontiguousarray(moving_array * plane), moving_affine)
    step = ants.registration(
        _ants_image(sharpened, fixed_affine), moving_cut, "SyNOnly", random_seed=1,
        initial_transform=affine_step["fwdtransforms"][0], syn_metric="meansquares",
        reg_iterations=(40, 40, 25), flow_sigma=2.0, total_sigma=0.0, grad_step=0.25,
    )  # fmt: skip

    target, shape = box(SPACING)
    reference = _ants_image(np.zeros(shape, np.float32), target)
    warped = ants.apply_transforms(
        reference, atlas_labels, step["fwdtransforms"], interpolator="nearestNeighbor"
    ).numpy()
    warped = warped.astype(np.uint8)
    subject = sample(source_labels, source_affine, 0, SPACING)
    fused = fuse(warped, subject, source)
    anatomies_dir().mkdir(parents=True, exist_ok=True)
    write_volume(Volume(fused, target), anatomies_dir() / f"{case}.nii.gz")
    for path in {*affine_step["fwdtransforms"], *step["fwdtransforms"], *step["invtransforms"]}:
        Path(path).unlink(missing_ok=True)

    own = np.isin(subject, classes["brainstem"])
    theirs = _atlas_picture(warped) == PICTURE["brainstem"]
    above = np.arange(shape[2]) * SPACING + target[2, 3] >= cut
    # Only the part both draw alike is compared: below the top of our midbrain.
    labelled = np.flatnonzero(((warped > 0) & (warped < 60)).any((0, 1)))
    above &= np.arange(shape[2]) <= labelled[-1] - 12
    a, b = own[..., above], theirs[..., above]
    return {
        "brainstem_dice": float(2 * (a & b).sum() / (a.sum() + b.sum())),
        "brainstem_mm3": float(((fused > 0) & (fused < 60)).sum() * SPACING**3),
    }


def fuse(warped: np.ndarray, subject: np.ndarray, source: str) -> np.ndarray:
    """Warped structures first, then the subject's own tissue, then warped context.

    Parameters
    ----------
    warped : numpy.ndarray
        uint8 atlas labels carried into the subject, shape (i, j, k).
    subject : numpy.ndarray
        Source labels on the same box.
    source : str
        ``hoa2`` or ``synthseg``.

    Returns
    -------
    numpy.ndarray
        uint8 labels (``labels`` module) on the same box.
    """
    out = warped.copy()
    fine = (warped > 0) & (warped < 100)
    cord = warped == L.SPINAL_CORD
    for code, values in (HOA2_CONTEXT if source == "hoa2" else SYNTHSEG_CONTEXT).items():
        out[np.isin(subject, values) & ~fine & ~cord] = code
    if source == "synthseg":
        for offset, value in enumerate(L.SYNTHSEG_EXTRACEREBRAL):
            mask = (subject == value) & ~fine & ~cord & (warped != L.CSF)
            out[mask] = L.EXTRACEREBRAL_FIRST + offset
    # What the source calls brainstem and the atlas does not: close to the surface it is error of
    # the registration and belongs to the nearest structure; cord lies below, white matter beside.
    rest = np.isin(subject, (15,) if source == "hoa2" else (16,)) & ~fine & ~cord
    lowest = np.flatnonzero(fine.any((0, 1)))[0]
    out[rest] = L.CEREBELLAR_WHITE
    out[..., :lowest][rest[..., :lowest]] = L.SPINAL_CORD
    stem = np.isin(warped, [s.index for s in load_structures() if s.parent != CONTEXT])
    distance, nearest = ndimage.distance_transform_edt(~stem, sampling=SPACING, return_indices=True)
    rim = rest & (distance <= RIM_MM)
    rim[..., :lowest] = False
    out[rim] = warped[tuple(axis[rim] for axis in nearest)]
    close_gaps(out, SPACING)
    return out


def _job(case: str) -> tuple[str, dict[str, float]]:
    return case, build_anatomy(case)


def main() -> None:
    """Build all anatomies that are not there yet."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--only", nargs="*")
    arguments = parser.parse_args()
    os.environ.setdefault("ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS", "1")
    made = atlas_path().stat().st_mtime

    def is_current(case: str) -> bool:
        path = anatomies_dir() / f"{case}.nii.gz"
        return path.exists() and path.stat().st_mtime >= made

    todo = arguments.only or [case for case in all_cases() if not is_current(case)]
    report = anatomies_dir() / "report.json"
    results = json.loads(report.read_text()) if report.exists() else {}
    with ProcessPoolExecutor(arguments.jobs) as pool:
        for case, figures in pool.map(_job, todo):
            results[case] = figures
            print(case, {name: round(value, 3) for name, value in figures.items()}, flush=True)
            report.write_text(json.dumps(results, indent=1, sort_keys=True))


if __name__ == "__main__":
    main()
