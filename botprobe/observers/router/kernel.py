"""The kernel's side of the router: loads the ruleset, reads its sets, takes it away again.

All goes through the nft program: a table is loaded in one transaction, and sets come back as JSON.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any

from botprobe.errors import ProbeUnavailable
from botprobe.model.mail import IpAddress
from botprobe.observers.router.rules import (
    FAMILIES,
    TABLE,
    RouterRules,
    blocking,
    key_of,
    removal,
    ruleset,
)

# A dump of a hundred thousand elements takes a second and a half.
_SECONDS = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What the sets hold, for the hosts that sent enough to be looked at."""

    sent: dict[IpAddress, int] = field(default_factory=dict)
    """Small packets to ports that take mail, beyond the first ``UNNOTICED``."""
    fetched: dict[IpAddress, int] = field(default_factory=dict)
    one_way: dict[IpAddress, int] = field(default_factory=dict)
    opened: dict[IpAddress, int] = field(default_factory=dict)
    """Connections to ports that take mail."""
    collected: dict[IpAddress, int] = field(default_factory=dict)
    servers: frozenset[IpAddress] = frozenset()
    targets: Counter[IpAddress] = field(default_factory=Counter)
    """How many addresses each sent to."""
    hosts: dict[IpAddress, set[IpAddress]] = field(default_factory=dict)
    """The addresses themselves; of IPv6 several may share a /64."""
    limits: dict[IpAddress, frozenset[int]] = field(default_factory=dict)
    """Hop limits with which its connections came."""


class Kernel:
    """The table ``inet botprobe`` of this network namespace."""

    def __init__(self, program: str = "nft") -> None:
        self._program = program

    async def load(self, rules: RouterRules) -> None:
        """Put the ruleset in place of an older one, in one step.

        Raises:
            ProbeUnavailable: nft is missing, refuses, or has no right to.
        """
        await self._run("-f", "-", text=ruleset(rules))

    async def remove(self) -> None:
        """Take the table away, whether it is there or not.

        Raises:
            ProbeUnavailable: as ``load``.
        """
        await self._run("-f", "-", text=removal())

    async def block(self, addresses: Iterable[IpAddress], seconds: int) -> None:
        """Block hosts for so many seconds; the kernel forgets them by itself.

        Raises:
            ProbeUnavailable: as ``load``.
        """
        if script := blocking(addresses, seconds):
            await self._run("-f", "-", text=script)

    async def counts(self) -> Counts:
        """Read what is known of all hosts that sent enough to be looked at.

        Raises:
            ProbeUnavailable: as ``load``, or the table is gone.
        """
        sent = await self._counters("heavy")
        one_way = await self._counters("oneway")
        if not sent:
            return Counts(one_way=one_way)
        targets: Counter[IpAddress] = Counter()
        limits: dict[IpAddress, set[int]] = {}
        hosts: dict[IpAddress, set[IpAddress]] = {}
        for parts in await self._elements("targets"):
            source = parts["val"]["concat"][0]
            targets[_address(source)] += 1
            hosts.setdefault(_address(source), set()).add(ip_address(source))
        for parts in await self._elements("hops"):
            source, limit = parts["val"]["concat"]
            limits.setdefault(_address(source), set()).add(int(limit))
        return Counts(
            sent=sent,
            one_way=one_way,
            fetched=await self._counters("fetches"),
            opened=await self._counters("opened"),
            collected=await self._counters("collected"),
            servers=frozenset([_address(one["val"]) for one in await self._elements("servers")]),
            targets=targets,
            hosts=hosts,
            limits={address: frozenset(found) for address, found in limits.items()},
        )

    async def _counters(self, name: str) -> dict[IpAddress, int]:
        return {
            _address(one["val"]): int(one["counter"]["packets"])
            for one in await self._elements(name)
        }

    async def _elements(self, name: str) -> list[dict[str, Any]]:
        """The elements of a set of both families; one without a timeout is left out."""
        found: list[dict[str, Any]] = []
        for family in FAMILIES:
            kind, table = TABLE.split()
            said = await self._run("-j", "list", "set", kind, table, f"{name}{family.version}")
            for part in json.loads(said)["nftables"]:
                elements = part.get("set", {}).get("elem", ())
                found += [one["elem"] for one in elements if isinstance(one, dict)]
        return found

    async def _run(self, *arguments: str, text: str = "") -> str:
        try:
            process = await asyncio.create_subprocess_exec(
                self._program,
                *arguments,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
        except FileNotFoundError as error:
            raise ProbeUnavailable("nft is not installed: apt-get install nftables") from error
        try:
            async with asyncio.timeout(_SECONDS):
                said, errors = await process.communicate(text.encode())
        except TimeoutError as error:
            raise ProbeUnavailable(f"nft did not answer within {_SECONDS:g} s") from error
        finally:
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        if process.returncode:
            first = errors.decode("utf-8", "replace").strip().partition("\n")[0]
            raise ProbeUnavailable(f"nft: {first or f'ended with {process.returncode}'}")
        return said.decode("utf-8", "replace")


def _address(text: Any) -> IpAddress:
    """Read an address as nft writes it, as the key of its host."""
    return key_of(ip_address(str(text)))
