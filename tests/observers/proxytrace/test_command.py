"""The command ``botprobe proxytrace`` from end to end."""

import gzip
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from botprobe.cli.app import app, main
from tests.observers.proxytrace.talk import PROXY, SPAMMER, VICTIM, Abuse, both
from tests.observers.wire import Segment, write_pcap

PCAPS = Path(__file__).parents[3].parent / "shared" / "data" / "pcaps"


@pytest.fixture
def pcaps() -> Path:
    """Return the directory of real captures, which is not part of the project."""
    if not PCAPS.is_dir():
        pytest.skip("the real captures are not here (../shared/data/pcaps)")
    return PCAPS


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    """Return a capture of one mail through a proxy."""
    return write(tmp_path / "one.pcap", both(Abuse()))


def write(path: Path, packets: list[Segment]) -> Path:
    """Write packets into a capture file."""
    return write_pcap(path, [(one.at, one.frame()) for one in packets])


def said(*arguments: str | Path) -> dict[str, Any]:
    """Run the command and read its JSON."""
    result = CliRunner().invoke(app, ["proxytrace", *map(str, arguments), "--json"])
    assert result.exit_code == 0, result.output
    document: dict[str, Any] = json.loads(result.stdout)
    return document


class TestCaptures:
    def test_finds_proxy_and_origin_by_itself(self, capture: Path) -> None:
        """Through libpcap's filters the same is found as without them."""
        document = said(capture, "--own-domain", "victim.example")

        (trace,) = document["traces"]
        assert document["schema"] == "botprobe/proxytrace/1"
        assert [one["ip"] for one in document["proxies"]] == [PROXY]
        assert (trace["answer"], trace["origin"]["ip"]) == ("proven", SPAMMER)
        assert trace["victim"] == {"host": VICTIM, "port": 25}
        assert trace["mails"][0]["ours"] is True

    def test_reads_packed_and_rotated_files(self, tmp_path: Path) -> None:
        """A folder of files, one of them packed, is one capture."""
        packets = both(Abuse())
        write(tmp_path / "a.pcap", packets[: len(packets) // 2])
        late = write(tmp_path / "late", packets[len(packets) // 2 :])
        (tmp_path / "b.pcap.gz").write_bytes(gzip.compress(late.read_bytes()))
        late.unlink()

        assert [one["answer"] for one in said(tmp_path)["traces"]] == ["proven"]

    def test_reads_ipv6_through_the_filters(self, tmp_path: Path) -> None:
        """The filters know the new family, too."""
        abuse = Abuse(
            origin=("2001:db8::7", 40_000),
            proxy="2001:db8:1::5",
            victim="2001:db8:2::25",
            order=b"CONNECT [2001:db8:2::25]:25 HTTP/1.1\r\n\r\n",
        )

        (trace,) = said(write(tmp_path / "6.pcap", both(abuse)))["traces"]

        assert (trace["answer"], trace["origin"]["ip"]) == ("proven", "2001:db8::7")

    def test_draws_a_screen_and_a_page(self, capture: Path, tmp_path: Path) -> None:
        """Both name all three, say what to do, and let nothing through that steers."""
        page = tmp_path / "page.html"
        result = CliRunner().invoke(app, ["proxytrace", str(capture), "--html", str(page)])

        html = page.read_text("utf-8")
        for text in (result.stdout, html):
            assert all(host in text for host in (SPAMMER, PROXY, VICTIM))
            assert "ConnectPort 443" in text
        assert "<script" not in html

    def test_forged_text_is_made_visible(self, tmp_path: Path) -> None:
        """A sender that holds escapes or markup stays text."""
        evil = Abuse(recipient="\x1b[31m<script>@x")
        page = tmp_path / "page.html"
        file = write(tmp_path / "evil.pcap", both(evil))
        result = CliRunner().invoke(app, ["proxytrace", str(file), "--html", str(page)])

        assert "\x1b" not in result.stdout
        assert "<script" not in page.read_text("utf-8")

    @pytest.mark.parametrize(
        ("arguments", "code"), [(["/nowhere.pcap"], 1), (["/etc/passwd"], 1), ([], 2)]
    )
    def test_bad_input_is_one_line(
        self,
        arguments: list[str],
        code: int,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        """No traceback, and the exit code says what it was."""
        monkeypatch.setattr(sys, "argv", ["botprobe", "proxytrace", *arguments])
        with pytest.raises(SystemExit) as end:
            main()

        assert end.value.code == code
        assert "Traceback" not in capsys.readouterr().err

    def test_what_a_truncated_file_holds_is_told(self, capture: Path) -> None:
        """A capture cut in the middle of a packet is read up to there; exit code 4."""
        capture.write_bytes(capture.read_bytes()[:-10])
        result = CliRunner().invoke(app, ["proxytrace", str(capture), "--json"])

        assert result.exit_code == 4
        assert json.loads(result.stdout)["traces"][0]["origin"]["ip"] == SPAMMER


class TestRealCaptures:
    def test_spam_of_2004(self, pcaps: Path) -> None:
        """Client, proxy, victim and forged Received lines; only one leg was captured."""
        document = said(pcaps / "http-connect-25/zeek/http_connect-with-smtp.pcap")

        (trace,) = document["traces"]
        assert trace["answer"] == "one-leg"
        assert trace["origin"]["ip"] == "79.26.245.236"
        assert trace["proxy"]["ip"] == "254.228.86.79"
        assert trace["victim"] == {"host": "mailin03.sul.t-online.de", "port": 25}
        assert len(trace["mails"][0]["received"]) == 2

    def test_honest_connects_are_no_alarm(self, pcaps: Path) -> None:
        """Tunnels to 443 in ten captures of other projects."""
        document = said(*sorted((pcaps / "connect").glob("*/*")))

        assert (document["proxies"], document["origins"], document["traces"]) == ([], [], [])
        assert document["read"]["files"] >= 10

    def test_a_capture_with_socks_is_no_alarm(self, pcaps: Path) -> None:
        """SOCKS 4 orders for other ports than mail."""
        document = said(pcaps / "smtp/malcolm/pcap_protocols_SSL.pcap")

        assert document["origins"] == []


class TestLogs:
    def test_tells_origins_and_what_to_do(self, tmp_path: Path) -> None:
        """One line for each origin, unread lines with samples."""
        log = tmp_path / "access.log"
        line = "1795710682.322 89 198.51.100.7 TCP_TUNNEL/200 41 CONNECT mx.example:25 - X/- -\n"
        log.write_text(line * 3 + "garbage\n")
        document = said("--log", log)

        (origin,) = document["origins"]
        assert (origin["ip"], origin["orders"]) == ("198.51.100.7", 3)
        assert document["read"] == {
            "files": 1, "lines": 4, "unread": 1, "too_long": 0, "samples": ["garbage"],
            "damaged": [],
        }  # fmt: skip
        assert {one["program"] for one in document["advice"]} == {
            "squid", "tinyproxy", "3proxy", "nginx", "nftables",
        }  # fmt: skip


class TestDossiers:
    def test_origins_join_the_dossier(self, capture: Path, tmp_path: Path) -> None:
        """What is proven is kept of origin and proxy; a refused address is told."""
        store = tmp_path / "store.sqlite"
        runner = CliRunner()
        options = ["--keep", "--investigate", "--store", str(store), "--json"]
        kept = runner.invoke(app, ["proxytrace", str(capture), *options])
        shown = runner.invoke(app, ["host", SPAMMER, "--store", str(store), "--json"])

        assert kept.exit_code == 0, kept.output
        assert "2 observations kept" in kept.stderr
        saw = json.loads(shown.stdout)["observations"][0]["saw"]
        assert (saw["role"], saw["mails"], saw["peers"]) == ("ordered", 1, [PROXY])
