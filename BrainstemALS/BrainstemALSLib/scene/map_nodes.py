"""Diffusion maps that a run has computed, as volumes beside the T1."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np

from ..errors import BrainstemALSError
from ..imaging.geometry import resample, same_grid
from ..imaging.volume import Volume
from .companions import companion, put_array
from .nodes import grid_shape, voxel_to_local, voxel_to_world
from .result_nodes import COLOUR, COMPUTED
from .volumes import volume_from_node

if TYPE_CHECKING:
    from ..worker.outcome import Outcome
    from .result_nodes import ResultNodes

# Grey levels from black to white. FA has no more than 1; MD of free water at body temperature is
# 3.0e-3 mm2/s, AD and RD lie around it.
_WINDOWS = {"fa": (0.0, 1.0), "md": (0.0, 3.0), "ad": (0.0, 3.0), "rd": (0.0, 3.0)}
_HIDDEN = ("ad", "rd", "v1")
"""Measured or stored with a case, and not for the eye: left out of the lists of volumes."""
_SAME_PLACE_MM = 1e-2


def show_maps(
    result: ResultNodes, outcome: Outcome, inputs: Mapping[str, object]
) -> Iterator[float]:
    """Put the maps of a run into the scene: FA, MD and the colours of the fibres for the eye.

    AD, RD and V1 come too, hidden. All lie under the transforms of the T1 and are saved with the
    scene. A map that was given as a node on the same grid stays the user's.

    Parameters
    ----------
    result : ResultNodes
        As ``show_outcome`` returned it.
    outcome : Outcome
        Of the run.
    inputs : mapping
        Nodes that took part, by role.

    Yields
    ------
    float
        Fraction done, rising to 1; a few ten milliseconds a step.
    """
    t1 = result.t1
    if not outcome.maps or t1 is None:
        return
    source = "DTI" if inputs.get("dti") is not None else "DWI"
    to_t1 = voxel_to_local(t1) @ np.linalg.inv(outcome.affine)
    steps = len(outcome.maps) + 1
    for done, (role, volume) in enumerate(outcome.maps.items(), start=1):
        if _is_given(inputs.get(role), volume):
            result.segmentation.SetNodeReferenceID(COMPUTED[role], None)
        else:
            origin = "aligned with the T1" if inputs.get(role) is not None else f"from {source}"
            _show(result.segmentation, role, f"{role.upper()} {origin}", volume, to_t1, t1)
        yield done / steps
    if {"fa", "v1"} <= set(outcome.maps):
        _show_colours(result.segmentation, f"Colour FA from {source}", outcome, to_t1, t1)
    yield 1.0


def maps_in_scene(result: ResultNodes) -> dict[str, Volume]:
    """Return the maps that are measured, as the scene has them; those that can't be read left out.

    Parameters
    ----------
    result : ResultNodes

    Returns
    -------
    dict of str to Volume
        ``fa``, ``md``, ``ad``, ``rd``: views of the voxels, world RAS mm, MD in the unit of its
        image.
    """
    maps = {}
    for role, node in result.maps.items():
        if role in _WINDOWS:
            with suppress(BrainstemALSError):  # without it, that metric has no values
                maps[role] = volume_from_node(node, role.upper())
    return maps


def fibre_colours(v1: Volume, fa: Volume) -> np.ndarray:
    """Return principal directions as colours: red left-right, green front-back, blue head-foot.

    Absolute values of V1 in RAS times FA, after Pajevic & Pierpaoli 1999
    (doi:10.1002/(SICI)1522-2594(199909)42:3<526::AID-MRM15>3.0.CO;2-J).

    Parameters
    ----------
    v1 : Volume
        Shape (i, j, k, 3).
    fa : Volume
        On any grid.

    Returns
    -------
    numpy.ndarray, shape (i, j, k, 3)
        uint8.
    """
    if not same_grid(fa, v1, _SAME_PLACE_MM):
        fa = resample(fa, v1.array.shape[:3], v1.affine)
    bright = 255.0 * np.clip(fa.array, 0.0, 1.0)[..., None] * np.minimum(np.abs(v1.array), 1.0)
    return np.rint(bright).astype(np.uint8)


def _is_given(node: object | None, volume: Volume) -> bool:
    """Whether a map is the image of a node: nothing was computed or moved."""
    if node is None or node.GetScene() is None:
        return False
    return grid_shape(node, "map") == tuple(volume.array.shape[:3]) and np.allclose(
        voxel_to_world(node, "map"), volume.affine, atol=_SAME_PLACE_MM
    )


def _show(
    segmentation: object, role: str, name: str, volume: Volume, to_t1: np.ndarray, t1: object
) -> None:
    is_vector = volume.array.ndim == 4
    kind = "vtkMRMLVectorVolumeNode" if is_vector else "vtkMRMLScalarVolumeNode"
    is_new = segmentation.GetNodeReference(COMPUTED[role]) is None
    node = companion(segmentation, COMPUTED[role], kind, name)
    node.SetHideFromEditors(role in _HIDDEN)
    if is_new and role in _WINDOWS:  # before there are voxels, of which Slicer would compute one
        node.CreateDefaultDisplayNodes()
        display = node.GetDisplayNode()
        display.SetDefaultColorMap()
        display.SetAutoWindowLevel(False)
        display.SetWindowLevelMinMax(*_WINDOWS[role])
    array = volume.array
    if is_vector:  # as the voxels, before the parent transforms
        array = array @ _turn(to_t1).T.astype(array.dtype)
    put_array(node, array, to_t1 @ volume.affine, t1)


def _show_colours(
    segmentation: object, name: str, outcome: Outcome, to_t1: np.ndarray, t1: object
) -> None:
    node = companion(segmentation, COLOUR, "vtkMRMLVectorVolumeNode", name)
    v1 = outcome.maps["v1"]
    put_array(node, fibre_colours(v1, outcome.maps["fa"]), to_t1 @ v1.affine, t1)
    if node.GetDisplayNode() is None:
        node.CreateDefaultDisplayNodes()


def _turn(matrix: np.ndarray) -> np.ndarray:
    """Rotation (3, 3) in an affine whose axes are perpendicular: what directions take of it."""
    linear = matrix[:3, :3]
    return linear / np.linalg.norm(linear, axis=0)
