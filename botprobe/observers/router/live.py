"""The router while it runs: look at the counters, ask the suspects, act.

Nobody is acted on who was not asked in vain on port 25, and every block ends by itself. Each look
reads what was sent. What was fetched, and then all the rest, is read when somebody may have come
over the threshold by that, and else as often as it is cheap: so the table is of one moment.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from logging import getLogger
from typing import Protocol

from botprobe.errors import BotprobeError, ProbeUnavailable, first_cause
from botprobe.model.mail import IpAddress
from botprobe.observers.router.credit import Action
from botprobe.observers.router.kernel import Details, Traffic
from botprobe.observers.router.ledger import Ledger
from botprobe.observers.router.table import Judgement, Standing

logger = getLogger(__name__)

Confirm = Callable[[IpAddress], Awaitable[bool | None]]
"""Asks a host whether it takes mail; None if that cannot be known."""


class Counters(Protocol):
    """What counts packets and blocks hosts: the kernel."""

    async def sent(self) -> Mapping[IpAddress, int]:
        """Read who has sent since the last look, and how much in all."""
        ...

    async def traffic(self) -> Traffic:
        """Read also what was fetched."""
        ...

    async def details(self) -> Details:
        """Read all else that a judgement needs."""
        ...

    async def block(self, addresses: Iterable[IpAddress], seconds: int) -> None:
        """Block hosts for so many seconds."""
        ...


class Screen(Protocol):
    """Someone who looks on."""

    def table(self, judged: list[Judgement]) -> None:
        """Tell what the table says now."""
        ...

    def acted(self, judged: Judgement, action: Action) -> None:
        """Tell that a host is acted on from now on."""
        ...

    def unconfirmed(self, address: IpAddress) -> None:
        """Tell that a suspect could not be asked, and so is spared."""
        ...


# What is not urgent may take a tenth of the time.
_SHARE = 0.1


@dataclass(slots=True, kw_only=True)
class LiveRouter:
    """Looks at the counters every so often, and does what follows."""

    kernel: Counters
    ledger: Ledger
    confirm: Confirm | None
    """None: nobody is asked, and credit alone decides."""
    screen: Screen
    clock: Callable[[], float]
    action: Action = Action.ACCEPT
    every: float = 0.5
    block_seconds: int = 3600
    period: float = 86_400
    """Clean-up period in seconds: a host is asked once in it."""
    _due: float = 0.0
    """When all is to be read again although nobody came over the threshold."""
    _full: frozenset[int] = frozenset()
    """IP versions of which it was told that there are too many hosts."""

    async def run(self, seconds: float | None = None) -> None:
        """Go on for so many seconds, or until cancelled.

        Raises:
            ProbeUnavailable: the kernel's table cannot be read or written.
        """
        try:
            await self._run(None if seconds is None else self.clock() + seconds)
        except ExceptionGroup as group:
            raise first_cause(group) from group
        finally:
            # Whose last table this is wants it whole; the kernel's may be gone already.
            with suppress(ProbeUnavailable):
                await self._read_all()
            self.screen.table(self.ledger.judged())

    async def _run(self, ends: float | None) -> None:
        async with asyncio.TaskGroup() as group:
            while ends is None or self.clock() < ends:
                for address in await self.look():
                    group.create_task(self._ask(address))
                await asyncio.sleep(self.every)

    async def look(self) -> list[IpAddress]:
        """Look once, act on who is confirmed, and return who is to be asked."""
        started = asyncio.get_running_loop().time()
        may_cross = self.ledger.may_cross(await self.kernel.sent())
        if not may_cross and started < self._due:
            return []
        now = self.clock()
        self.ledger.update(await self.kernel.traffic(), now)
        if not self.ledger.has_news and started < self._due:
            return []
        details = await self.kernel.details()
        self.ledger.learn(details, now)
        self._tell_full(details.full)
        await self._act(now)
        self.screen.table(self.ledger.judged())
        ended = asyncio.get_running_loop().time()
        self._due = ended + (ended - started) / _SHARE
        return self._to_ask(now)

    def _tell_full(self, versions: frozenset[int]) -> None:
        for version in sorted(versions - self._full):
            logger.warning("more IPv%d hosts than the kernel's sets hold: none is blocked", version)
        self._full = versions

    async def _read_all(self) -> None:
        await self.kernel.sent()
        self.ledger.update(await self.kernel.traffic(), self.clock())
        self.ledger.learn(await self.kernel.details(), self.clock())

    def _to_ask(self, now: float) -> list[IpAddress]:
        if self.confirm is None:
            return []
        waiting = self.ledger.to_ask(now, self.period)
        for address in waiting:
            self.ledger.asking(address, now)
        return waiting

    async def _act(self, now: float) -> None:
        chosen = [one for one in self.ledger.judged_over() if self._is_due(one, now)]
        # Noted before the kernel is waited for: another answer may come meanwhile.
        for one in chosen:
            self.ledger.block(one.entry.address, now + self.block_seconds)
        if chosen:
            await self.kernel.block([one.entry.address for one in chosen], self.block_seconds)
            now = self.clock()
        for one in chosen:
            # The kernel's block began later; renewed before its end, it would end all the same.
            self.ledger.block(one.entry.address, now + self.block_seconds)
            self.screen.acted(one, self.action)

    def _is_due(self, one: Judgement, now: float) -> bool:
        if self.action is Action.ACCEPT or one.standing is not Standing.SUSPECT:
            return False
        address = one.entry.address
        sure = self.confirm is None or self.ledger.is_confirmed(address)
        return sure and self.ledger.wants_block(address, now)

    async def _ask(self, address: IpAddress) -> None:
        assert self.confirm is not None  # noqa: S101  # only then somebody waits
        answers = [await self._answer(self.confirm, face) for face in self.ledger.faces(address)]
        takes_mail = True if True in answers else None if None in answers or not answers else False
        self.ledger.answered(address, takes_mail)
        if takes_mail is None:
            self.screen.unconfirmed(address)
        else:
            await self._act(self.clock())

    async def _answer(self, confirm: Confirm, address: IpAddress) -> bool | None:
        try:
            return await confirm(address)
        except BotprobeError as error:  # a full disk keeps the audit log: nobody is asked then
            logger.warning("%s was not asked: %s", address, error)
            return None
