"""The population: read strictly, never beyond the laboratory's addresses."""

from pathlib import Path
from typing import Any

import pytest

from tests.lab import population
from tests.lab.population import PopulationError, PortState


def _host(**fields: Any) -> dict[str, Any]:
    return {"name": "one", "address": "198.18.10.1", **fields}


class TestParse:
    def test_reads_all_fields(self) -> None:
        """What the file says is what the host is."""
        document = {
            "lab": {"dns": "198.19.1.1", "dnsbl_zone": "bl.example", "canaries": ["198.18.4.25"]},
            "host": [
                {
                    "name": "two",
                    "addresses": ["198.18.10.2", "2001:db8::99"],
                    "open": [25, 80],
                    "closed": [113],
                    "default": "filtered",
                    "services": {"25": "smtp-refuse"},
                    "hops": 12,
                    "delay_ms": 40,
                    "loss": 0.5,
                    "ptr": "two.example",
                    "dnsbl": ["127.0.0.4"],
                }
            ],
        }

        people = population.parse(document)

        (host,) = people.hosts
        assert str(people.settings.dns) == "198.19.1.1"
        assert [str(address) for address in host.addresses] == ["198.18.10.2", "2001:db8::99"]
        assert host.default is PortState.FILTERED
        assert host.services == {25: "smtp-refuse"}
        assert (host.hops, host.delay_ms, host.loss) == (12, 40, 0.5)
        assert host.label is None

    @pytest.mark.parametrize(
        ("fields", "complaint"),
        [
            ({"address": "203.0.113.1"}, "not of the laboratory"),
            ({"address": "8.8.8.8"}, "not of the laboratory"),
            ({"address": "2001:db9::1"}, "not of the laboratory"),
            ({"address": "198.18.0.1"}, "a cable's"),
            ({"address": "nonsense"}, "nonsense"),
            ({"address": ""}, "no address"),
            ({"address": "198.19.0.53"}, "address of the DNS server"),
            ({"colour": "red"}, "unknown field 'colour'"),
            ({"hops": True}, "hops is not of type int"),
            ({"hops": 0}, "hops"),
            ({"open": ["25"]}, "open holds"),
            ({"open": [70_000]}, "no such port"),
            ({"open": [25], "closed": [25]}, "both open and closed"),
            ({"services": {"25": "smtp"}}, "not open"),
            ({"forwarded": [80]}, "forwarded and not open"),
            ({"open": [25], "services": {"smtp": "smtp"}}, "invalid literal"),
            ({"open": [25], "services": {"25": 25}}, "by its name"),
            ({"default": "shut"}, "shut"),
            ({"loss": 1}, "loss"),
            ({"loss": "much"}, "loss is not a number"),
            ({"delay_ms": 5, "jitter_ms": 6}, "jitter_ms"),
            ({"forward": True}, "need a ptr"),
            ({"real": "exim"}, "exim"),
            ({"real": "postfix", "ptr": "two words"}, "no name"),
        ],
    )
    def test_complains_about_what_makes_no_sense(
        self, fields: dict[str, Any], complaint: str
    ) -> None:
        """Each mistake has an error that names it."""
        with pytest.raises(PopulationError, match=complaint):
            population.parse({"host": [_host(**fields)]})

    def test_the_dns_server_lives_here_too(self) -> None:
        """No resolver outside of the laboratory can be named."""
        with pytest.raises(PopulationError, match=r"9\.9\.9\.9 is not of the laboratory"):
            population.parse({"lab": {"dns": "9.9.9.9"}})

    @pytest.mark.parametrize("second", [{"name": "one"}, {"address": "198.18.10.1"}])
    def test_names_and_addresses_are_unique(self, second: dict[str, str]) -> None:
        """Two hosts share neither."""
        other = {"name": "two", "address": "198.18.10.2", **second}

        with pytest.raises(PopulationError, match=r"two hosts|has the address of"):
            population.parse({"host": [_host(), other]})


class TestLoad:
    def test_the_laboratory_has_inhabitants(self) -> None:
        """The file that comes with the laboratory is valid."""
        assert population.load().hosts

    @pytest.mark.parametrize("content", [b"[[host", b"\xff\xfe", b"[host]\nname = 1"])
    def test_names_the_file_that_is_wrong(self, tmp_path: Path, content: bytes) -> None:
        """A file that cannot be used gives one line with its name."""
        path = tmp_path / "people.toml"
        path.write_bytes(content)

        with pytest.raises(PopulationError, match=r"people\.toml: ") as caught:
            population.load(path)
        assert "\n" not in str(caught.value).strip()

    def test_a_file_that_is_not_there(self, tmp_path: Path) -> None:
        """Likewise one that cannot be read."""
        with pytest.raises(PopulationError, match="No such file"):
            population.load(tmp_path / "none.toml")


class TestDraw:
    def test_the_seed_decides(self) -> None:
        """The same seed gives the same hosts, another one others."""
        entries = [f"System {number}" for number in range(100)]

        hosts = population.draw(30, entries, 1)

        assert hosts == population.draw(30, entries, 1)
        assert hosts != population.draw(30, entries, 2)

    def test_all_fit_into_the_laboratory(self) -> None:
        """The largest population keeps to the ranges and is free of clashes."""
        hosts = population.draw(population.MAX_RANDOM, ["System"], 1)

        assert len(population.load().with_hosts(hosts).hosts) > population.MAX_RANDOM

    @pytest.mark.parametrize(("count", "entries"), [(-1, ["x"]), (99_999, ["x"]), (1, [])])
    def test_refuses_what_is_impossible(self, count: int, entries: list[str]) -> None:
        """Too many, too few, or without any system to choose from."""
        with pytest.raises(PopulationError):
            population.draw(count, entries, 0)
