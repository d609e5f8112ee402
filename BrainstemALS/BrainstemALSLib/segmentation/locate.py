"""Finds the brainstem in a T1 of any orientation, and estimates the intracranial volume."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from scipy import ndimage

from ..errors import BrainstemALSError, ExitCode
from ..imaging.geometry import resample, shrunk
from ..imaging.volume import Volume
from .field_of_view import padded_area
from .preprocess import LOCATOR_SPACING_MM, grounded, normalise_t1

MULTIPLE = 16  # the locator halves its grid three times; 16 leaves it room
BORDER_VOXELS = 1
BRIDGE_VOXELS = 2  # false brain in neck muscles hangs on by less than 16 mm
# Two thirds of the smallest adult brainstem; noise and tops of heads reach 12000.
MIN_BRAINSTEM_MM3 = 14_000.0
MIN_PROBABILITY = 0.5
# Intracranial area at the ends of the image above which the head is cut: a neck leaves up to
# 700 mm2 there by mistake, a cut through the cerebellum over 5000.
MAX_HEAD_FACE_MM2 = 1500.0
# The same where the image goes on, but empty. A whole brain without its skull touches such a face
# too: a cap of 6 mm of a sphere of 70 mm has 2500 mm2. A cut through the cerebellum has over 5000.
MAX_PADDED_FACE_MM2 = 3500.0


@dataclass(frozen=True)
class Location:
    """Where the brainstem is.

    Attributes
    ----------
    centre : numpy.ndarray, shape (3,)
        RAS millimetres.
    brainstem_mm3 : float
        Rough volume at 4 mm; only to judge the finding.
    intracranial_mm3 : float or None
        None when the head is cut by the field of view.
    """

    centre: np.ndarray
    brainstem_mm3: float
    intracranial_mm3: float | None


def _coarse_grid(t1: Volume) -> tuple[np.ndarray, tuple[int, ...], np.ndarray]:
    """RAS grid at 4 mm that holds the whole image: affine, shape, and the image's RAS extent."""
    last = np.array(t1.shape[:3]) - 0.5
    corners = np.array(list(product(*((-0.5, n) for n in last))))
    corners = corners @ t1.affine[:3, :3].T + t1.affine[:3, 3]
    low, high = corners.min(0), corners.max(0)
    size = np.ceil((high - low) / LOCATOR_SPACING_MM).astype(int)
    shape = np.maximum(np.ceil(size / MULTIPLE).astype(int), 2) * MULTIPLE
    affine = np.diag([LOCATOR_SPACING_MM] * 3 + [1.0])
    affine[:3, 3] = (low + high) / 2 - (shape - 1) / 2 * LOCATOR_SPACING_MM
    return affine, tuple(int(n) for n in shape), np.stack([low, high])


def locate(t1: Volume, network: Any, classes: tuple[str, ...], device: str, name: str) -> Location:
    """Find the brainstem.

    Parameters
    ----------
    t1 : Volume
        T1 with any affine and intensity scale.
    network : torch.jit.ScriptModule
        The locator.
    classes : tuple of str
        Its output classes.
    device : str
        Where it is.
    name : str
        File name for the error.

    Raises
    ------
    BrainstemALSError
        NO_BRAINSTEM: nothing in the image looks like one.
    """
    import torch

    affine, shape, _ = _coarse_grid(t1)
    coarse = resample(shrunk(grounded(t1), LOCATOR_SPACING_MM), shape, affine)
    covered = _covered(t1, affine, shape)
    image = torch.from_numpy(np.ascontiguousarray(coarse.array))[None, None].to(device)
    with torch.inference_mode():
        probability = network(normalise_t1(image)).softmax(1)[0].float().cpu().numpy()
    probability *= covered
    stem = probability[classes.index("brainstem")]
    pieces, count = ndimage.label(stem > MIN_PROBABILITY)
    voxel = LOCATOR_SPACING_MM**3
    sizes = ndimage.sum_labels(stem, pieces, range(1, count + 1)) * voxel if count else np.zeros(1)
    if sizes.max() < MIN_BRAINSTEM_MM3:
        raise BrainstemALSError(
            name,
            "no brainstem was found in this image",
            "Check that it is a T1-weighted MRI of a head, with the brainstem in view and with the "
            "right orientation in its header.",
            ExitCode.NO_BRAINSTEM,
        )
    largest = 1 + int(sizes.argmax())
    middle = np.array(ndimage.center_of_mass(stem, pieces, largest))
    centre = affine[:3, :3] @ middle + affine[:3, 3]
    head = (1.0 - probability[classes.index("background")]) * covered
    cut = padded_area(t1, head > MIN_PROBABILITY, affine) > MAX_PADDED_FACE_MM2
    volume = None if cut else _intracranial(head, covered, pieces == largest)
    return Location(centre, float(sizes.max()), volume)


def _covered(t1: Volume, affine: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Voxels of the coarse grid that lie within the image, bool."""
    matrix = np.linalg.inv(t1.affine) @ affine
    index = np.moveaxis(np.indices(shape), 0, -1) @ matrix[:3, :3].T + matrix[:3, 3]
    return ((index >= -0.5) & (index <= np.array(t1.shape[:3]) - 0.5)).all(-1)


def _intracranial(head: np.ndarray, covered: np.ndarray, stem: np.ndarray) -> float | None:
    """Sum of intracranial probability in mm3; None when the image ends inside the head.

    Only what hangs together with the brainstem counts, after an opening that cuts thin bridges into
    the neck. The head is cut when its intracranial part touches the end of the field of view in
    more than a few voxels; at the neck it always ends before.
    """
    opened = ndimage.binary_opening(head > 0.5, iterations=BRIDGE_VOXELS) | stem
    pieces, _ = ndimage.label(opened)
    values, counts = np.unique(pieces[stem], return_counts=True)
    inside = ndimage.binary_dilation(pieces == values[counts.argmax()], iterations=2)
    head = head * inside
    inner = ndimage.binary_erosion(covered, iterations=BORDER_VOXELS)
    rim = (head > 0.5) & covered & ~inner
    if rim.sum() * LOCATOR_SPACING_MM**2 > MAX_HEAD_FACE_MM2:
        return None
    return float(head.sum() * LOCATOR_SPACING_MM**3)
