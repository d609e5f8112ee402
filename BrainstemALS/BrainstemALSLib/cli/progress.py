"""The progress bar of the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ..pipeline import Progress


@contextmanager
def progress_bar(title: str) -> Iterator[Progress]:
    """Show a bar on stderr while the block runs, where stderr is a terminal.

    Parameters
    ----------
    title : str
        In front of the bar.

    Yields
    ------
    callable
        ``Progress`` to hand to the pipeline.
    """
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = (
        TextColumn("{task.fields[title]}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
        TextColumn("[dim]{task.description}"),
    )
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task("", total=1.0, title=title)

        def report(stage: str, fraction: float, text: str) -> None:
            bar.update(task, completed=fraction, description=text)

        yield report
