"""``brainstem-als corrections``: expert corrections to and from other programs."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from .failures import refusals
from .options import AnnotatorsOption, DebugOption, ExamOption, StoreArgument
from .output import best_effort

corrections = typer.Typer(
    name="corrections",
    help="Bring expert corrections from other programs into an annotation store, and back.",
    no_args_is_help=True,
)


class Format(StrEnum):
    """What other programs read."""

    BIDS = "bids"
    SEG_NRRD = "seg.nrrd"
    MONAILABEL = "monailabel"


@corrections.command("import")
def import_(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="SOURCE",
            help="Label map (_dseg.nii.gz with its _dseg.tsv), .seg.nrrd, a folder of these, or a "
            "MONAI Label datastore (its final labels).",
        ),
    ],
    store: Annotated[Path, typer.Option("--store", help="Annotation store; made where it is not.")],
    annotator: Annotated[
        str, typer.Option("--annotator", metavar="CODE", help="Who corrected; never a name.")
    ] = "",
    subject: Annotated[
        str,
        typer.Option("--subject", metavar="CODE", help="Whose exam; else sub- of the file's name."),
    ] = "",
    visit_date: Annotated[
        str, typer.Option("--visit-date", metavar="DATE", help="As 2026-03-31.")
    ] = "",
    codes: Annotated[
        Path | None,
        typer.Option(
            "--codes",
            help="For many: TSV with the columns image (file name without extension, or image id) "
            "and subject, perhaps annotator and visit_date.",
        ),
    ] = None,
    t1: Annotated[
        Path | None,
        typer.Option(
            "--t1",
            help="The whole T1 that the labels were drawn on; for many, the folder of the BIDS "
            "dataset.",
        ),
    ] = None,
    fa: Annotated[Path | None, typer.Option("--fa", help="FA map, stored with the T1.")] = None,
    md: Annotated[Path | None, typer.Option("--md", help="MD map, stored with the T1.")] = None,
    exam: Annotated[
        str,
        typer.Option(
            "--exam",
            metavar="KEY",
            help="An exam that the store has already, instead of a T1: its key, or how it begins.",
        ),
    ] = "",
    prediction: Annotated[
        Path | None,
        typer.Option(
            "--prediction",
            help="What the model drew. Without it everything counts as drawn by the annotator.",
        ),
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(
            "--labels",
            help="Which label is which structure: TSV with index or name (theirs) and key (ours, "
            "or background), or JSON.",
        ),
    ] = None,
    whole: Annotated[
        bool | None,
        typer.Option(
            "--whole/--partial",
            help="The annotator vouches for every voxel (the default), or only for those that "
            "differ from the prediction.",
        ),
    ] = None,
    debug: DebugOption = False,
) -> None:
    """Approve corrections that were made in another program. All are stored, or none."""
    with refusals(debug):
        from ..annotation import CaseStore
        from ..annotation.exchange import Choices, import_corrections, read_codes, read_mapping

        choices = Choices(
            annotator=annotator,
            subject=subject,
            visit_date=visit_date,
            whole=whole,
            t1=t1,
            fa=fa,
            md=md,
            prediction=prediction,
            exam=exam,
            mapping=read_mapping(labels) if labels else None,
            codes=read_codes(codes) if codes else {},
        )
        imported = import_corrections(source, CaseStore(store), choices)
        with best_effort():
            for record in imported.stored:
                n_changed = sum(change.added for change in record.changes.values())
                typer.echo(
                    f"{record.case_id}: {record.subject}, {record.annotator}, exam "
                    f"{record.exam_key[:8]}, revision {record.revision}, {n_changed} voxels changed"
                )
            typer.echo(
                f"Stored {len(imported.stored)} cases; {imported.already_there} were there already."
            )


@corrections.command("export")
def export(
    store: StoreArgument,
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder that does not exist yet.")],
    form: Annotated[
        Format, typer.Option("--format", help="What the other program reads.")
    ] = Format.BIDS,
    exam: ExamOption = "",
    annotator: AnnotatorsOption = None,
    with_dates: Annotated[
        bool, typer.Option("--with-dates", help="Write the dates of visits too.")
    ] = False,
    debug: DebugOption = False,
) -> None:
    """Write the latest case of each exam and annotator, cut to the box around the brainstem."""
    with refusals(debug):
        from ..annotation import CaseStore
        from ..annotation.exchange import export_corrections

        opened = CaseStore(store, read_only=True)
        records = export_corrections(
            opened, out, form.value, exam, tuple(annotator or ()), with_dates
        )
        with best_effort():
            typer.echo(f"Wrote {len(records)} cases to {out}")
