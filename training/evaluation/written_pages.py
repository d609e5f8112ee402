"""Reads pages of results back: what ``tables.write_page`` wrote, as text and cells."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from BrainstemALSLib.errors import BrainstemALSError, ExitCode

PASSED = {"reached": True, "**not reached**": False, "not measured": None}
_TITLE = re.compile(r"# (?P<title>.+) \((?P<kind>[a-z ]+) data\)")
_FACT = re.compile(r"- (?P<name>Command|Data|Seed|Date|Machine): (?P<value>.+)")
_MODEL = re.compile(
    r"- Model \((?P<role>[^)]+)\): .*sha256 `(?P<sha256>[^`]+)`"
    r"(, mirrored \w+)?(, temperature (?P<temperature>\S+))?"
)
_CELL = re.compile(r"(?<!\\)\|")


@dataclass(frozen=True)
class WrittenPage:
    """What a page of results says about itself.

    Attributes
    ----------
    stem, title, kind : str
        File name without ending; what was measured; ``simulated``, ``real`` or both.
    facts : mapping
        ``Command``, ``Data``, ``Seed``, ``Date``, ``Machine``.
    models : mapping
        Role to checksum of the models that took part.
    temperatures : mapping
        Role to what logits were divided by, as text, where the page says it.
    marks : tuple of (str, bool or None)
        As ``Page.marks``.
    """

    stem: str
    title: str
    kind: str
    facts: Mapping[str, str]
    models: Mapping[str, str]
    temperatures: Mapping[str, str]
    marks: tuple[tuple[str, bool | None], ...]


def read_page(folder: Path, stem: str, command: str) -> WrittenPage:
    """Read a page.

    Parameters
    ----------
    folder : Path
        Of the results.
    stem : str
        Of the page.
    command : str
        Which writes it; named where it is missing.

    Raises
    ------
    BrainstemALSError
        It is missing or not a page.
    """
    path = folder / f"{stem}.md"
    lines = _text(path, command).splitlines()
    title = _TITLE.fullmatch(lines[0]) if lines else None
    if title is None:
        raise _refusal(path, "this is no page of results", command)
    facts, models, temperatures = {}, {}, {}
    for line in lines:
        if line.startswith("## "):
            break
        if found := _FACT.fullmatch(line):
            facts[found["name"]] = found["value"].strip("`")
        elif found := _MODEL.fullmatch(line):
            models[found["role"]] = found["sha256"]
            if found["temperature"]:
                temperatures[found["role"]] = found["temperature"]
    return WrittenPage(
        stem, title["title"], title["kind"], facts, models, temperatures, _marks(lines)
    )


def read_rows(folder: Path, table: str, command: str) -> list[dict[str, str]]:
    """Read a table: one mapping of column to cell per row.

    Parameters
    ----------
    folder, command
        As for ``read_page``.
    table : str
        Name of the TSV without ending, ``<stem>_<table>``. A heading that comes again is numbered:
        ``interval``, ``interval (2)``.

    Raises
    ------
    BrainstemALSError
        It is missing, or a row does not fit the heading.
    """
    path = folder / f"{table}.tsv"
    lines = list(csv.reader(_text(path, command).splitlines(), delimiter="\t"))
    if not lines or any(len(line) != len(lines[0]) for line in lines):
        raise _refusal(path, "this is no table of results", command)
    counts = [lines[0][: place + 1].count(name) for place, name in enumerate(lines[0])]
    names = [f"{name} ({n})" if n > 1 else name for name, n in zip(lines[0], counts, strict=True)]
    return [dict(zip(names, line, strict=True)) for line in lines[1:]]


def _marks(lines: list[str]) -> tuple[tuple[str, bool | None], ...]:
    if "## Marks" not in lines:
        return ()
    marks = []
    for line in lines[lines.index("## Marks") + 1 :]:
        if line.startswith("## "):
            break
        cells = [cell.strip().replace("\\|", "|") for cell in _CELL.split(line)[1:-1]]
        if len(cells) == 2 and cells[1] in PASSED:
            marks.append((cells[0], PASSED[cells[1]]))
    return tuple(marks)


def _text(path: Path, command: str) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise _refusal(path, "this part of the results is missing", command) from error


def _refusal(path: Path, problem: str, command: str) -> BrainstemALSError:
    return BrainstemALSError(path, problem, f"Run `{command}`.", ExitCode.USAGE)
