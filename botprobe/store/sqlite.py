"""The store that needs no server: one SQLite file, written by one thread.

SQLite has one writer at a time, so all statements run in a thread of the store's own and
``await`` hides it; the event loop never waits for the disk.
"""

import asyncio
import hashlib
import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, insert, select, text
from sqlalchemy.dialects.sqlite import insert as insert_or
from sqlalchemy.exc import SQLAlchemyError

from botprobe.contract.case import case_document, case_from_document
from botprobe.contract.mail import mail_document
from botprobe.errors import StoreError
from botprobe.model.mail import IpAddress, Mail
from botprobe.model.verdict import Case
from botprobe.model.weekly import Period, Tallies
from botprobe.store.reporting import Locate, tallies
from botprobe.store.rollup import count_case, count_mail, needs_rebuild, rebuild
from botprobe.store.schema import SCHEMA_VERSION, cases, hops, mails, metadata

# Another botprobe may be writing; a longer wait means that something is wrong.
LOCK_SECONDS = 30

T = TypeVar("T")


class SqliteStore(AbstractAsyncContextManager["SqliteStore"]):
    """Keeps cases in a file; ``async with`` opens and closes it.

    Raises:
        StoreError: the file cannot be opened, is no store, or is of another version.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="store")
        self._engine: Engine | None = None

    async def __aenter__(self) -> Self:
        try:
            await self._in_thread(self._open)
        except BaseException:
            await self._close()
            raise
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._close()

    async def add_mail(self, mail: Mail) -> None:
        """Keep a mail and its hops; the same mail once more changes nothing."""
        await self._in_transaction(lambda connection: _insert_mail(connection, mail))

    async def add_case(self, case: Case) -> None:
        """Keep a case."""
        row = _case_row(case)

        def add(connection: Connection) -> None:
            connection.execute(insert(cases), row)
            count_case(connection, case)

        await self._in_transaction(add)

    async def cases(self, address: IpAddress) -> Sequence[Case]:
        """Return all cases of an address, newest first."""
        query = (
            select(cases.c.document)
            .where(cases.c.ip == str(address))
            .order_by(cases.c.started.desc(), cases.c.id.desc())
        )
        rows = await self._in_transaction(lambda connection: connection.scalars(query).all())
        return [case_from_document(json.loads(document)) for document in rows]

    async def probed_since(self, start: datetime) -> Sequence[tuple[IpAddress, datetime]]:
        """Return who was probed when, from ``start`` until now, oldest first."""
        query = (
            select(cases.c.ip, cases.c.started)
            .where(cases.c.probed, cases.c.started >= start.timestamp())
            .order_by(cases.c.started)
        )
        rows = await self._in_transaction(lambda connection: connection.execute(query).all())
        return [(ip_address(ip), datetime.fromtimestamp(at, UTC)) for ip, at in rows]

    async def tallies(
        self,
        period: Period,
        compared: Period,
        *,
        trend_weeks: int,
        locate: Locate | None = None,
    ) -> Tallies:
        """Count what a report over ``period`` needs."""
        return await self._in_transaction(
            lambda connection: tallies(
                connection, period, compared, trend_weeks=trend_weeks, locate=locate
            )
        )

    async def _in_thread(self, work: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        except (SQLAlchemyError, OSError) as error:
            reason = str(getattr(error, "orig", None) or error)
            raise StoreError(f"store {self._path}: {reason}") from error

    async def _in_transaction(self, work: Callable[[Connection], T]) -> T:
        engine = self._engine
        if engine is None:
            raise StoreError(f"store {self._path} is closed")

        def run() -> T:
            with engine.begin() as connection:
                return work(connection)

        return await self._in_thread(run)

    def _open(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
        self._path.touch(mode=0o640)
        engine = create_engine(f"sqlite:///{self._path}", connect_args={"timeout": LOCK_SECONDS})
        event.listen(engine, "connect", _prepare)
        self._engine = engine
        with engine.begin() as connection:
            version = connection.scalar(text("PRAGMA user_version"))
            if version not in {0, SCHEMA_VERSION}:
                raise StoreError(
                    f"store {self._path} has schema {version}, this botprobe reads {SCHEMA_VERSION}"
                )
            metadata.create_all(connection)
            connection.execute(text(f"PRAGMA user_version = {SCHEMA_VERSION}"))
            if needs_rebuild(connection):
                rebuild(connection)

    async def _close(self) -> None:
        engine, self._engine = self._engine, None
        if engine is not None:
            await self._in_thread(engine.dispose)
        self._thread.shutdown()


def _prepare(connection: Any, _record: object) -> None:
    """Set what SQLite forgets with every connection."""
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA foreign_keys = ON")


def _insert_mail(connection: Connection, mail: Mail) -> None:
    document = mail_document(mail)
    place = document.pop("file")
    key = hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()
    statement = insert_or(mails).on_conflict_do_nothing(index_elements=["key"])
    row: dict[str, Any] = {
        "key": key,
        "file": mail.file,
        "message_id": mail.message_id,
        "delivered": mail.delivered_at.timestamp() if mail.delivered_at else None,
        "source_ip": str(mail.source_ip) if mail.source_ip else None,
        "document": json.dumps({"file": place, **document}),
    }
    mail_id = connection.scalar(statement.returning(mails.c.id), row)
    if mail_id is None:
        return
    count_mail(
        connection,
        row["delivered"],
        row["source_ip"],
        [(hop.trust, str(hop.ip) if hop.ip else None) for hop in mail.hops],
    )
    if not mail.hops:
        return
    connection.execute(
        insert(hops),
        [
            {
                "mail_id": mail_id,
                "position": position,
                "trust": hop.trust,
                "ip": str(hop.ip) if hop.ip else None,
            }
            for position, hop in enumerate(mail.hops)
        ],
    )


def _case_row(case: Case) -> dict[str, Any]:
    document = case_document(case)
    system = document["facts"]["os"]
    return {
        "ip": str(case.target),
        "started": case.started.timestamp(),
        "seconds": case.seconds,
        "lag_seconds": case.lag_seconds,
        "probed": case.refused is None,
        "refused": case.refused,
        "label": str(case.verdict.label),
        "probability": case.verdict.probability,
        "os_family": system.get("family"),
        "os_generation": system.get("generation"),
        "os_role": system.get("role"),
        "document": json.dumps(document),
    }
