"""What was done for a visit and from what: beside its results, written after them.

``<stem>_desc-brainstem_run.json`` is removed before a visit is done again and written when all of
its results are in place: where it is, the results are whole and belong to these inputs.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import __version__
from ..durability import write_whole
from ..imaging.checksum import sha256_of
from ..report.naming import derivative_name
from .discovery import Visit, input_files, name_within
from .settings import Settings

_FORMAT = 1
# Of a NIfTI-1 file; byte 108 says where the voxels begin.
_HEADER, _LONGEST_HEADER = 352, 1 << 24


@dataclass(frozen=True)
class RunRecord:
    """The record of one visit.

    Attributes
    ----------
    path : Path
    content : dict
        ``participant_id``, ``session_id``, ``inputs``, ``files``, ``diffusion``, ``seconds`` ...
    """

    path: Path
    content: dict[str, Any]

    @property
    def participant(self) -> str:
        """``sub-01``."""
        return str(self.content["participant_id"])

    @property
    def session(self) -> str:
        """``ses-01``."""
        return str(self.content["session_id"])

    @property
    def stem(self) -> str:
        """Beginning of the names of the results."""
        return self.path.name.removesuffix(derivative_name("", "run", ".json"))

    def is_whole(self) -> bool:
        """Whether every result is there in the size that was written."""
        try:
            return all(
                (self.path.parent / name).stat().st_size == size
                for name, size in self.content["files"].items()
            )
        except OSError:
            return False

    def t1_checksum(self) -> str:
        """Return the checksum of the first T1; empty where there is none."""
        return str(self._t1().get("sha256", ""))

    def t1_voxels(self) -> str:
        """Return the checksum of the voxels of the first T1, however packed; empty without."""
        about = self._t1()
        return str(about.get("voxels") or about.get("sha256", ""))

    def _t1(self) -> dict[str, Any]:
        inputs = self.content["inputs"].items()
        return next((dict(about) for name, about in inputs if _is_t1(name)), {})


def _is_t1(name: str) -> bool:
    return name.endswith(("_T1w.nii", "_T1w.nii.gz"))


def voxels_of(path: Path) -> str:
    """Return a checksum of what follows a NIfTI's header; empty where it cannot be read.

    Files that were packed again, or whose header was edited, have the same one.
    """
    digest = hashlib.sha256()
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as handle:
            header = handle.read(_HEADER)
            starts = [struct.unpack(f"{order}f", header[108:112])[0] for order in "<>"]
            start = next((int(s) for s in starts if _HEADER <= s < _LONGEST_HEADER), _HEADER)
            handle.read(start - _HEADER)
            while part := handle.read(1 << 20):
                digest.update(part)
    except (OSError, EOFError, ValueError, struct.error, zlib.error):
        return ""  # whoever segments it says what is wrong
    return digest.hexdigest()


def record_path(out: Path, visit: Visit) -> Path:
    """Return where the record of a visit lies."""
    return out / visit.place / derivative_name(visit.key, "run", ".json")


def read_record(path: Path) -> RunRecord | None:
    """Return a record; None where there is none, or none that this version can read."""
    try:
        content = json.loads(path.read_bytes())
        record = RunRecord(path, content)
        if content["format"] != _FORMAT or not record.participant or not record.session:
            return None
        dict(content["inputs"]), dict(content["files"]), str(content["settings"])
        return record
    except (OSError, ValueError, KeyError, TypeError):
        return None


def inputs_of(visit: Visit, root: Path) -> dict[str, dict[str, Any]]:
    """Return name within the dataset to size, time and SHA-256 of every input.

    Raises
    ------
    OSError
        A file cannot be read.
    """
    inputs = {}
    for path in input_files(visit, root):
        about = path.stat()
        inputs[name_within(path, root)] = {
            "size": about.st_size,
            "mtime_ns": about.st_mtime_ns,
            "sha256": sha256_of(path),
            **({"voxels": voxels_of(path)} if _is_t1(path.name) else {}),
        }
    return inputs


def is_unchanged(visit: Visit, root: Path, out: Path, settings: Settings) -> bool:
    """Whether the results of a visit are there, whole, and of these inputs and settings.

    Files of the same size and time are taken for the same; where only the time differs, the
    checksum decides.
    """
    record = read_record(record_path(out, visit))
    if record is None or record.content["settings"] != settings.fingerprint():
        return False
    files = {name_within(path, root): path for path in input_files(visit, root)}
    return same_inputs(files, record.content["inputs"]) and record.is_whole()


def same_inputs(files: Mapping[str, Path], known: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether files are those that a record names, by name within the dataset."""
    if files.keys() != known.keys():
        return False
    try:
        for name, path in files.items():
            about, before = path.stat(), known[name]
            if about.st_size != before["size"]:
                return False
            if about.st_mtime_ns != before["mtime_ns"] and sha256_of(path) != before["sha256"]:
                return False
    except (OSError, KeyError, TypeError):
        return False
    return True


def write_record(
    visit: Visit,
    out: Path,
    settings: Settings,
    inputs: dict[str, dict[str, Any]],
    files: list[Path],
    seconds: float,
) -> None:
    """Write the record of a visit whose results are in place."""
    series = "series" if visit.has_series else "none"
    content = {
        "format": _FORMAT,
        "software": {"name": "BrainstemALS", "version": __version__},
        "participant_id": visit.participant,
        "session_id": visit.session,
        "settings": settings.fingerprint(),
        "options": {k: v for k, v in settings.options().items() if v is not None},
        "models": dict(settings.models),
        "diffusion": "maps" if visit.fa or visit.md else series,
        "seconds": round(seconds, 2),
        "inputs": inputs,
        "files": {path.name: path.stat().st_size for path in sorted(files)},
    }
    write_whole(record_path(out, visit), (json.dumps(content, indent=1) + "\n").encode())


def all_records(out: Path) -> list[RunRecord]:
    """Return the records of an output folder whose results are whole, by participant and visit."""
    found = [record for path in _record_paths(out) if (record := read_record(path)) is not None]
    return sorted(
        (record for record in found if record.is_whole()),
        key=lambda record: (record.participant, record.session),
    )


def any_record(out: Path) -> bool:
    """Whether an output folder holds a record of a visit, whole or not."""
    return next(_record_paths(out), None) is not None


def _record_paths(out: Path) -> Iterator[Path]:
    pattern = derivative_name("*", "run", ".json")
    for place in ("sub-*/anat", "sub-*/ses-*/anat"):
        yield from out.glob(f"{place}/{pattern}")
