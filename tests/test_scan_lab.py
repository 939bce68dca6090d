"""The main job end to end, in the laboratory: real nmap, real ICMP, real SMTP, real DNS."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.lab.runner import ROOT, lab_command, run_in_lab
from tests.lab.scorecard import compare, read_expected

pytestmark = [pytest.mark.lab, pytest.mark.timeout(120)]

SAMPLES = ROOT / "maildir_samples"
FEW = sorted(str(path) for path in (SAMPLES / "new").glob("17953056[01][0-4]*"))
STRANGERS = "198.18.30."
"""Addresses that only forged lines name."""


def scan_command(folder: Path, *arguments: str) -> list[str]:
    """Return the command line of a scan with the samples' settings, store and logs in a folder."""
    folder.chmod(0o777)  # also the unprivileged runs write here
    return [
        *("python", "-m", "botprobe", "scan", "--json"),
        *("--config", str(SAMPLES / "botprobe.toml")),
        *("--store", str(folder / "cases.sqlite"), "--log-dir", str(folder / "hosts")),
        *arguments,
    ]


def scan(folder: Path, *arguments: str, options: list[str] | None = None) -> Any:
    """Scan in the laboratory and return the document; the exit code must be 0."""
    done = run_in_lab(*scan_command(folder, *arguments), options=options or [])
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def cases(document: Any) -> list[Any]:
    """Return the cases of all mails that were probed."""
    return [case for mail in document["mails"] for case in mail["targets"] if case["probed"]]


def reasons(document: Any, probe: str) -> set[str]:
    """Return why a probe could not measure."""
    facts = [case["facts"][probe] for case in cases(document)]
    return {fact["reason"] for fact in facts if not fact["measured"]}


def supporting(case: Any) -> set[str]:
    """Return the families that speak for a bot."""
    return {item["family"] for item in case["verdict"]["evidence"] if item["weight"] > 0}


class TestScan:
    def test_every_sample_host_has_the_label_it_should_have(self, tmp_path: Path) -> None:
        """The whole mailbox is judged as its authors expect, and no stranger gets a packet."""
        wire = tmp_path / "wire.json"

        document = scan(tmp_path, str(SAMPLES), options=["--wire", str(wire)])

        assert [row for row in compare(read_expected(), document) if not row.right] == []
        seen = json.loads(wire.read_text())
        assert [address for address in seen if address.startswith(STRANGERS)] == []
        assert "198.18.10.1" in seen

    def test_writes_a_log_and_a_document_for_each_host(self, tmp_path: Path) -> None:
        """What is on the screen is also in the host's folder, with its reasons."""
        document = scan(tmp_path, FEW[0])

        (case,) = cases(document)
        (log,) = (tmp_path / "hosts" / case["ip"]).glob("*.log")
        assert f"Verdict:   {case['verdict']['label']}" in log.read_text()
        assert json.loads(log.with_suffix(".json").read_text())["ip"] == case["ip"]

    def test_a_host_in_its_cool_down_gets_no_packet(self, tmp_path: Path) -> None:
        """The second scan of a day answers from the store."""
        scan(tmp_path, FEW[0])
        wire = tmp_path / "wire.json"

        document = scan(tmp_path, FEW[0], options=["--wire", str(wire)])

        assert cases(document) == []
        assert "bot" in {
            case["verdict"]["label"] for mail in document["mails"] for case in mail["targets"]
        }
        assert "198.18.10.1" not in json.loads(wire.read_text())

    def test_one_bad_file_does_not_stop_the_rest(self, tmp_path: Path) -> None:
        """What cannot be read is told in a line, the rest is scanned, the exit code is 4."""
        gone, empty = tmp_path / "gone.eml", tmp_path / "empty.eml"
        empty.write_bytes(b"")

        done = run_in_lab(*scan_command(tmp_path, str(gone), str(empty), FEW[0]))

        assert done.returncode == 4
        assert len(json.loads(done.stdout)["skipped"]) == 2
        assert f"{gone}: No such file" in done.stderr

    def test_fail_on_a_label(self, tmp_path: Path) -> None:
        """A script learns from the exit code that a bot was found."""
        done = run_in_lab(*scan_command(tmp_path, "--fail-on", "bot", FEW[0]))

        assert done.returncode == 10


class TestWithoutMeans:
    def test_unprivileged(self, tmp_path: Path) -> None:
        """Without a raw socket no OS is told, and no verdict rests on one."""
        document = scan(tmp_path, str(SAMPLES), options=["--as-user"])

        assert all(reason.startswith("no raw socket") for reason in reasons(document, "os"))
        assert len(reasons(document, "os")) == 1
        assert not any("os" in supporting(case) for case in cases(document))

    def test_without_nmap(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Without nmap the rest is measured, and the reason says what is missing."""
        monkeypatch.setenv("BOTPROBE_NMAP_PROGRAM", "no-such-nmap")

        document = scan(tmp_path, *FEW)

        assert reasons(document, "os") == {"nmap is not installed"}
        assert not any("os" in supporting(case) for case in cases(document))
        assert reasons(document, "smtp") == set()

    def test_without_dns(self, tmp_path: Path) -> None:
        """A dead resolver is not an absent PTR record."""
        document = scan(tmp_path, *FEW, options=["--no-dns"])

        assert len(reasons(document, "dns")) == 1
        rules = {
            item["rule"]
            for case in cases(document)
            for item in case["verdict"]["evidence"]
            if item["family"] == "address"
        }
        assert rules == set()

    def test_with_port_25_blocked_on_the_way_out(self, tmp_path: Path) -> None:
        """Where no mail server can be reached, nobody is called a bot for having none."""
        document = scan(tmp_path, str(SAMPLES), options=["--block-25"])

        assert all(reason.startswith("egress blocked") for reason in reasons(document, "smtp"))
        assert all(not case["facts"]["smtp"]["measured"] for case in cases(document))
        assert "bot" not in {case["verdict"]["label"] for case in cases(document)}


class TestInterrupted:
    def test_leaves_no_process_behind(self, tmp_path: Path) -> None:
        """Ctrl-C ends the scan at once, without a traceback and without orphans."""
        _, *command = scan_command(tmp_path, str(SAMPLES))
        line = lab_command([sys.executable, *command])
        with subprocess.Popen(
            line,
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        ) as running:
            _wait_for_store(tmp_path / "cases.sqlite")
            os.killpg(running.pid, signal.SIGINT)
            _, complaint = running.communicate(timeout=20)

        assert "Traceback" not in complaint
        assert re.search(r"botprobe: interrupted; \d+ of 47 hosts done", complaint)
        assert running.returncode == 130


def _wait_for_store(path: Path) -> None:
    """Wait until the scan has opened its store, at most half a minute."""
    for _ in range(600):
        if path.exists():
            return
        time.sleep(0.05)
