"""The router, in namespaces: bots lose their mail, nobody else loses a packet."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from tests.lab.proxyabuse import run_private
from tests.lab.routing import (
    ACTORS,
    ALLOWED,
    BOT,
    FORGED,
    MAIL_SERVER,
    ONE_WAY,
    SHARED,
    USER,
    VICTIM,
    Actor,
)

pytestmark = [pytest.mark.lab, pytest.mark.timeout(120)]

Told = dict[str, Any]

INNOCENT = [address for one in ACTORS if one is not BOT for address in one.addresses]

STANDINGS = {
    BOT: "suspect",
    USER: "normal",
    MAIL_SERVER: "mail server",
    ONE_WAY: "one way only",
    FORGED: "one way only",
    SHARED: "shared",
}

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root starts the sink as a user")


def played(scene: str) -> Iterator[Told]:
    """Play a scene; not below pytest's own folder, which the sink's user may not enter."""
    with TemporaryDirectory(prefix="botprobe-router-") as name:
        Path(name).chmod(0o755)
        told: Told = json.loads(run_private("tests.lab.routed", name, scene))
        yield told


@pytest.fixture(scope="module")
def dropped() -> Iterator[Told]:
    """A router that drops, asks on port 25, and is killed in the end."""
    yield from played("drop")


@pytest.fixture(scope="module")
def redirected() -> Iterator[Told]:
    """A router that counts one packet of five and redirects to its own sink, for six seconds."""
    yield from played("redirect")


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[Told]:
    """A router that asks nobody and redirects to a sink on another machine, by IPv4."""
    yield from played("elsewhere")


@pytest.fixture(scope="module")
def forgetful() -> Iterator[Told]:
    """A router that asks nobody, and forgets in seconds who sends nothing."""
    yield from played("forgetful")


def keys(actor: Actor) -> tuple[str, str]:
    """Return what the table calls an actor: of IPv6 the /64."""
    four, six = actor.addresses
    return four, six.removesuffix("1")


def assert_only_bots_suffered(told: Told) -> None:
    """Check table, connections and mails of everybody."""
    standings = {one["ip"]: one["standing"] for one in told["table"]["addresses"]}
    for actor, standing in STANDINGS.items():
        assert [standings.get(key) for key in keys(actor)] == [standing] * 2, actor.name
    assert not standings.keys() & set(keys(ALLOWED))
    # Forged answers count where one packet of many does, but give no credit.
    assert {standings.get(key) for key in keys(VICTIM)} <= {None, "unknown", "normal"}
    assert {one for one, whole in told["kept"].items() if not whole} == set(BOT.addresses)
    assert {told["sent"][address] for address in INNOCENT} == {"taken"}
    assert told["arrived"] == sorted(INNOCENT)
    acted = {one["ip"] for one in told["table"]["addresses"] if one["action"] != "accept"}
    assert acted == set(keys(BOT))


class TestDrop:
    def test_only_the_bot_loses_its_mail(self, dropped: Told) -> None:
        """Of IPv4 and IPv6: its open connection too, and it is told of once."""
        assert_only_bots_suffered(dropped)
        assert [dropped["sent"][address] for address in BOT.addresses] == ["silence"] * 2
        assert len(dropped["blocks"]) == 2

    def test_each_packet_counts_once(self, dropped: Told) -> None:
        """A line of a dialogue is one packet; a few more open and close the connections."""
        counted = {one["ip"]: one["smtp_packets"] for one in dropped["table"]["addresses"]}
        for key in keys(MAIL_SERVER):
            assert MAIL_SERVER.sends <= counted[key] <= 1.2 * MAIL_SERVER.sends

    def test_acts_within_a_second_of_the_last_packet(self, dropped: Told) -> None:
        """Asking on port 25 included."""
        assert max(dropped["acted"].values()) < 1.0

    def test_leaves_no_trace_in_the_ruleset(self, dropped: Told) -> None:
        """Ctrl-C takes it away; what a kill leaves, off takes away."""
        assert "table inet botprobe" in dropped["ruleset"].pop("killed")
        assert dropped["ruleset"] == {"interrupted": "", "off": ""}

    def test_a_ruleset_that_somebody_flushes_is_one_clear_error(self, dropped: Told) -> None:
        """Loading a ruleset of one's own begins with that."""
        code, said = dropped["flushed"]

        assert code == 1
        assert said.startswith("botprobe: ")
        assert "gone" in said

    def test_what_it_did_is_in_the_report_of_the_week(self, dropped: Told) -> None:
        """Two suspects, both dropped, and their tries after that; the rest is only counted."""
        router = dropped["written"]["report"]["router"]

        assert (router["suspects"], router["dropped"], router["redirected"]) == (2, 2, 0)
        assert router["hosts"] > 2
        assert router["stopped"] >= 2
        assert {one["ip"] for one in router["listed"]} == set(keys(BOT))

    def test_suspects_are_in_the_dossier_and_due(self, dropped: Told) -> None:
        """With what was seen, what was done, and why somebody wants it probed."""
        [dossier] = dropped["written"]["dossiers"]

        [seen] = [one for one in dossier["observations"] if one["observer"] == "router"]
        assert (seen["saw"]["suspect"], seen["saw"]["action"]) == (True, "drop")
        says = {one["kind"]: one["says"] for one in dossier["timeline"]}
        assert says["suspected"].startswith("only sends mail (credit ")
        assert dossier["due"] is not None

    def test_writes_metrics(self, dropped: Told) -> None:
        """For Prometheus' node exporter."""
        assert 'botprobe_router_addresses{standing="suspect"} 2.0' in dropped["metrics"]


@needs_root
class TestRedirect:
    def test_the_bots_mail_lands_in_the_sink(self, redirected: Told) -> None:
        """The bot's own address is in the Received field; SIGTERM leaves no trace either."""
        assert_only_bots_suffered(redirected)
        assert redirected["table"]["rule"]["sampling"] == 5
        four, six = BOT.addresses
        mails = sorted(redirected["sink"], key=len)
        assert len(mails) == 2
        assert f"Received: from x.example ([{four}])\n" in mails[0]
        assert f"Received: from x.example ([IPv6:{six}])\n" in mails[1]
        assert redirected["ruleset"] == {"interrupted": ""}

    def test_a_block_ends_by_itself(self, redirected: Told) -> None:
        """Then its mail goes through, and the bot is acted on anew because it sent."""
        assert redirected["arrived later"] == list(BOT.addresses)

    def test_a_sink_elsewhere_takes_the_mail_of_its_family(self, elsewhere: Told) -> None:
        """The other family has no sink, so its mail is dropped."""
        assert_only_bots_suffered(elsewhere)
        four, six = BOT.addresses
        assert (elsewhere["sent"][four], elsewhere["sent"][six]) == ("taken", "silence")
        assert len(elsewhere["sink"]) == 1
        assert f"Received: from x.example ([{four}])\n" in elsewhere["sink"][0]


class TestCleanUp:
    def test_what_excuses_a_host_is_not_forgotten_before_the_host(self, forgetful: Told) -> None:
        """One behind a NAT goes on when the others' connections are long forgotten."""
        standings = {one["ip"]: one["standing"] for one in forgetful["table"]["addresses"]}

        assert (standings[SHARED.addresses[0]], forgetful["kept"]) == ("shared", True)
        assert (standings[BOT.addresses[0]], len(forgetful["blocks"])) == ("suspect", 1)

    def test_who_sends_nothing_is_forgotten(self, forgetful: Told) -> None:
        """Behind the address may be somebody else by now."""
        assert USER.addresses[0] not in {one["ip"] for one in forgetful["table"]["addresses"]}


class TestRules:
    @pytest.mark.parametrize(
        ("action", "sampling"), [("drop", "1"), ("redirect", "1"), ("drop", "500")]
    )
    def test_nft_takes_what_is_printed(self, action: str, sampling: str) -> None:
        """In a namespace of its own, and only to check it."""
        command = (sys.executable, "-m", "botprobe", "router", "rules", "--inside", "198.18.0.0/24")
        printed = subprocess.run(
            [*command, "--enforce", "--action", action, "--sampling", sampling],
            capture_output=True,
            check=True,
            timeout=30,
        ).stdout

        user = () if os.geteuid() == 0 else ("--map-root-user",)
        checked = subprocess.run(
            ["unshare", *user, "--net", "--", "nft", "-c", "-f", "-"],
            input=printed,
            capture_output=True,
            check=False,
            timeout=30,
            env={**os.environ, "PATH": f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"},
        )

        assert b"table inet botprobe" in printed
        assert (checked.returncode, checked.stderr) == (0, b"")
