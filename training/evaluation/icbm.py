"""Scores the model on the ICBM 2009 symmetric T1 against the training atlas.

    python -m training.evaluation.icbm

The image is a real MRI: the average of 152 heads, skull-stripped, as nilearn carries it (Fonov et
al. 2011, doi:10.1016/j.neuroimage.2010.07.033). Training saw the atlas' labels, never this image.
"""

from __future__ import annotations

import sys

import numpy as np

from BrainstemALSLib.cli.icbm import icbm_path
from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.imaging.volume import Volume

from ..data import work_dir
from ..montage import montage
from . import adapter, commands
from .grids import on_grid, structures_only
from .metrics import Score, score_labels
from .score_table import CONVENTIONS, mark_at_least, summary_table
from .summary import summarise
from .tables import Page, results_dir

MARKS = {"brainstem": 0.95, "midbrain": 0.92, "pons": 0.92, "medulla": 0.92}
"""Dice asked for (our own choice)."""


def atlas_labels() -> Volume:
    """Return the structures of the training atlas, uint8, 0.5 mm.

    Raises
    ------
    BrainstemALSError
        The atlas is not built.
    """
    import nibabel as nib

    path = work_dir() / "atlas" / "brainstem_labels.nii.gz"
    if not path.exists():
        raise BrainstemALSError(
            path,
            "the training atlas is not built",
            "Run `python -m training.atlas`.",
            ExitCode.USAGE,
        )
    image = nib.load(path)
    return structures_only(Volume(np.asarray(image.dataobj), image.affine))


def page_of(scores: dict[str, Score], model: dict, picture: str) -> Page:
    """Return the page of results."""
    return Page(
        stem="icbm",
        title="Segmentation of the ICBM 2009 symmetric T1 against the atlas",
        kind="real",
        data="ICBM 2009a nonlinear symmetric T1, 1 mm, skull-stripped: average of 152 real heads.",
        seed=None,
        model=model,
        marks=[
            mark_at_least(f"{name} Dice", scores[name].dice, bound) for name, bound in MARKS.items()
        ],
        tables=[summary_table("scores", "Scores against the atlas", summarise({"icbm": scores}))],
        pictures=[
            ("Labels of the model on the ICBM T1; the patient's right is on the left.", picture)
        ],
        notes=[
            *CONVENTIONS,
            "One image, so there is no interval. The atlas was drawn in this space and carried "
            "into every training anatomy; the image itself was never trained on. An average head "
            "is smoother than any patient's.",
            "ANTs is not compared on this image: the atlas that ANTs would carry lies in this very "
            "space, so its registration would have nothing to do and its Dice would be 1 by "
            "construction.",
        ],
    )


def main(arguments: list[str] | None = None) -> int:
    """Run the command."""
    options = commands.arguments(__doc__).parse_args(arguments)
    try:
        exam = adapter.read_t1(icbm_path("t1"))
        truth = on_grid(atlas_labels(), exam.t1)
        segmentation = adapter.segmenter(options.device, options.model_dir).segment(exam)
    except BrainstemALSError as refusal:
        print(refusal, file=sys.stderr)
        return int(refusal.code)
    scores = score_labels(segmentation.labels, truth)
    folder = options.out or results_dir()
    picture = montage(
        exam.t1, segmentation.labels, folder / "icbm.png", title="ICBM 2009 symmetric T1, model"
    )
    page = page_of(scores, segmentation.model, picture.name)
    commands.publish(page, folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
