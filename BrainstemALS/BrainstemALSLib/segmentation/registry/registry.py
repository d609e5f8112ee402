"""Changes which models are in use: promote, use, roll back, remove. One writer at a time."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ...durability import sync_folder
from ...errors import BrainstemALSError, ExitCode
from ...file_lock import FileLock, LockUnsupportedError
from ..models import LOCATOR, STRUCTURES, find_model
from . import refusals, versions
from .in_use import ModelsInUse, bundled_folder, models_in_use
from .lineage import BUNDLED, Lineage, is_id
from .place import user_folder
from .pointer import (
    CURRENT,
    PROMOTE,
    REMOVE,
    ROLLBACK,
    USE,
    DamagedPointerError,
    Entry,
    Pointer,
    read_pointer,
    write_pointer,
)
from .versions import Version

LOCK = "registry.lock"
# A version is written in under a second, on a slow network drive in ten.
_LOCK_WAIT_S, _LOCK_POLL_S = 60.0, 0.02


class ModelRegistry:
    """The user's models.

    Several processes may use one at a time. Whoever is killed at any moment leaves the model that
    was in use, or the new one, whole; never neither.

    Parameters
    ----------
    root : Path, optional
        The user's folder of models; ``place.user_folder`` where left out. Made when something is
        first written to it.
    """

    def __init__(self, root: Path | None = None):
        self.root = user_folder() if root is None else Path(root)

    def in_use(self) -> ModelsInUse:
        """Return the models to segment with, see ``models_in_use``."""
        return models_in_use(self.root)

    def versions(self) -> tuple[Version, ...]:
        """Return all stored versions, damaged ones too, the oldest first."""
        return tuple(
            versions.read_version(self.root / versions.VERSIONS / name)
            for name in versions.ids(self.root)
        )

    def history(self) -> tuple[Entry, ...]:
        """Return all changes of what is in use, the first first; none where they are damaged."""
        with suppress(DamagedPointerError, BrainstemALSError):
            return read_pointer(self.root).history
        return ()

    def add(
        self,
        source: Path,
        lineage: Lineage,
        gate: Mapping[str, Any] | None = None,
        extras: Mapping[str, bytes] | None = None,
    ) -> Version:
        """Store a version without using it; parameters as for ``promote``."""
        with self._writing():
            return self._add(source, lineage, gate, extras)

    def promote(
        self,
        source: Path,
        lineage: Lineage,
        gate: Mapping[str, Any] | None = None,
        extras: Mapping[str, bytes] | None = None,
        judged_against: str | None = None,
        judged: Mapping[str, str] | None = None,
    ) -> Version:
        """Store a version and put it into use.

        Parameters
        ----------
        source : Path
            Folder with ``structures.ts`` and ``structures.json`` and, where it has its own, the
            locator; else the locator in use goes with it.
        lineage : Lineage
            Where it comes from.
        gate : mapping, optional
            What the gate found, as JSON can hold it.
        extras : mapping of str to bytes, optional
            Further files by plain name, for example the gate's report.
        judged_against : str, optional
            Version that the gate compared it with: when another has been put into use meanwhile,
            the comparison says nothing any more.
        judged : mapping, optional
            Identity of the structure network that was judged; another is not put into use.

        Raises
        ------
        BrainstemALSError
            MODEL_UNAVAILABLE: a model is damaged or made for another version. OUTPUT_REFUSED: the
            disk is full or cannot be written to, another program writes, or another version than
            ``judged_against`` is in use.
        """
        with self._writing():
            used = self.in_use().version
            if judged_against is not None and judged_against != used:
                raise BrainstemALSError(
                    "candidate model",
                    "another model was put into use since this one was compared with it",
                    "Run the gate again, so that it is compared with the model in use.",
                    ExitCode.OUTPUT_REFUSED,
                )
            version = self._add(source, lineage, gate, extras)
            if judged is not None and version.identity.get("sha256") != judged.get("sha256"):
                raise BrainstemALSError(
                    "candidate model",
                    "it was altered since it was judged",
                    "Run the gate again.",
                    ExitCode.OUTPUT_REFUSED,
                )
            self._point(PROMOTE, version.id)
            return version

    def use(self, version: str) -> ModelsInUse:
        """Put a stored version, or ``bundled``, into use.

        Raises
        ------
        BrainstemALSError
            USAGE: no such version. MODEL_UNAVAILABLE: it is damaged. OUTPUT_REFUSED.
        """
        with self._writing():
            if version != BUNDLED:
                versions.check_whole(self.root, version)
            self._point(USE, version)
        return self.in_use()

    def rollback(self) -> ModelsInUse:
        """Go back to the version that was in use before and still works; at last to the bundled.

        Raises
        ------
        BrainstemALSError
            USAGE: the bundled model is in use, and nothing was before. OUTPUT_REFUSED.
        """
        with self._writing():
            pointer = self._pointer()
            back = pointer.way_back()
            if not back:
                raise BrainstemALSError(
                    refusals.MODELS,
                    "the model that comes with BrainstemALS is in use, and none was before it",
                    "There is nothing to go back to.",
                    ExitCode.USAGE,
                )
            target = next(name for name in back if self._works(name))
            self._point(ROLLBACK, target)
        return self.in_use()

    def remove(self, version: str) -> None:
        """Delete a version that is not in use; the bundled one cannot be.

        Raises
        ------
        BrainstemALSError
            USAGE: no such version, the one in use, or the bundled one. OUTPUT_REFUSED.
        """
        with self._writing():
            pointer = self._pointer()
            if version in (BUNDLED, pointer.version, self.in_use().version):
                raise BrainstemALSError(
                    f"model {version}",
                    "it is in use"
                    if version != BUNDLED
                    else "it comes with BrainstemALS and always stays",
                    "Choose another one to remove, or put another into use before.",
                    ExitCode.USAGE,
                )
            if version not in versions.ids(self.root):
                raise refusals.unknown(version)
            versions.delete_version(self.root, version)
            entry = self._entry(REMOVE, version, pointer.version)
            write_pointer(self.root, replace(pointer, history=(*pointer.history, entry)))

    def _add(
        self,
        source: Path,
        lineage: Lineage,
        gate: Mapping[str, Any] | None,
        extras: Mapping[str, bytes] | None,
    ) -> Version:
        source = Path(source)
        find_model(STRUCTURES, source)
        own = (source / f"{LOCATOR}.ts").exists() or (source / f"{LOCATOR}.json").exists()
        sources = {STRUCTURES: source, LOCATOR: source if own else self.in_use().folder}
        lineage = replace(lineage, ancestors=self._ancestors(lineage.parent))
        return versions.store_version(self.root, sources, lineage, gate, extras or {})

    def _ancestors(self, parent: str) -> tuple[str, ...]:
        """The line of parents from one on, without the bundled model."""
        if parent == BUNDLED:
            return ()
        found = versions.read_version(self.root / versions.VERSIONS / parent).lineage
        return (parent, *(found.ancestors if found else ()))

    def _works(self, version: str) -> bool:
        if version == BUNDLED:
            return True
        return not versions.read_version(self.root / versions.VERSIONS / version).problem

    def _point(self, action: str, version: str) -> None:
        pointer = self._pointer()
        lineage = None
        if is_id(version):
            lineage = versions.read_version(self.root / versions.VERSIONS / version).lineage
        entry = self._entry(action, version, pointer.version)
        new = Pointer(version, lineage.ancestors if lineage else (), (*pointer.history, entry))
        write_pointer(self.root, new)

    @staticmethod
    def _entry(action: str, version: str, previous: str) -> Entry:
        return Entry(versions.utc_text(datetime.now(UTC)), action, version, previous)

    def _pointer(self) -> Pointer:
        """Which version is in use; a damaged file is set aside, and the history begins anew."""
        try:
            return read_pointer(self.root)
        except DamagedPointerError:
            path = self.root / CURRENT
            path.replace(path.with_name(f"damaged-{secrets.token_hex(6)}.json"))
            return Pointer()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Wait until nobody else writes; without locks go on, for every file appears whole."""
        bundled, own = bundled_folder().resolve(), self.root.resolve()
        if own == bundled or bundled in own.parents:
            raise BrainstemALSError(
                refusals.MODELS,
                "their folder is that of the models that come with BrainstemALS, which stay",
                "Choose a folder of your own.",
                ExitCode.OUTPUT_REFUSED,
            )
        try:
            (self.root / versions.VERSIONS).mkdir(parents=True, exist_ok=True)
            sync_folder(self.root)
            lock = FileLock(self.root / LOCK)
            until = time.monotonic() + _LOCK_WAIT_S
            locked = False
            with suppress(LockUnsupportedError):
                while not (locked := lock.acquire()):
                    if time.monotonic() > until:
                        raise refusals.busy()
                    time.sleep(_LOCK_POLL_S)
            try:
                if locked:
                    versions.sweep(self.root)
                yield
            finally:
                lock.release()
        except OSError:
            raise refusals.unwritable() from None
