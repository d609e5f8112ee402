"""Fits where the fibres of each structure run, to the bundles of HCP842.

    python -m training.fibre_directions

The direction of a bundle at a voxel is the first principal axis of the bundle around it (a
Gaussian window): a bundle is longer than wide. The directions inside a structure become a linear
field about its centroid, left and right averaged by mirroring. Writes
Resources/Anatomy/fibre_directions.tsv.
"""

from __future__ import annotations

import csv
from functools import cache, lru_cache

import numpy as np
from scipy import ndimage

from BrainstemALSLib.anatomy import load_structures
from BrainstemALSLib.anatomy.fibres import FibreDirection

from .atlas import atlas_path
from .data import repository, shared_data

TARGET = "Anatomy/fibre_directions.tsv"
AXES = "xyz"
COLUMNS = (
    "key",
    *AXES,
    *(f"d{a}_d{b}" for a in AXES for b in AXES),
    "spread_deg",
    "status",
    "source",
)
# Structure stem to bundles of its left side, by number in HCP842_BUNDLES.tsv, and the window (mm)
# in which a bundle is seen to be longer than wide.
LEFT_BUNDLES: dict[str, tuple[tuple[int, ...], float]] = {
    "cst_crus": ((4,), 4.0),
    "cst_pons": ((4,), 4.0),
    "crus_pontine": ((10, 12, 16, 18), 4.0),
    "medial_lemniscus_midbrain": ((58,), 4.0),
    "medial_lemniscus_pons": ((58,), 4.0),
    "midbrain_tegmentum": ((52, 58, 60, 64), 3.0),
    "pontine_tegmentum": ((52, 58, 60, 64), 3.0),
    "dorsal_medullary_complex": ((52, 54, 60), 3.0),
    "superior_cerebellar_peduncle": ((50,), 4.0),
    "middle_cerebellar_peduncle": ((49,), 8.0),
    "basis_pontis": ((49,), 8.0),
    "inferior_cerebellar_peduncle": ((47,), 4.0),
    "red_nucleus": ((50, 62), 4.0),
    "substantia_nigra": ((10, 12, 16, 18), 4.0),
    "inferior_colliculus": ((56,), 4.0),
    "parabrachial_complex": ((50, 52), 4.0),
    "periaqueductal_grey": ((54,), 3.0),
}
MIDLINE = (49, 50)  # one mask for both sides
NEAR_MM = 2.0  # the atlas' tracts and HCP842's lie this close; see docs/decisions/0004
FEWEST_VOXELS = 20
# HCP842 ends at z = -50 mm, above most of the medulla: these run along the long axis of a label,
# with a spread (degrees) of our own. Structure stem to the stems whose voxels give the axis.
ALONG_LABEL = {
    "pyramid": (("pyramid",), 10.0),
    "medullary_tegmentum": (("pyramid", "dorsal_medullary_complex"), 20.0),
}
FLIP = np.array([-1.0, 1.0, 1.0])


def main() -> None:
    """Write the table."""
    import nibabel as nib

    atlas = nib.load(atlas_path())
    labels = np.asarray(atlas.dataobj)
    rows = []
    for stem in dict.fromkeys(s.stem for s in load_structures()):
        sides = {s.side: s for s in load_structures() if s.stem == stem}
        first = sides.get("left") or sides["midline"]
        if stem in ALONG_LABEL:
            fitted = _along_label(labels, atlas.affine, *ALONG_LABEL[stem])
        elif stem in LEFT_BUNDLES:
            fitted = _fit(labels == first.index, atlas.affine, *LEFT_BUNDLES[stem], "left" in sides)
        else:
            continue
        if "midline" in sides:
            rows.append(_row(first.key, fitted))
            continue
        rows.append(_row(sides["left"].key, fitted))
        mirrored = FibreDirection(
            fitted.direction * FLIP,
            fitted.gradient * np.outer(FLIP, FLIP),
            fitted.spread_deg,
            fitted.status,
            fitted.source,
        )
        rows.append(_row(sides["right"].key, mirrored))
    path = repository() / "Resources" / TARGET
    with path.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle, delimiter="\t", lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(rows)
    print(f"{len(rows)} rows in {path.name}")


def _row(key: str, fibre: FibreDirection) -> list[str]:
    numbers = [
        *(f"{v:.3f}" for v in fibre.direction),
        *(f"{v:.4f}" for v in fibre.gradient.ravel()),
    ]
    return [key, *numbers, f"{fibre.spread_deg:.0f}", fibre.status, fibre.source]


@lru_cache(maxsize=1)
def _bundles() -> tuple[np.ndarray, np.ndarray]:
    import nibabel as nib

    image = nib.load(shared_data() / "atlases/hcp842-tracts/HCP842_tractography.nii.gz")
    return np.asarray(image.dataobj), image.affine


@cache
def _axes(number: int, window_mm: float) -> tuple[np.ndarray, np.ndarray]:
    """Points (n, 3) of a bundle in RAS mm and its unit directions (n, 3) there."""
    bundles, affine = _bundles()
    mask = bundles[..., number] > 0
    box = ndimage.find_objects(mask.astype(np.uint8))[0]
    margin = int(3 * window_mm)
    box = tuple(
        slice(max(s.start - margin, 0), min(s.stop + margin, n))
        for s, n in zip(box, mask.shape, strict=True)
    )
    part = mask[box].astype(np.float32)
    index = np.stack(np.meshgrid(*(np.arange(s.start, s.stop) for s in box), indexing="ij"))
    index = index.astype(np.float32) - index.reshape(3, -1).mean(1)[:, None, None, None]

    def window(image: np.ndarray) -> np.ndarray:
        return ndimage.gaussian_filter(image, window_mm, mode="constant", truncate=3.0)[part > 0]

    weight = window(part)
    mean = np.stack([window(part * x) for x in index]) / weight
    second = np.empty((len(weight), 3, 3))
    for a in range(3):
        for b in range(a, 3):
            moment = window(part * index[a] * index[b]) / weight - mean[a] * mean[b]
            second[:, a, b] = second[:, b, a] = moment
    turn = affine[:3, :3]
    direction = np.linalg.eigh(turn @ second @ turn.T)[1][..., -1]
    points = np.argwhere(mask) @ turn.T + affine[:3, 3]
    return points, direction


def _along_label(
    labels: np.ndarray, affine: np.ndarray, stems: tuple[str, ...], spread: float
) -> FibreDirection:
    """Direction of the long axis of labels of the left side, the same everywhere."""
    axes = []
    for stem in stems:
        index = next(s.index for s in load_structures() if s.key == f"{stem}_left")
        points = np.argwhere(labels == index) @ affine[:3, :3].T
        axis = np.linalg.eigh(np.cov(points.T))[1][:, -1]
        axes.append(axis * np.sign(axis[2]))
    direction = np.sum(axes, 0) / np.linalg.norm(np.sum(axes, 0))
    source = f"long axis of {', '.join(stems)} in the training atlas"
    return FibreDirection(direction, np.zeros((3, 3)), spread, "derived", source)


def _fit(
    mask: np.ndarray, affine: np.ndarray, numbers: tuple[int, ...], window_mm: float, sided: bool
) -> FibreDirection:
    """Fit the field of one structure; with sides, the right side's bundles are mirrored in."""
    inside = np.argwhere(mask) @ affine[:3, :3].T + affine[:3, 3]
    centre = inside.mean(0)
    near = ndimage.distance_transform_edt(~mask, affine[0, 0]) <= NEAR_MM
    inverse = np.linalg.inv(affine)
    offsets, directions = [], []
    for number in numbers:
        for mirrored in (False, True):
            other = number if number in MIDLINE or not mirrored else number + 1
            points, found = _axes(other, window_mm)
            if mirrored:
                points, found = points * FLIP, found * FLIP
            index = np.rint(points @ inverse[:3, :3].T + inverse[:3, 3]).astype(int)
            valid = ((index >= 0) & (index < mask.shape)).all(1)
            chosen = np.flatnonzero(valid)[near[tuple(index[valid].T)]]
            offsets.append(points[chosen] - centre)
            directions.append(found[chosen])
    offsets, directions = np.concatenate(offsets), np.concatenate(directions)
    if len(offsets) < FEWEST_VOXELS:
        raise SystemExit(f"too few bundle voxels ({len(offsets)}) for bundles {numbers}")
    # Directions have no sign: all are turned to the side of their common axis before the fit.
    common = np.linalg.eigh(directions.T @ directions)[1][:, -1]
    common *= np.sign(common[np.argmax(np.abs(common))])
    directions = directions * np.where(directions @ common >= 0, 1.0, -1.0)[:, None]
    # Ridge: a thin structure says nothing of the change across it.
    design = np.concatenate([np.ones((len(offsets), 1)), offsets], 1)
    ridge = np.diag([0.0, *(3 * [0.05 * len(offsets) * 9.0])])
    solution = np.linalg.solve(design.T @ design + ridge, design.T @ directions)
    scale = np.linalg.norm(solution[0])
    fibre = FibreDirection(solution[0] / scale, solution[1:].T / scale, 0.0, "atlas", "")
    cosine = np.abs((fibre.at(offsets) * directions).sum(1)).clip(0, 1)
    spread = float(np.sqrt(np.mean(np.degrees(np.arccos(cosine)) ** 2)))
    reach = f"{len(offsets)} voxels of HCP842 bundles {', '.join(map(str, numbers))}"
    if not sided:
        # A structure on the midline is its own mirror image, and so is its field.
        keep = np.outer(FLIP, FLIP) > 0
        direction = fibre.direction * np.array([0.0, 1.0, 1.0])
        fibre = FibreDirection(
            direction / np.linalg.norm(direction), fibre.gradient * keep, 0.0, "atlas", ""
        )
    return FibreDirection(fibre.direction, fibre.gradient, spread, "atlas", f"fitted to {reach}")


if __name__ == "__main__":
    main()
