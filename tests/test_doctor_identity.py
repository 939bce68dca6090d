"""What the doctor says of our own address, as others see it."""

import asyncio
from ipaddress import ip_address

import pytest
from dns.asyncresolver import Resolver

from botprobe.doctor import State, bot_look
from botprobe.doctor import _own_line as line_check
from botprobe.settings import DnsTable, IdentityTable, ScopeTable, Settings
from tests.probes.nameserver import NameServer, Zone

OWN = ip_address("198.18.0.7")
PTR = ("7.0.18.198.in-addr.arpa.", "PTR")
HOST = "probe.example.org."


async def look(zone: Zone) -> str | None:
    """Return what others find who look our address up in a zone."""
    loop = asyncio.get_running_loop()
    transport, server = await loop.create_datagram_endpoint(
        lambda: NameServer(zone), local_addr=("127.0.0.1", 0)
    )
    resolver = Resolver(configure=False)
    resolver.nameservers = ["127.0.0.1"]
    resolver.port = transport.get_extra_info("sockname")[1]
    resolver.lifetime = 2
    try:
        return await bot_look(resolver, OWN)
    finally:
        transport.close()
        assert server.asked


@pytest.mark.parametrize(
    ("zone", "said"),
    [
        ({PTR: [HOST], (HOST, "A"): [str(OWN)]}, None),
        ({}, "has no PTR record"),
        ({PTR: ["198-18-0-7.dsl.isp.example."]}, "has a generic name, 198-18-0-7.dsl.isp.example"),
        ({PTR: [HOST]}, "is called probe.example.org, which does not exist"),
        (
            {PTR: [HOST], (HOST, "A"): ["198.18.0.8"]},
            "is called probe.example.org, which leads elsewhere",
        ),
    ],
)
async def test_what_looks_like_a_bot_is_named(zone: Zone, said: str | None) -> None:
    """We would judge ourselves by the same signs."""
    assert await look(zone) == said


async def test_a_private_address_is_not_what_others_see() -> None:
    """Behind a NAT the operator has to say which address it is."""
    settings = Settings(identity=IdentityTable(addresses=("10.0.0.5",)))

    check = await line_check(settings)

    assert check.state is State.WARNING
    assert "10.0.0.5" in check.says
    assert "[identity]" in check.mend


async def test_a_wrong_resolver_is_no_error() -> None:
    """What cannot be looked up is said, in one line."""
    settings = Settings(
        identity=IdentityTable(addresses=(str(OWN),)),
        scope=ScopeTable(allow=("198.18.0.0/15",)),
        dns=DnsTable(nameservers=("127.0.0.1",), timeout=0.3),  # nobody listens there
    )

    check = await line_check(settings)

    assert check.state is State.WARNING
    assert str(OWN) in check.says
