"""The further evidence, with the whole product, on hosts of the laboratory."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.lab.runner import run_in_lab

pytestmark = [pytest.mark.lab, pytest.mark.timeout(120)]

SHARED_STACK = (
    "Microsoft Windows 7 SP0 - SP1 or Windows Server 2008",
    "Microsoft Windows 7 or Windows Server 2008 R2",
)

POPULATION = """\
[lab]
dnsbl_zone = "bl.lab.example"
[[host]]
name = "canary"
address = "198.18.4.25"
open = [25]
{hosts}
"""
HOST = """\
[[host]]
name = "{name}"
address = "{address}"
persona = {persona}
ping = true
open = {open}
services = {{ {services} }}
ptr = "{name}.example"
dnsbl = {dnsbl}
"""
PROXY = """\
[[host]]
name = "{name}"
address = "{address}"
real = "proxy"
open = [1080, 3128, 8080]
services = {{ {services} }}
"""
SETTINGS = """\
[scope]
allow = ["198.18.0.0/15"]
[smtp]
helo_name = "probe.trap.example"
[canary]
hosts = ["198.18.4.25"]
[proxy]
listen = "198.19.255.1:8025"  # the scanner's side of the cable to the real servers
[dnsbl]
zones = ["bl.lab.example", "zen.spamhaus.org"]
[dnsbl.meanings."bl.lab.example"]
"127.0.0.2" = "spam-source"
"""


def toml(services: dict[int, str]) -> str:
    """Write services as the inside of an inline table."""
    return ", ".join(f'{port} = "{service}"' for port, service in services.items())


def host(
    name: str, address: str, ports: list[int], services: dict[int, str], *, listed: bool = False
) -> str:
    """Describe one host with a stack that client and server editions share."""
    return HOST.format(
        name=name,
        address=address,
        persona=json.dumps(SHARED_STACK),
        open=ports,
        services=toml(services),
        dnsbl='["127.0.0.2"]' if listed else "[]",
    )


def probe(folder: Path, hosts: list[str], *addresses: str) -> dict[str, Any]:
    """Let botprobe probe addresses in a laboratory of these hosts."""
    (folder / "population.toml").write_text(POPULATION.format(hosts="".join(hosts)), "ascii")
    (folder / "botprobe.toml").write_text(SETTINGS, "ascii")
    files = ("--store", str(folder / "cases.sqlite"), "--log-dir", str(folder / "hosts"))
    done = run_in_lab(
        *("python", "-m", "botprobe", "probe", *addresses, *files, "--jsonl"),
        *("--config", str(folder / "botprobe.toml")),
        options=("--population", str(folder / "population.toml")),
        timeout=110,
    )
    assert done.returncode == 0, done.stderr
    return {case["ip"]: case for case in map(json.loads, done.stdout.splitlines())}


class TestWindows:
    def test_services_settle_what_the_stack_leaves_open(self, tmp_path: Path) -> None:
        """One stack, five hosts: a client, three servers, and one that tells nothing."""
        hosts = [
            host("client", "198.18.10.1", [135, 445], {445: "smb1-7"}),
            host("server", "198.18.10.2", [135, 3389], {3389: "rdp-10.0.20348"}),
            host("mute", "198.18.10.3", [135, 445], {445: "smb2-2.1"}),
            host("controller", "198.18.10.4", [88, 135, 389, 3268], {}),
            host("exchange", "198.18.10.5", [25, 135], {25: "smtp-exchange"}),
        ]

        cases = probe(tmp_path, hosts, *(f"198.18.10.{last}" for last in range(1, 6)))
        client, server, mute, controller, _ = cases.values()
        rules = {
            ip: case["verdict"]["rule_client_windows_without_mail_service"]
            for ip, case in cases.items()
        }

        assert {case["facts"]["os"]["role"] for case in cases.values()} == {"ambiguous"}
        name, dialects = client["facts"]["windows"]["answers"]
        assert name["product"] == "Windows 7 Professional 7601 Service Pack 1"
        assert dialects["dialects"][1:] == ["2.0.2", "2.1"]
        (answer,) = server["facts"]["windows"]["answers"]
        assert answer["version"] == "10.0.20348"
        (answer,) = mute["facts"]["windows"]["answers"]
        assert answer["dialects"] == ["2.0.2", "2.1"]
        assert controller["facts"]["windows"]["answers"] == []
        assert controller["facts"]["windows"]["ports"]["389"] == "open"
        assert rules == {
            "198.18.10.1": True,
            "198.18.10.2": False,
            "198.18.10.3": None,
            "198.18.10.4": False,
            "198.18.10.5": False,
        }
        assert "a domain controller" in str(controller["verdict"]["evidence"])


class TestShared:
    def test_ports_of_several_stacks_are_nobodys(self, tmp_path: Path) -> None:
        """A Linux that passes a port on to a Windows is no server of one owner."""
        linux = HOST.replace("{persona}", '["Linux 3.10", "Linux 2.6.32"]')
        hosts = [
            linux.format(
                name=name, address=address, open=[22, 445], services="", dnsbl="[]", persona=""
            )
            + more
            for name, address, more in (
                ("one", "198.18.10.1", ""),
                ("two", "198.18.10.2", "forwarded = [445]\n"),
            )
        ]

        one, two = probe(tmp_path, hosts, "198.18.10.1", "198.18.10.2").values()

        assert one["verdict"]["label"] == "other-server"
        assert two["facts"]["os"]["ttls"] == {"22": 64, "445": 127}
        assert two["verdict"]["label"] == "nat-or-shared"


class TestProxy:
    def test_only_what_our_listener_heard_makes_an_open_proxy(self, tmp_path: Path) -> None:
        """Three open doors on one host; a second host says yes to everything and lies."""
        doors = {3128: "http-proxy", 8080: "mute-proxy", 1080: "socks-proxy"}
        hosts = [
            PROXY.format(name="proxy", address="198.18.10.1", services=toml(doors)),
            PROXY.format(name="liar", address="198.18.10.2", services=toml({8080: "yes-sayer"})),
        ]

        cases = probe(tmp_path, hosts, "198.18.10.1", "198.18.10.2", "--proxy-check")
        proxy, liar = cases["198.18.10.1"], cases["198.18.10.2"]

        assert proxy["verdict"]["label"] == "open-proxy"
        assert {(door["port"], door["protocol"]) for door in proxy["facts"]["proxy"]["open"]} == {
            (3128, "http-connect"),
            (8080, "http-post"),
            (1080, "socks4"),
            (1080, "socks5"),
        }
        assert liar["facts"]["proxy"]["open"] == []
        assert liar["verdict"]["label"] != "open-proxy"


class TestDnsbl:
    def test_a_list_that_fails_its_test_is_not_measured(self, tmp_path: Path) -> None:
        """The laboratory has no zen.spamhaus.org: its silence is no good word for anybody."""
        hosts = [host("listed", "198.18.10.1", [135], {}, listed=True)]

        case = probe(tmp_path, hosts, "198.18.10.1")["198.18.10.1"]
        lab, zen = case["facts"]["dnsbl"]["answers"]

        assert (lab["codes"], lab["failed"]) == (["127.0.0.2"], None)
        assert zen["codes"] == []
        assert "test point" in zen["failed"]
        rules = {evidence["rule"] for evidence in case["verdict"]["evidence"]}
        assert "listed-as-spam-source" in rules
