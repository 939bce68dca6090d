"""From due hosts to verdicts: many at the same time, each kept once."""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TypeVar

from botprobe.errors import BotprobeError, StoreError
from botprobe.hostlog import HostLog
from botprobe.model.audit import IpNetwork
from botprobe.model.mail import IpAddress
from botprobe.model.verdict import Case
from botprobe.model.work import GIVEN_UP, Claim, Rank
from botprobe.pipeline import Candidate, Pipeline
from botprobe.queue.base import Bell
from botprobe.scope.addresses import Scope
from botprobe.scope.budget import SPENT_FOR_ALL, surrounding
from botprobe.scope.origins import find_out
from botprobe.service.again import next_look
from botprobe.service.audience import Audience
from botprobe.service.batch import kept_form
from botprobe.service.patience import RETRY, patiently
from botprobe.store.base import HostTable

# Longer than the longest investigation: three stages that wait minutes each.
LEASE = timedelta(minutes=15)
# Claims that may end without a case before a host is given up: it may be what makes us crash.
MAX_TRIES = 20
# Of these, how many that the store cut short are made good at once.
QUICK_TRIES = 3
# Seconds until a host whose case could not be made is tried again, doubled with each try.
FIRST_PAUSE = 60.0
LONGEST_PAUSE = 3600.0
# Tries to write a host log, RETRY seconds apart; the case is in the store in any case.
LOG_TRIES = 90
# Seconds in which claims are given back before all else ends; the store does the rest later.
GIVE_BACK = 0.5
# Of the places, the share that only fresh boundary hops may take: tarpits hold the others.
RESERVE = 0.25

T = TypeVar("T")

logger = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class Worker:
    """Claims hosts that are due, investigates them, and keeps what came of it."""

    pipeline: Pipeline
    store: HostTable
    hostlog: HostLog
    bell: Bell
    audience: Audience
    owner: str
    concurrency: int
    per_network: int
    """How many of one /24 or /48 the store lets anybody claim at the same time."""
    again: tuple[timedelta, ...] = ()
    """When to look at a host again, counted from the first look."""
    finished: int = 0
    """How many hosts it has concluded."""
    _under_way: dict[IpAddress, tuple[Claim, asyncio.Task[None]]] = field(default_factory=dict)
    _asking: set[IpAddress] = field(default_factory=set)
    """Of those under way, who still owes us answers."""
    _dropped: set[IpAddress] = field(default_factory=set)
    _networks: Counter[IpNetwork] = field(default_factory=Counter)
    """Hosts under way of each network."""
    _closing: bool = False
    _more_wait: bool = False

    @property
    def under_way(self) -> int:
        """How many hosts are being investigated."""
        return len(self._under_way)

    def close(self) -> None:
        """Claim nobody any more; ``run`` returns when those under way are done."""
        self._closing = True
        self.bell.ring()

    async def drop(self, scope: Scope) -> None:
        """Stop investigating whom a newer scope refuses, or cannot let pass."""
        await find_out(scope, self._asking, self.pipeline.origin_of)
        for address in self._asking:
            if scope.refusal(address) is not None or scope.unknown(address):
                self._dropped.add(address)
                self._under_way[address][1].cancel()

    async def run(self) -> None:
        """Work until closed; when cancelled, give all claims back."""
        try:
            async with asyncio.TaskGroup() as group:
                while not self._closing:
                    await self._fill(group)
                    await self.bell.wait(1)
        finally:
            await self._give_all_back()

    async def _fill(self, group: asyncio.TaskGroup) -> None:
        """Claim as many hosts as there are places and budget."""
        budget = await self._patiently(self.pipeline.left)
        free = min(self.concurrency - self.under_way, budget)
        others = min(free, self.concurrency - int(self.concurrency * RESERVE) - self.under_way)
        claims = await self._claim(free, max(0, others)) if free > 0 else ()
        self._more_wait = len(claims) >= others
        for claim in claims:
            address = claim.target.address
            if address in self._under_way:  # taken from us while we were silent, and back again
                self._under_way[address] = claim, self._under_way[address][1]
            else:
                self._networks[surrounding(address)] += 1
                self._under_way[address] = claim, group.create_task(self._work(claim))

    async def _claim(self, free: int, others: int) -> Sequence[Claim]:
        """Claim hosts for the free places, no more than so many of them that are not fresh."""
        vantage = self.pipeline.vantage
        return await self._patiently(
            lambda: self.store.claim(
                *(self.owner, LEASE, free, tuple(Rank)), vantage=vantage, reserve=free - others
            )
        )

    async def _work(self, claim: Claim) -> None:
        self.audience.claimed(claim)
        ended = await self._conclude(claim)
        held, _ = self._under_way.pop(claim.target.address)
        if held is not ended:  # it came back to us when all was said
            await self._patiently(lambda: self.store.put_back(held))
        if self._leave(surrounding(claim.target.address)) or self._more_wait:
            self.bell.ring()

    async def _conclude(self, claim: Claim) -> Claim:
        """Investigate a host and end the claim on it, which may be a newer one by then."""
        address = claim.target.address
        try:
            case = await self._investigate(claim)
            if case.refused in SPENT_FOR_ALL:  # others were faster: it waits, as those behind it
                held = self._held(address)
                await self._patiently(lambda: self.store.put_back(held))
                return held
            return await self._keep(address, case)
        except asyncio.CancelledError:
            if address not in self._dropped:
                raise  # all of us stop, and `run` gives back what was under way
            held = self._held(address)
            await self._give_back(held)
            return held
        except StoreError as error:
            return await self._try_again(address, str(error))
        except BotprobeError as error:
            return await self._try_later(address, str(error))
        except Exception as error:
            # One host must not stop the others, whatever it did to us.
            logger.exception("case of %s failed", claim.target)
            return await self._try_later(address, type(error).__name__)

    def _held(self, address: IpAddress) -> Claim:
        """Return our claim on a host; after a silence of ours it may be another than before."""
        return self._under_way[address][0]

    def _leave(self, network: IpNetwork) -> bool:
        """Count one host of a network less; say whether it was full, so that others may wait."""
        count = self._networks[network]
        if count > 1:
            self._networks[network] = count - 1
        else:
            del self._networks[network]
        return count >= self.per_network

    async def _investigate(self, claim: Claim) -> Case:
        if claim.tries > MAX_TRIES:
            reason = f"{GIVEN_UP}: {MAX_TRIES} tries ended without a case"
            return self.pipeline.unasked(claim.target, reason)
        planned = claim.rank is Rank.LATER  # a planned look does not wait for the cool-down
        pipeline = replace(self.pipeline, fresh=planned, claimed=True)
        self._asking.add(claim.target.address)
        try:
            return await pipeline.investigate(Candidate(claim.target))
        finally:
            self._asking.discard(claim.target.address)

    async def _keep(self, address: IpAddress, case: Case) -> Claim:
        kept, claim = kept_form(case, self.pipeline.judge), self._held(address)
        while not await self._finish(claim, kept):
            if self._held(address) is claim:
                self.pipeline.budget.forgive(address)  # whoever has it decides
                self.audience.trouble(f"{claim.target}: somebody else claimed it meanwhile")
                return claim
            claim = self._held(address)  # while the store was away it became ours once more
        self.finished += 1
        self.audience.concluded(claim, case)
        if case.refused is None:
            await self._write_log(case)
        return claim

    async def _finish(self, claim: Claim, case: Case) -> bool:
        started = claim.first_looked
        if case.refused is None:
            started = started or case.started
        look = started and next_look(started, self.again, self.pipeline.now())
        return await self._patiently(lambda: self.store.finish(claim, case, look))

    async def _write_log(self, case: Case) -> None:
        for remaining in reversed(range(LOG_TRIES)):
            try:
                await asyncio.to_thread(self.hostlog.write, case)
            except BotprobeError as error:
                if remaining in {0, LOG_TRIES - 1}:
                    self.audience.trouble(f"{case.target}: {error}")
                await asyncio.sleep(RETRY)
            else:
                return

    async def _try_again(self, address: IpAddress, problem: str) -> Claim:
        """Let a host be due as before once the store is back: it has done nothing."""
        claim = self._held(address)
        if claim.tries > QUICK_TRIES:
            return await self._try_later(address, problem)
        self.audience.trouble(f"{claim.target}: {problem}")
        self.pipeline.budget.forgive(address)
        await asyncio.sleep(RETRY)
        await self._patiently(lambda: self.store.put_back(claim, failed=True))
        return claim

    async def _try_later(self, address: IpAddress, problem: str) -> Claim:
        claim = self._held(address)
        self.audience.trouble(f"{claim.target}: {problem}")
        self.pipeline.budget.forgive(address)  # a mail may make it due before
        pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (claim.tries - 1))
        rest = timedelta(seconds=pause)
        await self._patiently(lambda: self.store.put_back(claim, rest))
        return claim

    async def _give_all_back(self) -> None:
        """Give all claims back, but do not keep nmap alive while a locked store is waited for."""
        claims = [claim for claim, _ in self._under_way.values()]
        given = asyncio.gather(*map(self._give_back, claims))
        with suppress(TimeoutError):
            async with asyncio.timeout(GIVE_BACK):
                await asyncio.shield(given)

    async def _give_back(self, claim: Claim) -> None:
        self.pipeline.budget.forgive(claim.target.address)
        with suppress(StoreError):  # then the next start finds the claim without an owner
            await self.store.put_back(claim)

    async def _patiently(self, ask: Callable[[], Awaitable[T]]) -> T:
        return await patiently(ask, self.audience.trouble)
