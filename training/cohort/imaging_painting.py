"""Paints the visit of a simulated person: T1 at 1 mm, FA and MD at 2 mm, as one scanner would.

Unlike training's images, which vary without end (``training.synthesis``), these have one protocol
for each site: contrast, sharpness and noise stay, and every visit has its own noise and pose.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.spatial.transform import Rotation

from BrainstemALSLib.anatomy import load_structures
from BrainstemALSLib.anatomy.priors import load_intensity_priors
from BrainstemALSLib.imaging.volume import Volume
from BrainstemALSLib.phantom import painting

from .. import labels as L
from .imaging_shape import VALUES, Shape

T1_MM = 1.0
ROTATION_DEGREES, SHIFT_MM = 6.0, 5.0
"""Limits of a head's pose in a coil, either way; as in training.evaluation.longitudinal_cases."""
TEXTURE, TEXTURE_MM = 0.025, 1.2
"""How much (of white matter) and how finely tissue varies within a structure; own choice."""
CONTRAST, SOFTNESS_MM = (0.8, 1.2), (0.0, 0.5)
"""Between sites: contrast of the brainstem in T1, and blur beside the phantom's; own choice."""
MISREGISTERED_MM, MISREGISTERED_DEGREES = 1.5, 1.5
"""How far the head moves between T1 and diffusion, either way; own choice."""
SURROUNDINGS_MM = 15.0
_BRAIN_LAST = 109


@dataclass(frozen=True)
class Protocol:
    """The T1 of one site.

    Attributes
    ----------
    contrast : float
        Times the difference of the brainstem's structures from their mean.
    softness : float
        mm, standard deviation of blur beside ``phantom.painting.BLUR_MM``.
    """

    contrast: float
    softness: float


def protocol_of(seed: int, site: int) -> Protocol:
    """Return the protocol of a site; the same for every visit there."""
    rng = np.random.default_rng([seed, 77, site])
    return Protocol(float(rng.uniform(*CONTRAST)), float(rng.uniform(*SOFTNESS_MM)))


def paint(
    shape: Shape, fa: np.ndarray, md: np.ndarray, protocol: Protocol, person: int, visit: int
) -> dict[str, Volume]:
    """Return the images of one visit.

    Parameters
    ----------
    shape : Shape
    fa, md : numpy.ndarray, shape (K,)
        Of the tissue of ``spread.STRUCTURES``: 0-1 and 1e-3 mm2/s.
    protocol : Protocol
    person, visit : int
        Seeds: what stays with the person (tissue, surroundings), and of one visit (pose, noise).

    Returns
    -------
    dict
        ``t1`` (1 mm, arbitrary unit), ``fa`` and ``md`` (2 mm, moved a little), RAS mm.
    """
    means = _means(shape.anatomy, fa, md, protocol, person)
    rng = np.random.default_rng([visit, 1])
    pose = _movement(rng, ROTATION_DEGREES, SHIFT_MM, shape.anatomy)
    drift = _movement(rng, MISREGISTERED_DEGREES, MISREGISTERED_MM, shape.anatomy)
    step = np.full(3, T1_MM)
    head = _seen(means["t1"], shape, pose)
    if protocol.softness > 0:
        head = Volume(ndimage.gaussian_filter(head.array, protocol.softness / step), head.affine)
    images = {"t1": Volume(painting.t1_image(head.array, step, rng), head.affine)}
    for name in ("fa", "md"):
        mean = _seen(means[name], shape, pose @ drift)
        image = painting.diffusion_map(mean.array, step, name, rng)
        images[name] = Volume(image.astype(np.float32), mean.affine @ np.diag([2.0, 2.0, 2.0, 1.0]))
    return images


def _means(
    anatomy: Volume, fa: np.ndarray, md: np.ndarray, protocol: Protocol, person: int
) -> dict[str, np.ndarray]:
    """Noise-free T1, FA and MD on the anatomy's voxels, float32."""
    rng = np.random.default_rng([person, 0])
    priors = load_intensity_priors()
    table = {name: np.zeros(256, np.float32) for name in ("t1", "fa", "md")}
    rows = {s.index: s.key for s in load_structures()} | L.CONTEXT_PRIOR
    for value, key in rows.items():
        prior = priors[key]
        table["t1"][value] = prior.t1_relative + 0.03 * painting.BETWEEN_PEOPLE * rng.normal()
        table["fa"][value], table["md"][value] = prior.fa_mean, prior.md_mean
    middle = table["t1"][VALUES].mean()
    table["t1"][VALUES] = middle + protocol.contrast * (table["t1"][VALUES] - middle)
    table["fa"][VALUES], table["md"][VALUES] = fa, md
    # Beyond the brain: patches of skull, fat and muscle, dark and bright.
    for value in range(_BRAIN_LAST + 1, 256):
        table["t1"][value] = rng.uniform(0.0, 1.0)
    labels = _with_surroundings(anatomy, rng)
    grain = ndimage.gaussian_filter(
        rng.standard_normal(labels.shape, dtype=np.float32), TEXTURE_MM / anatomy.spacing
    )
    grain *= TEXTURE / grain.std()
    brain = (labels > 0) & (labels <= _BRAIN_LAST)
    means = {name: table[name][labels] for name in table}
    means["t1"] = np.where(brain, np.maximum(means["t1"] + grain, 0.0), means["t1"])
    for name in ("fa", "md"):  # fitted maps are 0 outside the brain
        means[name] = np.where(brain, means[name], 0.0).astype(np.float32)
    return means


def _with_surroundings(anatomy: Volume, rng: np.random.Generator) -> np.ndarray:
    """Unlabelled space filled with patches that move with the head, uint8."""
    coarse = [int(np.ceil(n * s / (SURROUNDINGS_MM / 2))) + 2
              for n, s in zip(anatomy.shape, anatomy.spacing, strict=True)]  # fmt: skip
    noise = ndimage.gaussian_filter(rng.standard_normal(coarse), 1.5)
    zoom = [n / c for n, c in zip(anatomy.shape, coarse, strict=True)]
    smooth = ndimage.zoom(noise / noise.std(), zoom, order=1)
    patches = np.clip((smooth + 1.5) * 1.6, 0, 4).astype(np.uint8) + np.uint8(200)
    return np.where(anatomy.array == 0, patches, anatomy.array)


def _movement(
    rng: np.random.Generator, degrees: float, millimetres: float, anatomy: Volume
) -> np.ndarray:
    """Rigid movement (4, 4) about the middle of the anatomy, RAS mm."""
    centre = (anatomy.affine @ [*((np.array(anatomy.shape) - 1) / 2), 1.0])[:3]
    turn = Rotation.from_euler("xyz", rng.uniform(-degrees, degrees, 3), degrees=True).as_matrix()
    matrix = np.eye(4)
    matrix[:3, :3] = turn
    matrix[:3, 3] = centre + rng.uniform(-millimetres, millimetres, 3) - turn @ centre
    return matrix


def _seen(mean: np.ndarray, shape: Shape, pose: np.ndarray) -> Volume:
    """A noise-free image of the person in this pose, on 1 mm voxels of the anatomy's box."""
    anatomy = shape.anatomy
    affine = np.diag([T1_MM, T1_MM, T1_MM, 1.0])
    affine[:3, 3] = anatomy.affine[:3, 3]
    size = np.floor((np.array(anatomy.shape) - 1) * anatomy.spacing / T1_MM).astype(int) + 1
    index = np.indices(tuple(size)).reshape(3, -1)
    matrix = np.linalg.inv(anatomy.affine) @ pose @ affine
    person = matrix[:3, :3] @ index + matrix[:3, 3:]
    spacing = anatomy.spacing[:, None]
    moved = np.stack(
        [
            ndimage.map_coordinates(part, person, order=1, mode="nearest")
            for part in shape.displacement
        ]
    )
    looked = ndimage.map_coordinates(mean, person + moved / spacing, order=1, mode="constant")
    return Volume(looked.reshape(tuple(size)).astype(np.float32), affine)
