"""DNS probe: the names of an address, whether they point back, and who takes mail for them.

Only the configured resolver is asked. Whoever holds the address writes its PTR record, and whoever
holds that name writes the rest: each count is bounded, and a name proves nothing before it resolves
back to the address (forward-confirmed reverse DNS).
"""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, replace
from ipaddress import ip_address

from dns.asyncresolver import Resolver
from dns.name import Name, root
from dns.rdatatype import RdataType
from dns.reversename import from_address

from botprobe.errors import ProbeUnavailable
from botprobe.model.mail import IpAddress
from botprobe.model.results import DnsResult, PtrName
from botprobe.model.target import Target
from botprobe.probes.base import Permission
from botprobe.probes.resolver import SYSTEM_RESOLVER, Nameservers, ask

# Shared hosts have hundreds of PTR records and none of them says more than the first few.
MAX_NAMES = 4
MAX_EXCHANGERS = 4
# Domains that receive mail have two to four labels under any public suffix.
_DOMAIN_LABELS = (4, 3, 2)


def mail_domains(name: Name) -> tuple[Name, ...]:
    """List the names under which mail for a host may be taken: its own, and short ones above it."""
    parents = (name.split(count + 1)[1] for count in _DOMAIN_LABELS if count + 1 < len(name))
    return (name, *parents)


def shown(name: Name) -> str:
    """Write a name as text; bytes that no host name has come out as escapes (RFC 1035, 5.1)."""
    return name.to_text(omit_final_dot=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class DnsProbe:
    """Asks the resolver about the target."""

    permission: Permission
    nameservers: Nameservers = SYSTEM_RESOLVER
    name_timeout: float = 15
    """Seconds for all questions about one name."""

    async def run(self, target: Target) -> DnsResult:
        """Look up the names of the target's address and what they stand for.

        Raises:
            ProbeUnavailable: there is no resolver, or it cannot say whether there is a name.
            RefusedByScope: nothing about the target may be asked.
        """
        self.permission.require(target.address)
        resolver = self.nameservers.resolver()
        records = await ask(resolver, from_address(str(target.address)), RdataType.PTR)
        names = sorted({record.target for record in records} - {root})[:MAX_NAMES]
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(self._describe(resolver, name, target.address)) for name in names
            ]
        return DnsResult(names=tuple(task.result() for task in tasks))

    async def _describe(self, resolver: Resolver, name: Name, address: IpAddress) -> PtrName:
        seen = PtrName(name=shown(name), confirmed=None, mx_points_here=None)
        # A zone that does not answer hides the rest, not what is known already.
        with suppress(ProbeUnavailable, TimeoutError):
            async with asyncio.timeout(self.name_timeout):
                seen = replace(seen, confirmed=await _resolves_to(resolver, name, address))
                exchangers = await _exchangers(resolver, name)
                seen = replace(seen, mx=tuple(shown(exchanger) for exchanger in exchangers))
                here = [await _resolves_to(resolver, mx, address) for mx in exchangers]
                seen = replace(seen, mx_points_here=any(here))
        return seen


async def _resolves_to(resolver: Resolver, name: Name, address: IpAddress) -> bool:
    kind = RdataType.A if address.version == 4 else RdataType.AAAA
    records = await ask(resolver, name, kind)
    return any(ip_address(record.address) == address for record in records)


async def _exchangers(resolver: Resolver, name: Name) -> tuple[Name, ...]:
    """Look up who takes mail for the host, best first; a null MX (RFC 7505) says nobody does."""
    for domain in mail_domains(name):
        records = await ask(resolver, domain, RdataType.MX)
        if records:
            best = sorted((record.preference, record.exchange) for record in records)
            return tuple(exchange for _, exchange in best if exchange != root)[:MAX_EXCHANGERS]
    return ()
