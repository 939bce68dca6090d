"""The router while it runs: look at the counters, ask the suspects, act.

Nobody is acted on who was not asked in vain on port 25, and every block ends by itself.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Protocol

from botprobe.model.mail import IpAddress
from botprobe.observers.router.credit import Action
from botprobe.observers.router.kernel import Counts, Details
from botprobe.observers.router.ledger import Ledger
from botprobe.observers.router.table import Judgement, Standing

Confirm = Callable[[IpAddress], Awaitable[bool | None]]
"""Asks a host whether it takes mail; None if that cannot be known."""


class Counters(Protocol):
    """What counts packets and blocks hosts: the kernel."""

    async def counts(self) -> Counts:
        """Read the counters."""
        ...

    async def details(self) -> Details:
        """Read what else is known of the hosts."""
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


@dataclass(slots=True, kw_only=True)
class LiveRouter:
    """Looks at the counters every so often, and does what follows.

    The counters that credit rests on are read at each look. All else is read when it matters,
    before somebody is asked or acted on, and when the table is shown.
    """

    kernel: Counters
    ledger: Ledger
    confirm: Confirm | None
    """None: nobody is asked, and credit alone decides."""
    screen: Screen
    clock: Callable[[], float]
    action: Action = Action.ACCEPT
    every: float = 0.5
    show_every: float = 2.0
    """Seconds between two tables: with ten thousand hosts it is work to make one."""
    block_seconds: int = 3600
    period: float = 86_400
    """Clean-up period in seconds: a host is asked once in it."""
    _shown: float | None = field(default=None, init=False)

    async def run(self, seconds: float | None = None) -> None:
        """Go on for so many seconds, or until cancelled.

        Raises:
            ProbeUnavailable: the kernel's table cannot be read or written.
        """
        ends = None if seconds is None else self.clock() + seconds
        async with asyncio.TaskGroup() as group:
            while ends is None or self.clock() < ends:
                for address in await self.look():
                    group.create_task(self._ask(address))
                await asyncio.sleep(self.every)
        await self._show()

    async def look(self) -> list[IpAddress]:
        """Look once, act on who is confirmed, and return who is to be asked."""
        counts, now = await self.kernel.counts(), self.clock()
        self.ledger.update(counts, now)
        waiting = [] if self.confirm is None else self.ledger.to_ask(now, self.period)
        for address in waiting:
            self.ledger.asking(address, now)
        if waiting:  # of an IPv6 network, the details name the hosts
            self.ledger.learn(await self.kernel.details())
        await self._act(now)
        if self._shown is None or now - self._shown >= self.show_every:
            self._shown = now
            await self._show()
        return waiting

    async def _show(self) -> None:
        self.ledger.learn(await self.kernel.details())
        self.screen.table(self.ledger.judged())

    async def _act(self, now: float) -> None:
        if not self._due(now):
            return
        self.ledger.learn(await self.kernel.details())
        chosen = self._due(now)
        # Noted before the kernel is waited for: another answer may come meanwhile.
        for one in chosen:
            self.ledger.block(one.entry.address, now + self.block_seconds)
        if chosen:
            await self.kernel.block([one.entry.address for one in chosen], self.block_seconds)
        for one in chosen:
            self.screen.acted(one, self.action)

    def _due(self, now: float) -> list[Judgement]:
        return [one for one in self.ledger.judged_over() if self._is_due(one, now)]

    def _is_due(self, one: Judgement, now: float) -> bool:
        if self.action is Action.ACCEPT or one.standing is not Standing.SUSPECT:
            return False
        address = one.entry.address
        sure = self.confirm is None or self.ledger.is_confirmed(address)
        return sure and self.ledger.wants_block(address, now)

    async def _ask(self, address: IpAddress) -> None:
        assert self.confirm is not None  # noqa: S101  # only then somebody waits
        answers = [await self.confirm(face) for face in self.ledger.faces(address)]
        takes_mail = True if True in answers else None if None in answers else False
        self.ledger.answered(address, takes_mail)
        if takes_mail is None:
            self.screen.unconfirmed(address)
        else:
            await self._act(self.clock())
