"""``brainstem-als agreement``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from .failures import refusals
from .options import AnnotatorsOption, DebugOption, ExamOption, OverwriteOption, StoreArgument
from .output import best_effort


class Method(StrEnum):
    """How a consensus is made."""

    STAPLE = "staple"
    MAJORITY = "majority"


class Rule(StrEnum):
    """Where two annotators are compared."""

    BOTH = "both"
    ANY = "any"


def agreement(
    store: StoreArgument,
    out: Annotated[Path, typer.Option("--out", help="Folder for the results.")],
    exam: ExamOption = "",
    annotator: AnnotatorsOption = None,
    method: Annotated[
        Method, typer.Option("--consensus", help="How the consensus is made.")
    ] = Method.STAPLE,
    rule: Annotated[
        Rule,
        typer.Option(
            "--where",
            help="Compare where both annotators vouch for their labels, or where any of them does. "
            "It matters for cases that were reviewed in part.",
        ),
    ] = Rule.BOTH,
    tolerance: Annotated[
        float,
        typer.Option("--tolerance", min=0.0, help="Of the normalised surface distance, mm."),
    ] = 1.0,
    overwrite: OverwriteOption = False,
    debug: DebugOption = False,
) -> None:
    """Compare annotators who approved the same exams, and show where to talk about it."""
    with refusals(debug):
        from ..annotation import CaseStore
        from ..annotation.agreement import agree, bring_together, shared_exams
        from ..annotation.exchange.naming import exam_stems
        from ..imaging.staging import staged_output
        from .agreement_files import agreement_names, summary_table, write_agreement

        opened = CaseStore(store, read_only=True)
        exams = shared_exams(opened, tuple(annotator or ()), exam)
        stems = exam_stems(record for records in exams.values() for record in records[:1])
        names = [name for stem in stems.values() for name in agreement_names(stem)]
        found = []
        with staged_output(out, names, overwrite) as folder:
            for key, records in exams.items():
                shared = bring_together([opened.read(record.case_id) for record in records])
                result = agree(shared, method.value, rule.value, tolerance)
                write_agreement(folder, stems[key], result)
                found.append((stems[key], result))
        with best_effort():
            from rich.console import Console

            Console().print(summary_table(found))
            typer.echo(f"Wrote {len(found)} exams to {out}")
