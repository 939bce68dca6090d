"""The zones: every record that the population asks for, and no other."""

from tests.lab import population, zones

_PEOPLE = population.parse(
    {
        "host": [
            {
                "name": "server",
                "addresses": ["198.18.20.1", "2001:db8::20"],
                "ptr": "mx.example.net",
                "forward": True,
                "mx": ["example.net", "example.org"],
            },
            {
                "name": "bot",
                "address": "198.18.10.1",
                "ptr": "odd name;1.pool.example",
                "dnsbl": ["127.0.0.4", "127.0.0.10"],
            },
            {"name": "nobody", "address": "198.18.10.2"},
        ]
    }
)


class TestRootZone:
    def test_has_names_in_both_directions(self) -> None:
        """PTR for all names; addresses only where the name leads back; MX for the domains."""
        lines = zones.root_zone(_PEOPLE).splitlines()

        assert "1.20.18.198.in-addr.arpa. PTR mx.example.net." in lines
        assert "mx.example.net. A 198.18.20.1" in lines
        assert "mx.example.net. AAAA 2001:db8::20" in lines
        assert "example.org. MX 10 mx.example.net." in lines
        assert not any(" A 198.18.10.1" in line for line in lines)
        assert not any("2.10.18.198" in line for line in lines)

    def test_odd_characters_stay_in_the_name(self) -> None:
        """A name can neither end its record nor begin another one."""
        assert "PTR odd\\032name\\0591.pool.example." in zones.root_zone(_PEOPLE)


class TestBlockListZone:
    def test_has_the_test_points(self) -> None:
        """127.0.0.2 is listed, 127.0.0.1 is not (RFC 5782)."""
        zone = zones.block_list_zone(_PEOPLE)

        assert "2.0.0.127.dnsbl.example. A 127.0.0.2" in zone
        assert "1.0.0.127.dnsbl.example." not in zone

    def test_lists_who_is_listed(self) -> None:
        """All answers of a listed host; none about the others."""
        zone = zones.block_list_zone(_PEOPLE)

        assert "1.10.18.198.dnsbl.example. A 127.0.0.4" in zone
        assert "1.10.18.198.dnsbl.example. A 127.0.0.10" in zone
        assert "20.18.198" not in zone
