"""Tests of the ping probe on loopback."""

import socket
from collections.abc import Callable
from ipaddress import ip_address

import pytest

from botprobe.errors import ProbeUnavailable, RefusedByScope
from botprobe.model.target import Target
from botprobe.probes.ping import PingProbe, needs_raw_socket
from tests.probes.conftest import FakePermission

OpenSocket = Callable[..., socket.socket]


@pytest.fixture
def forbid(monkeypatch: pytest.MonkeyPatch) -> Callable[[set[socket.SocketKind]], None]:
    """Let the kernel refuse ICMP sockets of some kinds, as it does without rights."""
    really_open = socket.socket

    def install(kinds: set[socket.SocketKind]) -> None:
        def open_socket(
            family: int = socket.AF_INET, kind: int = socket.SOCK_STREAM, protocol: int = 0
        ) -> socket.socket:
            if kind in kinds:
                raise PermissionError(1, "Operation not permitted")
            return really_open(family, socket.SOCK_DGRAM, socket.IPPROTO_UDP)

        monkeypatch.setattr("botprobe.probes.ping.socket.socket", open_socket)

    return install


class TestNeedsRawSocket:
    def test_a_ping_socket_is_preferred(
        self, forbid: Callable[[set[socket.SocketKind]], None]
    ) -> None:
        """Raw sockets lose replies, so they are the second choice."""
        forbid(set())

        assert not needs_raw_socket(4)

    def test_a_raw_socket_does_where_ping_sockets_are_closed(
        self, forbid: Callable[[set[socket.SocketKind]], None]
    ) -> None:
        """The usual ping_group_range allows nobody; root can still ping."""
        forbid({socket.SOCK_DGRAM})

        assert needs_raw_socket(6)

    def test_without_either_nothing_is_measured(
        self, forbid: Callable[[set[socket.SocketKind]], None]
    ) -> None:
        """No right to ping is our trouble, never a dead host."""
        forbid({socket.SOCK_DGRAM, socket.SOCK_RAW})

        with pytest.raises(ProbeUnavailable, match="no ping socket: Operation not permitted"):
            needs_raw_socket(4)


class TestPingProbe:
    async def test_a_forbidden_address_gets_no_packet(self, localhost: Target) -> None:
        """The safety rules are asked first, and their refusal goes up."""
        rules = FakePermission(refused=frozenset({localhost.address}))

        with pytest.raises(RefusedByScope):
            await PingProbe(permission=rules).run(localhost)

        assert rules.asked == [localhost.address]

    async def test_nothing_sent_is_nothing_measured(self, permission: FakePermission) -> None:
        """A packet that our own kernel refuses says nothing about the host."""
        # The kernel itself refuses to ping the broadcast address: no packet can leave.
        unreachable = Target(ip_address("255.255.255.255"))

        with pytest.raises(ProbeUnavailable, match="cannot send a ping"):
            await PingProbe(permission=permission, count=1).run(unreachable)

    @pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
    async def test_a_host_that_answers_is_alive(
        self, permission: FakePermission, address: str
    ) -> None:
        """Replies are counted, and the shortest round trip is kept."""
        try:
            needs_raw_socket(ip_address(address).version)
        except ProbeUnavailable as reason:
            pytest.skip(f"{reason}; the laboratory has one")
        probe = PingProbe(permission=permission, count=2, interval=0.01)

        result = await probe.run(Target(ip_address(address)))

        assert result.alive
        assert (result.sent, result.received) == (2, 2)
        assert result.rtt_ms is not None
        assert 0 <= result.rtt_ms < 1000
