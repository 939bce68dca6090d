"""nmap's XML output, read while it is being written.

nmap may be killed, may crash, and repeats what hosts sent it. So hosts are cut out of the stream
one by one, finished ones survive whatever comes after them, and entities, the classic trap of XML,
are refused. docs/decisions/0002-nmap-output.md tells the division of work with python-nmap.
"""

from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any
from xml.etree.ElementTree import Element, TreeBuilder, tostring
from xml.parsers import expat

from nmap import PortScanner, PortScannerError

from botprobe.errors import ParseError
from botprobe.model.mail import IpAddress
from botprobe.model.results import OsClass, OsMatch, OsResult, PortState

# A host with ten matches and a fingerprint takes 10 KB; before the first host stands the command
# line, twice, with the addresses of a whole batch.
MAX_HOST_BYTES = 256 * 1024

# python-nmap reads whole documents only, and wants the closing statistics in them.
_DOCUMENT = b"<nmaprun><runstats><finished/><hosts/></runstats>%s</nmaprun>"


class HostStream:
    """Cuts nmap's XML into its finished ``host`` elements."""

    def __init__(self) -> None:
        self.version = ""
        """Of the nmap that writes."""
        self._hosts: list[Element] = []
        self._builder: TreeBuilder | None = None
        self._last_host_end = 0
        self._parser = expat.ParserCreate()
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._text
        self._parser.EntityDeclHandler = _refuse_entity

    def feed(self, data: bytes) -> None:
        """Take what nmap wrote next.

        Raises:
            ParseError: this is not nmap's XML, or a host without end; earlier hosts are kept.
        """
        try:
            self._parser.Parse(data, False)
        except expat.ExpatError as error:
            raise ParseError(f"not nmap's XML: {error}", data) from error
        if self._parser.CurrentByteIndex - self._last_host_end > MAX_HOST_BYTES:
            raise ParseError("a host without end in nmap's XML", data)

    def take(self) -> list[Element]:
        """Hand over the hosts that were finished since the last call."""
        hosts, self._hosts = self._hosts, []
        return hosts

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        if tag == "nmaprun":
            self.version = attributes.get("version", "")
        if tag == "host" and self._builder is None:
            self._builder = TreeBuilder()
        if self._builder is not None:
            self._builder.start(tag, attributes)

    def _end(self, tag: str) -> None:
        if self._builder is None:
            return
        self._builder.end(tag)
        if tag == "host":
            self._hosts.append(self._builder.close())
            self._builder = None
            self._last_host_end = self._parser.CurrentByteIndex

    def _text(self, text: str) -> None:
        if self._builder is not None:
            self._builder.data(text)


def _refuse_entity(name: str, *_: object) -> None:
    raise ParseError("an entity declaration in nmap's XML", name.encode())


def read_host(host: Element, nmap_version: str) -> tuple[IpAddress, OsResult]:
    """Read one ``host`` element.

    python-nmap gives ports and matches; what it loses (the subject fingerprint, the distance, the
    mark of a timeout) is read from the element.

    Raises:
        ParseError: the element lacks what every host of nmap has.
    """
    raw = tostring(host)
    try:
        seen = _Reader().analyse_nmap_xml_scan(_DOCUMENT % raw)["scan"]
        ((address, facts),) = seen.items()
        fingerprint, distance = host.find("os/osfingerprint"), host.find("distance")
        return ip_address(address), OsResult(
            matches=tuple(_match(match) for match in facts.get("osmatch", ())),
            ports=_ports(facts.get("tcp", {})),
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
