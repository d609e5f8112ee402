"""Maps of the subcortical structures around the brainstem: what transfer learns from.

HOA2 and SynthSeg maps of the anatomies that may be learned from, and the Allen atlas. Their
brainstem is one label or is not looked at: it is painted as one tissue and taught as background,
so that nothing of the brainstem's own structures can come in by this way.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy import ndimage

from .. import labels as L
from ..anatomies import load_source_map
from ..data import shared_data
from ..geometry_augmentation import Draw, look_up, misregistered, window_points
from ..synthesis import render
from .bank import Tensors, packed, seeds_of, size_with_margin
from .settings import Images

ALLEN = "allen"
ALLEN_FILE = "atlases/allen-human-reference-atlas-3d/AllenAtlas.nii.gz"
BOX_MM = 75.0  # kept of a map to each side of the brainstem's middle: a raised, turned window fits


@dataclass(frozen=True)
class Target:
    """One structure that is learned.

    Attributes
    ----------
    name : str
    paint : int
        Context value (``training.labels``) whose intensities it takes.
    hoa2, synthseg : tuple of int
        Labels of the left, then of the right.
    allen : tuple of int
        Labels of both sides: they are told apart by the midline.
    sided : bool
        Whether left and right are different classes.
    """

    name: str
    paint: int
    hoa2: tuple[int, ...]
    synthseg: tuple[int, ...]
    allen: tuple[int, ...]
    sided: bool = True


TARGETS = (
    Target("thalamus", L.THALAMUS, (16, 17), (10, 49), L.ALLEN_THALAMUS),
    Target("caudate", L.DEEP_GREY, (9, 10), (11, 50), (6, 7, 8)),
    Target("putamen", L.DEEP_GREY, (11, 12), (12, 51), (9, 134)),
    # Pallidum is full of fibres and iron: in T1 it is nearly as bright as white matter.
    Target("pallidum", L.CEREBRAL_WHITE, (13, 14), (13, 52), (11, 12)),
    Target("hippocampus", L.DEEP_GREY, (20, 21), (17, 53), (105, 106, 107)),
    Target("amygdala", L.DEEP_GREY, (22, 23), (18, 54), tuple(range(16, 26))),
    Target(
        "ventral diencephalon", L.VENTRAL_DIENCEPHALON, (25, 27, 26, 28), (28, 60),
        L.ALLEN_VENTRAL_DIENCEPHALON,
    ),
    Target("cerebellar cortex", L.CEREBELLAR_GREY, (29, 30), (8, 47), (62, 120, 121)),
    Target("cerebellar white matter", L.CEREBELLAR_WHITE, (31, 32), (7, 46), (63, 64)),
    Target("lateral ventricle", L.CSF, (1, 18, 2, 19), (4, 5, 43, 44), L.ALLEN_VENTRICLES),
    Target("third ventricle", L.THIRD_VENTRICLE, (4,), (14,), L.ALLEN_THIRD_VENTRICLE, False),
)  # fmt: skip
"""The HOA2 maps' table is hoa2/lut/dseg.tsv, SynthSeg's synthseg/labels_table.txt, Allen's
AllenAtlas_itksnap_labels.txt."""
UNTAUGHT = {
    "hoa2": {L.CSF: (3, 5, 6), L.DEEP_GREY: (7, 8)},
    "synthseg": {
        L.CSF: (15, 24), L.CEREBRAL_WHITE: (2, 41, 77, 85), L.CEREBRAL_GREY: (3, 42),
        L.DEEP_GREY: (26, 58),
    },
    ALLEN: {L.CSF: (119, 129), L.CEREBRAL_WHITE: L.ALLEN_CEREBRAL_WHITE, L.DEEP_GREY: (10, 13, 14)},
}  # fmt: skip
"""What is painted and not taught, by source."""
BRAINSTEM = {
    "hoa2": (15,),
    "synthseg": (16,),
    ALLEN: (*L.ALLEN_STRUCTURES,),
}
BRAINSTEM_PAINT = L.SPINAL_CORD


def class_names() -> tuple[str, ...]:
    """Names of the classes that are taught, from 1 on; 0 is everything else."""
    return tuple(
        name
        for target in TARGETS
        for name in (
            (f"{target.name}, left", f"{target.name}, right") if target.sided else (target.name,)
        )
    )


def mirror() -> torch.Tensor:
    """uint8 (256,): class to that of the other side."""
    table, names = torch.arange(256, dtype=torch.uint8), class_names()
    for number, name in enumerate(names, start=1):
        other = name.replace("left", "RIGHT").replace("right", "left").replace("RIGHT", "right")
        table[number] = 1 + names.index(other)
    return table


@dataclass(frozen=True)
class SubcorticalMap:
    """One map: what it is painted with, what is taught, and where it lies.

    Attributes
    ----------
    paint, classes : torch.Tensor
        uint8 (i, j, k): context values, and classes of ``class_names``.
    inverse : torch.Tensor, shape (4, 4)
        RAS mm to voxel index.
    centre : torch.Tensor, shape (3,)
        Middle of the brainstem, RAS mm.
    """

    paint: torch.Tensor
    classes: torch.Tensor
    inverse: torch.Tensor
    centre: torch.Tensor


def prepared(array: np.ndarray, affine: np.ndarray, source: str) -> SubcorticalMap:
    """Paint and class a source map.

    Parameters
    ----------
    array : numpy.ndarray
        Labels of the source, (i, j, k) in RAS order.
    affine : numpy.ndarray, shape (4, 4)
    source : str
        ``hoa2``, ``synthseg`` or ``allen``.
    """
    stem = np.isin(array, BRAINSTEM[source])
    centre = affine[:3, :3] @ np.array(ndimage.center_of_mass(stem)) + affine[:3, 3]
    middle = np.linalg.inv(affine) @ [*centre, 1.0]
    reach = BOX_MM / np.linalg.norm(affine[:3, :3], axis=0)
    low = np.maximum(np.floor(middle[:3] - reach), 0).astype(int)
    high = np.minimum(np.ceil(middle[:3] + reach), array.shape).astype(int)
    box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    array, stem, affine = array[box], stem[box], affine.copy()
    affine[:3, 3] += affine[:3, :3] @ low
    paint, classes = np.zeros((2, *array.shape), np.uint8)
    for value, values in UNTAUGHT[source].items():
        paint[np.isin(array, values)] = value
    left = np.arange(array.shape[0]) * affine[0, 0] + affine[0, 3] < centre[0]
    number = 1
    for target in TARGETS:
        values = getattr(target, source)
        every = np.isin(array, values)
        paint[every] = target.paint
        if not target.sided:
            classes[every] = number
            number += 1
            continue
        if source == ALLEN:
            on_left = every & left[:, None, None]
        else:
            on_left = np.isin(array, values[: len(values) // 2])
        classes[every] = number + 1
        classes[on_left] = number
        number += 2
    paint[stem] = BRAINSTEM_PAINT
    return SubcorticalMap(
        torch.from_numpy(paint),
        torch.from_numpy(classes),
        torch.from_numpy(np.linalg.inv(affine).astype(np.float32)),
        torch.from_numpy(centre.astype(np.float32)),
    )


def load_map(case: str) -> SubcorticalMap:
    """Read the source map of an anatomy, or the Allen atlas."""
    if case != ALLEN:
        return prepared(*load_source_map(case))
    import nibabel as nib

    image = nib.as_closest_canonical(nib.load(shared_data() / ALLEN_FILE))
    return prepared(np.asarray(image.dataobj).astype(np.int16), image.affine, ALLEN)


def draw_images(
    source: SubcorticalMap, case: str, images: Images, seed: int, raise_mm: float
) -> Tensors:
    """Draw T1, FA and MD of a map in deformed windows, and its classes.

    Parameters
    ----------
    source : SubcorticalMap
    case : str
        Its name; the seeds come from it.
    images : Images
    seed : int
    raise_mm : float
        By how much a window may be moved up, at most.
    """
    shape, spacing = size_with_margin(images), images.spacing_mm
    drawn, labels = [], []
    for one in seeds_of(case, images.subcortical_renders, seed):
        draw = Draw(torch.Generator().manual_seed(one))
        centre = source.centre + torch.tensor([0.0, 0.0, draw.number(0, raise_mm)])
        points = window_points(draw, centre, centre[None], shape, spacing)
        moved = misregistered(draw, points, spacing)
        t1_sees, diffusion_sees = (
            look_up(source.paint, source.inverse, p) for p in (points, moved)
        )
        drawn.append(packed(render(draw, t1_sees, diffusion_sees, None, spacing)))
        labels.append(look_up(source.classes, source.inverse, points))
    return {"images": torch.stack(drawn), "labels": torch.stack(labels)}
