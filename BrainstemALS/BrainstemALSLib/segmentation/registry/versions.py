"""One version in its folder, which nobody changes once it has its name.

structures.ts, structures.json    the structure network and its description
locator.ts, locator.json          the locator it works with
lineage.json                      where it comes from, see ``lineage``
gate.json                         what the gate found before it was promoted
version.sha256                    checksums of all of these, as ``sha256sum -c`` reads them
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ... import __version__
from ...durability import PARTIAL, move_folder, sync_file, sync_folder
from ...errors import BrainstemALSError
from ...imaging.checksum import sha256_of
from ..models import LOCATOR, STRUCTURES, find_model
from . import refusals
from .lineage import LINEAGE, Lineage, is_id, read_lineage

VERSIONS, GATE, SEAL = "versions", "gate.json", "version.sha256"
_ROLES = (STRUCTURES, LOCATOR)
_MODEL_FILES = tuple(f"{name}{suffix}" for name in _ROLES for suffix in (".ts", ".json"))
_EXTRA = re.compile(r"[a-z0-9_]+\.[a-z]+")


@dataclass(frozen=True)
class Version:
    """One version as a list shows it.

    Attributes
    ----------
    id : str
        Name of its folder.
    folder : Path
    problem : str
        What is damaged, a clause; empty where it is whole.
    identity : dict
        Name, version and checksum of its structure network; empty where damaged.
    lineage : Lineage or None
        None where damaged.
    gate : dict
        What the gate found; empty where it was stored without.
    """

    id: str
    folder: Path
    problem: str
    identity: dict[str, str]
    lineage: Lineage | None
    gate: dict[str, Any]


def utc_text(moment: datetime) -> str:
    """Return a time in UTC as 2026-03-31T12:00:00Z."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def new_id(moment: datetime) -> str:
    """Return a name that nobody else gives and that tells nothing of a patient."""
    return f"{moment.strftime('%Y%m%dT%H%M%SZ')}-{secrets.token_hex(6)}"


def find_problem(folder: Path) -> str:
    """Return what is missing or altered in a version, a clause; empty where it is whole."""
    try:
        lines = (folder / SEAL).read_text(encoding="ascii").splitlines()
        sealed = {name: checksum for checksum, name in (line.split("  ", 1) for line in lines)}
    except FileNotFoundError:
        return "its list of checksums is missing" if folder.is_dir() else "its folder is missing"
    except (OSError, ValueError):
        return "its list of checksums is damaged"
    for name in (*_MODEL_FILES, LINEAGE):
        if name not in sealed:
            return f"there is no checksum of {name}"
    for name, checksum in sealed.items():
        if Path(name).name != name:
            return "its list of checksums is damaged"
        try:
            if sha256_of(folder / name) != checksum:
                return f"{name} is damaged or was altered"
        except FileNotFoundError:
            return f"{name} is missing"
        except OSError:
            return f"{name} cannot be read"
    return ""


def read_version(folder: Path) -> Version:
    """Look at one version, every file checked; says what is damaged, and raises nothing."""
    problem, identity, lineage, gate = find_problem(folder), {}, None, {}
    if not problem:
        try:
            identity = find_model(STRUCTURES, folder).identity
            find_model(LOCATOR, folder)
            lineage = read_lineage(folder)
            if (folder / GATE).exists():
                gate = json.loads((folder / GATE).read_bytes())
        except BrainstemALSError as error:  # whole, and made for another version of BrainstemALS
            problem = error.problem
        except (OSError, ValueError):
            problem = f"{LINEAGE} or {GATE} cannot be understood"
    return Version(folder.name, folder, problem, identity, lineage, gate)


def ids(root: Path) -> list[str]:
    """Return the names of all version folders, damaged ones too, the oldest first."""
    try:
        return sorted(name for name in os.listdir(root / VERSIONS) if is_id(name))
    except (FileNotFoundError, NotADirectoryError):
        return []


def store_version(
    root: Path,
    sources: Mapping[str, Path],
    lineage: Lineage,
    gate: Mapping[str, Any] | None,
    extras: Mapping[str, bytes],
) -> Version:
    """Store a version: whole and read back under its name, or not at all.

    Parameters
    ----------
    root : Path
        The user's folder of models, whose lock the caller holds.
    sources : mapping of str to Path
        ``structures`` and ``locator`` to the folder that each is copied from.
    lineage : Lineage
        With its ancestors; time and software are set here.
    gate : mapping, optional
        Content of ``gate.json``.
    extras : mapping of str to bytes
        Further files by plain name, for example the gate's report.

    Raises
    ------
    BrainstemALSError
        MODEL_UNAVAILABLE: a model is damaged.
    OSError
        The disk did not take it, or not as it was.
    """
    if not all(_EXTRA.fullmatch(name) for name in extras) or {*extras} & {*_MODEL_FILES, LINEAGE}:
        raise ValueError("a further file has a plain name of its own")
    moment = datetime.now(UTC).replace(microsecond=0)
    lineage = replace(lineage, made_utc=utc_text(moment), software=__version__)
    versions = root / VERSIONS
    versions.mkdir(parents=True, exist_ok=True)
    version = new_id(moment)
    partial = versions / f"{PARTIAL}{version}"
    partial.mkdir()
    try:
        expected = {}
        for role in _ROLES:
            model = find_model(role, sources[role])
            expected[role] = model.identity["sha256"]
            for path in (model.path, model.path.with_suffix(".json")):
                shutil.copyfile(path, partial / path.name)
        texts = {LINEAGE: _json(lineage.to_json()), **extras}
        if gate is not None:
            texts[GATE] = _json(gate)
        for name, content in texts.items():
            (partial / name).write_bytes(content)
        names = sorted((*_MODEL_FILES, *texts))
        seal = "".join(f"{sha256_of(partial / name)}  {name}\n" for name in names)
        (partial / SEAL).write_bytes(seal.encode("ascii"))
        for name in (*names, SEAL):
            sync_file(partial / name)
        sync_folder(partial)
        # What was read a second time may have changed, and a disk may not keep what it took.
        kept = {role: find_model(role, partial).identity["sha256"] for role in _ROLES}
        if kept != expected or read_version(partial).problem:
            raise OSError("the file system does not give back what it took")
        move_folder(partial, versions / version)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return read_version(versions / version)


def delete_version(root: Path, version: str) -> None:
    """Delete a version: at once gone from every list, then from the disk."""
    doomed = root / VERSIONS / f"{PARTIAL}removed-{secrets.token_hex(6)}"
    os.rename(root / VERSIONS / version, doomed)
    sync_folder(root / VERSIONS)
    shutil.rmtree(doomed, ignore_errors=True)


def sweep(root: Path) -> None:
    """Delete what writers left that died; only for who holds the lock."""
    with suppress(OSError):
        for name in os.listdir(root / VERSIONS):
            if name.startswith(PARTIAL):
                shutil.rmtree(root / VERSIONS / name, ignore_errors=True)


def check_whole(root: Path, version: str) -> Version:
    """Return a version that can be used.

    Raises
    ------
    BrainstemALSError
        USAGE: no such version; MODEL_UNAVAILABLE: it is damaged.
    """
    if not is_id(version) or not (root / VERSIONS / version).is_dir():
        raise refusals.unknown(version)
    found = read_version(root / VERSIONS / version)
    if found.problem:
        raise refusals.damaged(version, found.problem)
    return found


def _json(content: Mapping[str, Any]) -> bytes:
    text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)
    return (text + "\n").encode()
