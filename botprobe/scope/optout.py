"""The opt-out file: networks whose owners asked not to be probed.

One line per network: ``CIDR`` and then, free in form, the date, the contact and the reason.
Empty lines and lines that begin with ``#`` do not count.
"""

import os
from dataclasses import dataclass
from datetime import date
from ipaddress import ip_network
from pathlib import Path

from botprobe.errors import ConfigError
from botprobe.model.mail import IpAddress
from botprobe.model.text import visible
from botprobe.scope.addresses import IpNetwork, unmapped, unmapped_network


@dataclass(frozen=True, slots=True)
class Entry:
    """Who asked to be left alone."""

    network: IpNetwork
    note: str = ""
    """Date, contact and reason, as they stand in the file."""


def parse_entries(text: str, name: str) -> tuple[Entry, ...]:
    """Read the lines of an opt-out file called ``name``.

    Raises:
        ConfigError: a line does not begin with a network. It is fatal on purpose: whoever
            asked to be left alone must not be probed because of a typing error.
    """
    entries = []
    for number, line in enumerate(text.splitlines(), 1):
        word, *rest = line.replace(",", " ").split(maxsplit=1) or [""]
        if not word or word.startswith("#"):
            continue
        try:
            network = unmapped_network(ip_network(word, strict=False))
        except ValueError as error:
            raise ConfigError(f"{name}:{number}: not a network: {word[:50]!r}") from error
        entries.append(Entry(network, " ".join(rest).strip()))
    return tuple(entries)


def parse_optout(text: str, name: str) -> tuple[IpNetwork, ...]:
    """Return the networks of an opt-out file; otherwise as ``parse_entries``."""
    return tuple(entry.network for entry in parse_entries(text, name))


def read_entries(path: Path) -> tuple[Entry, ...]:
    """Read an opt-out file.

    Raises:
        ConfigError: it cannot be read, or a line is wrong.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read the opt-out file {path}: {error}") from error
    return parse_entries(text, str(path))


def read_optout(path: Path) -> tuple[IpNetwork, ...]:
    """Return the networks of an opt-out file; otherwise as ``read_entries``."""
    return tuple(entry.network for entry in read_entries(path))


def entry_of(address: IpAddress, entries: tuple[Entry, ...]) -> Entry | None:
    """Return the entry that holds an address, None if there is none."""
    plain = unmapped(address)
    return next((entry for entry in entries if plain in entry.network), None)


def add_entry(path: Path, network: IpNetwork, today: date, contact: str, reason: str) -> Entry:
    """Write a network at the end of the file, which is made if it is not there.

    The line comes whole or not at all, and is on the disk when this returns.

    Raises:
        ConfigError: the file cannot be written, or what is in it is wrong.
    """
    entries = read_entries(path) if path.exists() else ()
    note = " ".join(visible(f"{today} {contact} {reason}").split())
    entry = Entry(unmapped_network(network), note)
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)
        with os.fdopen(descriptor, "r+b", buffering=0) as file:
            # A last line without an end would otherwise swallow ours.
            start = b"" if not entries or path.read_bytes().endswith(b"\n") else b"\n"
            file.write(start + f"{entry.network} {entry.note}\n".encode())
            os.fsync(descriptor)
    except OSError as error:
        raise ConfigError(f"cannot write the opt-out file {path}: {error.strerror}") from error
    return entry
