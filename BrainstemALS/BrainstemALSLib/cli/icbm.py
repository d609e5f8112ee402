"""The images of the demonstration: ICBM 2009a symmetric, carried by the package nilearn."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np

from ..errors import BrainstemALSError, ExitCode
from ..imaging.reading import read_volume
from ..imaging.volume import Volume

_NAME = "mni_icbm152_{}_tal_nlin_sym_09a_converted.nii.gz"


def icbm_path(kind: str) -> Path:
    """Return the path of an ICBM 2009a image: an average of 152 real brains at 1 mm.

    Parameters
    ----------
    kind : str
        ``t1`` (brain only), ``gm`` or ``wm`` (tissue probabilities, stored as 0-255).

    Raises
    ------
    BrainstemALSError
        MISSING_PACKAGE: nilearn, or the image in it, is not installed.
    """
    # find_spec does not import nilearn, which takes seconds and would bring scikit-learn.
    found = find_spec("nilearn")
    places = list(found.submodule_search_locations or ()) if found else []
    for place in places:
        path = Path(place) / "datasets" / "data" / _NAME.format(kind)
        if path.is_file():
            return path
    raise BrainstemALSError(
        "ICBM 2009 images",
        "the package nilearn, which carries them, is not installed or has changed",
        "Install it: pip install 'brainstem-als[cli]'; brainstem-als doctor lists what is there.",
        ExitCode.MISSING_PACKAGE,
    )


def tissue_map(kind: str) -> Volume:
    """Return the probability (0-1) of white (``wm``) or grey (``gm``) matter."""
    volume = read_volume(icbm_path(kind), kind.upper())
    top = float(volume.array.max())
    return Volume((volume.array / top).astype(np.float32), volume.affine)
