"""What all SQL stores can do; what differs between them stands in ``sqlite`` and ``postgres``."""

import json
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from ipaddress import ip_address
from typing import Any

from sqlalchemy import Connection, select

from botprobe.contract.case import case_from_document
from botprobe.errors import StoreError
from botprobe.model.audit import AuditRow, Decide, Grant, IpNetwork, Spent
from botprobe.model.finding import Finding
from botprobe.model.mail import IpAddress, Mail
from botprobe.model.observation import Observation, Suspicion
from botprobe.model.target import Sighting
from botprobe.model.verdict import Case, Label
from botprobe.model.weekly import Period, Tallies
from botprobe.model.work import (
    Arrival,
    Claim,
    HostHistory,
    Presence,
    QueueStatus,
    Rank,
    WorkerStatus,
)
from botprobe.store import dossiers, hosts, periodic, upkeep
from botprobe.store.audit import Request, audit_rows, refusals, spend, spent_in_all
from botprobe.store.claims import Bid, claim_hosts, room_of
from botprobe.store.findings import boundary_mail, finding_page
from botprobe.store.finishing import Finish, finish_hosts, insert_cases
from botprobe.store.mails import insert_mails, known_keys, take_mails
from botprobe.store.presence import all_workers, beat, bury, leave
from botprobe.store.queuestatus import queue_status
from botprobe.store.rejudging import rewrite_page
from botprobe.store.reporting import Locate, tallies
from botprobe.store.rollup import rebuild
from botprobe.store.schema import cases
from botprobe.store.sightings import sightings_of
from botprobe.store.transactions import Transactions

# Others wait for the writer no longer than about a tenth of a second.
OBSERVATIONS_AT_ONCE = 1_000


class SqlStore(Transactions):
    """Keeps cases in a database; ``async with`` opens and closes it.

    Raises:
        StoreError: the database cannot be opened, is no store, or is of another version.
    """

    def __init__(self, name: str, per_network: int) -> None:
        super().__init__(name)
        self._per_network = per_network
        """How many hosts of a /24 or /48 may be claimed at the same time."""

    def _claim(self, connection: Connection, bid: Bid) -> Sequence[Claim]:
        """Claim hosts, in a transaction."""
        return claim_hosts(connection, bid, room_of(connection, self._per_network))

    def _ring(self, connection: Connection) -> None:
        """Wake the workers of other machines, once the transaction is kept."""

    async def add_mail(self, mail: Mail) -> None:
        """Keep a mail and its hops; the same mail once more changes nothing."""
        await self._write_with_others(insert_mails, mail)

    async def add_case(self, case: Case) -> None:
        """Keep a case."""
        await self._write(lambda connection: insert_cases(connection, [case]))

    async def cases(self, address: IpAddress) -> Sequence[Case]:
        """Return all cases of an address, newest first."""
        query = (
            select(cases.c.document)
            .where(cases.c.ip == str(address))
            .order_by(cases.c.started.desc(), cases.c.id.desc())
        )
        rows = await self._read(lambda connection: connection.scalars(query).all())
        return [case_from_document(json.loads(document)) for document in rows]

    async def latest_probed(self, address: IpAddress) -> Case | None:
        """Return the newest case of an address in which it was probed, None if there is none."""
        query = (
            select(cases.c.document)
            .where(cases.c.ip == str(address), cases.c.probed)
            .order_by(cases.c.started.desc(), cases.c.id.desc())
            .limit(1)
        )
        document = await self._read(lambda connection: connection.scalar(query))
        return None if document is None else case_from_document(json.loads(document))

    async def rewrite_verdicts(self, change: Callable[[Case], Case]) -> None:
        """Give every case the verdict that ``change`` gives it, in one transaction."""

        def run(connection: Connection) -> None:
            after: int | None = 0
            while after is not None:
                after = rewrite_page(connection, after, change)
            rebuild(connection)

        await self._write(run)

    async def probed_since(self, start: datetime) -> Sequence[tuple[IpAddress, datetime]]:
        """Return who was probed when, from ``start`` until now, oldest first."""
        query = (
            select(cases.c.ip, cases.c.started)
            .where(cases.c.probed, cases.c.started >= start.timestamp())
            .order_by(cases.c.started)
        )
        rows = await self._read(lambda connection: connection.execute(query).all())
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
        return await self._read(
            lambda connection: tallies(
                connection, period, compared, trend_weeks=trend_weeks, locate=locate
            )
        )

    async def untaken(self, keys: Collection[str]) -> set[str]:
        """Return those of the keys whose files were not taken yet."""
        return set(keys) - await self._read(lambda connection: known_keys(connection, keys))

    async def take(self, arrivals: Sequence[Arrival], cooldown: timedelta) -> Sequence[Arrival]:
        """Keep mails, plan their hosts and mark their files as taken: all of it or nothing."""

        def work(connection: Connection) -> Sequence[Arrival]:
            fresh = take_mails(connection, arrivals)
            decided_before = (self._now(connection) - cooldown).timestamp()
            hosts.plan_hosts(connection, fresh, decided_before)
            self._ring(connection)
            return fresh

        return await self._write(work)

    async def observe(self, observations: Collection[Observation]) -> None:
        """Keep observations; the same address, observer and moment once more replaces the first."""
        added = tuple(observations)
        for start in range(0, len(added), OBSERVATIONS_AT_ONCE):
            page = added[start : start + OBSERVATIONS_AT_ONCE]
            await self._write(partial(dossiers.add_observations, added=page))

    async def observations(self, address: IpAddress, most: int) -> Sequence[Observation]:
        """Return what was observed of an address, newest first."""
        return await self._read(
            lambda connection: dossiers.newest_observations(connection, address, most)
        )

    async def latest_observations(self, address: IpAddress) -> Sequence[Observation]:
        """Return the newest observation of each observer."""
        return await self._read(
            lambda connection: dossiers.latest_observations(connection, address)
        )

    async def suspicions(self, address: IpAddress, most: int) -> Sequence[Suspicion]:
        """Return why observers wanted the address to be probed, newest first."""
        return await self._read(
            lambda connection: dossiers.suspicions_of(connection, address, most)
        )

    async def suspect(
        self, suspects: Mapping[IpAddress, str], cooldown: timedelta
    ) -> Sequence[IpAddress]:
        """Make addresses due that an observer named, note why, and return which became so."""

        def work(connection: Connection) -> Sequence[IpAddress]:
            now = self._now(connection)
            dossiers.add_suspicions(connection, suspects, now)
            decided_before = (now - cooldown).timestamp()
            planned = hosts.plan_suspects(connection, suspects, now, decided_before)
            self._ring(connection)
            return planned

        return await self._write(work)

    async def claim(  # noqa: PLR0913  # the worker's words
        self,
        owner: str,
        lease: timedelta,
        most: int,
        ranks: Iterable[Rank],
        *,
        vantage: str | None = None,
        reserve: int = 0,
    ) -> Sequence[Claim]:
        """Claim at most so many hosts that are due, the first ranks first."""
        wanted = tuple(ranks)

        def work(connection: Connection) -> Sequence[Claim]:
            now = self._now(connection)
            bid = Bid(
                owner=owner,
                now=now,
                lease_end=now + lease,
                most=most,
                ranks=wanted,
                vantage=vantage,
                reserve=reserve,
            )
            return self._claim(connection, bid)

        return await self._write_claims(work)

    async def finish(self, claim: Claim, case: Case, next_look: datetime | None) -> bool:
        """Keep the case of a claim and plan the next look; False if the claim is outdated."""
        return await self._write_with_others(
            self._finish_all, Finish(claim=claim, case=case, next_look=next_look)
        )

    def _finish_all(self, connection: Connection, ends: Sequence[Finish]) -> Sequence[bool]:
        return finish_hosts(connection, ends, self._now(connection))

    async def put_back(
        self, claim: Claim, rest: timedelta | None = None, *, failed: bool = False
    ) -> None:
        """Give a claim up; the host is due as before, or not before the end of a rest."""

        def work(connection: Connection) -> None:
            try_again = None if rest is None else self._now(connection) + rest
            hosts.put_back(connection, claim, try_again, failed=failed)

        await self._write(work)

    async def spend(self, grant: Grant, decide: Decide) -> str | None:
        """Write a grant down and return None, or return why it is not given."""
        return await self._write_with_others(self._spend_all, Request(grant, decide))

    def _spend_all(
        self, connection: Connection, requests: Sequence[Request]
    ) -> Sequence[str | None]:
        return spend(connection, requests, self._now(connection))

    async def spent(self) -> Spent:
        """Return what was granted within the hour, the day, and ever."""
        return await self._read_claims(lambda c: spent_in_all(c, self._now(c)))

    async def audit(
        self, network: IpNetwork, since: datetime | None, until: datetime | None, most: int
    ) -> Sequence[AuditRow]:
        """Return what was granted in a network, newest first."""
        return await self._read(lambda c: audit_rows(c, network, since, until, most))

    async def refusals(
        self, network: IpNetwork, since: datetime | None, until: datetime | None
    ) -> Mapping[str, int]:
        """Count the probes into a network that were refused, by reason."""
        return await self._read(lambda c: refusals(c, network, since, until))

    async def recover(self) -> int:
        """End all claims, for the time when nobody who made them is alive; return how many."""
        return await self._write(hosts.recover)

    async def waiting(self) -> int:
        """Count the hosts that are due and not claimed."""
        return await self._read(lambda c: hosts.waiting_hosts(c, self._now(c)))

    async def beat(self, presence: Presence) -> None:
        """Say that a worker lives."""
        await self._write(lambda c: beat(c, presence, self._now(c)))

    async def bury(self, silence: timedelta) -> int:
        """End the claims of workers that have been silent for so long; return how many."""
        return await self._write(lambda c: bury(c, self._now(c) - silence))

    async def leave(self, owner: str) -> None:
        """Strike a worker off, and open its claims to all."""
        await self._write(lambda connection: leave(connection, owner))

    async def workers(self) -> Sequence[WorkerStatus]:
        """Return who works on a store that several machines share."""
        return await self._read(lambda c: all_workers(c, self._now(c)))

    async def queue_status(self) -> QueueStatus:
        """Count what is due, planned, claimed, tried again and given up, and who works."""
        return await self._read(lambda c: queue_status(c, self._now(c)))

    async def examine(self) -> Sequence[upkeep.Finding]:
        """Count all tables, and what must not be."""
        return await self._read(upkeep.examine)

    async def forget(self, keep: timedelta) -> Mapping[str, int]:
        """Delete what is older than so long; return how much that was, by table."""
        return await self._write(lambda c: upkeep.forget(c, (self._now(c) - keep).timestamp()))

    async def copy_from(self, source: "SqlStore", told: upkeep.Copied) -> None:
        """Copy all that another store holds into this one, which holds nothing: all or nothing.

        Raises:
            StoreError: this one holds something, or a count differs afterwards.
        """
        engine = source._engine  # noqa: SLF001  # of our own kind
        if engine is None:
            raise StoreError(f"store {source.name} is closed")

        def work(connection: Connection) -> None:
            with engine.connect() as reading:
                if source.begin_read is not None:
                    reading.exec_driver_sql(source.begin_read)
                upkeep.copy_all(reading, connection, told)

        await self._write(work)

    async def history(self, address: IpAddress) -> HostHistory | None:
        """Return what is known of an address beside its cases."""
        return await self._read(lambda connection: hosts.host_history(connection, address))

    async def sightings(self, address: IpAddress, most: int) -> Sequence[Sighting]:
        """Return the newest mails that named an address, newest first."""
        return await self._read(lambda connection: sightings_of(connection, str(address), most))

    async def findings(
        self, labels: Collection[Label], now: datetime, holds: timedelta
    ) -> AsyncIterator[Finding]:
        """Yield the latest case of each host with one of the labels, by address."""
        since = now - holds
        after: str | None = ""
        while after is not None:
            read = partial(finding_page, after=after, labels=labels, since=since, holds=holds)
            page, after = await self._read(read)
            for finding in page:
                yield finding

    async def boundary_mail(self, address: IpAddress) -> dict[str, Any] | None:
        """Return the document of the newest mail that a host handed to us."""
        return await self._read(lambda connection: boundary_mail(connection, address))

    async def first_to(self, job: str, period: str) -> bool:
        """Note that a job of a period is being done; False if somebody noted it before."""
        return await self._write(lambda c: periodic.first_to(c, job, period, self._now(c)))

    async def not_done(self, job: str, period: str) -> None:
        """Take back that a job of a period is being done: it failed, and others may."""
        await self._write(lambda connection: periodic.not_done(connection, job, period))
