"""The files and the table of ``brainstem-als agreement``."""

from __future__ import annotations

import math
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .. import __version__
from ..annotation.agreement import Agreement
from ..annotation.exchange.description import (
    PREDICTION,
    Description,
    labels_checksum,
)
from ..annotation.exchange.exporting import write_described_json, write_label_table
from ..imaging.volume import Volume
from ..imaging.writing import write_volume
from ..report.tables import write_json, write_tsv

if TYPE_CHECKING:
    from rich.table import Table

CONSENSUS = "consensus"
SCORE_COLUMNS = (
    "annotator_a",
    "annotator_b",
    "key",
    "name",
    "kind",
    "dice",
    "nsd",
    "assd_mm",
    "hd95_mm",
    "volume_a_mm3",
    "volume_b_mm3",
    "difference_mm3",
    "difference_percent",
)
PLACE_COLUMNS = (
    "number",
    "x_mm",
    "y_mm",
    "z_mm",
    "structures",
    "volume_mm3",
    "depth_mm",
    "disagreement",
)
_SUFFIXES = (
    "agreement_scores.tsv",
    "agreement_places.tsv",
    "agreement_summary.json",
    "agreement_overview.png",
    "disagreement_map.nii.gz",
    "vouching_map.nii.gz",
    "consensus_dseg.nii.gz",
    "consensus_dseg.tsv",
    "consensus_dseg.json",
    "consensusdecided_mask.nii.gz",
    "consensus_T1w.nii.gz",
    "consensusprediction_dseg.nii.gz",
    "consensusprediction_dseg.tsv",
)


def agreement_names(stem: str) -> tuple[str, ...]:
    """Return the names of all files that ``write_agreement`` may write for one exam."""
    return tuple(f"{stem}_desc-{suffix}" for suffix in _SUFFIXES)


def write_agreement(folder: Path, stem: str, agreement: Agreement) -> None:
    """Write what is known of the agreement on one exam into an existing folder.

    The consensus can be imported again (``corrections import --annotator``): it is a partial case
    where it is undecided somewhere. The picture is left out where matplotlib is not installed.
    """
    at = {
        suffix: folder / name for suffix, name in zip(_SUFFIXES, agreement_names(stem), strict=True)
    }
    exam, consensus = agreement.exam, agreement.consensus
    affine = exam.opinions.affine
    write_tsv(at["agreement_scores.tsv"], SCORE_COLUMNS, score_rows(agreement))
    write_tsv(at["agreement_places.tsv"], PLACE_COLUMNS, place_rows(agreement))
    write_json(at["agreement_summary.json"], summary(agreement))
    write_volume(agreement.disagreement, at["disagreement_map.nii.gz"])
    vouching = exam.opinions.vouched.sum(axis=0).astype(np.uint8)
    write_volume(Volume(vouching, affine), at["vouching_map.nii.gz"])
    write_volume(consensus.labels, at["consensus_dseg.nii.gz"])
    write_volume(consensus.decided, at["consensusdecided_mask.nii.gz"])
    write_volume(exam.t1, at["consensus_T1w.nii.gz"])
    write_volume(exam.prediction, at["consensusprediction_dseg.nii.gz"])
    keys = tuple(dict.fromkeys(key for record in exam.records for key in record.keys))
    drawn = set(np.unique(exam.opinions.labels).tolist())
    for name in ("consensus_dseg.tsv", "consensusprediction_dseg.tsv"):
        write_label_table(at[name], keys, drawn | set(np.unique(exam.prediction.array).tolist()))
    write_described_json(at["consensus_dseg.json"], _description(agreement, keys, at))
    if find_spec("matplotlib") is not None and _shows_brainstem(agreement):
        from ..report.agreement_figure import draw_agreement

        draw_agreement(
            exam.t1,
            {
                code: Volume(labels, affine)
                for code, labels in zip(exam.annotators, exam.opinions.labels, strict=True)
            },
            agreement.disagreement,
            at["agreement_overview.png"],
            f"{stem}: agreement of {len(exam.annotators)} annotators",
            [place.centre_ras for place in agreement.places],
        )


def score_rows(agreement: Agreement) -> list[dict[str, object]]:
    """Return the rows of ``agreement_scores.tsv``: volumes in mm3, distances in mm."""
    own = SCORE_COLUMNS[2:]
    return [
        {
            "annotator_a": pair.annotators[0],
            "annotator_b": pair.annotators[1],
            **{column: getattr(row, column) for column in own},
        }
        for pair in agreement.pairs
        for row in pair.structures
    ]


def place_rows(agreement: Agreement) -> list[dict[str, object]]:
    """Return the rows of ``agreement_places.tsv``, positions in RAS mm."""
    return [
        {
            "number": number,
            **dict(zip(("x_mm", "y_mm", "z_mm"), place.centre_ras, strict=True)),
            "structures": " / ".join(place.keys),
            "volume_mm3": place.volume_mm3,
            "depth_mm": place.depth_mm,
            "disagreement": place.share,
        }
        for number, place in enumerate(agreement.places, start=1)
    ]


def summary(agreement: Agreement) -> dict[str, object]:
    """Return the content of ``agreement_summary.json``."""
    exam, consensus = agreement.exam, agreement.consensus
    vouched = exam.opinions.vouched.any(axis=0)
    voxel = agreement.disagreement.voxel_volume
    return {
        "software": {"name": "BrainstemALS", "version": __version__},
        "exam_key": exam.records[0].exam_key,
        "subject": exam.records[0].subject,
        "cases": [
            {
                "annotator": record.annotator,
                "case": record.case_id,
                "approved_all": record.approved_all,
                "seconds_spent": record.seconds_spent,
            }
            for record in exam.records
        ],
        "compared_where": agreement.rule,
        "pairs": [
            {
                "annotators": list(pair.annotators),
                "kappa_brainstem": pair.kappa,
                "dice_brainstem": _dice(pair, "brainstem"),
                "mean_dice_structures": pair.mean_dice,
                "compared_mm3": pair.compared_mm3,
                "compared_share_of_brainstem": pair.compared_share,
                "nsd_tolerance_mm": pair.tolerance_mm,
            }
            for pair in agreement.pairs
        ],
        "disputed_mm3": float(exam.opinions.disputed.sum()) * voxel,
        "consensus": {
            "method": consensus.method,
            "undecided_mm3": float((vouched & ~consensus.decided.array).sum()) * voxel,
        },
        "box": {"shape": list(exam.t1.shape), "t1_grid": exam.grid.record()},
    }


def summary_table(agreements: Sequence[tuple[str, Agreement]]) -> Table:
    """Return the table that the terminal shows: a line for each exam and pair."""
    from rich import box
    from rich.table import Table

    table = Table(title="Agreement of annotators", box=box.SIMPLE_HEAD, title_style="bold")
    table.add_column("Annotators")
    # 80 columns hold two codes of a dozen letters; longer ones are folded, never a number.
    for heading, width in (("Kappa", 6), ("Dice", 6), ("Mean", 6), ("Compared", 8)):
        table.add_column(heading, justify="right", no_wrap=True, min_width=width)
    table.add_column("Disputed", justify="right", no_wrap=True, min_width=9)
    for stem, agreement in agreements:
        voxel = agreement.disagreement.voxel_volume
        disputed = float(agreement.exam.opinions.disputed.sum()) * voxel
        table.add_section()
        table.add_row(f"[bold]{stem}[/bold]", "", "", "", "", f"{disputed:.0f} mm3")
        for pair in agreement.pairs:
            share = pair.compared_share
            table.add_row(
                "  " + " - ".join(pair.annotators),
                _number(pair.kappa),
                _number(_dice(pair, "brainstem")),
                _number(pair.mean_dice),
                "n/a" if math.isnan(share) else f"{100 * share:.0f} %",
                "",
            )
    table.caption = (
        "Kappa over what either drew in the brainstem; Dice of the whole brainstem and mean of its "
        "structures; share of the brainstem that was compared; volume where annotators differ."
    )
    return table


def _shows_brainstem(agreement: Agreement) -> bool:
    return any(pair.of("brainstem") is not None for pair in agreement.pairs)


def _description(agreement: Agreement, keys: tuple[str, ...], at: dict[str, Path]) -> Description:
    exam, consensus = agreement.exam, agreement.consensus
    record = exam.records[0]
    return Description(
        exam_key=record.exam_key,
        subject=record.subject,
        annotator=CONSENSUS,
        grid=exam.grid,
        box_shape=exam.t1.shape,
        labels_sha256=labels_checksum(consensus.labels.array),
        model=record.model,
        keys=keys,
        modalities=record.modalities,
        approved_all=bool(consensus.decided.array.all()),
        from_simulation=record.from_simulation,
        revision=max(other.revision for other in exam.records) + 1,
        files={
            "t1": at["consensus_T1w.nii.gz"].name,
            PREDICTION: at["consensusprediction_dseg.nii.gz"].name,
        },
    )


def _dice(pair: object, key: str) -> float:
    row = pair.of(key)
    return math.nan if row is None else row.dice


def _number(value: float) -> str:
    return "n/a" if math.isnan(value) else f"{value:.3f}"
