"""Writes the anatomy of the simulated patient that the extension carries: Resources/Phantom.

    python -m training.phantom_anatomy

In Slicer there is neither nilearn, which carries the ICBM images, nor, before the first install, a
network to label them with. What the simulation needs of them is small: labels at 1 mm in a box
around the brainstem, and tissue maps that painting blurs anyway, at 2 mm.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from BrainstemALSLib.cli.icbm import icbm_path, tissue_map
from BrainstemALSLib.imaging.exam import read_exam
from BrainstemALSLib.imaging.geometry import crop, shrunk
from BrainstemALSLib.imaging.volume import Volume
from BrainstemALSLib.imaging.writing import write_volume

from .commands import finish
from .data import repository

TISSUE_LEVELS = 31
"""Steps of a tissue probability: 3 %, which halves the files; noise and priors vary by more."""
MARGIN = 2
"""Voxels around the labels."""
NOTICE = (
    "Copyright (C) 1993-2009 Louis Collins, McConnell Brain Imaging Centre, Montreal Neurological "
    "Institute, McGill University. Permission to use, copy, modify, and distribute this software "
    "and its documentation for any purpose and without fee is hereby granted, provided that the "
    "above copyright notice appear in all copies. The authors and McGill University make no "
    'representations about the suitability of this software for any purpose. It is provided "as '
    'is" without express or implied warranty. The authors are not responsible for any data loss, '
    "equipment damage, property loss, or injury to subjects or patients resulting from the use or "
    "misuse of this software package."
)
"""Of the ICBM 2009 templates; it has to go with every copy."""


def write_anatomy(folder: Path, labels: Volume, white: Volume, grey: Volume, about: dict) -> None:
    """Write labels, tissue maps and what they are.

    Parameters
    ----------
    folder : Path
        Gets ``labels.nii.gz``, ``white.nii.gz``, ``grey.nii.gz`` and ``anatomy.json``.
    labels : Volume
        uint8, ``Structure.index``, on the whole grid.
    white, grey : Volume
        Tissue probabilities 0-1 on the same grid.
    about : dict
        Origin, for ``anatomy.json``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    found = np.argwhere(labels.array > 0)
    low = np.maximum(found.min(axis=0) - MARGIN, 0)
    high = np.minimum(found.max(axis=0) + 1 + MARGIN, labels.shape)
    write_volume(crop(labels, low, high), folder / "labels.nii.gz", np.uint8)
    for name, tissue in (("white", white), ("grey", grey)):
        # ``shrunk`` goes to half of what is wanted: 4 mm means blocks of 2 mm.
        coarse = shrunk(tissue, 4.0)
        levels = Volume(np.rint(coarse.array * TISSUE_LEVELS), coarse.affine)
        write_volume(levels, folder / f"{name}.nii.gz", np.uint8)
    record = {
        "shape": list(labels.shape),
        "affine": labels.affine.tolist(),
        "tissue_levels": TISSUE_LEVELS,
        **about,
    }
    text = json.dumps(record, indent=2, allow_nan=False)
    (folder / "anatomy.json").write_text(text + "\n", encoding="utf-8")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=repository() / "Resources/Phantom")
    arguments = parser.parse_args()

    def build() -> None:
        from BrainstemALSLib.segmentation.segmenter import Segmenter

        result = Segmenter("cpu").segment(read_exam(icbm_path("t1")))
        about = {
            "statement": "Average anatomy of 152 people, labelled by a model; not a person.",
            "source": "ICBM 2009a nonlinear symmetric templates, as carried by nilearn",
            "cite": "Fonov et al. 2011, NeuroImage 54:313, doi:10.1016/j.neuroimage.2010.07.033",
            "notice": NOTICE,
            "labels": {"licence": "CC BY-SA 4.0", "model": result.model},
            "command": "python -m training.phantom_anatomy",
        }
        write_anatomy(arguments.out, result.labels, tissue_map("wm"), tissue_map("gm"), about)
        print(arguments.out)

    finish(build)


if __name__ == "__main__":
    main()
