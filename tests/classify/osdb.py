"""A reader of nmap-os-db, for tests and for the table of roles: names and classes only.

The database is NPSL data: it is read where nmap installed it, and nothing of it is kept here.
Its form is described at https://nmap.org/book/osdetect-fingerprint-format.html.
"""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from botprobe.model.results import OsClass, OsMatch

FOLDERS = ("/usr/share/nmap", "/usr/local/share/nmap", "/opt/homebrew/share/nmap")


def installed_database() -> Path | None:
    """Where nmap would find its database, None if no nmap is installed."""
    folders = (os.environ.get("NMAPDIR"), *FOLDERS)
    paths = (Path(folder) / "nmap-os-db" for folder in folders if folder)
    return next((path for path in paths if path.is_file()), None)


def read_entries(lines: Iterable[str]) -> Iterator[OsMatch]:
    """Each entry as the match that nmap would report for its own source: 100 per cent."""
    name, classes = "", list[OsClass]()
    for line in lines:
        keyword, _, value = line.strip().partition(" ")
        if keyword == "Fingerprint":
            name, classes = value, []
        elif keyword == "Class":
            classes.append(_read_class(value))
        elif keyword == "CPE":
            classes[-1] = _with_cpe(classes[-1], value.split()[0])
        elif keyword.startswith("SEQ(") and name:
            yield OsMatch(name=name, accuracy=100, classes=tuple(classes))
            name = ""


def is_microsoft(entry: OsMatch) -> bool:
    """Whether any class of the entry has Microsoft as its vendor."""
    return any(osclass.vendor == "Microsoft" for osclass in entry.classes)


def _read_class(value: str) -> OsClass:
    vendor, family, generation, kind = (part.strip() for part in value.split("|"))
    return OsClass(
        vendor=vendor, family=family, generation=generation or None, type=kind, accuracy=100
    )


def _with_cpe(osclass: OsClass, cpe: str) -> OsClass:
    return OsClass(
        vendor=osclass.vendor,
        family=osclass.family,
        generation=osclass.generation,
        type=osclass.type,
        accuracy=osclass.accuracy,
        cpe=(*osclass.cpe, cpe),
    )
