"""Where a version comes from: its parent, the corrections it learned from, how it was trained."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ... import __version__

BUNDLED = "bundled"
"""Stands for the models that come with BrainstemALS wherever a version is named."""
FORMAT = 1
LINEAGE = "lineage.json"
# Versions and cases of the annotation store are named alike: UTC, and twelve random hex digits.
_ID = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{12}")


def is_id(name: str) -> bool:
    """Return whether a name is that of a version, or of a case of the annotation store."""
    return _ID.fullmatch(name) is not None


@dataclass(frozen=True)
class Lineage:
    """Where a version comes from.

    Attributes
    ----------
    parent : str
        Version whose weights the training began with, or ``bundled``.
    parent_sha256 : str
        Checksum of the parent's structure network.
    corrections : tuple of str
        Case ids of the annotation store; never codes of subjects.
    training : mapping
        Facts of the training that JSON can hold: seconds, steps, seed, command.
    learned_from : str
        ``simulation``, or ``simulation and corrections``.
    made_utc : str
        When the version was stored, as 2026-03-31T12:00:00Z; empty before that.
    software : str
        Version of BrainstemALS that stored it.
    ancestors : tuple of str
        Parent, its parent and so on, without ``bundled``; filled in when the version is stored, so
        that the way back is known even when the parent's own folder is damaged.

    Raises
    ------
    ValueError
        A parent or a correction is named by what is no id.
    """

    parent: str
    parent_sha256: str
    corrections: tuple[str, ...] = ()
    training: Mapping[str, Any] = field(default_factory=dict)
    learned_from: str = "simulation"
    made_utc: str = ""
    software: str = __version__
    ancestors: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what could carry an identity where an id belongs."""
        for name in self.corrections:
            if not is_id(name):
                raise ValueError("a correction is named by its case id and by nothing else")
        for name in (self.parent, *self.ancestors):
            if name != BUNDLED and not is_id(name):
                raise ValueError(f"a parent is {BUNDLED} or the id of a version")

    def to_json(self) -> dict[str, Any]:
        """Return the content of ``lineage.json``."""
        return {
            "format": FORMAT,
            "parent": self.parent,
            "parent_sha256": self.parent_sha256,
            "ancestors": list(self.ancestors),
            "corrections": list(self.corrections),
            "training": dict(self.training),
            "learned_from": self.learned_from,
            "made_utc": self.made_utc,
            "software": self.software,
        }


def read_lineage(folder: Path) -> Lineage:
    """Read the ``lineage.json`` of a version or of a candidate.

    Raises
    ------
    OSError
        There is none, or it cannot be read.
    ValueError
        It is damaged, or of a newer format.
    """
    try:
        content = json.loads((folder / LINEAGE).read_bytes())
        if int(content.get("format", FORMAT)) > FORMAT:
            raise ValueError("a newer version of BrainstemALS wrote it")
        return Lineage(
            parent=str(content["parent"]),
            parent_sha256=str(content["parent_sha256"]),
            corrections=tuple(str(name) for name in content.get("corrections", ())),
            training=dict(content.get("training", {})),
            learned_from=str(content.get("learned_from", "simulation")),
            made_utc=str(content.get("made_utc", "")),
            software=str(content.get("software", "")),
            ancestors=tuple(str(name) for name in content.get("ancestors", ())),
        )
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError("it lacks a part, or a part is of another kind") from error
