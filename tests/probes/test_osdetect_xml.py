"""Tests of the reading of nmap's XML: finished hosts survive, hostile documents are refused."""

import csv
from collections.abc import Iterator
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address, ip_address
from itertools import pairwise
from pathlib import Path
from xml.sax.saxutils import quoteattr

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botprobe.errors import ParseError
from botprobe.model.results import OsClass, OsMatch, OsResult, PortState
from botprobe.probes.osdetect_xml import MAX_HOST_BYTES, HostStream, read_host

REAL = Path(__file__).parents[3] / "shared/data/nmapxml"
HEAD = b'<?xml version="1.0"?>\n<!DOCTYPE nmaprun>\n<nmaprun scanner="nmap" version="7.93">\n'
HOST = b"""<host><status state="up" reason="user-set"/><address addr="%s" addrtype="%s"/>
<ports><port protocol="tcp" portid="443"><state state="closed" reason="reset"/></port>
<port protocol="tcp" portid="25"><state state="open" reason="syn-ack" reason_ttl="116"/></port>
<port protocol="tcp" portid="80"><state state="filtered" reason="no-response"/></port>
<port protocol="tcp" portid="81"><state state="unfiltered" reason="reset"/></port></ports>
<os><osmatch name="Microsoft Windows XP SP3" accuracy="97" line="1"><osclass type="general purpose"
 vendor="Microsoft" osfamily="Windows" osgen="XP" accuracy="97">
<cpe>cpe:/o:microsoft:windows_xp</cpe></osclass></osmatch>
<osfingerprint fingerprint="SCAN(V=7.93)&#xa;SEQ(SP=0)"/></os>
<distance value="12"/></host>
"""
V4 = HOST % (b"198.18.10.1", b"ipv4")
V6 = HOST % (b"2001:db8::1", b"ipv6")


def hosts_of(*chunks: bytes) -> list[bytes]:
    """Feed chunks to a stream, and give what survived."""
    stream = HostStream()
    with suppress(ParseError):
        for chunk in chunks:
            stream.feed(chunk)
    stream.close()
    return stream.take()


class TestHostStream:
    def test_a_host_comes_out_as_soon_as_it_is_finished(self) -> None:
        """Results reach their waiter while nmap still works on others."""
        stream = HostStream()

        stream.feed(HEAD + V4)

        assert stream.take() == [V4.strip()]
        assert stream.take() == []
        assert stream.version == "7.93"

    def test_an_empty_host_ends_where_its_tag_does(self) -> None:
        """It is cut out as it stands, and what follows is not touched."""
        assert hosts_of(HEAD + b'<host reason="x"/>') == [b'<host reason="x"/>']
        assert hosts_of(HEAD + b"<host/>" + V4) == [b"<host/>", V4.strip()]

    @given(st.integers(0, len(HEAD + V4 + V6)))
    def test_a_truncated_document_keeps_its_finished_hosts(self, length: int) -> None:
        """A killed nmap costs only the hosts that it had not finished."""
        document = HEAD + V4 + V6

        hosts = hosts_of(document[:length])

        assert len(hosts) == document[:length].count(b"</host>")

    @given(st.lists(st.integers(0, len(HEAD + V4 + V6)), max_size=9))
    def test_the_cutting_into_chunks_does_not_matter(self, cuts: list[int]) -> None:
        """A pipe delivers what it wants."""
        document = HEAD + V4 + V6
        bounds = [0, *sorted(cuts), len(document)]

        hosts = hosts_of(*(document[a:b] for a, b in pairwise(bounds)))

        assert [read_host(host, "7.93")[0] for host in hosts] == [
            ip_address("198.18.10.1"),
            ip_address("2001:db8::1"),
        ]

    def test_hosts_before_garbage_are_kept(self) -> None:
        """What was finished stays true."""
        assert len(hosts_of(HEAD + V4 + b"<<<" + V6)) == 1

    @pytest.mark.parametrize(
        "declared",
        [
            b'<!ENTITY a "b">',
            b'<!ENTITY a "ha">' + b"".join(
                b'<!ENTITY %c "%s">' % (98 + n, b"&%c;" % (97 + n) * 10) for n in range(9)
            ),  # a billion laughs
            b'<!ENTITY a SYSTEM "file:///etc/passwd">',
            b'<!ENTITY % a SYSTEM "http://198.18.0.1/x.dtd"> %a;',
        ],
    )  # fmt: skip
    def test_entities_are_refused(self, declared: bytes) -> None:
        """No document of nmap declares any: none grows, reads a file, or asks the network."""
        stream = HostStream()

        with pytest.raises(ParseError, match="entity"):
            stream.feed(b"<!DOCTYPE nmaprun [" + declared + b"]>" + HEAD[22:])
        assert stream.take() == []

    def test_a_host_without_end_is_refused(self) -> None:
        """Memory stays bounded, whatever one host makes nmap write."""
        stream = HostStream()
        stream.feed(HEAD + b"<host>")

        with pytest.raises(ParseError, match="without end"):
            stream.feed(b"<hostname/>" * (MAX_HOST_BYTES // 10))

    @given(st.binary())
    def test_any_bytes_are_parsed_or_refused(self, raw: bytes) -> None:
        """Garbage never fails in an unexpected way."""
        stream = HostStream()
        with suppress(ParseError):
            stream.feed(raw)

        assert stream.take() == []


class TestReadHost:
    def test_all_that_nmap_says(self) -> None:
        """Ports in rising order, matches with their classes, and what python-nmap would lose."""
        (host,) = hosts_of(HEAD + V4)

        address, result = read_host(host, "7.93")

        assert address == ip_address("198.18.10.1")
        assert result == OsResult(
            matches=(
                OsMatch(
                    name="Microsoft Windows XP SP3",
                    accuracy=97,
                    classes=(
                        OsClass(
                            vendor="Microsoft",
                            family="Windows",
                            generation="XP",
                            type="general purpose",
                            accuracy=97,
                            cpe=("cpe:/o:microsoft:windows_xp",),
                        ),
                    ),
                ),
            ),
            ports=((25, PortState.OPEN), (80, PortState.FILTERED), (443, PortState.CLOSED)),
            ttls=((25, 116),),
            fingerprint="SCAN(V=7.93)\nSEQ(SP=0)",
            distance=12,
            nmap_version="7.93",
        )

    def test_a_host_that_nmap_gave_up(self) -> None:
        """A host timeout is told from a host without ports."""
        (host,) = hosts_of(
            HEAD + b'<host timedout="true"><address addr="198.18.1.1" addrtype="ipv4"/></host>'
        )

        _, result = read_host(host, "7.93")

        assert result == OsResult(timed_out=True, nmap_version="7.93")

    @given(
        tag=st.sampled_from(["address", "ports", "port", "state", "os", "osmatch", "distance"]),
        names=st.lists(
            st.sampled_from(["addr", "addrtype", "portid", "state", "name", "value", "accuracy"]),
            unique=True,
        ),
        value=st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=9),
    )
    def test_a_strange_host_is_read_or_refused(
        self, tag: str, names: list[str], value: str
    ) -> None:
        """Missing and odd attributes raise ParseError and nothing else."""
        attributes = " ".join(f"{name}={quoteattr(value)}" for name in names)
        host = (
            f"<host><address addr='198.18.1.1' addrtype='ipv4'/><os><{tag} {attributes}/></os>"
            f"<ports><{tag} {attributes}/></ports><{tag} {attributes}/></host>"
        ).encode()
        try:
            address, result = read_host(host, "7.93")
        except ParseError:
            return

        assert isinstance(address, IPv4Address | IPv6Address)
        assert isinstance(result, OsResult)


def real_files() -> Iterator[dict[str, str]]:
    """List the documents of supported versions of nmap, as counted by their collectors."""
    if (manifest := REAL / "MANIFEST.csv").exists():
        with manifest.open() as rows:
            for row in csv.DictReader(rows):
                if row["format"] == "xml" and row["nmap_version"] >= "7.80":
                    yield row


class TestRealOutput:
    def test_agrees_with_another_reader(self) -> None:
        """Hosts, matches, fingerprints and open ports 25 of real scans are all found."""
        rows = list(real_files())
        if not rows:
            pytest.skip(f"no real nmap output at {REAL}")
        for row in rows:
            results = [
                read_host(host, "")[1] for host in hosts_of((REAL / row["file"]).read_bytes())
            ]

            assert len(results) == int(row["hosts"]), row["file"]
            assert sum(bool(r.matches) for r in results) == int(row["hosts_osmatch"]), row["file"]
            assert sum(bool(r.fingerprint) for r in results) == int(row["has_osfingerprint"])
            assert sum(25 in r.open_ports for r in results) == int(row["port25_open"])
            # The column is cut at some length, in the middle of its last entry.
            *listed, _ = row["top_osmatch"].split(" | ")
            seen = {f"{match.name} ({match.accuracy})" for r in results for match in r.matches}
            assert seen.issuperset(listed), row["file"]
