"""Small heads that are formulas, so that pose and loss are exact; a light segmenter for them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy.spatial.transform import Rotation

from BrainstemALSLib.anatomy import by_key
from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.imaging.exam import Exam
from BrainstemALSLib.imaging.geometry import box_around
from BrainstemALSLib.imaging.volume import Volume
from BrainstemALSLib.segmentation.result import Segmentation

SHAPE, SPACING = (64, 72, 80), 1.5
RADII = np.array([11.0, 10.0, 28.0])
EDGE_MM = 0.8
KEYS = ("basis_pontis_left", "pyramid_left")


def head(
    seed: int = 1,
    pose: tuple[float, ...] = (0,) * 6,
    loss: float = 0.0,
    noise_seed: int = 0,
    radii: np.ndarray = RADII,
    fluid_mm: float = 4.0,
    diffusion: bool = False,
) -> Exam:
    """Return the exam of a person (``seed``) in a pose (degrees, mm).

    ``loss`` is the share of the volume below the middle that the brainstem has lost in width.
    """
    affine = box_around((0.0, 0.0, 0.0), SHAPE, SPACING)
    index = np.moveaxis(np.indices(SHAPE), 0, -1).reshape(-1, 3)
    points = index * SPACING + affine[:3, 3]
    turn = Rotation.from_euler("xyz", pose[:3], degrees=True).as_matrix()
    points = (points - np.asarray(pose[3:])) @ turn
    rng = np.random.default_rng(seed)
    centres = rng.uniform(-45, 45, (60, 3))
    centres = centres[np.linalg.norm(centres[:, :2], axis=1) > 20]
    image = np.full(len(points), 0.45)
    for centre, height in zip(centres, rng.uniform(-0.3, 0.4, len(centres)), strict=True):
        image += height * np.exp(-((points - centre) ** 2).sum(1) / (2 * 6.0**2))
    # The loss fades in around the middle, and takes the fluid around the brainstem with it.
    lower = 1 / (1 + np.exp(points[:, 2] / 2.0))
    width = np.sqrt(1 - loss * lower)
    scaled = points / radii
    scaled[:, :2] /= width[:, None]
    depth = (1 - np.linalg.norm(scaled, axis=1)) * radii[0]
    inside = 1 / (1 + np.exp(-depth / EDGE_MM))
    fluid = 1 / (1 + np.exp(-(depth + fluid_mm) / EDGE_MM))
    # Nuclei and tracts of the person.
    stem = np.full(len(points), 0.9)
    for centre in rng.uniform(-0.8, 0.8, (25, 3)) * RADII:
        stem += rng.uniform(-0.3, 0.3) * np.exp(-((points - centre) ** 2).sum(1) / (2 * 3.0**2))
    image = image * (1 - fluid) + 0.1 * (fluid - inside) + stem * inside
    noise = np.random.default_rng([seed, noise_seed]).normal(0, 0.01, len(points))
    t1 = np.clip(image + noise, 0, None).reshape(SHAPE).astype(np.float32)
    maps = {}
    if diffusion:
        fa = np.where(inside > 0.5, 0.5 - loss, 0.1).reshape(SHAPE).astype(np.float32)
        maps = {"fa": Volume(fa, affine)}
    return Exam(t1=Volume(t1, affine), names={"t1": f"visit{noise_seed}"}, **maps)


@dataclass(frozen=True)
class Place:
    """As ``segmentation.locate.Location``."""

    centre: np.ndarray


@dataclass
class LightSegmenter:
    """Finds the bright body between dark walls near the middle; counts what it was asked."""

    asked: list[str] = field(default_factory=list)

    def locate(self, exam: Exam) -> Place:
        """Return the middle of the bright body; an empty image has none."""
        inside = self._body(exam.t1, np.zeros(3))
        if not inside.any():
            raise BrainstemALSError(
                "T1", "no brainstem was found in this image", "Check it.", ExitCode.NO_BRAINSTEM
            )
        middle = np.argwhere(inside).mean(0)
        return Place((exam.t1.affine @ [*middle, 1.0])[:3])

    def segment(self, exam: Exam, progress=None, place: Place | None = None) -> Segmentation:
        """Label the upper half as one structure and the lower as another."""
        self.asked.append(exam.names["t1"])
        t1 = exam.t1
        soft = self._body(t1, place.centre).astype(np.float32)
        index = np.moveaxis(np.indices(t1.shape), 0, -1)
        z = (index @ t1.affine[:3, :3].T + t1.affine[:3, 3])[..., 2]
        upper = z > place.centre[2]
        probabilities = np.stack([soft * upper, soft * ~upper], -1).astype(np.float16)
        values = [by_key()[key].index for key in KEYS]
        labels = np.where(soft > 0.5, np.where(upper, *values), 0).astype(np.uint8)
        return Segmentation(
            labels=Volume(labels, t1.affine),
            entropy=Volume(np.zeros(t1.shape, np.float32), t1.affine),
            probabilities=Volume(probabilities, t1.affine),
            keys=KEYS,
            confidence=dict.fromkeys(KEYS, 1.0),
            intracranial_mm3=None,
            modalities=("t1",),
            device="cpu",
            device_reason="test",
            model={"structures": {"name": "light", "sha256": "light"}},
        )

    @staticmethod
    def _body(t1: Volume, centre: np.ndarray) -> np.ndarray:
        index = np.moveaxis(np.indices(t1.shape), 0, -1)
        points = index @ t1.affine[:3, :3].T + t1.affine[:3, 3] - centre
        near = (np.abs(points) < [18, 17, 36]).all(-1) & (
            np.linalg.norm(points / (RADII + 2.0), axis=-1) < 1
        )
        level = np.median(t1.array[near])
        return near & (t1.array > 0.55 * level) if level > 0 else np.zeros(t1.shape, bool)
