"""Text of strangers: as it came in JSON, whose encoder escapes; made visible once elsewhere."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from botprobe.cli.app import app
from tests.observers.proxytrace.talk import Abuse, both
from tests.observers.wire import write_pcap

EVIL = "\x1b[31m\\x1b<b>\u202e"
ON_SCREEN = r"\x1b[31m\x1b<b>\u202e"
ON_PAGE = r"\x1b[31m\x1b&lt;b&gt;\u202e"

Made = tuple[list[str], Callable[[Any], str]]


def _mail_log(folder: Path) -> Made:
    log = folder / "mail.log"
    log.write_text(f"Oct 22 02:13:41 mx sshd[7]: hello\nno stamp {EVIL}\n", encoding="utf-8")
    return ["maillog", str(log)], lambda document: document["unread"]["samples"][0]


def _proxy_log(folder: Path) -> Made:
    log = folder / "access.log"
    line = "1795710682.322 89 198.51.100.7 TCP_TUNNEL/200 41 CONNECT mx.example:25 - X/- -\n"
    log.write_text(f"{line}garbage {EVIL}\n", encoding="utf-8")
    return ["proxytrace", "--log", str(log)], lambda document: document["read"]["samples"][0]


def _capture(folder: Path) -> Made:
    said = b"forged.example ([192.0.2.1])"
    evil = EVIL.encode().rjust(len(said))
    talk = [replace(one, payload=one.payload.replace(said, evil)) for one in both(Abuse())]
    file = write_pcap(folder / "x.pcap", [(one.at, one.frame()) for one in talk])
    return ["proxytrace", str(file)], lambda found: found["traces"][0]["mails"][0]["received"][0]


def _mail(folder: Path) -> Made:
    mail = folder / "a.eml"
    mail.write_text(f"Subject: {EVIL}\n\n", encoding="utf-8")
    return ["headers", str(mail)], lambda document: document["mails"][0]["subject"]


MADE = pytest.mark.parametrize("made", [_mail_log, _proxy_log, _capture, _mail])


@pytest.fixture(autouse=True)
def _far_from_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "500")


@MADE
def test_json_has_text_as_it_came(made: Callable[[Path], Made], tmp_path: Path) -> None:
    """What the reader of a document decodes is what stood in the input."""
    command, text_of = made(tmp_path)

    done = CliRunner().invoke(app, [*command, "--json"])

    assert text_of(json.loads(done.stdout)).endswith(EVIL), done.stdout
    assert done.stdout.isascii()


@MADE
def test_a_screen_escapes_once(made: Callable[[Path], Made], tmp_path: Path) -> None:
    """Nothing steers the terminal, and no escape is escaped again."""
    command, _ = made(tmp_path)

    done = CliRunner().invoke(app, command)

    assert ON_SCREEN in done.stdout
    assert not {"\x1b", "\u202e"} & set(done.stdout)


@pytest.mark.parametrize("made", [_mail_log, _capture])
def test_a_page_escapes_once(made: Callable[[Path], Made], tmp_path: Path) -> None:
    """A page is made from the document, and escapes it itself."""
    command, _ = made(tmp_path)

    CliRunner().invoke(app, [*command, "--html", str(tmp_path / "page.html")])

    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert ON_PAGE in page
    assert not {"\x1b", "\u202e"} & set(page)
