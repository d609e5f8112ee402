"""What several annotators say together, and where they do not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..imaging.geometry import to_sitk
from ..imaging.volume import Volume

METHODS = ("staple", "majority")
_UNDECIDED = 255
# Background around what is labelled that STAPLE sees: enough to be a class of its own, not so much
# that agreement on it drowns everything else (our own choice).
_MARGIN_VOXELS = 2


@dataclass(frozen=True, eq=False)
class Opinions:
    """Labels of several annotators on one box.

    Attributes
    ----------
    labels : numpy.ndarray, shape (n, i, j, k)
        uint8, values are ``Structure.index``.
    vouched : numpy.ndarray, shape (n, i, j, k)
        bool, where each annotator vouches for the label.
    affine : numpy.ndarray, shape (4, 4)
        Voxel index to RAS millimetres.
    """

    labels: np.ndarray
    vouched: np.ndarray
    affine: np.ndarray

    @property
    def disputed(self) -> np.ndarray:
        """Where two vouching annotators say different things, shape (i, j, k), bool."""
        low = np.where(self.vouched, self.labels, 255).min(axis=0)
        high = np.where(self.vouched, self.labels, 0).max(axis=0)
        return (self.vouched.sum(axis=0) > 1) & (low != high)


@dataclass(frozen=True, eq=False)
class Consensus:
    """One labelling out of several.

    Attributes
    ----------
    method : str
        One of ``METHODS``.
    labels : Volume
        uint8; where it is undecided or nobody vouches, the model's prediction.
    decided : Volume
        bool: where the labels are the annotators' and not the model's.
    """

    method: str
    labels: Volume
    decided: Volume


def disagreement_of(opinions: Opinions) -> Volume:
    """Return the share of vouching annotators who are not of the largest group, float32, 0-1.

    Two who differ give 0.5, one against two 0.33; fewer than two who vouch give 0.
    """
    share = np.zeros(opinions.labels.shape[1:], np.float32)
    where = opinions.disputed
    _, votes = _votes(opinions.labels[:, where], opinions.vouched[:, where])
    if votes.size:
        share[where] = 1 - votes.max(axis=0) / votes.sum(axis=0)
    return Volume(share, opinions.affine)


def consensus_of(opinions: Opinions, prediction: np.ndarray, method: str = "staple") -> Consensus:
    """Return the consensus of the annotators.

    ``majority``: the label with most votes of those who vouch (``SimpleITK.LabelVoting``, with
    abstentions); a tie is undecided. ``staple``: votes weighted by how well each annotator agrees
    with the rest on each structure (``SimpleITK.MultiLabelSTAPLE``; Rohlfing et al. 2003,
    doi:10.1007/978-3-540-45087-0_18), which has no abstentions: who does not vouch for a voxel is
    given the majority's label there, which favours nobody.

    Parameters
    ----------
    opinions : Opinions
        Of two annotators or more.
    prediction : numpy.ndarray, shape (i, j, k)
        The model's labels, for what stays undecided.
    method : str
        One of ``METHODS``.

    Raises
    ------
    ValueError
        Another method.
    """
    if method not in METHODS:
        raise ValueError(f"the method is one of {METHODS}, not {method}")
    labels, decided = _majority(opinions, prediction)
    if method == "staple" and opinions.disputed.any():
        labels, decided = _staple(opinions, labels, prediction)
    return Consensus(method, Volume(labels, opinions.affine), Volume(decided, opinions.affine))


def _majority(opinions: Opinions, prediction: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    someone = opinions.vouched.any(axis=0)
    first = opinions.vouched.argmax(axis=0)
    labels = np.take_along_axis(opinions.labels, first[None], axis=0)[0]
    decided = someone.copy()
    where = opinions.disputed
    values, votes = _votes(opinions.labels[:, where], opinions.vouched[:, where])
    if votes.size:
        labels[where] = values[votes.argmax(axis=0)]
        decided[where] = (votes == votes.max(axis=0)).sum(axis=0) == 1
    labels[~decided] = prediction[~decided]
    return labels, decided


def _staple(
    opinions: Opinions, majority: np.ndarray, prediction: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    import SimpleITK as sitk

    filled = np.where(opinions.vouched, opinions.labels, majority)
    box = _box(filled.any(axis=0), _MARGIN_VOXELS)
    images = [to_sitk(Volume(np.ascontiguousarray(one[box]), opinions.affine)) for one in filled]
    result = sitk.MultiLabelSTAPLE(images, _UNDECIDED)
    labels, someone = majority.copy(), opinions.vouched.any(axis=0)
    # The volume's own transposition, backwards: (z, y, x) to (i, j, k).
    labels[box] = sitk.GetArrayFromImage(result).transpose(2, 1, 0)
    decided = someone & (labels != _UNDECIDED)
    labels[~decided] = prediction[~decided]
    return labels, decided


def _votes(labels: np.ndarray, vouched: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the labels that got votes and the number of each, shape (labels, voxels)."""
    values = np.unique(labels[vouched])
    votes = [((labels == value) & vouched).sum(axis=0) for value in values]
    return values, np.array(votes, dtype=np.int32).reshape(len(values), labels.shape[1])


def _box(mask: np.ndarray, margin: int) -> tuple[slice, ...]:
    from scipy import ndimage

    found = ndimage.find_objects(mask.astype(np.uint8))[0]
    return tuple(slice(max(part.start - margin, 0), part.stop + margin) for part in found)
