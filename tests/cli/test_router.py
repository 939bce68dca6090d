"""The router's table from captures, as its user reads it."""

import json
from ipaddress import ip_address
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from botprobe.cli.app import app
from botprobe.cli.router_options import spread
from botprobe.cli.router_screen import SortBy, sort_table
from botprobe.errors import InputError, UsageError
from botprobe.observers.capture import CaptureNotes
from botprobe.observers.router.credit import CreditRule, SequentialTest
from botprobe.observers.router.packetlog import packet_log, read_line
from botprobe.observers.router.table import Entry, judge
from tests.observers.router.test_counting import talk
from tests.observers.wire import Segment, write_pcap

BOT, USER, SERVER = "198.18.0.7", "198.18.0.8", "198.18.9.9"
BOT6, SERVER6 = "2001:db8::7", "2001:db8::9"


def segments() -> list[Segment]:
    """A bot of each family, and a user who reads his mail."""
    return [
        *talk(BOT, SERVER, 25, 200),
        *talk(BOT6, SERVER6, 25, 300),
        *talk(USER, SERVER, 25, 20),
        *talk(USER, SERVER, 143, 60, own_port=4001),
    ]


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    """A capture of the three."""
    frames = [(1.0 + n / 1000, each.frame()) for n, each in enumerate(segments())]
    return write_pcap(tmp_path / "mail.pcap", frames)


@pytest.fixture(autouse=True)
def _no_live_router(monkeypatch: pytest.MonkeyPatch) -> None:
    """Touch the ruleset of this machine in no test, even where the command should have refused."""

    def touched(*_: object) -> None:
        raise AssertionError("the machine itself was to be changed")

    monkeypatch.setattr("botprobe.cli.router._watch", touched)
    monkeypatch.setattr("botprobe.observers.router.kernel.Kernel", touched)
    monkeypatch.setattr("botprobe.cli.router_sink.run_sink", touched)


def run(*arguments: str) -> Result:
    """Run the command."""
    return CliRunner().invoke(app, ["router", *arguments])


class TestTable:
    def test_names_who_only_sends(self, capture: Path) -> None:
        """Both bots are suspects, the highest credit on top; the user is normal."""
        done = run("--pcap", str(capture), "--json")

        found = json.loads(done.stdout)["addresses"]
        assert done.exit_code == 0
        assert {one["last"][-1] for one in found} == {"Z"}
        assert [one["ip"] for one in found if one["standing"] == "suspect"] == [BOT6, BOT]
        assert {one["ip"]: one["standing"] for one in found}[USER] == "normal"

    def test_an_allowed_address_is_not_in_the_table(self, capture: Path) -> None:
        """The own mail server is spared, whatever it sends."""
        done = run("--pcap", str(capture), "--allow", f"{BOT}/32", "--json")

        assert BOT not in {one["ip"] for one in json.loads(done.stdout)["addresses"]}

    def test_the_originals_lines(self, capture: Path) -> None:
        """Packets of suspects, repeats folded, then the table line by line."""
        lines = run("--pcap", str(capture), "--packets").stdout.splitlines()

        assert f"[SEND] {BOT}:4000 -> {SERVER}:25, total_len:46 (200 times)" in lines
        assert f"[SEND] [{BOT6}]:4000 -> [{SERVER6}]:25, total_len:66 (300 times)" in lines
        assert f"[1] ip: {BOT6}, credit: 300, nat: 0, mail server: 0, action: 0" in lines
        assert not any(USER in line for line in lines if line.startswith("[SEND]"))

    def test_a_truncated_file_is_told_and_the_rest_counts(
        self, capture: Path, tmp_path: Path
    ) -> None:
        """One bad file never stops the rest."""
        broken = tmp_path / "broken.pcap"
        broken.write_bytes(capture.read_bytes()[:1000])

        done = run("--pcap", str(broken), str(capture), "--json")

        document = json.loads(done.stdout)
        assert done.exit_code == 4
        assert (document["captures"]["files"], len(document["captures"]["damaged"])) == (2, 1)
        assert any(one["ip"] == BOT6 and one["credit"] >= 300 for one in document["addresses"])

    def test_metrics_count_the_standings(self, capture: Path, tmp_path: Path) -> None:
        """Addresses are no labels."""
        run("--pcap", str(capture), "--textfile", str(tmp_path / "x.prom"))

        text = (tmp_path / "x.prom").read_text()
        assert 'botprobe_router_addresses{standing="suspect"} 2.0' in text
        assert BOT not in text

    def test_a_missing_file_is_one_clear_error(self, tmp_path: Path) -> None:
        """It is not there, and nothing else is wrong."""
        done = run("--pcap", str(tmp_path / "none.pcap"))

        assert isinstance(done.exception, InputError)
        assert "none.pcap" in done.stderr

    def test_two_ways_of_writing_exclude_each_other(self, capture: Path) -> None:
        """Lines are no JSON document."""
        done = run("--pcap", str(capture), "--packets", "--json")

        assert isinstance(done.exception, UsageError)


class TestInside:
    def test_only_those_networks_are_counted(self, capture: Path) -> None:
        """As on the router itself: a family of which no network is named does not count."""
        done = run("--pcap", str(capture), "--inside", f"{USER}/31", "--json")
        both = run(
            "--pcap", str(capture), "--inside", f"{USER}/31", "--inside", f"{BOT6}", "--json"
        )

        assert [one["ip"] for one in json.loads(done.stdout)["addresses"]] == [USER]
        assert {one["ip"] for one in json.loads(both.stdout)["addresses"]} == {USER, BOT6}

    def test_allowed_ones_inside_are_spared(self, capture: Path) -> None:
        """Both options hold at the same time."""
        options = ("--inside", "198.18.0.0/24", "--allow", BOT)

        done = run("--pcap", str(capture), *options, "--json")

        assert [one["ip"] for one in json.loads(done.stdout)["addresses"]] == [USER]

    def test_packets_are_those_of_suspects_inside(self, capture: Path) -> None:
        """The log of the packets is about the same hosts as the table."""
        lines = run("--pcap", str(capture), "--inside", "198.18.0.0/24", "--packets").stdout

        assert f"[SEND] {BOT}:4000" in lines
        assert BOT6 not in lines


class TestArguments:
    @pytest.mark.parametrize(
        "option",
        [
            ("--sampling", "4"),
            ("--cleanup", "100"),
            ("--enforce",),
            ("--action", "drop"),
            ("--sink", "2525"),
            ("--block-for", "60"),
            ("--no-confirm",),
            ("--every", "1"),
            ("--for", "1"),
        ],
    )
    def test_what_only_a_running_router_does_is_refused(
        self, capture: Path, option: tuple[str, ...]
    ) -> None:
        """Nobody believes that mail is blocked by reading captures; the default counts as said."""
        done = run("--pcap", str(capture), *option)

        assert isinstance(done.exception, UsageError)
        assert str(done.exception) == f"{option[0]} is for a router that runs, not --pcap"

    @pytest.mark.parametrize(
        "option", [("--action", "redirect"), ("--sink", "25"), ("--block-for", "9")]
    )
    def test_how_to_act_needs_the_will_to_act(self, option: tuple[str, ...]) -> None:
        """Who names a sink and forgets --enforce must not believe that mail goes there."""
        live = run("--inside", "198.18.0.0/24", *option)

        assert isinstance(live.exception, UsageError)
        assert str(live.exception) == f"{option[0]} needs --enforce"

    @pytest.mark.parametrize("option", [("--action", "redirect"), ("--sink", "25")])
    def test_the_printed_ruleset_is_as_strict(self, option: tuple[str, ...]) -> None:
        """What is printed is what would be loaded."""
        done = run("rules", "--inside", "198.18.0.0/24", *option)

        assert isinstance(done.exception, UsageError)
        assert str(done.exception) == f"{option[0]} needs --enforce"

    def test_a_sink_needs_mail_that_is_redirected(self) -> None:
        """What is dropped goes nowhere."""
        done = run("rules", "--inside", "198.18.0.0/24", "--enforce", "--sink", "25")

        assert isinstance(done.exception, UsageError)
        assert str(done.exception) == "--sink needs --action redirect"

    @pytest.mark.parametrize("command", ["rules", "off", "sink"])
    def test_options_stand_behind_the_name_of_a_command(self, command: str) -> None:
        """Before it they would be lost, and a ruleset count everybody's mail."""
        done = run(
            "--inside", "198.18.0.0/24", command, *(["--maildir", "/x"] * (command == "sink"))
        )

        assert isinstance(done.exception, UsageError)
        assert str(done.exception) == f"--inside stands before {command!r}, not behind it"

    def test_a_shell_pattern_names_many_captures(self) -> None:
        """All names behind the option are captures, until the next option."""
        args = ["--pcap", "a", "b", "--sort", "address", "--pcap", "c"]

        assert spread(args) == [
            *("--pcap", "a", "--pcap", "b", "--sort", "address", "--pcap", "c"),
        ]

    @pytest.mark.parametrize("by", list(SortBy))
    def test_every_column_sorts(self, by: SortBy) -> None:
        """The highest comes first, of addresses the lowest."""
        low, high = (
            judge(
                Entry(
                    address=ip_address(address),
                    credit=count,
                    smtp=count,
                    mailbox=0,
                    sends=count,
                    destinations=count,
                    last=0,
                ),
                CreditRule(),
                SequentialTest(),
            )
            for address, count in ((USER, 1), (BOT, 2))
        )

        assert sort_table([low, high], by) == [high, low]


class TestPacketLog:
    def test_without_hosts_there_are_no_lines(self, capture: Path) -> None:
        """Nobody is logged who is no suspect."""
        assert list(packet_log([capture], [], CaptureNotes())) == []

    @pytest.mark.parametrize("length", range(0, 60, 7))
    def test_a_cut_packet_is_no_line_or_the_right_one(self, length: int) -> None:
        """A capture may keep a few bytes of each packet."""
        whole = talk(BOT, SERVER, 25, 1)[1].packet()

        assert length == 0 or read_line(whole[:length]) in (None, read_line(whole))


class TestDossier:
    def test_suspects_are_written_down_and_due(self, capture: Path, tmp_path: Path) -> None:
        """Everybody has an observation; a suspect has a reason, and a watch will probe it."""
        settings = tmp_path / "botprobe.toml"
        settings.write_text('[scope]\nallow = ["198.18.0.0/15"]\n')
        where = ("--store", str(tmp_path / "cases.sqlite"), "--config", str(settings))

        done = run("--pcap", str(capture), "--keep", "--investigate", *where)
        bot, user = (
            json.loads(CliRunner().invoke(app, ["host", one, "--json", *where]).stdout)
            for one in (BOT, USER)
        )

        assert done.exit_code == 0
        assert f"{BOT6}: " in done.stderr  # outside of the scope, and told so
        assert bot["observations"][0]["saw"]["suspect"]
        assert "only sends mail (credit 200)" in [one["says"] for one in bot["timeline"]]
        assert bot["due"] is not None
        assert not user["observations"][0]["saw"]["suspect"]
        assert user["due"] is None
