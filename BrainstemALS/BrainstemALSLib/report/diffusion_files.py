"""Files of an exam's diffusion: tables, maps on the T1 grid, a picture of the alignment."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np

from ..imaging.exam import Exam
from ..imaging.maps_on_grid import directions_on_grid, scalars_on_grid
from ..imaging.volume import Volume
from ..imaging.writing import write_volume
from ..measurement import Measures
from .naming import derivative_name
from .registration_figure import registration_figure
from .tables import (
    DIFFUSION_ASYMMETRY_COLUMNS,
    DIFFUSION_COLUMNS,
    diffusion_asymmetry_rows,
    diffusion_rows,
    write_tsv,
)

MAPS = ("fa", "md", "ad", "rd", "v1")
_MAP_FILES = {name: (f"param-{name}_dwimap", ".nii.gz") for name in MAPS}
_VALUES, _ASYMMETRY = ("diffusion", ".tsv"), ("diffusionasymmetry", ".tsv")
_PICTURE = ("registration", ".png")
DIFFUSION_FILES = (_VALUES, _ASYMMETRY, *_MAP_FILES.values(), _PICTURE)
"""Suffix and extension of all of them. ``param-`` and ``dwimap`` are those of the BIDS proposal for
diffusion derivatives (BEP016)."""


def write_diffusion(
    folder: Path, stem: str, exam: Exam, grid: Volume, measures: Measures
) -> list[Path]:
    """Write what there is of the diffusion of an exam.

    Parameters
    ----------
    folder : pathlib.Path
        Existing folder.
    stem : str
        As ``derivative_stem`` makes it.
    exam : Exam
        As prepared: its maps lie on its T1.
    grid : Volume
        Its first three axes and its affine are the grid of the maps that are written: a box of the
        T1's voxels. FA, MD, AD and RD are interpolated linearly, V1 by its dyads. Values by
        structure never come from these, but from the voxels as they were acquired.
    measures : Measures

    Returns
    -------
    list of pathlib.Path
        Files written. No table without values, no maps without diffusion, no picture where nothing
        was aligned or matplotlib is not installed.

    Raises
    ------
    OSError
        The file system would not take a table or the picture.
    BrainstemALSError
        OUTPUT_REFUSED: it would not take a map.
    """
    written = []

    def path(file: tuple[str, str]) -> Path:
        written.append(folder / derivative_name(stem, *file))
        return written[-1]

    if measures.diffusion:
        write_tsv(path(_VALUES), DIFFUSION_COLUMNS, diffusion_rows(measures.diffusion))
        rows = diffusion_asymmetry_rows(measures.diffusion_asymmetries)
        write_tsv(path(_ASYMMETRY), DIFFUSION_ASYMMETRY_COLUMNS, rows)
    shape = grid.array.shape[:3]
    maps = scalars_on_grid(exam.maps, shape, grid.affine)
    if exam.v1 is not None:
        maps["v1"] = directions_on_grid(exam.v1, shape, grid.affine)
    for name, volume in maps.items():
        if volume.array.any():  # else the images end before the brainstem begins
            write_volume(volume, path(_MAP_FILES[name]), dtype=np.float32)
    if exam.alignment is not None and find_spec("matplotlib") is not None:
        registration_figure(exam.t1, exam.alignment, path(_PICTURE), title=stem)
    return written
