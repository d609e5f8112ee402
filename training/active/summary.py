"""What the query strategies know of one exam: maps of doubt, labels and a feature vector.

A prediction on the 1 mm box takes 44 MB in float16, and an ensemble several times that. The
strategies never need more than is kept here, 2.5 MB an exam, so a pool of hundreds fits in memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class CaseSummary:
    """What the model says of one exam that nobody has corrected yet.

    Attributes
    ----------
    name : str
        Of the exam within its pool; no name of a patient.
    keys : tuple of str
        Structures of the classes 1, 2 ...; class 0 is the background.
    affine : numpy.ndarray, shape (4, 4)
        Voxel of the box to RAS mm.
    classes : numpy.ndarray, shape (i, j, k)
        uint8, the class that the mean prediction gives each voxel.
    entropy : numpy.ndarray, shape (i, j, k)
        float16, predictive entropy of the mean prediction divided by ``log(classes)``, 0-1.
    disagreement : numpy.ndarray, shape (i, j, k)
        float16, mutual information between prediction and member, in the same unit; 0 where there
        is one member.
    features : numpy.ndarray, shape (f,)
        float32, what tells this exam from others.
    members : int
        Predictions that went into it.
    """

    name: str
    keys: tuple[str, ...]
    affine: np.ndarray
    classes: np.ndarray
    entropy: np.ndarray
    disagreement: np.ndarray
    features: np.ndarray
    members: int

    @property
    def spacing(self) -> np.ndarray:
        """Voxel size in mm along (i, j, k)."""
        return np.linalg.norm(self.affine[:3, :3], axis=0)


def summarise(
    name: str,
    members: Iterable[np.ndarray],
    affine: np.ndarray,
    keys: Sequence[str],
    features: np.ndarray | None = None,
) -> CaseSummary:
    """Summarise the predictions of one exam; they are read one by one and never held together.

    Predictive entropy is that of the mean of the members. Disagreement is BALD: that entropy less
    the mean entropy of the members (Houlsby et al. 2011, arXiv:1112.5745; Gal et al. 2017,
    arXiv:1703.02910).

    Parameters
    ----------
    name : str
    members : iterable of numpy.ndarray, shape (i, j, k, 1 + structures)
        Probabilities, any floating type, the background first.
    affine : numpy.ndarray, shape (4, 4)
        Of the box, to RAS mm.
    keys : sequence of str
        Structures, in the order of the last axis.
    features : numpy.ndarray, shape (f,), optional
        Of the network's bottleneck; ``pooled_features`` of the mean prediction unless given.

    Raises
    ------
    ValueError
        No member, or members that do not fit the keys.
    """
    mean: np.ndarray | None = None
    own, count = 0.0, 0
    for member in members:
        probability = np.asarray(member, np.float32)
        if probability.ndim != 4 or probability.shape[-1] != 1 + len(keys):
            raise ValueError(f"{probability.shape} does not hold {len(keys)} structures")
        own = own + _entropy(probability)
        mean = probability.copy() if mean is None else mean + probability
        count += 1
    if mean is None:
        raise ValueError("a summary needs at least one prediction")
    mean /= count
    scale = 1 / np.log(mean.shape[-1])
    entropy = np.clip(_entropy(mean) * scale, 0, 1)
    disagreement = np.clip(entropy - own / count * scale, 0, 1)
    if features is None:
        features = pooled_features(mean, abs(float(np.linalg.det(affine[:3, :3]))))
    return CaseSummary(
        name=name,
        keys=tuple(keys),
        affine=np.asarray(affine, float),
        classes=winning_classes(mean),
        entropy=entropy.astype(np.float16),
        disagreement=disagreement.astype(np.float16),
        features=np.asarray(features, np.float32),
        members=count,
    )


def _entropy(probabilities: np.ndarray) -> np.ndarray:
    """Shannon entropy in nats over the last axis; scipy's ``entr`` takes four times as long."""
    return -(probabilities * np.log(np.maximum(probabilities, 1e-12))).sum(-1)


def winning_classes(probabilities: np.ndarray) -> np.ndarray:
    """Return the class of each voxel, uint8 (i, j, k), as the segmenter decides.

    Brainstem or not is decided before which structure: where several share a voxel, none of them
    may beat the background although together they do.

    Parameters
    ----------
    probabilities : numpy.ndarray, shape (i, j, k, 1 + structures)
        The background first.
    """
    best = 1 + probabilities[..., 1:].argmax(-1).astype(np.uint8)
    return np.where(probabilities[..., 0] >= 0.5, np.uint8(0), best)


def pooled_features(probabilities: np.ndarray, voxel_mm3: float) -> np.ndarray:
    """Return features of a prediction: volume and certainty of every structure.

    They stand in where the network's inner features cannot be had: a traced TorchScript keeps its
    layers, but they cannot be run one by one, and no hook of Python sees them.

    Parameters
    ----------
    probabilities : numpy.ndarray, shape (i, j, k, 1 + structures)
    voxel_mm3 : float
        Volume of a voxel in mm3.

    Returns
    -------
    numpy.ndarray, shape (2 * structures,)
        float32: log(1 + mm3), and the mean probability where the structure is (0 where it is not).
    """
    flat = probabilities[..., 1:].reshape(-1, probabilities.shape[-1] - 1).astype(np.float32)
    mass = flat.sum(0)
    certainty = np.einsum("nc,nc->c", flat, flat) / np.maximum(mass, 1e-6)
    return np.concatenate([np.log1p(mass * voxel_mm3), certainty]).astype(np.float32)
