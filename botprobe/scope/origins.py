"""Whose an address is: what has to be found out where owners opt out by name or by AS."""

import asyncio
from collections.abc import Callable, Collection, Coroutine
from contextlib import suppress
from typing import Any, Protocol

from botprobe.model.mail import IpAddress
from botprobe.model.origin import Origin

# Seconds for the names of those who are being asked while the opt-out file changes.
HASTE = 0.5


class Rules(Protocol):
    """Who may be asked; as ``scope.addresses.Scope``."""

    def refusal(self, address: IpAddress) -> str | None:
        """Say why ``address`` must not be probed, or None if nothing that is known forbids it."""
        ...

    def unknown(self, address: IpAddress) -> bool:
        """Say whether its origin has to be found out before ``address`` may be probed."""
        ...

    def learn(self, address: IpAddress, origin: Origin) -> None:
        """Take note of whose an address is."""
        ...

    def forget(self, address: IpAddress) -> None:
        """Forget whose an address is: by the next time it may be somebody else's."""
        ...


OriginOf = Callable[[IpAddress], Coroutine[Any, Any, Origin]]
"""Finds out whose an address is, without a packet to it."""


async def nobody_knows(_: IpAddress) -> Origin:
    """Tell nothing: where the opt-out file names owners, nobody is asked then."""
    return Origin()


async def find_out(rules: Rules, asking: Collection[IpAddress], origin_of: OriginOf) -> None:
    """Find out whose the addresses are that are being asked, where newer rules want to know it.

    It is a matter of half a second: who opted out is to be left alone within one.
    """

    async def one(address: IpAddress) -> None:
        origin = await origin_of(address)
        if address in asking:  # whoever has ended meanwhile is looked up the next time
            rules.learn(address, origin)

    with suppress(TimeoutError):
        async with asyncio.timeout(HASTE), asyncio.TaskGroup() as group:
            for address in [each for each in asking if rules.unknown(each)]:
                group.create_task(one(address))
