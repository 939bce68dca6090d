"""The ruleset, packet by packet, in the kernel."""

import json
from typing import Any

import pytest

from tests.lab.proxyabuse import run_private

pytestmark = [pytest.mark.lab, pytest.mark.timeout(60)]

FOUR, SIX = "c6120009", "20010db8000c0009"


@pytest.fixture(scope="module")
def sets() -> dict[str, Any]:
    """What each scene left in the sets."""
    told: dict[str, Any] = json.loads(run_private("tests.observers.router.packetforms"))
    return told


class TestCounting:
    @pytest.mark.parametrize(
        "port", ["50000", "32768", "32767", "4000", "1000", "25", "110", "465", "993"]
    )
    def test_a_sender_counts_whatever_port_it_sends_from(
        self, sets: dict[str, Any], port: str
    ) -> None:
        """A bot that sends from a port of mail would else be one way only, and left alone."""
        assert sets[port]["sent4"] == {FOUR: 3}
        assert sets[port]["sent6"] == {SIX: 3}
        assert "oneway4" not in sets[port]
        assert "oneway6" not in sets[port]

    @pytest.mark.parametrize("scene", ["called", "called on a high port", "called and knocked"])
    def test_who_is_called_from_a_port_of_mail_earns_nothing(
        self, sets: dict[str, Any], scene: str
    ) -> None:
        """Else anybody had a web server blocked by fetching a page from his own port 25."""
        assert not {"sent4", "sent6"} & sets[scene].keys()
        assert sets[scene]["oneway4"] == {FOUR: 3}

    def test_only_small_packets_count(self, sets: dict[str, Any]) -> None:
        """Those below 200 bytes; the others are the mail."""
        assert (sets["sizes"]["sent4"], sets["sizes"]["sent6"]) == ({FOUR: 2}, {SIX: 2})

    def test_a_mailbox_counts_that_was_open_before(self, sets: dict[str, Any]) -> None:
        """Mail programs keep such connections for days, and they excuse."""
        assert sets["fetches"]["fetched4"] == {FOUR: 3}

    def test_only_servers_inside_are_remembered(self, sets: dict[str, Any]) -> None:
        """Whoever answers outside, or forges such answers, must not fill the set."""
        assert "servers4" not in sets["server outside"]
        assert sets["server inside"]["servers4"] == {FOUR: 0}

    def test_a_sample_knows_nothing_of_who_called(self, sets: dict[str, Any]) -> None:
        """So what a host says from the port of a service does not count."""
        assert sets["sampled"]["sent4"][FOUR] > 20
        assert sets["sampled"]["oneway4"][FOUR] > 20
        assert not {"sent4", "oneway4"} & sets["sampled, called"].keys()

    def test_of_an_ipv6_network_one_limit_is_kept(self, sets: dict[str, Any]) -> None:
        """Its hosts are without number, and would fill the set that tells a NAT."""
        assert [key[:16] for key in sets["50000"]["opened6"]] == [SIX]
        assert list(sets["50000"]["faces6"]) == ["20010db8000c00090000000000000005"]
