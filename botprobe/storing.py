"""Which store the settings ask for, and the bell that belongs to it."""

import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from botprobe.config import state_directory
from botprobe.errors import ConfigError, StoreError
from botprobe.queue.local import LocalBell
from botprobe.service.onlyone import only_one
from botprobe.service.patience import Trouble, patiently
from botprobe.settings import Settings, is_shared
from botprobe.store.database import SqlStore
from botprobe.store.sqlite import SqliteStore


def store_path(settings: Settings) -> Path:
    """Return where the store's file is."""
    path = settings.store.path
    return Path(path) if path else state_directory(os.environ) / "cases.sqlite"


def open_store(settings: Settings, *, make_tables: bool = False) -> SqlStore:
    """Return the store; it is opened by ``async with``.

    Args:
        settings: they say where it is.
        make_tables: make tables in a database that has none; a file always gets them.

    Raises:
        ConfigError: its address is none, or the driver is missing.
    """
    url, per_network = settings.store.path, settings.scope.concurrency_per_network
    if url is None or not is_shared(settings.store):
        return SqliteStore(store_path(settings), per_network=per_network)
    try:
        from botprobe.store.postgres import PostgresStore  # noqa: PLC0415  # an extra
    except ImportError as error:
        raise ConfigError(
            "store: PostgreSQL needs psycopg: pip install botprobe[cluster]"
        ) from error
    return PostgresStore(url, per_network=per_network, make_tables=make_tables)


def known_store(settings: Settings) -> SqlStore:
    """Return the store for a command that only reads it; a mistyped path must not make one.

    Raises:
        StoreError: there is none.
    """
    if not is_shared(settings.store) and not (path := store_path(settings)).exists():
        raise StoreError(
            f"there is no store {path}: botprobe store init makes one, and so does the first scan"
        )
    return open_store(settings)


@asynccontextmanager
async def open_work(
    settings: Settings, trouble: Trouble
) -> AsyncIterator[tuple[SqlStore, LocalBell]]:
    """Open the store to work on what is due there, with the bell that tells of it.

    Nobody else works on a file, so what a crash left claimed is due again. A server that does
    not answer is waited for.

    Raises:
        StoreError: the store cannot be opened, or another watch works on its file.
    """
    if is_shared(settings.store):
        from botprobe.queue.postgres import open_bell  # noqa: PLC0415  # an extra
        from botprobe.store.postgres import conninfo  # noqa: PLC0415

        async with (
            AsyncExitStack() as stack,
            open_bell(conninfo(settings.store.path or "")) as bell,
        ):
            store = await patiently(
                lambda: stack.enter_async_context(open_store(settings)), trouble
            )
            yield store, bell
        return
    with only_one(store_path(settings)):
        async with open_store(settings) as store:
            await store.recover()
            yield store, LocalBell()
