"""nmap's database of operating systems: the entries, and what their expressions allow.

The file is read where nmap is installed and never copied: its licence is its own. The format is
that of https://nmap.org/book/osdetect-fingerprint-format.html, with the bracketed alternatives
inside of option strings (``M[4E2-5B4]``, ``W[2|4-7|9]``) that nmap 7.95 brought.
"""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

_PLACES = (Path("/usr/share/nmap"), Path("/usr/local/share/nmap"), Path("/opt/nmap/share/nmap"))

_TEST = re.compile(r"^([A-Z][A-Z0-9]*)\(([^\n]*)\)$", re.MULTILINE)
_CLASS = re.compile(r"^Class ([^\n]*)$", re.MULTILINE)
_BRACKET = re.compile(r"\[([0-9A-F]+)[^\]]*\]")


class OsClass(NamedTuple):
    """One line of an entry's classification."""

    vendor: str
    family: str
    generation: str
    kind: str


@dataclass(frozen=True, slots=True)
class OsEntry:
    """One fingerprint of the database."""

    name: str
    classes: tuple[OsClass, ...]
    tests: Mapping[str, Mapping[str, str]]
    """Test (SEQ, OPS, WIN, ECN, T1 to T7, U1, IE) to attribute to expression."""

    def test(self, name: str) -> Mapping[str, str] | None:
        """Return the attributes of a test that the system answers, otherwise None."""
        attributes = self.tests.get(name)
        if attributes is None or attributes.get("R") == "N":
            return None
        return attributes


class OsDatabase:
    """The entries by name; the first one counts where nmap has several of one name."""

    def __init__(self, text: str) -> None:
        """Cut the text of the file into entries, which are parsed when asked for."""
        self._texts: dict[str, str] = {}
        for chunk in text.split("\nFingerprint ")[1:]:
            name, _, body = chunk.partition("\n")
            self._texts.setdefault(name.strip(), body)

    @property
    def names(self) -> Sequence[str]:
        """All names, in the order of the file."""
        return tuple(self._texts)

    def entry(self, name: str) -> OsEntry | None:
        """Return the entry of that name."""
        body = self._texts.get(name)
        if body is None:
            return None
        return OsEntry(name, tuple(_classes(body)), dict(_tests(body)))


def load(directory: Path | None = None) -> OsDatabase:
    """Read the installed nmap's database, raising ``OSError`` where there is none."""
    named = [Path(os.environ["NMAPDIR"])] if "NMAPDIR" in os.environ else []
    for place in (directory,) if directory else (*named, *_PLACES):
        path = place / "nmap-os-db"
        if path.is_file():
            return OsDatabase(path.read_text("utf-8", "replace"))
    raise FileNotFoundError("nmap's database nmap-os-db is not installed")


def first_choice(expression: str) -> str:
    """Return one text that an expression allows: its first alternative, brackets resolved."""
    return _BRACKET.sub(r"\1", expression).partition("|")[0]


def intervals(expression: str, *, largest: int) -> tuple[range, ...]:
    """Return the numbers that an expression of hexadecimal numbers allows.

    Words such as ``I`` or ``RD`` in it are left out.
    """
    found = []
    for part in expression.split("|"):
        if not re.fullmatch(r"[<>]?[0-9A-F]+(-[0-9A-F]+)?", part):
            continue
        if part[0] == ">":
            low, high = int(part[1:], 16) + 1, largest
        elif part[0] == "<":
            low, high = 0, int(part[1:], 16) - 1
        else:
            first, _, last = part.partition("-")
            low = int(first, 16)
            high = int(last or first, 16)
        if low <= high:
            found.append(range(low, high + 1))
    return tuple(found)


def number(expression: str | None, default: int = 0) -> int:
    """Return the smallest number of an expression's first alternative."""
    allowed = intervals(expression or "", largest=0xFFFFFFFF)
    return allowed[0].start if allowed else default


def _classes(body: str) -> Iterator[OsClass]:
    for match in _CLASS.finditer(body):
        parts = [part.strip() for part in match[1].split("|")]
        yield OsClass(*(parts + [""] * 4)[:4])


def _tests(body: str) -> Iterator[tuple[str, dict[str, str]]]:
    for match in _TEST.finditer(body):
        pairs = (pair.partition("=") for pair in match[2].split("%") if pair)
        yield match[1], {name: value for name, _, value in pairs}
