"""A host of the population at work: its stack, its ports, and what it remembers."""

import random

from tests.lab.osdb import OsDatabase
from tests.lab.packets import Packet, Segment
from tests.lab.persona import Persona, compile_persona
from tests.lab.population import Host, PopulationError, PortState
from tests.lab.sequences import IsnSource
from tests.lab.services import SERVICES

_DEFAULT_TTL = 64
_WINDOWS_TTL = 128
_SMTP = 25


class PersonaBook:
    """Personas of one database; each is compiled once, when its first host is probed."""

    def __init__(self, database: OsDatabase) -> None:
        self._database = database
        self._known = frozenset(database.names)
        self._compiled: dict[str, Persona] = {}

    def choose(self, host: Host) -> str | None:
        """Return the first of the host's entries that the database has.

        Raises ``PopulationError`` where the host wants one and the database has none of them.
        """
        for name in host.persona:
            if name in self._known:
                return name
        if host.persona:
            raise PopulationError(
                f"host {host.name}: the installed nmap knows none of {', '.join(host.persona)}"
            )
        return None

    def persona(self, name: str) -> Persona:
        """Return the persona of an entry that ``choose`` has named."""
        persona = self._compiled.get(name)
        if persona is None:
            entry = self._database.entry(name)
            if entry is None:
                raise PopulationError(f"nmap does not know {name}")
            persona = self._compiled[name] = compile_persona(entry)
        return persona


class LiveHost:
    """One host that the responder plays."""

    __slots__ = (
        "_book",
        "_chance",
        "_entry",
        "_isn",
        "_spec",
        "addresses",
        "default",
        "delay",
        "hops",
        "jitter",
        "loss",
        "ping",
    )

    def __init__(self, spec: Host, book: PersonaBook, chance: random.Random) -> None:
        if unknown := set(spec.services.values()) - SERVICES.keys():
            raise PopulationError(f"host {spec.name}: there is no service called {min(unknown)!r}")
        self._spec = spec
        self._book = book
        self._chance = chance
        self._entry = book.choose(spec)
        self._isn: IsnSource | None = None
        self.addresses = tuple(address.packed for address in spec.addresses)
        self.default = spec.default
        self.delay = spec.delay_ms / 1000
        self.hops = spec.hops
        self.jitter = spec.jitter_ms / 1000
        self.loss = spec.loss
        self.ping = spec.ping

    @property
    def persona(self) -> Persona | None:
        """How the host's stack behaves; None where only ports and ping are given."""
        return self._book.persona(self._entry) if self._entry else None

    @property
    def greeting_name(self) -> str:
        """What the host calls itself."""
        return self._spec.ptr or f"{self._spec.name}.example"

    @property
    def slowest(self) -> float:
        """The longest that an answer takes, in seconds."""
        return self.delay + self.jitter

    @property
    def ttl(self) -> int:
        """The TTL of ordinary packets when they arrive."""
        persona = self.persona
        return self.after_hops(persona.ttl if persona else _DEFAULT_TTL)

    def ttl_of(self, port: int) -> int:
        """Return the TTL of ordinary packets of a port when they arrive."""
        return self.after_hops(_WINDOWS_TTL) - 1 if port in self._spec.forwarded else self.ttl

    @property
    def resets_closed_ports(self) -> bool:
        """Whether a closed port says so: a stack that leaves test T5 unanswered does not."""
        persona = self.persona
        return persona is None or "T5" in persona.tcp

    def after_hops(self, ttl: int) -> int:
        """Return what is left of a TTL; nmap counts a neighbour as one hop."""
        return max(1, ttl - (self.hops - 1))

    def port(self, number: int) -> PortState:
        """Return the state of a TCP port."""
        if number in self._spec.open:
            return PortState.OPEN
        if number in self._spec.closed:
            return PortState.CLOSED
        return self.default

    def service(self, port: int) -> str:
        """Return the name of the service on an open port."""
        return self._spec.services.get(port, "smtp" if port == _SMTP else "silent")

    def answer_test(self, test: str, packet: Packet, segment: Segment, now: float) -> bytes | None:
        """Answer one of nmap's TCP tests that arrived ``now`` (seconds)."""
        persona = self.persona
        answer = persona.tcp.get(test) if persona else None
        if persona is None or answer is None:
            return None
        isn = None
        if test.startswith("P"):  # P1 to P6 are measured; elsewhere any number will do
            isn = self._isn_source(persona).next(int(test[1]) - 1, now)
        return answer.build(
            packet,
            segment,
            isn=isn,
            clock=self._clock(persona, now),
            ttl=self.after_hops(answer.ttl),
        )

    def _isn_source(self, persona: Persona) -> IsnSource:
        if self._isn is None:
            self._isn = IsnSource(persona.isn, self._chance.getrandbits(32))
        return self._isn

    def _clock(self, persona: Persona, now: float) -> int:
        # Never zero, which would say that the host has no clock.
        return (0x10000 + int(now * persona.clock_hz)) & 0xFFFFFFFF
