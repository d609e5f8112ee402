"""The commands. Heavy libraries are imported inside them, so that ``--help`` answers at once."""

from __future__ import annotations

import typer

from .. import __version__
from .agreement import agreement
from .cohort import BidsAppCommand, cohort, cohort_forget
from .corrections import corrections
from .demo import demo
from .doctor import doctor
from .longitudinal import longitudinal
from .models import models
from .norms import norms
from .predict import predict
from .segment import segment

app = typer.Typer(
    name="brainstem-als",
    help="Segment and measure the brainstem in MRI, for ALS research. "
    "Research use only; not a medical device.",
    no_args_is_help=True,
    add_completion=False,
    # A traceback would show a clinician nothing but fear, and may show local values.
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(segment)
app.command()(demo)
app.command()(doctor)
app.command()(agreement)
app.command(cls=BidsAppCommand)(cohort)
app.command()(cohort_forget)
app.command()(longitudinal)
app.command()(predict)
app.add_typer(corrections)
app.add_typer(models)
app.add_typer(norms)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"brainstem-als {__version__}")
        raise typer.Exit()


@app.callback()
def common(
    version: bool = typer.Option(
        False, "--version", callback=_show_version, is_eager=True, help="Show the version and stop."
    ),
) -> None:
    """Options of all commands."""
