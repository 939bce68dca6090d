"""The probes against hosts that behave like real ones: real nmap, ICMP, Postfix and DNS."""

import json
from collections.abc import Sequence
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest

from tests.lab.runner import run_in_lab

pytestmark = [pytest.mark.lab, pytest.mark.timeout(120)]

XP = "198.18.64.1"
FIREWALLED = "198.18.64.2"
DEAD = "198.18.64.3"
SIX = "2001:db8:64::4"
POSTFIX = "198.18.64.5"
CLOSED = "198.18.64.6"

PEOPLE = f"""
[[host]]
name = "xp"
address = "{XP}"
persona = ["Microsoft Windows XP SP3", "Microsoft Windows XP SP2 or SP3"]
ping = true
open = [135, 139]
hops = 7
delay_ms = 30
ptr = "dsl-64-1.isp.example"
forward = true

[[host]]
name = "firewalled"
address = "{FIREWALLED}"
persona = ["Linux 3.10"]
open = [443]
default = "filtered"
ptr = "mail.somebody-else.example"

[[host]]
name = "six"
address = "{SIX}"
persona = ["Linux 3.10"]
ping = true
open = [25]
ptr = "mx.six.example"
forward = true
mx = ["six.example"]

[[host]]
name = "postfix"
address = "{POSTFIX}"
real = "postfix"
ptr = "mx.firm.example"
forward = true
mx = ["firm.example"]

[[host]]
name = "closed"
address = "{CLOSED}"
persona = ["Linux 3.10"]
ping = true
"""

SERVICES = (
    *("smtp-delayed", "smtp-postscreen", "smtp-refuse", "smtp-busy", "smtp-tarpit"),
    *("smtp-endless", "smtp-hostile", "smtp-drop", "smtp-reset", "garbage", "silent"),
)
SPEAKERS = {name: str(IPv4Address("198.18.65.1") + n) for n, name in enumerate(SERVICES)}

SPEAKER = """
[[host]]
name = "{name}"
address = "{address}"
persona = ["Linux 3.10"]
open = [25]
services = {{ 25 = "{name}" }}
"""


def ask(folder: Path, addresses: Sequence[str], *options: str) -> dict[str, Any]:
    """Ask all probes about the addresses, in one laboratory; the answers by address."""
    people = folder / "people.toml"
    speakers = (SPEAKER.format(name=name, address=address) for name, address in SPEAKERS.items())
    people.write_text(PEOPLE + "".join(speakers))
    done = run_in_lab(
        *("python", "-m", "tests.probes.ask", *addresses),
        options=["--population", str(people), *options],
    )
    assert done.returncode == 0, done.stderr
    return {answers["ip"]: answers for answers in map(json.loads, done.stdout.splitlines())}


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the probes make of everybody, asked at the same time."""
    addresses = [XP, FIREWALLED, DEAD, SIX, POSTFIX, CLOSED, *SPEAKERS.values()]
    return ask(tmp_path_factory.mktemp("lab"), addresses)


class TestPing:
    @pytest.mark.parametrize("address", [XP, SIX, POSTFIX])
    def test_a_host_that_answers(self, seen: dict[str, Any], address: str) -> None:
        """Replies are counted, over both versions of IP."""
        ping = seen[address]["ping"]

        assert ping["sent"] == ping["received"] == 3

    def test_the_round_trip_is_the_networks(self, seen: dict[str, Any]) -> None:
        """The time is that of the way there and back, in milliseconds."""
        assert 30 <= seen[XP]["ping"]["rtt_ms"] < 500

    @pytest.mark.parametrize("address", [DEAD, FIREWALLED])
    def test_silence_is_a_result(self, seen: dict[str, Any], address: str) -> None:
        """A host that does not answer was asked three times."""
        ping = seen[address]["ping"]

        assert (ping["sent"], ping["received"], ping["rtt_ms"]) == (3, 0, None)


class TestSmtp:
    @pytest.mark.parametrize(
        ("address", "name"), [(POSTFIX, "mx.firm.example"), (SIX, "mx.six.example")]
    )
    def test_a_mail_server(self, seen: dict[str, Any], address: str, name: str) -> None:
        """A real Postfix and a played one are heard out."""
        smtp = seen[address]["smtp"]

        assert smtp["greeting"]["lines"] == [f"{name} ESMTP Postfix"]
        assert (smtp["ehlo"]["code"], smtp["ehlo"]["lines"][0]) == (250, name)
        assert smtp["broke"] is None

    @pytest.mark.parametrize(
        ("service", "lines", "seconds"), [("smtp-delayed", 1, 5), ("smtp-postscreen", 2, 6)]
    )
    def test_a_pause_before_the_greeting_is_waited_for(
        self, seen: dict[str, Any], service: str, lines: int, seconds: float
    ) -> None:
        """Patience finds the servers that keep bots out by it."""
        smtp = seen[SPEAKERS[service]]["smtp"]

        assert len(smtp["greeting"]["lines"]) == lines
        assert smtp["greeting_seconds"] >= seconds - 0.2
        assert smtp["ehlo"]["code"] == 250

    @pytest.mark.parametrize(("service", "code"), [("smtp-refuse", 554), ("smtp-busy", 421)])
    def test_a_refusing_greeting(self, seen: dict[str, Any], service: str, code: int) -> None:
        """Who greets with a refusal still speaks SMTP."""
        assert seen[SPEAKERS[service]]["smtp"]["greeting"]["code"] == code

    @pytest.mark.parametrize(
        ("service", "broke"),
        [
            ("smtp-tarpit", "no greeting in time"),
            ("silent", "no greeting in time"),
            ("smtp-endless", "the greeting is not SMTP"),
            ("garbage", "the greeting is not SMTP"),
            ("smtp-drop", "hung up before the greeting"),
        ],
    )
    def test_what_is_no_greeting(self, seen: dict[str, Any], service: str, broke: str) -> None:
        """An open port without a greeting is told apart from a server, with the reason."""
        smtp = seen[SPEAKERS[service]]["smtp"]

        assert (smtp["port"], smtp["greeting"]) == ("open", None)
        assert smtp["broke"].startswith(broke)

    def test_a_reset_after_the_greeting(self, seen: dict[str, Any]) -> None:
        """What was said before the end counts."""
        smtp = seen[SPEAKERS["smtp-reset"]]["smtp"]

        assert smtp["greeting"]["code"] == 220
        assert smtp["broke"] == "hung up before the reply to EHLO"

    @pytest.mark.parametrize(
        ("address", "port"), [(CLOSED, "closed"), (XP, "closed"), (DEAD, "filtered")]
    )
    def test_the_state_of_the_port(self, seen: dict[str, Any], address: str, port: str) -> None:
        """Refusal is told from silence."""
        assert seen[address]["smtp"]["port"] == port


class TestDns:
    def test_an_access_line(self, seen: dict[str, Any]) -> None:
        """A confirmed name without mail exchanger."""
        (name,) = seen[XP]["dns"]["names"]

        assert (name["name"], name["confirmed"]) == ("dsl-64-1.isp.example", True)
        assert (name["mx"], name["mx_points_here"]) == ([], False)

    @pytest.mark.parametrize("address", [POSTFIX, SIX])
    def test_a_mail_server_for_its_domain(self, seen: dict[str, Any], address: str) -> None:
        """The exchanger of the domain above the name is the host itself."""
        (name,) = seen[address]["dns"]["names"]

        assert name["confirmed"]
        assert name["mx"] == [name["name"]]
        assert name["mx_points_here"]

    def test_a_stolen_name(self, seen: dict[str, Any]) -> None:
        """A name that does not lead back is not confirmed."""
        (name,) = seen[FIREWALLED]["dns"]["names"]

        assert name["confirmed"] is False

    def test_no_name(self, seen: dict[str, Any]) -> None:
        """An address without PTR was measured."""
        assert seen[CLOSED]["dns"]["names"] == []


class TestOs:
    def test_a_windows_client(self, seen: dict[str, Any]) -> None:
        """Real nmap recognises the stack, at its distance, among twenty hosts of all kinds."""
        os = seen[XP]["os"]

        assert os["matches"][0]["name"].startswith("Microsoft Windows XP")
        assert os["matches"][0]["accuracy"] == 100
        assert os["matches"][0]["classes"][0]["family"] == "Windows"
        assert os["distance"] == 7
        assert [port for port, state in os["ports"] if state == "open"] == [135, 139]

    def test_one_open_port_behind_a_firewall(self, seen: dict[str, Any]) -> None:
        """The filtered ports are reported, and the open one is enough for matches."""
        os = seen[FIREWALLED]["os"]

        assert os["matches"] != []
        assert {state for port, state in os["ports"] if port != 443} == {"filtered"}

    @pytest.mark.parametrize(("address", "state"), [(CLOSED, "closed"), (DEAD, "filtered")])
    def test_no_open_port(self, seen: dict[str, Any], address: str, state: str) -> None:
        """Ports alone are a result, without a guess at the system."""
        os = seen[address]["os"]

        assert os["matches"] == []
        assert {state for _, state in os["ports"]} == {state}

    def test_ipv6(self, seen: dict[str, Any]) -> None:
        """IPv6 hosts go through the same stages."""
        assert [25, "open"] in seen[SIX]["os"]["ports"]


class TestWithoutMeans:
    def test_without_rights(self, tmp_path: Path) -> None:
        """An unprivileged user learns what could not be measured, and gets the rest."""
        seen = ask(tmp_path, [CLOSED], "--as-user", "--no-ping")[CLOSED]

        assert seen["os"]["reason"].startswith("no raw socket: ")
        assert seen["ping"]["reason"].startswith("no ping socket: ")
        assert seen["smtp"]["port"] == "closed"

    def test_root_pings_by_raw_socket(self, tmp_path: Path) -> None:
        """The usual system keeps ping sockets from everybody; root does without."""
        assert ask(tmp_path, [CLOSED], "--no-ping")[CLOSED]["ping"]["received"] == 3

    def test_without_dns(self, tmp_path: Path) -> None:
        """A silent resolver is never "no PTR"."""
        seen = ask(tmp_path, [CLOSED], "--no-dns")[CLOSED]

        assert seen["dns"]["reason"].startswith("no answer from the resolver")
