"""Structures of the brainstem: the table in Resources/Anatomy/structures.tsv is the single truth.

Indices are stable for ever: a label map written by an old version means the same today. Composites
(a whole region, all white matter, a pathway) are derived from the table here and never stored.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import lru_cache

from ..assets import asset_path

SIDES = ("left", "right", "midline")
REGIONS = ("midbrain", "pons", "medulla")
CONTEXT = "context"  # drawn to help the reader and the network; not part of the brainstem
TISSUES = ("white", "grey", "mixed", "csf")
TIERS = ("A", "B", "C")


@dataclass(frozen=True)
class Structure:
    """One row of the table of structures.

    Attributes
    ----------
    index : int
        Value in label maps, 1-255.
    key, name, abbreviation : str
        Machine name, full English name and short name.
    side : str
        ``left``, ``right`` (the patient's own) or ``midline``.
    parent : str
        ``midbrain``, ``pons``, ``medulla`` or ``context``.
    tissue : str
        ``white``, ``grey``, ``mixed`` or ``csf``.
    tier : str
        A visible at 1 mm T1 + DTI, B needs a prior, C prior only.
    pathway : str or None
        Tract system, for composites such as the whole corticospinal tract.
    color : str
        ``#rrggbb``.
    snomed, uberon : str or None
        Codes, only where they are sure.
    """

    index: int
    key: str
    name: str
    abbreviation: str
    side: str
    parent: str
    tissue: str
    tier: str
    pathway: str | None
    color: str
    snomed: str | None
    uberon: str | None

    @property
    def mirror_key(self) -> str:
        """Key of the same structure on the other side; its own key when it lies on the midline."""
        if self.side == "left":
            return self.key.removesuffix("_left") + "_right"
        if self.side == "right":
            return self.key.removesuffix("_right") + "_left"
        return self.key

    @property
    def stem(self) -> str:
        """Key without its side, the name of a left/right pair."""
        return self.key.removesuffix("_left").removesuffix("_right")


@lru_cache(maxsize=1)
def load_structures() -> tuple[Structure, ...]:
    """Return all structures, ordered by index."""
    with asset_path("Anatomy/structures.tsv").open(encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle, delimiter="\t"))
    structures = []
    for row in rows:
        values = {name: (None if value == "n/a" else value) for name, value in row.items()}
        structures.append(Structure(**{**values, "index": int(row["index"])}))
    return tuple(sorted(structures, key=lambda structure: structure.index))


def by_key() -> dict[str, Structure]:
    """Return the structures by key."""
    return {structure.key: structure for structure in load_structures()}


@lru_cache(maxsize=1)
def composites() -> dict[str, tuple[str, ...]]:
    """Return the derived structures: name to the keys of the structures they unite.

    ``midbrain``, ``pons``, ``medulla``, ``brainstem``, ``white_matter``, ``grey_matter``, and
    ``corticospinal_tract_left`` / ``_right`` from crus to pyramid.
    """
    brainstem = [s for s in load_structures() if s.parent in REGIONS]
    derived = {region: tuple(s.key for s in brainstem if s.parent == region) for region in REGIONS}
    derived["brainstem"] = tuple(s.key for s in brainstem)
    derived["white_matter"] = tuple(s.key for s in brainstem if s.tissue == "white")
    derived["grey_matter"] = tuple(s.key for s in brainstem if s.tissue == "grey")
    for side in ("left", "right"):
        derived[f"corticospinal_tract_{side}"] = tuple(
            s.key for s in brainstem if s.pathway == "corticospinal" and s.side == side
        )
    return derived
