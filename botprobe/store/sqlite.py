"""The store that needs no server: one SQLite file, or nothing but memory.

SQLite has one writer at a time, which the thread of the store is.
"""

import sqlite3
import time
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import (
    Connection,
    Engine,
    create_engine,
    event,
    text,
)

from botprobe.errors import StoreError
from botprobe.store.database import SqlStore
from botprobe.store.migrating import check_step, make_latest, newer, step_of

# Another botprobe may be writing; a longer wait means that something is wrong.
LOCK_SECONDS = 30
# Seconds between two tries where SQLite itself does not wait.
RETRY = 0.02

# Of the file, so that an older botprobe leaves it alone; the first release wrote 1.
FORMER_VERSION, VERSION = 1, 2


class SqliteStore(SqlStore):
    """Keeps cases in a file; without a path, in memory until it is closed."""

    begin = "BEGIN IMMEDIATE"
    begin_read = "BEGIN"

    def __init__(self, path: Path | None, *, per_network: int = 8) -> None:
        super().__init__("in memory" if path is None else str(path), per_network)
        self._path = path

    def _connect(self) -> Engine:
        if self._path is not None:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
            self._path.touch(mode=0o640)
        engine = create_engine(
            f"sqlite:///{self._path or ':memory:'}", connect_args={"timeout": LOCK_SECONDS}
        )
        event.listen(engine, "connect", _prepare)
        return engine

    def _prepare_tables(self, connection: Connection) -> None:
        version = connection.scalar(text("PRAGMA user_version"))
        if version not in {0, FORMER_VERSION, VERSION}:
            raise StoreError(newer(self.name, version, VERSION))
        check_step(self.name, step_of(connection))
        if make_latest(connection):
            connection.execute(text(f"PRAGMA user_version = {VERSION}"))

    def _now(self, connection: Connection) -> datetime:  # noqa: ARG002  # one machine, one clock
        return datetime.now(UTC)


def _prepare(connection: sqlite3.Connection, _record: object) -> None:
    """Set what SQLite forgets with every connection."""
    connection.isolation_level = None  # sqlite3 would begin transactions too late
    _write_ahead(connection)
    # A mail may be moved away once it is kept: it must have reached the disk.
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Keep a write-ahead log; who begins one needs the file alone, and SQLite does not wait."""
    deadline = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(RETRY)
        else:
            return
