"""``botprobe report`` and ``botprobe export`` from the command line to a store's own numbers."""

import asyncio
import csv
import io
import json
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_string, policy
from pathlib import Path

import pytest

from botprobe.model.mail import Boundary, BoundaryBasis, Hop, HopStatus, Mail, Trust
from botprobe.model.observation import Observation
from botprobe.model.results import RouterAction, RouterTraffic
from botprobe.store.sqlite import SqliteStore
from tests.cases import HOST, NOON, bot_case

ROUTER = RouterTraffic(
    credit=900,
    smtp_packets=900,
    pop_imap_packets=0,
    suspect=True,
    action=RouterAction.DROP,
    stopped=31,
)
WEEK = ("--week", "2026-W47")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with one mail of one bot, looked at in W47 and again right now."""
    path = tmp_path_factory.mktemp("store") / "cases.sqlite"
    hop = Hop(
        index=0,
        status=HopStatus.PARSED,
        raw=f"from x ([{HOST}]) by mx.trap.example for <trap@trap.example>; D",
        ip=HOST,
        trust=Trust.BOUNDARY,
        at=NOON,
    )
    mail = Mail(
        file="new/1.mail",
        recipients=("trap@trap.example",),
        delivered_at=NOON,
        boundary=Boundary(basis=BoundaryBasis.MAILBOX, hop=0),
        hops=(hop,),
    )

    async def fill() -> None:
        async with SqliteStore(path) as opened:
            await opened.add_mail(mail)
            await opened.add_case(bot_case())
            await opened.observe([Observation(address=HOST, seen=NOON, saw=ROUTER)])
            await opened.add_case(replace(bot_case(), started=datetime.now(UTC)))

    asyncio.run(fill())
    return path


def botprobe(*arguments: str, code: int = 0, config: str = "") -> subprocess.CompletedProcess[str]:
    """Run botprobe without the settings of this machine."""
    done = subprocess.run(
        [sys.executable, "-m", "botprobe", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={"BOTPROBE_CONFIG": config} if config else {"HOME": "/nonexistent"},
    )
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done


@pytest.fixture
def signed(tmp_path: Path) -> str:
    """A configuration with a sender of mails and of abuse reports."""
    path = tmp_path / "botprobe.toml"
    path.write_text(
        '[export]\norganisation = "Trap"\ncontact = "abuse@trap.example"\n'
        '[mail]\nsender = "trap@trap.example"\n'
    )
    return str(path)


@pytest.mark.timeout(60)
class TestReport:
    def test_json_has_the_numbers_and_what_they_are_a_part_of(self, store: Path) -> None:
        """One mail, one bot, and every share with its denominator."""
        done = botprobe("report", "--store", str(store), *WEEK, "--json")

        found = json.loads(done.stdout)
        assert found["schema"] == "botprobe/report/1"
        assert found["mails"]["count"] == 1
        [verdict] = found["verdicts"]
        assert (verdict["name"], verdict["hosts"]["count"], verdict["hosts"]["of"]) == ("bot", 1, 1)
        assert verdict["mails"] == {"count": 1, "of": 1, "percent": 100.0}

    def test_csv_is_one_table(self, store: Path) -> None:
        """Every line has the columns of the first."""
        done = botprobe("report", "--store", str(store), *WEEK, "--csv")

        rows = list(csv.DictReader(io.StringIO(done.stdout)))
        assert {"systems", "verdicts", "mails"} <= {row["table"] for row in rows}
        assert all(None not in row and None not in row.values() for row in rows)

    def test_writes_a_page_whole(self, store: Path, tmp_path: Path) -> None:
        """The page takes the place of the old one, and nothing else is left in the folder."""
        page = tmp_path / "report.html"
        page.write_text("old")

        botprobe("report", "--store", str(store), *WEEK, "--html", str(page))

        assert "Windows 95~XP" in page.read_text()
        assert [path.name for path in tmp_path.iterdir()] == ["report.html"]

    def test_tells_what_the_router_saw_and_did(self, store: Path, tmp_path: Path) -> None:
        """On the terminal, as JSON, as a line of CSV and on the page; a week without has none."""
        page, where = tmp_path / "report.html", ("--store", str(store))

        screen = botprobe("report", *where, *WEEK).stdout
        router = json.loads(botprobe("report", *where, *WEEK, "--json").stdout)["router"]
        table = botprobe("report", *where, *WEEK, "--csv", "--html", str(page)).stdout
        other = botprobe("report", *where, "--week", "2026-W45").stdout

        assert (router["suspects"], router["dropped"], router["stopped"]) == (1, 1, 31)
        assert router["listed"][0]["ip"] == str(HOST)
        assert router["before"]["hosts"] == 0
        assert "What the router saw and did" in screen
        assert "router,stopped,31" in table
        assert "Suspects of the router" in page.read_text()
        assert "router" not in other

    def test_prints_the_mail_instead_of_sending_it(self, store: Path, signed: str) -> None:
        """--print shows the mail as it would leave."""
        arguments = ("--mail", "boss@trap.example", "--print")
        done = botprobe("report", "--store", str(store), *WEEK, *arguments, config=signed)

        message = message_from_string(done.stdout, policy=policy.default)
        assert message["To"] == "boss@trap.example"
        assert "2026-W47" in message["Subject"]

    def test_once_is_once_on_all_machines(self, store: Path, signed: str) -> None:
        """The report of a week goes out once; who fails to send it leaves it to others."""
        options = ("report", "--store", str(store), *WEEK, "--mail", "boss@trap.example", "--once")

        failed = botprobe(*options, code=3)
        first = botprobe(*options, "--print", config=signed)
        second = botprobe(*options, "--print", config=signed)

        assert "set mail.sender" in failed.stderr
        assert "Subject:" in first.stdout
        assert second.stdout == ""
        assert "was mailed before" in second.stderr

    @pytest.mark.parametrize(
        ("arguments", "code", "complaint"),
        [
            (("--week", "last year"), 2, "neither a week"),
            (("--since", "2026-W47", "--week", "this"), 2, "excludes"),
            (("--html", "/nonexistent/x.html"), 1, "cannot write"),
            (("--mail", "boss@trap.example"), 3, "set mail.sender"),
            (("--store", "/nonexistent/x.sqlite"), 1, "there is no store"),
        ],
    )
    def test_complains_in_one_line(
        self, store: Path, arguments: tuple[str, ...], code: int, complaint: str
    ) -> None:
        """What cannot be done is said in one line, with the exit code of its kind."""
        done = botprobe("report", "--store", str(store), *arguments, code=code)

        assert complaint in done.stderr
        assert len(done.stderr.splitlines()) == 1


@pytest.mark.timeout(60)
class TestExport:
    def test_publishes_the_latest_look_once(self, store: Path) -> None:
        """Two looks at one host are one entry, which stands on the second."""
        done = botprobe("export", "jsonl", "--store", str(store))

        [found] = map(json.loads, done.stdout.splitlines())
        assert found["ip"] == str(HOST)
        assert found["handed_to_us"] is True
        assert found["first_seen"] == "2026-11-22T12:00:00Z"

    def test_other_labels_are_left_out(self, store: Path) -> None:
        """Only what is asked for is published."""
        done = botprobe("export", "jsonl", "--label", "mail-server", "--store", str(store))

        assert done.stdout == ""

    def test_abuse_reports_are_written_and_never_sent(
        self, store: Path, tmp_path: Path, signed: str
    ) -> None:
        """One mail per host in the folder, without the address of the trap."""
        reports = tmp_path / "reports"
        reports.mkdir()

        botprobe("export", "arf", "--store", str(store), "-o", str(reports), config=signed)

        [written] = reports.iterdir()
        assert written.name.startswith(str(HOST))
        assert "trap@trap.example" not in written.read_text()

    def test_reports_need_a_signature_and_a_folder(self, store: Path, tmp_path: Path) -> None:
        """Nobody reports anonymously, nor to the terminal."""
        done = botprobe("export", "xarf", "--store", str(store), "-o", str(tmp_path), code=3)
        assert "export.organisation" in done.stderr
        botprobe("export", "xarf", "--store", str(store), code=2)
