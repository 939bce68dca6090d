"""Ping probe: does the host answer ICMP echo requests (RFC 792, RFC 4443)?

icmplib sends and matches the packets. The kernel's ping sockets are preferred to raw ones: they
need no privilege, and each sees the replies to its own requests only. A raw socket sees every ICMP
packet of the machine, and loses replies as soon as some hundred of them listen at the same time.
"""

import asyncio
import socket
from dataclasses import dataclass, field

from icmplib import ICMPLibError, async_ping

from botprobe.errors import ProbeUnavailable
from botprobe.model.results import PingResult
from botprobe.model.target import Target
from botprobe.probes.base import Permission

# Of 2,000 hosts that all answer, 1,000 ping sockets at once found all; half as many leave file
# descriptors to the other probes. 50 raw sockets at once found all, 200 lost a tenth.
UNPRIVILEGED_AT_ONCE = 500
RAW_AT_ONCE = 50

_PROTOCOLS = {
    4: (socket.AF_INET, socket.IPPROTO_ICMP),
    6: (socket.AF_INET6, socket.IPPROTO_ICMPV6),
}


def needs_raw_socket(version: int) -> bool:
    """Say whether pings of an IP version need a raw socket because there is no ping socket for us.

    Raises:
        ProbeUnavailable: neither kind of socket is allowed.
    """
    family, protocol = _PROTOCOLS[version]
    for kind in (socket.SOCK_DGRAM, socket.SOCK_RAW):
        try:
            socket.socket(family, kind, protocol).close()
        except OSError as error:
            refused = error
        else:
            return kind is socket.SOCK_RAW
    raise ProbeUnavailable(f"no ping socket: {refused.strerror}") from refused


@dataclass(frozen=True, slots=True, kw_only=True)
class PingProbe:
    """Sends a few echo requests, one after another."""

    permission: Permission
    count: int = 3
    interval: float = 0.2
    """Seconds between two requests."""
    timeout: float = 2
    """Seconds to wait for each reply."""
    unprivileged_slots: asyncio.Semaphore = field(
        default_factory=lambda: asyncio.Semaphore(UNPRIVILEGED_AT_ONCE)
    )
    raw_slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(RAW_AT_ONCE))

    async def run(self, target: Target) -> PingResult:
        """Ping the target.

        Raises:
            ProbeUnavailable: no ping socket, or no packet could be sent.
            RefusedByScope: the target must not be asked.
        """
        privileged = needs_raw_socket(target.address.version)
        async with self.raw_slots if privileged else self.unprivileged_slots:
            self.permission.require(target.address)
            try:
                host = await async_ping(
                    str(target.address),
                    count=self.count,
                    interval=self.interval,
                    timeout=self.timeout,
                    privileged=privileged,
                )
            except ICMPLibError as error:
                raise ProbeUnavailable(f"no ping socket: {error}") from error
        if host.packets_sent == 0:
            raise ProbeUnavailable("cannot send a ping: no route, or forbidden by our own firewall")
        return PingResult(
            sent=host.packets_sent,
            received=host.packets_received,
            rtt_ms=host.min_rtt if host.is_alive else None,
        )
