"""Options that several commands share."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Device(StrEnum):
    """Where inference may run."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"


DeviceOption = Annotated[
    Device, typer.Option("--device", help="Where to run; auto takes a usable GPU, else the CPU.")
]
ModelOption = Annotated[
    Path | None,
    typer.Option("--model", help="Folder with other models than those that come along."),
]
ThreadsOption = Annotated[
    int | None, typer.Option("--threads", min=1, help="CPU threads; all cores by default.")
]
OverwriteOption = Annotated[
    bool, typer.Option("--overwrite", help="Replace earlier results of the same image.")
]
DebugOption = Annotated[
    bool, typer.Option("--debug", help="On a failure, show where in the code it was.")
]
StoreArgument = Annotated[Path, typer.Argument(metavar="STORE", help="Annotation store.")]
ExamOption = Annotated[
    str, typer.Option("--exam", metavar="KEY", help="Only this exam: its key, or how it begins.")
]
AnnotatorsOption = Annotated[
    list[str] | None,
    typer.Option("--annotator", metavar="CODE", help="Only these annotators; repeat it."),
]
