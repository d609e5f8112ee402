"""``index.sqlite``: the records of all cases in one file, so that a list needs no folder opened.

Only a cache. The folders are the truth: what the index lacks or gets wrong is read from them again,
and losing it loses nothing. Its journal is the rollback kind, because the shared memory that the
write-ahead kind needs does not work on network drives, where hospitals keep such stores.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from ..errors import BrainstemALSError
from .records import CaseRecord, from_json, to_json

INDEX = "index.sqlite"
# Raised whenever the table or the records in it change: an index of another format is rebuilt.
_FORMAT = 2
_WAIT_S = 2.0
_TABLE = """CREATE TABLE IF NOT EXISTS cases (
    case_id TEXT PRIMARY KEY,
    exam_key TEXT NOT NULL,
    subject TEXT NOT NULL,
    visit_date TEXT NOT NULL,
    annotator TEXT NOT NULL,
    approved_utc TEXT NOT NULL,
    revision INTEGER NOT NULL,
    record TEXT NOT NULL
)"""


class CaseIndex:
    """The index of one store.

    Parameters
    ----------
    path : Path
        Its file; need not exist.
    """

    def __init__(self, path: Path):
        self._path = path

    def read(self) -> dict[str, CaseRecord] | None:
        """Return the records by case id; None where the index is lost, damaged or in use."""
        try:
            if not self._path.is_file():
                return None
            with self._opened() as database:
                if database.execute("PRAGMA user_version").fetchone() != (_FORMAT,):
                    return None
                if database.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
                    return None
                rows = database.execute("SELECT case_id, record FROM cases").fetchall()
            records = {case_id: from_json(json.loads(text)) for case_id, text in rows}
        except (sqlite3.Error, OSError, ValueError, TypeError, BrainstemALSError):
            return None
        if any(case_id != record.case_id for case_id, record in records.items()):
            return None
        return records

    def update(self, added: Iterable[CaseRecord], removed: Iterable[str] = ()) -> None:
        """Add cases and forget others, all at once; sqlite3.Error where that fails."""
        with self._opened() as database, database:
            database.execute(_TABLE)
            database.execute(f"PRAGMA user_version = {_FORMAT}")
            database.executemany(
                "DELETE FROM cases WHERE case_id = ?", [(case_id,) for case_id in removed]
            )
            database.executemany(
                "INSERT OR REPLACE INTO cases VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                [_row(record) for record in added],
            )

    def rebuild(self, records: Iterable[CaseRecord]) -> None:
        """Start anew; the caller sees to it that nobody else writes meanwhile."""
        for ending in ("", "-journal", "-wal", "-shm"):
            self._path.with_name(self._path.name + ending).unlink(missing_ok=True)
        self.update(records)

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self._path, timeout=_WAIT_S)) as database:
            database.execute("PRAGMA journal_mode = DELETE")
            yield database


def _row(record: CaseRecord) -> tuple[str | int, ...]:
    return (
        record.case_id,
        record.exam_key,
        record.subject,
        record.visit_date,
        record.annotator,
        record.approved_utc,
        record.revision,
        json.dumps(to_json(record), ensure_ascii=False, allow_nan=False),
    )
