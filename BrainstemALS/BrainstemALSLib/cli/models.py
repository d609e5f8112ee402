"""``brainstem-als models``: which models there are, which are in use, and the way back."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .failures import refusals
from .options import DebugOption

if TYPE_CHECKING:
    from ..segmentation.registry import ModelRegistry, ModelsInUse

models = typer.Typer(
    name="models",
    help="Versions of the models that corrections made: list, use, roll back, remove. The model "
    "that comes along is called bundled and always stays.",
    no_args_is_help=True,
)
VersionArgument = Annotated[str, typer.Argument(help="Id of a version, as the list shows it.")]


@models.command("list")
def list_versions(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    debug: DebugOption = False,
) -> None:
    """Show all versions, where they come from, and which is in use."""
    with refusals(debug):
        from ..segmentation.registry import ModelRegistry

        registry = ModelRegistry()
        if as_json:
            typer.echo(json.dumps(_record(registry), indent=2))
        else:
            _print(registry)


@models.command()
def use(
    version: Annotated[str, typer.Argument(help="Id of a version, or bundled.")],
    debug: DebugOption = False,
) -> None:
    """Put a version into use; bundled is the model that comes along."""
    with refusals(debug):
        from ..segmentation.registry import ModelRegistry

        _say(ModelRegistry().use(version))


@models.command()
def rollback(debug: DebugOption = False) -> None:
    """Go back to the version that was in use before."""
    with refusals(debug):
        from ..segmentation.registry import ModelRegistry

        _say(ModelRegistry().rollback())


@models.command()
def remove(version: VersionArgument, debug: DebugOption = False) -> None:
    """Delete a version that is not in use."""
    with refusals(debug):
        from ..segmentation.registry import ModelRegistry

        ModelRegistry().remove(version)
        typer.echo(f"Removed: {version}")


def _say(used: ModelsInUse) -> None:
    typer.echo(f"In use: {used.version}")
    for finding in used.findings:
        typer.echo(finding.message, err=True)


def _record(registry: ModelRegistry) -> dict[str, Any]:
    used = registry.in_use()
    return {
        "in_use": used.version,
        "findings": [vars(finding) for finding in used.findings],
        "versions": [
            {
                "id": version.id,
                "problem": version.problem,
                "model": version.identity,
                "lineage": version.lineage.to_json() if version.lineage else None,
                "gate": version.gate,
            }
            for version in registry.versions()
        ],
        "history": [vars(entry) for entry in registry.history()],
    }


def _print(registry: ModelRegistry) -> None:
    from rich import box
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from ..segmentation.registry import BUNDLED

    used = registry.in_use()
    table = Table(title="Models", box=box.SIMPLE_HEAD, title_style="bold")
    for heading in ("", "Version", "Made from", "Corrections", "Gate", "State"):
        table.add_column(heading, overflow="fold")
    mark = {True: "[green]in use[/green]", False: ""}
    table.add_row(mark[used.version == BUNDLED], BUNDLED, "", "", "", "comes with BrainstemALS")
    for version in registry.versions():
        lineage = version.lineage
        table.add_row(
            mark[used.version == version.id],
            version.id,
            lineage.parent if lineage else "",
            str(len(lineage.corrections)) if lineage else "",
            escape(str(version.gate.get("outcome", "not judged"))) if lineage else "",
            f"[red]{escape(version.problem)}[/red]" if version.problem else "whole",
        )
    console = Console()
    console.print(table)
    for finding in used.findings:
        console.print(f"{finding.message} {finding.action}", style="yellow", markup=False)
