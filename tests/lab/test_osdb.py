"""The database of systems: entries and the expressions in them."""

from pathlib import Path

import pytest

from tests.lab import osdb
from tests.lab.osdb import OsClass, OsDatabase

_TEXT = """\
# A database with systems that nobody has
MatchPoints
SEQ(SP=25%GCD=75)

Fingerprint Toaster 1.0 (bread)
Class Acme | Toaster || kitchen
Class Acme | Grill | 2.X | kitchen
CPE cpe:/h:acme:toaster
SEQ(SP=10-20%GCD=1-6%ISR=>30%TI=I)
OPS(O1=M5B4NW8|M[4E2-5B4]NW[2|4-7])
T2(R=N)

Fingerprint Toaster 1.0 (bread)
Class Acme | Toaster || kitchen
SEQ(SP=0)
"""


class TestDatabase:
    def test_reads_an_entry(self) -> None:
        """Classes and tests are those of the first entry with the name."""
        entry = OsDatabase(_TEXT).entry("Toaster 1.0 (bread)")

        assert entry is not None
        assert entry.classes[1] == OsClass("Acme", "Grill", "2.X", "kitchen")
        assert entry.test("SEQ") == {"SP": "10-20", "GCD": "1-6", "ISR": ">30", "TI": "I"}
        assert entry.test("T2") is None
        assert entry.test("T3") is None

    def test_knows_nothing_of_other_names(self) -> None:
        """An unknown name has no entry; what stands before the first entry is none."""
        database = OsDatabase(_TEXT)

        assert list(database.names) == ["Toaster 1.0 (bread)"]
        assert database.entry("Kettle") is None

    def test_is_missing_where_nmap_is(self, tmp_path: Path) -> None:
        """Without nmap's file there is one clear error."""
        with pytest.raises(FileNotFoundError, match="not installed"):
            osdb.load(tmp_path)


class TestExpressions:
    @pytest.mark.parametrize(
        ("expression", "choice"),
        [
            ("M5B4|M578", "M5B4"),
            ("M[4E2-5B4]NW[2|4-7|9]|M5B4", "M4E2NW2"),
            ("", ""),
            ("AS", "AS"),
        ],
    )
    def test_first_choice(self, expression: str, choice: str) -> None:
        """Alternatives are cut at the bar, but not inside of brackets."""
        assert osdb.first_choice(expression) == choice

    @pytest.mark.parametrize(
        ("expression", "allowed"),
        [
            ("3B-45", (range(0x3B, 0x46),)),
            ("40|80", (range(0x40, 0x41), range(0x80, 0x81))),
            (">FD", (range(0xFE, 0x100),)),
            ("<3", (range(3),)),
            ("RD|I", ()),
            ("RI|5", (range(5, 6),)),
            ("<0", ()),
        ],
    )
    def test_intervals(self, expression: str, allowed: tuple[range, ...]) -> None:
        """Numbers are hexadecimal; words are left out."""
        assert osdb.intervals(expression, largest=0xFF) == allowed
