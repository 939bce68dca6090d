"""nmap's XML output, read while it is being written.

nmap may be killed, may crash, and repeats what hosts sent it. So hosts are cut out of the stream
one by one, finished ones survive whatever comes after them, and entities, the classic trap of XML,
are refused. docs/decisions/0002-nmap-output.md tells the division of work with python-nmap.
"""

from collections.abc import Mapping
from contextlib import suppress
from ipaddress import ip_address
from typing import Any
from xml.etree.ElementTree import Element, fromstring
from xml.parsers import expat

from nmap import PortScanner, PortScannerError

from botprobe.classify.system import MAX_TTL
from botprobe.errors import ParseError
from botprobe.model.mail import IpAddress
from botprobe.model.results import OsClass, OsMatch, OsResult, PortState

# A host with ten matches and a fingerprint takes 10 KB; before the first host stands the command
# line, twice, with the addresses of a whole batch.
MAX_HOST_BYTES = 256 * 1024

# python-nmap reads whole documents only, and wants the closing statistics in them.
_DOCUMENT = b"<nmaprun><runstats><finished/><hosts/></runstats>%s</nmaprun>"


class HostStream:
    """Cuts nmap's XML into its finished ``host`` elements, each a document of its own."""

    def __init__(self) -> None:
        self.version = ""
        """Of the nmap that writes."""
        self._hosts: list[bytes] = []
        self._raw = bytearray()
        """What came after the last finished host."""
        self._raw_from = 0
        """Its place in the stream, as the parser counts."""
        self._host_from: int | None = None
        self._parser = expat.ParserCreate()
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.EntityDeclHandler = _refuse_entity

    def feed(self, data: bytes) -> None:
        """Take what nmap wrote next.

        Raises:
            ParseError: this is not nmap's XML, or a host without end; earlier hosts are kept.
        """
        self._raw += data
        try:
            self._parser.Parse(data, False)
        except expat.ExpatError as error:
            raise ParseError(f"not nmap's XML: {error}", data) from error
        if len(self._raw) > MAX_HOST_BYTES:
            raise ParseError("a host without end in nmap's XML", data)

    def close(self) -> None:
        """Let the parser catch up: since 2.6, expat may wait for more data after a cut token."""
        with suppress(expat.ExpatError):
            self._parser.Parse(b"", True)

    def take(self) -> list[bytes]:
        """Hand over the hosts that were finished since the last call."""
        hosts, self._hosts = self._hosts, []
        return hosts

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        if tag == "nmaprun":
            self.version = attributes.get("version", "")
        if tag == "host" and self._host_from is None:
            self._host_from = self._parser.CurrentByteIndex

    def _end(self, tag: str) -> None:
        if tag != "host" or self._host_from is None:
            return
        end_tag = self._parser.CurrentByteIndex - self._raw_from
        end = end_tag
        if self._raw.startswith(b"</", end_tag):  # else the element is empty, and its tag is over
            end = self._raw.index(b">", end_tag) + 1
        self._hosts.append(bytes(self._raw[self._host_from - self._raw_from : end]))
        del self._raw[:end]
        self._raw_from += end
        self._host_from = None


def _refuse_entity(name: str, *_: object) -> None:
    raise ParseError("an entity declaration in nmap's XML", name.encode())


def read_host(raw: bytes, nmap_version: str) -> tuple[IpAddress, OsResult]:
    """Read one ``host`` element that ``HostStream`` cut out.

    python-nmap gives ports and matches; what it loses (the subject fingerprint, the distance, the
    TTLs, the mark of a timeout) is read beside it.

    Raises:
        ParseError: the element lacks what every host of nmap has.
    """
    try:
        seen = _Reader().analyse_nmap_xml_scan(_DOCUMENT % raw)["scan"]
        ((address, facts),) = seen.items()
        host = fromstring(raw)  # noqa: S314  # HostStream refused all entities
        fingerprint, distance = host.find("os/osfingerprint"), host.find("distance")
        return ip_address(address), OsResult(
            matches=tuple(_match(match) for match in facts.get("osmatch", ())),
            ports=_ports(facts.get("tcp", {})),
            ttls=_ttls(host),
            fingerprint=None if fingerprint is None else fingerprint.get("fingerprint"),
            distance=None if distance is None else int(distance.attrib["value"]),
            timed_out=host.get("timedout") == "true",
            nmap_version=nmap_version,
        )
    except (PortScannerError, LookupError, AttributeError, TypeError, ValueError) as error:
        raise ParseError("an unreadable host in nmap's XML", raw) from error


class _Reader(PortScanner):  # type: ignore[misc]  # python-nmap has no types
    """The reading half of python-nmap; its constructor would look for nmap and run it."""

    def __init__(self) -> None:
        pass


def _ports(ports: Mapping[int, Mapping[str, str]]) -> tuple[tuple[int, PortState], ...]:
    known = frozenset(PortState)
    return tuple(
        (number, PortState(port["state"]))
        for number, port in sorted(ports.items())
        if port["state"] in known
    )


def _ttls(host: Element) -> tuple[tuple[int, int], ...]:
    return tuple(
        (int(port.get("portid", "0")), ttl)
        for port in host.iterfind("ports/port")
        if (state := port.find("state")) is not None
        and state.get("reason") == "syn-ack"
        and 0 < (ttl := int(state.get("reason_ttl", "0"))) <= MAX_TTL
    )


def _match(match: Mapping[str, Any]) -> OsMatch:
    return OsMatch(
        name=match["name"],
        accuracy=int(match["accuracy"]),
        classes=tuple(_os_class(os_class) for os_class in match["osclass"]),
    )


def _os_class(os_class: Mapping[str, Any]) -> OsClass:
    return OsClass(
        vendor=os_class["vendor"] or "",
        family=os_class["osfamily"] or "",
        generation=os_class["osgen"],
        type=os_class["type"],
        accuracy=int(os_class["accuracy"]),
        cpe=tuple(cpe for cpe in os_class["cpe"] if cpe),
    )
