"""Compares a scan of the samples with what their authors expect: one row per host.

``python -m tests.lab.scorecard SCAN.json`` reads what ``botprobe scan --json`` wrote.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

EXPECTED = Path(__file__).parents[2] / "maildir_samples" / "expected"


@dataclass(frozen=True, slots=True)
class Row:
    """One address of one sample: the label it should have, and the one it got."""

    sample: str
    ip: str
    expected: str
    found: str | None

    @property
    def right(self) -> bool:
        """Whether both agree."""
        return self.expected == self.found


def read_expected(folder: Path = EXPECTED) -> dict[str, dict[str, str]]:
    """Return, by the name of each sample, the label of each address."""
    return {
        path.stem: {
            ip: target["label"]
            for ip, target in json.loads(path.read_text("utf-8"))["targets"].items()
        }
        for path in sorted(folder.glob("*.json"))
    }


def compare(expected: Mapping[str, Mapping[str, str]], scan: Mapping[str, Any]) -> list[Row]:
    """Put side by side what was expected and what the scan found; one more host is a row too."""
    found = {
        (Path(mail["file"]).name.partition(":")[0], case["ip"]): case["verdict"]["label"]
        for mail in scan["mails"]
        for case in mail["targets"]
    }
    wanted = {
        (sample, ip): label for sample, labels in expected.items() for ip, label in labels.items()
    }
    return [
        Row(sample, ip, wanted.get((sample, ip), "nobody"), found.get((sample, ip)))
        for sample, ip in sorted(wanted.keys() | found.keys())
    ]


def main(arguments: Sequence[str]) -> int:
    """Print the table, and return 1 if any host got another label."""
    rows = compare(read_expected(), json.loads(Path(arguments[0]).read_text("utf-8")))
    table = Table("sample", "host", "should be", "is", "", box=None, padding=(0, 2))
    for row in rows:
        sign = "[green]ok[/]" if row.right else "[bold red]wrong[/]"
        table.add_row(row.sample, row.ip, row.expected, row.found or "missing", sign)
    right = sum(row.right for row in rows)
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 120)
    console.print(table)
    console.print(f"{right} of {len(rows)} hosts of the samples have the label they should have")
    return 0 if right == len(rows) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
