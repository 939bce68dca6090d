"""Who we say we are, to people and programs."""

from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from ipaddress import ip_address

import dns.zone

from botprobe.contract.identity import Identity, dns_records, page, probing_txt

WHO = Identity(
    name="probe.example.org",
    addresses=(ip_address("192.0.2.10"), ip_address("2001:db8::10")),
    organisation="Example Trap",
    contact="noc@example.org",
    asked=("icmp: three echo requests", "tcp 25: greeting, EHLO, QUIT"),
    cooldown_hours=24,
    written=datetime(2026, 11, 26, tzinfo=UTC),
)
HOSTILE = replace(WHO, organisation='Trap\n"<script>alert(1)</script>\x1b[2J' + "x" * 300)


class Tags(HTMLParser):
    """Collects the tags of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep a tag."""
        self.tags.add(tag)


def zone_of(identity: Identity) -> dns.zone.Zone:
    """Load the records as a name server would."""
    text = f"$TTL 3600\n{dns_records(identity)}"
    return dns.zone.from_text(text, origin=".", relativize=False, check_origin=False)


class TestProbingTxt:
    def test_has_the_fields_of_rfc_9511(self) -> None:
        """Each on a line of its own, and the expiry within a year."""
        fields = dict(line.split(": ", 1) for line in probing_txt(WHO).splitlines())

        assert list(fields) == [
            "Canonical", "Contact", "Expires", "Preferred-Languages", "Description",
        ]  # fmt: skip
        assert fields["Canonical"] == "https://probe.example.org/.well-known/probing.txt"
        assert fields["Contact"] == "mailto:noc@example.org"
        assert fields["Expires"] == "2027-11-21T00:00:00Z"
        assert "once in 24 hours" in fields["Description"]

    def test_a_strange_name_adds_no_field(self) -> None:
        """A line end in a setting ends no line."""
        assert len(probing_txt(HOSTILE).splitlines()) == 5


class TestDnsRecords:
    def test_name_and_addresses_lead_to_each_other(self) -> None:
        """The records are ones that a name server loads."""
        zone = zone_of(WHO)
        found = {
            (str(name), data.rdtype.name, data.to_text()) for name, _, data in zone.iterate_rdatas()
        }

        assert ("probe.example.org.", "A", "192.0.2.10") in found
        assert ("probe.example.org.", "AAAA", "2001:db8::10") in found
        assert ("10.2.0.192.in-addr.arpa.", "PTR", "probe.example.org.") in found
        assert len(found) == 6

    def test_a_long_name_is_cut_into_strings(self) -> None:
        """A string of DNS has 255 bytes at most, and a quote in it ends it not."""
        assert "x" * 100 in zone_of(HOSTILE).to_text()


class TestPage:
    def test_says_who_what_and_how_to_be_left_alone(self) -> None:
        """What an operator asks who found us in a log."""
        text = page(WHO)

        assert all(str(part) in text for part in (*WHO.addresses, *WHO.asked, WHO.contact))
        assert "script" not in Tags(page(HOSTILE)).tags
        assert "\x1b" not in page(HOSTILE)
