"""What the labels of another program mean: their names and codes to our structures."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np

from ...anatomy import by_key, load_structures
from ...errors import BrainstemALSError, ExitCode
from ...imaging.volume import Volume
from .description import read_json

NOTHING = "background"
"""In a mapping file: a label that is dropped."""
# Of unknown labels: the rest is counted, so that a whole-brain atlas makes no page of names.
_MOST_NAMED = 12
# SNOMED CT codes of laterality (DICOM PS3.16, CID 244).
SIDES = {"7771000": "left", "24028007": "right"}


@dataclass(frozen=True)
class Term:
    """What another program says about one label value.

    Attributes
    ----------
    value : int
        In the file, above 0.
    name, key, abbreviation : str
        Any may be empty. ``key`` is an identifier: a column ``key``, or Slicer's segment ID.
    snomed, side : str
        SNOMED CT code of the structure, and ``left``, ``right``, ``midline`` or empty.
    layer : int
        Of a seg.nrrd with overlapping segments.
    """

    value: int
    name: str = ""
    key: str = ""
    abbreviation: str = ""
    snomed: str = ""
    side: str = ""
    layer: int = 0

    @property
    def shown(self) -> str:
        """Value and name, for messages."""
        return f"{self.value} ({self.name})" if self.name else str(self.value)


@dataclass(frozen=True, eq=False)
class LabelImage:
    """Labels as a file has them.

    Attributes
    ----------
    name : str
        Of the file, for messages.
    layers : tuple of Volume
        Integer label maps on one grid.
    terms : tuple of Term
        What the file, or a table beside it, says its values mean.
    """

    name: str
    layers: tuple[Volume, ...]
    terms: tuple[Term, ...] = ()


@dataclass(frozen=True)
class Mapping:
    """The user's own table: wins over everything a file says of itself.

    Attributes
    ----------
    by_value : dict of int to int
        Label value in the file to ``Structure.index``; 0 drops the label.
    by_name : dict of str to int
        Likewise by name, as ``_words`` makes it comparable.
    """

    by_value: dict[int, int] = field(default_factory=dict)
    by_name: dict[tuple[str, ...], int] = field(default_factory=dict)

    def find(self, term: Term) -> int | None:
        """Return the index for a term; None where the table does not have it."""
        if term.value in self.by_value:
            return self.by_value[term.value]
        return self.by_name.get(_words(term.name)) if term.name else None


def read_mapping(path: Path) -> Mapping:
    """Read a mapping file.

    TSV (or CSV) with the columns ``index`` or ``name`` (theirs; or both) and ``key`` (ours, or
    ``background`` to drop the label); or a JSON object of their value or name to our key. Our
    own ``Anatomy/structures.tsv`` says that values are ours already.

    Raises
    ------
    BrainstemALSError
        UNREADABLE_IMAGE: no such file, or none of this kind. USAGE: a key that is none of ours.
    """
    if path.suffix.lower() == ".json":
        content = read_json(path)
        if not isinstance(content, dict):
            raise _no_table(path)
        rows = [{"index" if _is_value(k) else "name": k, "key": str(v)} for k, v in content.items()]
    else:
        rows = read_rows(path)
    if not rows or any("key" not in row or not {"index", "name"} & set(row) for row in rows):
        raise _no_table(path)
    ours = {NOTHING: 0, **{key: structure.index for key, structure in by_key().items()}}
    by_value: dict[int, int] = {}
    by_name: dict[tuple[str, ...], int] = {}
    for row in rows:
        if row["key"] not in ours:
            raise BrainstemALSError(
                path,
                f"{row['key']!r} is no key of our structures",
                f"Use the keys of Anatomy/structures.tsv, or {NOTHING} for labels to leave out.",
                ExitCode.USAGE,
            )
        if _is_value(row.get("index", "")):
            by_value[int(row["index"])] = ours[row["key"]]
        elif name := _words(row.get("name", "")):
            by_name[name] = ours[row["key"]]
    return Mapping(by_value, by_name)


def read_rows(path: Path) -> list[dict[str, str]]:
    """Return the rows of a table with a header (tabs; commas in a .csv), ``n/a`` as empty.

    Raises
    ------
    BrainstemALSError
        UNREADABLE_IMAGE: it cannot be read as a table of UTF-8.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
        reader = csv.DictReader(
            text.splitlines(), delimiter="," if path.suffix.lower() == ".csv" else "\t"
        )
        return [
            {
                (name or "").strip().lower(): "" if value in (None, "n/a") else str(value).strip()
                for name, value in row.items()
                if name is not None
            }
            for row in reader
        ]
    except (OSError, UnicodeDecodeError, csv.Error):
        raise _no_table(path) from None


def terms_of_rows(rows: Iterable[dict[str, str]]) -> tuple[Term, ...]:
    """Return the terms of a BIDS ``dseg.tsv`` (``index`` and ``name``, perhaps our columns)."""
    return tuple(
        Term(
            int(row["index"]),
            row.get("name", ""),
            row.get("key", ""),
            row.get("abbreviation", ""),
            row.get("snomed", ""),
            row.get("side", "").lower(),
        )
        for row in rows
        if _is_value(row.get("index", "")) and int(row["index"]) > 0
    )


def structures_of(image: LabelImage, mapping: Mapping | None = None) -> tuple[Volume, set[str]]:
    """Return a label map of our structures, and the keys that its labels could have had.

    A label is ours by, in this order: the user's mapping; key (or segment ID); name, whatever the
    order of its words, case and punctuation; abbreviation; SNOMED code with side, where one
    structure alone has them.

    Returns
    -------
    labels : Volume
        uint8, values are ``Structure.index``.
    keys : set of str
        Of all terms that are ours, drawn or not.

    Raises
    ------
    BrainstemALSError
        UNSUITABLE_IMAGE: nothing says what the values mean, some are none of ours, or two segments
        claim the same voxels.
    """
    mapping = mapping or Mapping()
    if not image.terms and not mapping.by_value:
        raise BrainstemALSError(
            image.name,
            "nothing says which structures its values stand for",
            "Put a table beside it (_dseg.tsv with index and name), or give one with --labels.",
            ExitCode.UNSUITABLE_IMAGE,
        )
    result = np.zeros(image.layers[0].shape, np.uint8)
    unknown: list[str] = []
    for number, layer in enumerate(image.layers):
        # For each value of the file: our index.
        table = {t.value: t for t in image.terms if t.layer == number}
        values = [int(value) for value in np.unique(layer.array) if value]
        for value in values:
            term = table.get(value, Term(value, layer=number))
            index = _index(term, mapping)
            if index is None:
                unknown.append(term.shown)
            elif index:
                _draw(image, result, layer.array == value, index)
    if unknown:
        shown = ", ".join(unknown[:_MOST_NAMED])
        if len(unknown) > _MOST_NAMED:
            shown += f" and {len(unknown) - _MOST_NAMED} more"
        raise BrainstemALSError(
            image.name,
            f"these labels are none of our structures: {shown}",
            f"Say with --labels which key each of them is, or {NOTHING} to leave it out.",
            ExitCode.UNSUITABLE_IMAGE,
        )
    known = {_index(term, mapping) for term in image.terms} | set(mapping.by_value.values())
    keys = {s.key for s in load_structures() if s.index in known}
    return Volume(result, image.layers[0].affine), keys


def _draw(image: LabelImage, result: np.ndarray, mask: np.ndarray, index: int) -> None:
    others = np.unique(result[mask])
    others = others[(others > 0) & (others != index)]
    if len(others):
        keys = {s.index: s.key for s in load_structures()}
        n = int((mask & np.isin(result, others)).sum())
        raise BrainstemALSError(
            image.name,
            f"segments overlap: {n} voxels are both {keys[int(others[0])]} and {keys[index]}",
            "Let no two segments share voxels; in Slicer's Segment Editor allow no overlap.",
            ExitCode.UNSUITABLE_IMAGE,
        )
    result[mask] = index


def _index(term: Term, mapping: Mapping) -> int | None:
    found = mapping.find(term)
    if found is not None:
        return found
    keys, names, abbreviations, codes = _tables()
    for table, key in (
        (keys, term.key),
        (names, _words(term.name)),
        (names, _words(term.key)),
        (abbreviations, term.abbreviation.lower()),
        (abbreviations, term.name.lower()),
        (codes, (term.snomed, term.side)),
    ):
        if key and key in table:
            return table[key]
    return None


@lru_cache(maxsize=1)
def _tables() -> tuple[dict, dict, dict, dict]:
    """Return our indices by key, by the words of a name or key, by abbreviation and by code."""
    structures = load_structures()
    keys = {s.key: s.index for s in structures}
    names = {_words(text): s.index for s in structures for text in (s.key, s.name)}
    abbreviations = {s.abbreviation.lower(): s.index for s in structures}
    with_code = [(s.snomed, "" if s.side == "midline" else s.side) for s in structures if s.snomed]
    codes = {
        (s.snomed, side): s.index
        for s in structures
        for side in ({s.side, ""} if s.side == "midline" else {s.side})
        if s.snomed and with_code.count((s.snomed, "" if s.side == "midline" else s.side)) == 1
    }
    return keys, names, abbreviations, codes


def _words(text: str) -> tuple[str, ...]:
    return tuple(sorted(re.findall(r"[^\W_]+", text.casefold())))


def _is_value(text: str) -> bool:
    return re.fullmatch(r"[0-9]{1,9}", text) is not None


def _no_table(path: Path) -> BrainstemALSError:
    return BrainstemALSError(
        path,
        "this is no table that can be read",
        "Give tab-separated text (UTF-8) with a header, or JSON.",
        ExitCode.UNREADABLE_IMAGE,
    )
