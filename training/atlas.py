"""Builds the fine training atlas: brainstem structures at 0.5 mm in ICBM 2009 symmetric space.

    python -m training.atlas

Sources and who wins where they overlap (later steps overwrite earlier ones):

1. Allen Human Reference Atlas - 3D: the parcellation, made exactly left/right symmetric.
2. HCP842 tracts: corticospinal tract inside crus and basis pontis, medial lemniscus inside the
   tegmentum of midbrain and pons.
3. CIT168: red nucleus and substantia nigra.
4. ``atlas_brainstem_structures.csv``: position, extent and volume of what no atlas draws
   (periaqueductal grey, dorsal raphe, parabrachial complex, dorsal medullary complex), placed only
   inside the tissue that can hold them.

CIT168 and HCP842 live in ICBM 2009 *asymmetric* space; both are carried over by one SyN
registration of the CIT168 T1 template to the symmetric ICBM T1 before anything is fused.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import ndimage

from BrainstemALSLib.anatomy import CONTEXT, by_key, load_structures
from BrainstemALSLib.cli.icbm import icbm_path
from BrainstemALSLib.imaging.volume import Volume

from . import labels as L
from .data import shared_data, work_dir

SPACING = 0.5
# Voxel centres lie at +-0.25 mm, not at 0, so that the volume has an exact mirror plane.
BOX_LOW = np.array([-44.75, -85.0, -95.0])
BOX_HIGH = np.array([44.75, 25.0, 20.0])
MEDULLA_END_Z = -70.0  # last labelled slice of the Allen atlas
TRACT_SMOOTHING_MM = 0.7  # HCP842 masks are 1 mm binary; smoothing removes their staircase
MAX_GAP_MM = 1.5
CSF_SLEEVE_MM = 3.0  # subarachnoid space around the cord below the atlas


@dataclass(frozen=True)
class Ellipsoid:
    """A structure known by numbers only: centre and axes in RAS mm of the right side."""

    key: str
    rows: tuple[str, ...]
    inside: tuple[str, ...]


# Only tissue listed in ``inside`` may be taken, so a memory-based position can't eat a drawn label.
PLACED = (
    Ellipsoid("parabrachial_complex", ("LPB", "MPB"), ("pontine_tegmentum", "midbrain_tegmentum")),
    Ellipsoid("dorsal_medullary_complex", ("VSM",), ("medullary_tegmentum",)),
    Ellipsoid(
        "dorsal_raphe", ("DR",), ("periaqueductal_grey", "midbrain_tegmentum", "pontine_tegmentum")
    ),
)
# Volume per side (mm3) in the source at probability 0.5, LABELS_hard_p50.tsv, mean of both sides;
# kept, because averaging two sides that do not mirror exactly would shrink what stays above 0.5.
CIT168_MM3 = {"red_nucleus": 371.0, "substantia_nigra": 418.5}
PAG_Z_RANGE = (-17.0, -2.5)  # extent of BN's PAG: centre -8.9, length 16 mm along (0, -0.4, 0.9)


def box_affine() -> np.ndarray:
    """Voxel to RAS affine (4, 4) of the atlas."""
    affine = np.diag([SPACING, SPACING, SPACING, 1.0])
    affine[:3, 3] = BOX_LOW
    return affine


def _box_points() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """RAS coordinates (mm) of the voxel centres along each axis."""
    return tuple(
        np.arange(low, high + SPACING / 2, SPACING)
        for low, high in zip(BOX_LOW, BOX_HIGH, strict=True)
    )


def _sample(array: np.ndarray, affine: np.ndarray, order: int, symmetric: bool) -> np.ndarray:
    """Sample an image on the atlas box; ``symmetric`` reads the right half for both sides."""
    x, y, z = _box_points()
    if symmetric:
        x = np.abs(x)
    inverse = np.linalg.inv(affine)
    points = np.stack(np.meshgrid(x, y, z, indexing="ij"), axis=-1) @ inverse[:3, :3].T
    points += inverse[:3, 3]
    return ndimage.map_coordinates(array, np.moveaxis(points, -1, 0), order=order, prefilter=False)


def _soft_masks_to_symmetric(atlases: Path) -> dict[str, np.ndarray]:
    """CIT168 and HCP842 masks as symmetric soft maps 0-1 on the atlas box.

    Returns maps of the *right* structure, mirrored to both sides, because left and right are
    averaged.
    """
    import ants
    import nibabel as nib

    fixed = ants.image_read(str(icbm_path("t1")))
    folder = atlases / "cit168-subcortical-nuclei"
    moving = ants.image_read(str(folder / "CIT168toMNI152-2009c_T1w_brain.nii.gz"))
    transform = ants.registration(
        fixed, moving, "SyN", random_seed=1, reg_iterations=(40, 20, 0), syn_metric="mattes"
    )["fwdtransforms"]

    paqd = nib.load(folder / "CIT168_LR_PAQD.nii.gz")
    codes = np.asarray(paqd.dataobj)

    def cit168(*labels: int) -> np.ndarray:
        first = np.isin(codes["R"], labels) * (codes["B"] / 255.0)
        return first + np.isin(codes["G"], labels) * (codes["A"] / 255.0)

    hcp = nib.load(atlases / "hcp842-tracts/HCP842_tractography.nii.gz")
    bundles = np.asarray(hcp.dataobj)

    # (left, right) in each source's own grid; CIT168 labels and HCP842 bundle numbers are those of
    # LABELS_hard_p50.tsv and HCP842_BUNDLES.tsv.
    sources = {
        "red_nucleus": (cit168(15), cit168(16), paqd.affine),
        "substantia_nigra": (cit168(13, 17), cit168(14, 18), paqd.affine),
        "corticospinal": (bundles[..., 4], bundles[..., 5], hcp.affine),
        "lemniscal": (bundles[..., 58], bundles[..., 59], hcp.affine),
    }
    maps = {}
    for name, (left, right, affine) in sources.items():
        sides = []
        for mask in (left, right):
            image = ants.from_nibabel_nifti(nib.Nifti1Image(mask.astype(np.float32), affine))
            warped = ants.apply_transforms(fixed, image, transform, interpolator="linear")
            warped = ants.to_nibabel_nifti(warped)
            sides.append(_sample(np.asarray(warped.dataobj), warped.affine, 1, symmetric=False))
        merged = 0.5 * (sides[0][::-1] + sides[1])
        merged[: len(merged) // 2] = 0  # keep the right half ...
        maps[name] = merged + merged[::-1]  # ... and mirror it
    return maps


def _reference_rows() -> dict[str, dict[str, str]]:
    path = shared_data().parent / "reference/atlas_brainstem_structures.csv"
    with path.open(encoding="utf-8", newline="") as handle:
        return {row["id"]: row for row in csv.DictReader(handle)}


def _mahalanobis(row: dict[str, str], side: int) -> np.ndarray:
    """Squared distance of every voxel to an ellipsoid's centre, 1 on its surface."""
    x, y, z = np.meshgrid(*_box_points(), indexing="ij")
    centre = np.array([float(row["x_mni_right"]), float(row["y_mni"]), float(row["z_mni"])])
    long_axis = np.array([float(v) for v in row["long_axis_xyz_right"].split(",")])
    first = long_axis / np.linalg.norm(long_axis)
    lateral = np.array([1.0, 0, 0]) - first[0] * first
    second = lateral / np.linalg.norm(lateral)
    axes = np.stack([first, second, np.cross(first, second)])
    radii = np.array([float(row[f"ax{n}_mm"]) for n in (1, 2, 3)]) / 2
    offset = np.stack([side * x - centre[0], y - centre[1], z - centre[2]], axis=-1)
    return (((offset @ axes.T) / radii) ** 2).sum(-1)


def _take_nearest(distance: np.ndarray, allowed: np.ndarray, volume_mm3: float) -> np.ndarray:
    """Mask of the allowed voxels nearest to a centre, as many as make up the volume."""
    count = min(round(volume_mm3 / SPACING**3), int(allowed.sum()))
    mask = np.zeros(distance.shape, bool)
    candidates = np.flatnonzero(allowed.ravel())
    nearest = candidates[np.argpartition(distance.ravel()[candidates], count - 1)[:count]]
    mask.ravel()[nearest] = True
    return mask


def build_structures() -> Volume:
    """Fuse the sources.

    Returns
    -------
    Volume
        uint8 label map on the 0.5 mm box: ``Structure.index`` and the context of ``labels``.

    Raises
    ------
    BrainstemALSError
        The shared data is absent.
    """
    import nibabel as nib

    atlases = shared_data() / "atlases"
    allen_image = nib.load(atlases / "allen-human-reference-atlas-3d/AllenAtlas.nii.gz")
    allen = _sample(np.asarray(allen_image.dataobj), allen_image.affine, 0, symmetric=True)
    allen[..., _box_points()[2] < MEDULLA_END_Z] = 0  # a thread of central canal reaches further
    icbm = nib.load(icbm_path("t1"))
    head = _sample(np.asarray(icbm.dataobj, np.float32), icbm.affine, 1, symmetric=True)

    x = _box_points()[0][:, None, None]
    sides = {
        "left": np.broadcast_to(x < 0, allen.shape),
        "right": np.broadcast_to(x > 0, allen.shape),
    }
    out = np.zeros(allen.shape, np.uint8)
    out[head > 0] = L.CSF
    out[allen > 0] = L.CEREBRAL_GREY  # what no line below renames is cortex
    for values, code in (
        (L.ALLEN_CEREBRAL_WHITE, L.CEREBRAL_WHITE),
        (L.ALLEN_CEREBELLAR_WHITE, L.CEREBELLAR_WHITE),
        (L.ALLEN_CEREBELLAR_GREY, L.CEREBELLAR_GREY),
        (L.ALLEN_DEEP_GREY, L.DEEP_GREY),
        (L.ALLEN_THALAMUS, L.THALAMUS),
        (L.ALLEN_VENTRAL_DIENCEPHALON, L.VENTRAL_DIENCEPHALON),
        (L.ALLEN_VENTRICLES, L.CSF),
        (L.ALLEN_THIRD_VENTRICLE, L.THIRD_VENTRICLE),
    ):
        out[np.isin(allen, values)] = code

    index = {key: structure.index for key, structure in by_key().items()}
    midline = {stem for stem, s in by_key().items() if s.side == "midline"}

    def paint(mask: np.ndarray, stem: str) -> None:
        if stem in midline:
            out[mask] = index[stem]
            return
        for side, half in sides.items():
            out[mask & half] = index[f"{stem}_{side}"]

    def where(*stems: str) -> np.ndarray:
        wanted = [s.index for s in by_key().values() if s.stem in stems]
        return np.isin(out, wanted)

    for value, stem in (L.ALLEN_STRUCTURES | L.ALLEN_MIDLINE).items():
        paint(allen == value, stem)

    soft = _soft_masks_to_symmetric(atlases)
    sigma = TRACT_SMOOTHING_MM / SPACING
    corticospinal = ndimage.gaussian_filter(soft["corticospinal"], sigma) > 0.5
    lemniscal = ndimage.gaussian_filter(soft["lemniscal"], sigma) > 0.4
    paint(corticospinal & where("crus_pontine"), "cst_crus")
    paint(corticospinal & where("basis_pontis"), "cst_pons")
    paint(lemniscal & where("midbrain_tegmentum"), "medial_lemniscus_midbrain")
    paint(lemniscal & where("pontine_tegmentum"), "medial_lemniscus_pons")

    holders = ("midbrain_tegmentum", "crus_pontine", "cst_crus", "medial_lemniscus_midbrain")
    midbrain = where(*holders) | np.isin(out, (L.VENTRAL_DIENCEPHALON, L.CEREBRAL_WHITE))
    for nucleus in ("substantia_nigra", "red_nucleus"):
        paint(_take_nearest(-soft[nucleus], midbrain, 2 * CIT168_MM3[nucleus]), nucleus)

    rows = _reference_rows()
    z = _box_points()[2][None, None, :]
    to_aqueduct = ndimage.distance_transform_edt(allen != 119) * SPACING
    in_range = (z > PAG_Z_RANGE[0]) & (z < PAG_Z_RANGE[1])
    allowed = where("midbrain_tegmentum", "pontine_tegmentum") & in_range
    paint(
        _take_nearest(to_aqueduct, allowed, float(rows["PAG"]["vol_mm3_per_side"])),
        "periaqueductal_grey",
    )
    for item in PLACED:
        for row in (rows[name] for name in item.rows):
            volume = float(row["vol_mm3_per_side"])
            for side in (1,) if item.key in midline else (1, -1):
                allowed = where(*item.inside) & ~where(item.key)
                if item.key not in midline:
                    allowed &= sides["right" if side > 0 else "left"]
                paint(_take_nearest(_mahalanobis(row, side), allowed, volume), item.key)

    close_gaps(out, SPACING)
    _extend_cord(out)
    return Volume(out, box_affine())


def close_gaps(out: np.ndarray, spacing: float) -> None:
    """Give unlabelled cracks between structures to the nearest one, in place.

    The Allen outlines leave a plane of nothing between crus and pons, and warping opens more; a
    crack narrower than ``MAX_GAP_MM`` is no cistern.

    Parameters
    ----------
    out : numpy.ndarray
        uint8 labels (i, j, k).
    spacing : float
        mm.
    """
    stem = np.isin(out, [s.index for s in load_structures() if s.parent != CONTEXT])
    reach = max(1, int(MAX_GAP_MM / 2 / spacing))
    ball = ndimage.generate_binary_structure(3, 1)
    closed = ndimage.binary_closing(stem, ball, iterations=reach)
    gaps = closed & ~stem & np.isin(out, (0, L.CSF, L.CEREBELLAR_WHITE, L.VENTRAL_DIENCEPHALON))
    nearest = ndimage.distance_transform_edt(~stem, return_distances=False, return_indices=True)
    out[gaps] = out[tuple(axis[gaps] for axis in nearest)]


def _extend_cord(out: np.ndarray) -> None:
    """Continue the last medullary slice downwards as spinal cord in a sleeve of CSF, in place.

    A real head has a cord below the medulla; without one the network would learn that tissue ends
    where the atlas does.
    """
    # The end slice itself is frayed.
    last = round((MEDULLA_END_Z + 1.0 - BOX_LOW[2]) / SPACING)
    medulla = [s.index for s in by_key().values() if s.parent == "medulla"]
    section = np.isin(out[:, :, last], medulla)
    sleeve = ndimage.distance_transform_edt(~section) * SPACING <= CSF_SLEEVE_MM
    for k in range(last):
        below = out[:, :, k]
        below[sleeve & (below == 0)] = L.CSF
        below[section & ~np.isin(below, medulla)] = L.SPINAL_CORD


def atlas_path() -> Path:
    """Where the built atlas lies."""
    return work_dir() / "atlas" / "brainstem_labels.nii.gz"


def main() -> None:
    """Build the atlas, print its volumes and draw it."""
    from BrainstemALSLib.imaging.writing import write_volume

    from .montage import montage

    atlas = build_structures()
    atlas_path().parent.mkdir(parents=True, exist_ok=True)
    write_volume(atlas, atlas_path())
    for structure in by_key().values():
        volume = np.count_nonzero(atlas.array == structure.index) * SPACING**3
        print(f"{structure.index:3d} {structure.key:32s} {volume:8.0f} mm3")
    montage(None, atlas, atlas_path().with_name("atlas.png"), title="Training atlas, 0.5 mm")


if __name__ == "__main__":
    main()
