"""Reads a table as text, whatever program wrote it, and says what was odd about it."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .remarks import Remark

_SAVE = "Save it as text with tabs in UTF-8."
_DELIMITERS = {";": "semicolons", ",": "commas", "|": "vertical bars"}
_MISSING = {"", "n/a", "na", "nan", "null", ".", "-", "--", "missing", "unknown", "#n/a"}


@dataclass(frozen=True)
class RawTable:
    """A table as it is written.

    Attributes
    ----------
    file : str
        Name within the dataset.
    columns : tuple of str
        Lower case, letters and digits with single underscores.
    rows : tuple of (int, dict)
        Line of the file (the header is 1) and text by column; what is missing is left out.
    units : dict
        Column to what its JSON file says its unit is, lower case.
    levels : dict
        Column to code to what its JSON file says the code means.
    """

    file: str
    columns: tuple[str, ...]
    rows: tuple[tuple[int, dict[str, str]], ...]
    units: dict[str, str]
    levels: dict[str, dict[str, str]]


def plain(name: str) -> str:
    """Return a column's name in one way of writing.

    Examples
    --------
    >>> plain(" ALSFRS-R Q1 ")
    'alsfrs_r_q1'
    """
    return re.sub(r"[^a-z0-9]+", "_", name.strip().lower()).strip("_")


def read_raw(path: Path, file: str, remarks: list[Remark]) -> RawTable | None:
    """Read a table; None where there is none, or where it cannot be read, which is remarked.

    Parameters
    ----------
    path : Path
    file : str
        What to call it in remarks.
    remarks : list of Remark
        Gets what was found.
    """
    if not path.is_file():
        if path.is_symlink():
            remarks.append(
                Remark(file, "it is a link to a file that is not there", "Fetch it.", "missing")
            )
        return None
    try:
        content = path.read_bytes()
    except OSError:
        remarks.append(Remark(file, "it cannot be read", "Check who may read it.", "left out"))
        return None
    text = _decoded(content, file, remarks)
    if text is None:
        return None
    lines = list(_lines(text, file, remarks))
    if not lines:
        if not text.strip():
            remarks.append(Remark(file, "it is empty", "Write its rows, or remove it.", "left out"))
        return None
    (_, header), body = lines[0], lines[1:]
    columns = tuple(plain(name) for name in header)
    for name in sorted({n for n in columns if n and columns.count(n) > 1}):
        remarks.append(
            Remark(
                file, "there are several columns of this name; the first counts",
                "Leave one of them, or give the others another name.", "left out", 1, name,
            )
        )  # fmt: skip
    described = _described(path, file, remarks)
    return RawTable(file, columns, tuple(_rows(columns, body, file, remarks)), *described)


def _decoded(content: bytes, file: str, remarks: list[Remark]) -> str | None:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        try:
            text = content.decode("utf-16")
        except UnicodeDecodeError:
            remarks.append(Remark(file, "it is no readable text", _SAVE, "left out"))
            return None
        remarks.append(Remark(file, "it is written in UTF-16", _SAVE, "converted"))
        return text
    if b"\0" in content:
        remarks.append(Remark(file, "it is no text (a spreadsheet?)", _SAVE, "left out"))
        return None
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        # Latin-1 gives every byte a meaning; columns and codes that count are ASCII.
        remarks.append(Remark(file, "it is not in UTF-8; read as Latin-1", _SAVE, "converted"))
        return content.decode("latin-1")
    if text.startswith("\ufeff"):
        remarks.append(Remark(file, "it begins with a byte order mark", _SAVE, "converted"))
        text = text.removeprefix("\ufeff")
    return text


def _lines(text: str, file: str, remarks: list[Remark]) -> Iterator[tuple[int, list[str]]]:
    """Yield line and cells of what is not blank; the delimiter is a tab, or what stands for one."""
    if "\r" in text:
        remarks.append(Remark(file, "its lines end as on Windows or old Macs", _SAVE, "converted"))
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    header = next((line for line in text.split("\n") if line.strip()), "")
    delimiter = "\t"
    if "\t" not in header:
        delimiter = next((mark for mark in _DELIMITERS if mark in header), "\t")
    if delimiter != "\t":
        what = _DELIMITERS[delimiter]
        remarks.append(Remark(file, f"its columns are set apart by {what}", _SAVE, "converted"))
    elif "\t" not in header and len(header.split()) > 1:
        # Spaces stand in cells too: nobody can tell where a column ends.
        remarks.append(
            Remark(
                file, "its columns are not set apart by tabs; it was not read", _SAVE, "left out"
            )
        )
        return
    if delimiter == "\t":
        # Without quoting: a lone quotation mark would swallow all rows after it.
        for number, line in enumerate(text.split("\n"), 1):
            if line.strip():
                yield number, [cell.strip().strip('"').strip() for cell in line.split("\t")]
        return
    reader = csv.reader(io.StringIO(text), delimiter=delimiter)
    start = 1
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield start, [cell.strip() for cell in cells]
            start = reader.line_num + 1
    except csv.Error:
        remarks.append(Remark(file, "the table is damaged from here on", _SAVE, "left out", start))


def _rows(
    columns: tuple[str, ...], body: list[tuple[int, list[str]]], file: str, remarks: list[Remark]
) -> Iterator[tuple[int, dict[str, str]]]:
    for number, cells in body:
        while len(cells) > len(columns) and not cells[-1]:
            cells = cells[:-1]
        if len(cells) > len(columns):
            # A decimal comma in a file set apart by commas: nobody can tell what is whose.
            remarks.append(
                Remark(
                    file, "the row has more cells than there are columns",
                    "Correct the row; nothing but its first cell was used.", "left out", number,
                )
            )  # fmt: skip
            cells = cells[:1]
        elif len(cells) < len(columns):
            remarks.append(
                Remark(
                    file, "the row has fewer cells than there are columns",
                    "Write n/a for what is missing.", "kept", number,
                )
            )  # fmt: skip
        row: dict[str, str] = {}
        for name, cell in zip(columns, cells, strict=False):
            if name and name not in row and cell.lower() not in _MISSING:
                row[name] = cell
        yield number, row


def _described(
    path: Path, file: str, remarks: list[Remark]
) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
    """Units and levels of the JSON file beside a table."""
    sidecar = path.with_suffix(".json")
    units: dict[str, str] = {}
    levels: dict[str, dict[str, str]] = {}
    if not sidecar.is_file():
        return units, levels
    try:
        content = json.loads(sidecar.read_text(encoding="utf-8-sig"))
        for name, about in content.items():
            if not isinstance(about, dict):
                continue
            if isinstance(about.get("Units"), str):
                units[plain(name)] = about["Units"].strip().lower()
            if isinstance(about.get("Levels"), dict):
                levels[plain(name)] = {
                    str(code).strip().lower(): str(meaning.get("Description", ""))
                    if isinstance(meaning, dict)
                    else str(meaning)
                    for code, meaning in about["Levels"].items()
                }
    except (OSError, ValueError, AttributeError):
        name = file.rsplit(".", 1)[0] + ".json"
        remarks.append(Remark(name, "it cannot be read", "Write it as JSON.", "left out"))
    return units, levels
