"""The opt-out file: who asked not to be probed, by network, by name, or by autonomous system.

One line for each: ``192.0.2.0/24``, ``example.net`` (with all names below it) or ``AS64500``,
and then the date, the contact and the reason, as far as they are known. Empty lines and lines
that begin with ``#`` do not count.
"""

import os
import re
from dataclasses import dataclass
from datetime import date
from ipaddress import ip_network
from pathlib import Path

from botprobe.errors import ConfigError, why_unread
from botprobe.model.mail import IpAddress
from botprobe.model.origin import Origin
from botprobe.model.text import visible
from botprobe.scope.addresses import unmapped, unmapped_network
from botprobe.scope.parties import AutonomousSystem, Domain, Party

# A name ends in letters (RFC 3696, 2), so that a mistyped address is no name. A single label is a
# whole top-level domain, and has to be meant: .example.
_DOMAIN = re.compile(r"(?:[a-z0-9_-]{1,63}\.){1,126}(?:[a-z]{2,63}|xn--[a-z0-9-]{1,59})")
_TOP_LEVEL = re.compile(r"\.(?:[a-z]{2,63}|xn--[a-z0-9-]{1,59})")
_ASN = re.compile(r"AS([0-9]{1,10})", re.IGNORECASE)
_MAX_ASN = 2**32 - 1
# The longest prefix that nobody holds alone: an IPv4 network has 2^24 addresses at most, and the
# registries themselves got IPv6 by the /12.
_TOO_WIDE = {4: 7, 6: 11}
_CONTACT = re.compile(r"\S*[@/]\S*|tel:\S*")


@dataclass(frozen=True, slots=True)
class Entry:
    """Who asked to be left alone."""

    party: Party
    note: str = ""
    """Date, contact and reason, as they stand in the file."""

    @property
    def parts(self) -> tuple[date | None, str | None, str]:
        """Date, contact and reason; what is not where it belongs is part of the reason."""
        day, rest = _first_word(self.note)
        try:
            when = date.fromisoformat(day)
        except ValueError:
            when, rest = None, self.note
        contact, reason = _first_word(rest)
        return (when, contact, reason) if _CONTACT.fullmatch(contact) else (when, None, rest)

    def covers(self, address: IpAddress, origin: Origin) -> bool:
        """Say whether the entry speaks for an address, by what is known of it."""
        if isinstance(self.party, Domain | AutonomousSystem):
            return self.party.owns(origin)
        return unmapped(address) in self.party


def parse_party(word: str) -> Party:
    """Read a network, a name or the number of an autonomous system.

    Raises:
        ValueError: it is none of them.
    """
    if (asn := _ASN.fullmatch(word)) and 0 < int(asn[1]) <= _MAX_ASN:
        return AutonomousSystem(int(asn[1]))
    try:
        return unmapped_network(ip_network(word.strip("[]"), strict=False))
    except ValueError:
        name = word.removeprefix("*").rstrip(".").lower()
        if not name.isascii():
            name = _in_ascii(name)
        if _TOP_LEVEL.fullmatch(name) or _DOMAIN.fullmatch(name.removeprefix(".")):
            return Domain(name.removeprefix("."))
    raise ValueError(f"neither network nor name nor AS: {word[:50]!r}")


def _in_ascii(name: str) -> str:
    """Write a name as DNS does (RFC 3490); what cannot be written so is no name, and empty."""
    try:
        return name.encode("idna").decode("ascii")
    except UnicodeError:
        return ""


def is_too_wide(party: Party) -> bool:
    """Say whether it is a network wider than anybody has, whose opt-out stops probing at large."""
    if isinstance(party, Domain | AutonomousSystem):
        return False
    return party.prefixlen <= _TOO_WIDE[party.version]


def parse_entries(text: str, name: str) -> tuple[Entry, ...]:
    """Read the lines of an opt-out file called ``name``.

    Raises:
        ConfigError: a line does not begin with somebody. It is fatal on purpose: whoever
            asked to be left alone must not be probed because of a typing error.
    """
    entries = []
    for number, line in enumerate(text.splitlines(), 1):
        word, *rest = line.replace(",", " ").split(maxsplit=1) or [""]
        if not word or word.startswith("#"):
            continue
        try:
            entries.append(Entry(parse_party(word), " ".join(" ".join(rest).split())))
        except ValueError as error:
            problem = f"neither network nor name nor AS: {word[:50]!r}"
            raise ConfigError(f"{name}:{number}: {problem}") from error
    return tuple(entries)


def read_entries(path: Path) -> tuple[Entry, ...]:
    """Read an opt-out file.

    Raises:
        ConfigError: it cannot be read, or a line is wrong.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        hint = " (an empty one will do)" if isinstance(error, FileNotFoundError) else ""
        said = f"cannot read the opt-out file {path}: {why_unread(error)}{hint}"
        raise ConfigError(said) from error
    return parse_entries(text, str(path))


def entries_so_far(path: Path) -> tuple[Entry, ...] | None:
    """Read an opt-out file to which somebody may be added; None if there is none yet.

    Raises:
        ConfigError: it cannot be read, or a line is wrong.
    """
    try:
        return read_entries(path)
    except ConfigError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            return None
        raise


def add_entry(path: Path, party: Party, today: date, contact: str, reason: str) -> Entry:
    """Write somebody at the end of the file, which is made if it is not there.

    The line comes whole or not at all, and is on the disk when this returns.

    Raises:
        ConfigError: the file cannot be written, or what is in it is wrong.
    """
    entries = entries_so_far(path)
    note = " ".join(visible(f"{today} {contact} {reason}").split())
    entry = Entry(party, note)
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)
        with os.fdopen(descriptor, "r+b", buffering=0) as file:
            # A last line without an end would otherwise swallow ours.
            start = b"" if not entries or path.read_bytes().endswith(b"\n") else b"\n"
            file.write(start + f"{entry.party} {entry.note}\n".encode())
            os.fsync(descriptor)
    except OSError as error:
        raise ConfigError(f"cannot write the opt-out file {path}: {error.strerror}") from error
    return entry


def _first_word(text: str) -> tuple[str, str]:
    word, _, rest = text.partition(" ")
    return word, rest.strip()
