"""One function for each parser of bytes from outside: it reads an input, whatever it is.

Each raises nothing but the errors that its parser promises, and checks what came out.
"""

import asyncio
import os
import tempfile
from collections.abc import Callable
from contextlib import closing, suppress
from datetime import date
from ipaddress import ip_address
from pathlib import Path

from aiosmtplib.errors import SMTPException
from aiosmtplib.protocol import SMTPProtocol

from botprobe.config import load_settings
from botprobe.errors import BotprobeError, ConfigError, InputError, ParseError
from botprobe.intake.mailfile import after_action
from botprobe.intake.sources import Source, read_sources
from botprobe.intake.watching import Scanner
from botprobe.model.origin import Origin
from botprobe.model.text import spreadsheet_cell, visible
from botprobe.observers import p0f
from botprobe.observers.capture import CaptureNotes
from botprobe.observers.maillog.dnscapture import scan_capture
from botprobe.observers.maillog.dnslog import scan_dns_log
from botprobe.observers.maillog.files import CHUNK_BYTES, chunks, split_long_lines
from botprobe.observers.maillog.scanner import LogScanner
from botprobe.observers.proxytrace.proxylogs import LogTracing, read_proxy_log
from botprobe.observers.router.counting import Counting
from botprobe.observers.router.credit import CreditRule
from botprobe.probes import network
from botprobe.probes.osdetect_xml import HostStream, read_host
from botprobe.probes.smtp import MAX_LINE, MAX_LINES, read_reply, why_it_broke
from botprobe.probes.windows import MAX_TEXT, SCRIPTS, Questions, read_answers
from botprobe.scope.optout import parse_entries, parse_party

# Each input is a file for some parsers.
SCRATCH = tempfile.TemporaryDirectory(prefix="botprobe-fuzz-")
FOLDER = Path(SCRATCH.name)
QUESTIONS = Questions(scripts=tuple(SCRIPTS), ports=(25, 88, 135))
HOST = ip_address("198.18.10.1")
PACKED = (".gz", ".bz2", ".xz", ".zst")


def _file(data: bytes) -> Path:
    path = FOLDER / "input"
    path.write_bytes(data)
    return path


def read_maildir_name(data: bytes) -> None:
    """A file's name in a Maildir: the mail is found whatever it is called."""
    name = data.replace(b"/", b"").replace(b"\0", b"")[:200].lstrip(b".")
    if not name:
        return
    folder = FOLDER / "box" / "new"
    folder.mkdir(parents=True, exist_ok=True)
    path = Path(os.fsdecode(os.fsencode(folder) + b"/" + name))
    path.write_bytes(b"From: a@example.org\n\n")
    try:
        (found,) = [file for files in Scanner([folder.parent]).scan() for file in files]
        (source,) = read_sources([str(folder.parent)])
        assert found.path == path
        assert len(found.key) == 32
        assert isinstance(source, Source)
        assert visible(source.file).encode()
    finally:
        path.unlink()
    with suppress(InputError, ConfigError):
        after_action(os.fsdecode(name))


def read_smtp(data: bytes) -> None:
    """A server's words: aiosmtplib cuts them into a reply, we cut that to size."""
    response, broke = None, ""
    with closing(asyncio.new_event_loop()) as loop:  # which it wants, and does not use here
        protocol = SMTPProtocol(loop=loop)
        protocol._buffer = bytearray(data)
        try:
            response = protocol._read_response_from_buffer()
        except SMTPException as error:
            broke = why_it_broke(error, "greeting")
    assert len(broke) < MAX_LINE + 100
    if response is None:
        return
    with suppress(ParseError):
        reply = read_reply(response.code, response.message)
        assert len(reply.lines) <= MAX_LINES
        assert all(len(line) <= MAX_LINE for line in reply.lines)
        "\n".join(reply.lines).encode()


def read_nmap(data: bytes) -> None:
    """What nmap writes, of which a host may write parts; it comes in two pieces."""
    stream, cut = HostStream(), data[0] if data else 0
    with suppress(ParseError):
        stream.feed(data[1:cut])
        stream.feed(data[max(cut, 1) :])
    stream.close()
    for host in stream.take():
        with suppress(ParseError):
            _, system = read_host(host, stream.version)
            assert all(match.accuracy >= 0 for match in system.matches)
        with suppress(ParseError):
            answers = read_answers(host, QUESTIONS)
            assert all(len(one.product or "") <= MAX_TEXT for one in answers.answers)


def read_mail_log(data: bytes) -> None:
    """Lines of Postfix, sendmail, Exim and whatever stands between them."""
    by_bulk, by_pattern = LogScanner(bulk_from=0), LogScanner(bulk_from=len(data) + 1)
    lines = sum(events.lines for events in by_bulk.scan(data))
    assert lines == sum(events.lines for events in by_pattern.scan(data))


def read_packed_log(data: bytes) -> None:
    """A log that somebody packed, in one of four ways; the first byte says which."""
    path = FOLDER / f"input{PACKED[data[0] % len(PACKED)] if data else PACKED[0]}"
    path.write_bytes(data[1:])
    with suppress(InputError):
        for chunk in chunks(path):
            lines, heads = split_long_lines(chunk)
            assert len(lines) <= len(chunk) <= 2 * CHUNK_BYTES
            assert heads or lines == chunk


def read_dns_log(data: bytes) -> None:
    """Lines of BIND, unbound, dnsmasq and others."""
    for events in scan_dns_log(data):
        assert sum(events.queries.values()) <= events.lines


def read_dns_capture(data: bytes) -> None:
    """A capture of questions to a resolver."""
    with suppress(InputError):
        for events in scan_capture(_file(data)):
            assert sum(events.queries.values()) <= events.lines


def read_capture(data: bytes) -> None:
    """A capture of mail traffic, as the router's credits are counted from it."""
    notes = CaptureNotes()
    with suppress(InputError):
        Counting(CreditRule()).read([_file(data)], notes)


def read_proxy(data: bytes) -> None:
    """Lines of squid, nginx, HAProxy, tinyproxy."""
    tracing = LogTracing()
    read_proxy_log(data.split(b"\n"), 2026, tracing)
    assert tracing.unread + sum(one.orders for one in tracing.origins) <= tracing.lines


def read_optout_file(data: bytes) -> None:
    """The opt-out file: each line names somebody, or the whole is refused."""
    with suppress(ConfigError):
        for entry in parse_entries(data.decode("utf-8", "replace"), "optout"):
            assert parse_party(str(entry.party)) == entry.party
            assert all(isinstance(part, str | date | None) for part in entry.parts)
            entry.covers(HOST, Origin(names=(entry.note, str(entry.party)), asn=64500))


def read_configuration(data: bytes) -> None:
    """The configuration file: settings, or one line that says what is wrong."""
    problem = ""
    try:
        load_settings(_file(data), {}, {})
    except ConfigError as error:
        problem = visible(str(error))
    assert problem.isprintable() or not problem.isascii()


def read_small_answers(data: bytes) -> None:
    """What p0f and the zone of origins answer."""
    with suppress(BotprobeError):
        p0f.read_answer(data)
    network.read_origin(HOST, data.decode("utf-8", "replace").split("\0"))


def make_visible(data: bytes) -> None:
    """Text on its way out: one line, no escape, no formula, the same when done again."""
    text = data.decode("utf-8", "surrogateescape")
    shown, cell = visible(text), spreadsheet_cell(text)
    assert shown == visible(shown)
    assert not any(ord(letter) < 0x20 or 0x7F <= ord(letter) < 0xA0 for letter in shown)
    shown.encode()
    assert not cell.startswith(("=", "+", "-", "@"))


READERS: dict[str, Callable[[bytes], None]] = {
    "maildir": read_maildir_name,
    "smtp": read_smtp,
    "nmap": read_nmap,
    "maillog": read_mail_log,
    "packedlog": read_packed_log,
    "dnslog": read_dns_log,
    "dnscapture": read_dns_capture,
    "capture": read_capture,
    "proxylog": read_proxy,
    "optout": read_optout_file,
    "config": read_configuration,
    "answers": read_small_answers,
    "text": make_visible,
}
