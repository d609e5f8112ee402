"""``brainstem-als doctor``."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from ..errors import ExitCode
from .failures import refusals
from .options import DebugOption, ModelOption


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    model: ModelOption = None,
    debug: DebugOption = False,
) -> None:
    """Say what is installed, which device and model would be used, and what is missing.

    Ends with 0 when everything that segmenting needs is there, else with 1.
    """
    with refusals(debug):
        from .environment import as_record, examine, is_ready

        checks = examine(model)
        if as_json:
            typer.echo(json.dumps(as_record(checks), indent=2))
        else:
            _print(checks)
        raise typer.Exit(int(ExitCode.OK if is_ready(checks) else ExitCode.UNEXPECTED))


def _print(checks: tuple) -> None:
    from rich import box
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from .environment import is_ready

    table = Table(title="BrainstemALS doctor", box=box.SIMPLE_HEAD, title_style="bold")
    for heading in ("", "What", "Found", "What to do"):
        table.add_column(heading, overflow="fold")
    for check in checks:
        mark = "[green]ok[/green]" if check.ok else ""
        if not check.ok:
            mark = "[red]missing[/red]" if check.required else "[yellow]optional[/yellow]"
        # The remedies hold square brackets, which rich would take for markup.
        table.add_row(mark, check.name, escape(check.found), escape(check.remedy))
    console = Console()
    console.print(table)
    console.print(
        "[green]Ready to segment.[/green]"
        if is_ready(checks)
        else "[red]Not ready: see what is missing above.[/red]"
    )
