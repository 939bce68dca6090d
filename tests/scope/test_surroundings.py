"""Own addresses, gateways and resolvers, as the kernel and resolv.conf show them."""

from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from botprobe.scope.addresses import Scope
from botprobe.scope.surroundings import GATEWAY, OWN, RESOLVER, surroundings

FIB_TRIE = """\
Main:
  +-- 198.18.0.0/30 2 0 2
     |-- 198.18.0.0
        /30 link UNICAST
     |-- 198.18.0.1
        /32 host LOCAL
  +-- 127.0.0.0/8 2 0 2
     |-- 127.0.0.1
        /32 host LOCAL
     |-- 198.18.0.3
        /32 link BROADCAST
"""
ROUTE = """\
Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t020012C6\t0003\t0\t0\t0\t00000000\t0\t0\t0
eth0\t000012C6\t00000000\t0001\t0\t0\t0\tFCFFFFFF\t0\t0\t0
"""
IF_INET6 = """\
00000000000000000000000000000001 01 80 10 80       lo
20010db8000000000000000000000001 04 40 00 82     eth0
"""
ROUTE_6 = (
    f"{'0' * 32} 00 {'0' * 32} 00 20010db8000000000000000000000002 00000400 00000003"
    " 00000000 00000003     eth0\n"
    f"20010db8{'0' * 24} 40 {'0' * 32} 00 {'0' * 32} 00000100 00000001 00000000 00000001 eth0\n"
)


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """Return a folder with the tables of a machine."""
    for name, text in (
        ("fib_trie", FIB_TRIE),
        ("route", ROUTE),
        ("if_inet6", IF_INET6),
        ("ipv6_route", ROUTE_6),
        ("resolv.conf", "# a comment\nnameserver 198.19.0.53\nnameserver not-one\n"),
    ):
        (tmp_path / name).write_text(text)
    return tmp_path


class TestSurroundings:
    def test_all_that_stands_around_us(self, machine: Path) -> None:
        """Both families; neither loopback nor broadcast."""
        named = [ip_address("198.19.0.54")]

        found = surroundings(named, machine, machine / "resolv.conf")

        assert {str(address): what for address, what in found.items()} == {
            "198.18.0.1": OWN,
            "2001:db8::1": OWN,
            "198.18.0.2": GATEWAY,
            "2001:db8::2": GATEWAY,
            "198.19.0.53": RESOLVER,
            "198.19.0.54": RESOLVER,
        }

    def test_a_machine_that_shows_nothing(self, tmp_path: Path) -> None:
        """Other kernels have no such tables: nothing is known, and nothing fails."""
        assert surroundings((), tmp_path, tmp_path / "resolv.conf") == {}

    @given(st.text(max_size=200))
    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
    def test_any_text_is_survived(self, machine: Path, text: str) -> None:
        """A table of an unforeseen form costs its entries only."""
        for name in ("fib_trie", "route", "if_inet6", "ipv6_route", "resolv.conf"):
            (machine / name).write_text(f"head\n{text}", "utf-8", "replace")

        found = surroundings((), machine, machine / "resolv.conf")

        assert set(found.values()) <= {OWN, GATEWAY, RESOLVER}

    def test_nothing_opens_them(self, machine: Path) -> None:
        """Not even a laboratory that allows the whole range."""
        around = surroundings((), machine, machine / "resolv.conf")
        scope = Scope(allow=(ip_network("198.18.0.0/15"),), around=around)

        assert scope.refusal(ip_address("198.18.0.2")) == GATEWAY
        assert scope.refusal(ip_address("::ffff:198.18.0.1")) == OWN
