"""Asks real probes about addresses, inside of the laboratory: ``python -m tests.probes.ask``.

Prints one JSON object per address, with what each probe answered: its fields, or ``reason``.
"""

import asyncio
import dataclasses
import json
import sys
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any

from botprobe.model.mail import IpAddress
from botprobe.model.outcome import Measured, NotMeasured
from botprobe.model.target import Target
from botprobe.probes.base import Probe, measure
from botprobe.probes.dns import DnsProbe
from botprobe.probes.osdetect import OsEngine, OsProbe
from botprobe.probes.ping import PingProbe
from botprobe.probes.resolver import Nameservers
from botprobe.probes.smtp import SmtpProbe
from tests.lab import namespace


class Anything:
    """Allows all addresses: there are none but the laboratory's."""

    def require(self, address: IpAddress) -> None:
        """Allow it."""


async def ask(probes: Mapping[str, Probe[Any]], target: Target) -> dict[str, Any]:
    """Run all probes on one target."""
    outcomes = await asyncio.gather(*(measure(probe, target) for probe in probes.values()))
    answers: dict[str, Any] = {"ip": str(target)}
    for name, outcome in zip(probes, outcomes, strict=True):
        match outcome:
            case Measured(result):
                answers[name] = dataclasses.asdict(result)
            case NotMeasured(reason):
                answers[name] = {"reason": reason}
    return answers


async def main(addresses: list[str]) -> None:
    """Ask about all addresses at once."""
    namespace.require_lab()
    anything = Anything()
    async with OsEngine(permission=anything) as engine:
        probes: dict[str, Probe[Any]] = {
            "dns": DnsProbe(permission=anything, nameservers=Nameservers(timeout=2)),
            "os": OsProbe(engine=engine),
            "ping": PingProbe(permission=anything, count=3, timeout=1),
            "smtp": SmtpProbe(
                permission=anything, helo_name="probe.test", connect_timeout=4, greeting_timeout=9
            ),
        }
        targets = [Target(ip_address(address)) for address in addresses]
        for answers in await asyncio.gather(*(ask(probes, target) for target in targets)):
            print(json.dumps(answers))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
