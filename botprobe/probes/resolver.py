"""Questions to the configured resolver, and to nobody else."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dns.asyncresolver import Resolver
from dns.exception import DNSException, Timeout
from dns.name import Name
from dns.rdatatype import RdataType
from dns.resolver import NXDOMAIN, LRUCache, NoAnswer, NoResolverConfiguration

from botprobe.errors import ProbeUnavailable
from botprobe.model.mail import IpAddress


@dataclass(frozen=True, slots=True, kw_only=True)
class Nameservers:
    """Which resolvers are asked."""

    addresses: tuple[IpAddress, ...] = ()
    """None means those of the system."""
    port: int = 53
    """Port of these addresses."""
    timeout: float = 5
    """Seconds for one question, retries included."""

    def resolver(self) -> Resolver:
        """Return a resolver that remembers answers as long as it lives.

        Raises:
            ProbeUnavailable: the system has none.
        """
        try:
            resolver = Resolver(configure=not self.addresses)
        except NoResolverConfiguration as error:
            raise ProbeUnavailable("no resolver is configured") from error
        if self.addresses:
            resolver.nameservers = [str(address) for address in self.addresses]
            resolver.port = self.port
        resolver.lifetime = self.timeout
        resolver.cache = LRUCache(max_size=100)
        return resolver


SYSTEM_RESOLVER = Nameservers()


async def ask(resolver: Resolver, name: Name, kind: RdataType) -> Sequence[Any]:
    """Give the records of a name; none is an answer too.

    Raises:
        ProbeUnavailable: the resolver could not tell.
    """
    try:
        return tuple(await resolver.resolve(name, kind, search=False))
    except (NXDOMAIN, NoAnswer):
        return ()
    except (DNSException, OSError) as error:
        how = "in time" if isinstance(error, Timeout) else "(it failed or refused)"
        raise ProbeUnavailable(f"no answer from the resolver {how}") from error
