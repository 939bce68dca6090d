"""A host whose every word is hostile, on all the ways out."""

import csv
import io
import json
import re
from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from html.parser import HTMLParser
from typing import Any, TypeVar

import pytest
from rich.console import Console

from botprobe.cli.render import scan_view
from botprobe.contract.case import case_document, case_from_document
from botprobe.export.formats import FORMATS
from botprobe.hostlog import log_text
from botprobe.model.finding import Finding
from botprobe.model.outcome import Measured
from botprobe.model.results import DnsResult, PtrName, Reply, WindowsAnswer, WindowsResult
from botprobe.model.verdict import Case
from botprobe.report.pages import host_page, scan_page
from botprobe.service.metrics import Metrics
from tests.cases import NOON, bot_case
from tests.export.examples import PUBLICATION, finding
from tests.service.test_metrics import claim

T = TypeVar("T")

WORDS = (
    "=cmd|' /C calc'!A0",
    "\x1b]0;owned\x07\x1b[2J",
    "\r\nVerdict: innocent",
    "\x00\x9b31m\u202emoc\u2066",
    '"><script>alert(1)</script><img src=x onerror=alert(1)>',
    '"} botprobe_halted 0\n',
    "\udcff\U000e0041",
    "A" * 20_000,
)
HOSTILE = "".join(WORDS[1:7])
HARMFUL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def poisoned(value: T, word: str) -> T:
    """Put a word into each text of a value, however deep; what is chosen from a set stays."""
    changed: Any = value
    if isinstance(value, Enum):
        return value
    if isinstance(value, str):
        changed = word
    elif isinstance(value, tuple):
        parts = [poisoned(part, word) for part in value]
        changed = type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)
    elif is_dataclass(value) and not isinstance(value, type):
        changed = replace(
            value, **{one.name: poisoned(getattr(value, one.name), word) for one in fields(value)}
        )
    return changed  # type: ignore[no-any-return]  # of the kind that came in


def hostile_case(word: str) -> Case:
    """Return a case in which the host says a word wherever it can say anything."""
    case = bot_case()
    smtp = case.facts.smtp
    assert isinstance(smtp, Measured)
    greeting = replace(smtp.result, greeting=Reply(220, (word,)), ehlo=Reply(250, (word, word)))
    names = DnsResult(names=(PtrName(name=word, confirmed=False, mx=(word,)),))
    windows = WindowsResult(answers=(WindowsAnswer(port=445, script="x", product=word),))
    facts = replace(
        case.facts,
        smtp=replace(smtp, result=greeting),
        dns=Measured(names, NOON, 0.1),
        windows=Measured(windows, NOON, 0.1),
    )
    return poisoned(replace(case, facts=facts), word)


def on_terminal(case: Case) -> str:
    """Return what a terminal shows, without the colours that are our own."""
    console = Console(file=io.StringIO(), width=120, color_system=None)
    console.print(scan_view([], [case], explain=True))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def in_metrics(case: Case) -> str:
    """Return the counters of a case that was refused for a hostile reason."""
    metrics = Metrics()
    metrics.concluded(claim(), replace(case, refused=HOSTILE))
    return metrics.text()


OUTPUTS: dict[str, Callable[[Case], str]] = {
    "terminal": on_terminal,
    "host log": log_text,
    "host page": lambda case: host_page([case]),
    "scan page": lambda case: scan_page([], [case]),
    "metrics": in_metrics,
}


class Tags(HTMLParser):
    """Collects tags and attributes that run something."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.dangers: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note scripts, images and handlers: none of our pages has any."""
        self.dangers += [tag] if tag in {"script", "img", "iframe", "object"} else []
        self.dangers += [name for name, _ in attrs if name.startswith("on")]


@pytest.mark.parametrize("word", WORDS, ids=range(len(WORDS)))
class TestHostileWords:
    @pytest.mark.parametrize("name", OUTPUTS)
    def test_steer_no_reader(self, name: str, word: str) -> None:
        """No escape, no line of its own, and not without end."""
        text = OUTPUTS[name](hostile_case(word))

        assert not HARMFUL.search(text)
        assert not re.search(r"^Verdict: innocent", text, re.MULTILINE)
        assert "botprobe_halted 0\n" not in text.replace("botprobe_halted 0.0", "")
        assert text.encode()
        if name.endswith("page"):
            assert Tags(text).dangers == []

    def test_become_no_formula_in_a_table(self, word: str) -> None:
        """A spreadsheet shows every cell as text."""
        case = hostile_case(word)
        found: Finding = replace(finding("198.18.10.1"), case=case)
        text = "".join(FORMATS["csv"].write([found], PUBLICATION))

        cells = [cell for row in csv.reader(io.StringIO(text)) for cell in row]
        assert len(cells) > 5
        assert not any(cell.startswith(("=", "@", "\t", "\r")) for cell in cells)
        assert not HARMFUL.search(text.replace("\r\n", "\n"))

    def test_come_back_from_json_as_they_were(self, word: str) -> None:
        """JSON keeps what the host said, escaped: whoever shows it makes it visible."""
        case = hostile_case(word)
        text = json.dumps(case_document(case))

        assert text.isascii()
        assert text.isprintable()
        assert case_from_document(json.loads(text)).facts.dns == case.facts.dns
