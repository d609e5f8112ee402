"""The uncertain places of a result in the scene."""

from __future__ import annotations

import numpy as np

from ..errors import BrainstemALSError, ExitCode
from ..imaging.volume import Volume
from ..measurement.uncertain_places import UncertainPlace, uncertain_places
from .labelmap import placed
from .nodes import voxel_to_world
from .result_nodes import ResultNodes


def places_to_check(result: ResultNodes) -> tuple[UncertainPlace, ...]:
    """Return where the model was unsure, the largest place first, in world RAS mm.

    Parameters
    ----------
    result : ResultNodes

    Raises
    ------
    BrainstemALSError
        UNSUITABLE_IMAGE: the uncertainty volume is no longer in the scene.
    """
    array = result.uncertainty()
    if array is None:
        raise BrainstemALSError(
            "uncertainty",
            "its volume is no longer in the scene",
            "Segment the T1 again.",
            ExitCode.UNSUITABLE_IMAGE,
        )
    box = result.box
    affine = voxel_to_world(result.t1, "T1")
    affine[:3, 3] += affine[:3, :3] @ np.array(box[0], dtype=float)
    labels, offset = result.labels()
    return uncertain_places(Volume(array, affine), placed(labels, offset, box))
