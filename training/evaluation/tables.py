"""Writes results: a Markdown page that says how its numbers came about, and the numbers as TSV."""

from __future__ import annotations

import csv
import io
import math
import os
import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from ..data import repository

LARGE, LARGEST_KEPT = "large", 60_000
"""Folder of attachments that git does not keep, and the bytes from which on they lie there."""
KINDS = ("simulated", "real", "real and simulated")
HOW = ("mirrored", "temperature")
"""How a model was asked, where that is known: the same weights give other figures otherwise."""


@dataclass(frozen=True)
class Table:
    """One table of a page.

    Attributes
    ----------
    name : str
        Ending of the TSV's name, for example ``"structures"``.
    caption : str
        Sentence above the table.
    columns : sequence of str
        Headings, with units.
    rows : sequence of sequences
        Cells: text, integers, floats (NaN is written as n/a) or None.
    digits : int
        Decimals of floats on the page; the TSV has six significant digits.
    """

    name: str
    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[object]]
    digits: int = 3


@dataclass(frozen=True)
class Page:
    """A page of results.

    Attributes
    ----------
    stem : str
        File name without ending.
    title : str
        What was measured.
    kind : str
        ``simulated``, ``real`` or ``real and simulated``; goes into the title line.
    data : str
        Which data, in one sentence.
    seed : int or None
        None when nothing is drawn at random.
    tables : sequence of Table
    model : mapping
        As ``Segmentation.model``: role to name, version and checksum.
    marks : sequence of (str, bool or None)
        What was asked for with the figure reached, and whether it was; None when not measured.
    notes : sequence of str
        Sentences below the tables.
    pictures : sequence of (str, str)
        Caption and file name, beside the page.
    threads : int or None
        Threads the computation was limited to.
    command : str
        As it was typed; empty takes it from the running process.
    attachments : sequence of Table
        Too long for the page; written as TSV only and named at its end.
    """

    stem: str
    title: str
    kind: str
    data: str
    seed: int | None
    tables: Sequence[Table]
    model: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    marks: Sequence[tuple[str, bool | None]] = ()
    notes: Sequence[str] = ()
    pictures: Sequence[tuple[str, str]] = ()
    threads: int | None = None
    command: str = ""
    attachments: Sequence[Table] = ()


def results_dir() -> Path:
    """Folder of the results that are committed."""
    return repository() / "docs" / "results"


def write_page(page: Page, folder: Path | None = None) -> Path:
    """Write a page and its tables; every file appears whole or not at all.

    Parameters
    ----------
    page : Page
    folder : Path, optional
        Instead of ``docs/results``.

    Returns
    -------
    Path
        The Markdown file; the TSV files lie beside it as ``<stem>_<table>.tsv``.

    Raises
    ------
    ValueError
        ``kind`` is none of ``KINDS``, or a row has not as many cells as there are columns.
    """
    if page.kind not in KINDS:
        raise ValueError(f"kind must be one of {KINDS}, not {page.kind!r}")
    for table in (*page.tables, *page.attachments):
        if any(len(row) != len(table.columns) for row in table.rows):
            raise ValueError(f"table {table.name}: a row does not fit the columns")
    folder = folder or results_dir()
    folder.mkdir(parents=True, exist_ok=True)
    for table in page.tables:
        _replace(folder / f"{page.stem}_{table.name}.tsv", _tsv(table))
    for table in page.attachments:
        target = folder / _attached(page, table)
        target.parent.mkdir(exist_ok=True)
        _replace(target, _tsv(table))
    path = folder / f"{page.stem}.md"
    _replace(path, _markdown(page))
    return path


def command_line() -> str:
    """Return the running command as a reader would type it, without anybody's folders."""
    spec = getattr(sys.modules.get("__main__"), "__spec__", None)
    start = f"python -m {spec.name}" if spec else f"python {Path(sys.argv[0]).name}"
    return " ".join([start, *(Path(a).name if os.sep in a else a for a in sys.argv[1:])])


def machine() -> str:
    """Return what the computer is, without its name: system, processor kind, cores, memory."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    text = f"{platform.system()} {platform.machine()}, {cores} cores"
    if "SC_PHYS_PAGES" in getattr(os, "sysconf_names", {}):
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
        text += f", {memory:.0f} GiB memory"
    return text


def cell(value: object, digits: int = 3) -> str:
    """Return a cell as text; None and NaN become n/a."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "n/a"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.{digits}f}" if isinstance(value, float) else str(value)


def _markdown(page: Page) -> str:
    seed = "none, nothing is drawn at random" if page.seed is None else str(page.seed)
    threads = f", limited to {page.threads} threads" if page.threads else ""
    lines = [
        f"# {page.title} ({page.kind} data)",
        "",
        f"- Command: `{page.command or command_line()}`",
        f"- Data: {page.data}",
        f"- Seed: {seed}",
        f"- Date: {datetime.now(UTC):%Y-%m-%d}",
        f"- Machine: {machine()}{threads}; Python {platform.python_version()}",
    ]
    for role, model in page.model.items():
        name = " ".join(model[part] for part in ("name", "version") if model.get(part))
        how = "".join(f", {part} {model[part]}" for part in HOW if model.get(part))
        lines.append(
            f"- Model ({role}): {name or 'unnamed'}, sha256 `{model.get('sha256', 'n/a')}`{how}"
        )
    if page.marks:
        words = {True: "reached", False: "**not reached**", None: "not measured"}
        lines += ["", "## Marks", "", "| asked for, and found | |", "|---|---|"]
        lines += [f"| {_escape(text)} | {words[passed]} |" for text, passed in page.marks]
    for table in page.tables:
        lines += ["", f"## {table.caption}", "", f"| {' | '.join(map(_escape, table.columns))} |"]
        lines.append("|" + "|".join(_alignment(table)) + "|")
        for row in table.rows:
            lines.append(f"| {' | '.join(_escape(cell(v, table.digits)) for v in row)} |")
        lines += ["", f"The same as [TSV]({page.stem}_{table.name}.tsv)."]
    for caption, name in page.pictures:
        lines += ["", f"![{caption}]({name})", "", caption]
    if page.attachments:
        lines += ["", "## Also written", ""]
        lines += [f"- {_mention(page, table)}" for table in page.attachments]
    if page.notes:
        lines += ["", "## Notes", "", *(f"- {note}" for note in page.notes)]
    return "\n".join(lines) + "\n"


def _attached(page: Page, table: Table) -> str:
    """Place of an attachment beside the page; those too long for a clone lie in ``LARGE``."""
    name = f"{page.stem}_{table.name}.tsv"
    return f"{LARGE}/{name}" if len(_tsv(table)) > LARGEST_KEPT else name


def _mention(page: Page, table: Table) -> str:
    place = _attached(page, table)
    if place.startswith(LARGE):
        return f"{table.caption}: `{place}`, which the command writes and no clone holds"
    return f"[{table.caption}]({place})"


def _alignment(table: Table) -> list[str]:
    first = table.rows[0] if table.rows else [""] * len(table.columns)
    return ["---:" if isinstance(v, int | float | None) else "---" for v in first]


def _escape(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _tsv(table: Table) -> str:
    out = io.StringIO()
    writer = csv.writer(out, delimiter="\t", lineterminator="\n")
    writer.writerow(table.columns)
    for row in table.rows:
        writer.writerow(
            [f"{v:.6g}" if isinstance(v, float) and math.isfinite(v) else cell(v) for v in row]
        )
    return out.getvalue()


def _replace(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}.partial")
    temporary.write_text(text, encoding="utf-8")
    os.replace(temporary, path)
