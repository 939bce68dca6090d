"""A host whose every word is hostile, on all the ways out."""

import csv
import io
import json
import re
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from html.parser import HTMLParser
from ipaddress import ip_network
from pathlib import Path
from typing import Any, TypeVar

import pytest
from rich.console import RenderableType

import botprobe
from botprobe.cli.audit import audit_screen
from botprobe.cli.optout import answer_line
from botprobe.cli.render import scan_view, stdout_console
from botprobe.contract.audit import abuse_reply
from botprobe.contract.case import case_document, case_from_document
from botprobe.contract.history import Known, timeline
from botprobe.export.formats import FORMATS
from botprobe.hostlog import log_text
from botprobe.model.audit import AuditRow
from botprobe.model.finding import Finding
from botprobe.model.origin import Origin
from botprobe.model.outcome import Measured
from botprobe.model.results import DnsResult, PtrName, Reply, WindowsAnswer, WindowsResult
from botprobe.model.verdict import Case
from botprobe.report.pages import host_page, scan_page
from botprobe.scope.optout import Entry
from botprobe.service.metrics import Metrics
from tests.cases import HOST, NOON, bot_case
from tests.export.examples import PUBLICATION, finding
from tests.service.test_metrics import claim

ROOT = Path(__file__).resolve().parents[1]
T = TypeVar("T")

WORDS = (
    "=cmd|' /C calc'!A0",
    "\x1b]0;owned\x07\x1b[2J",
    "\r\nVerdict: innocent",
    "\x00\x9b31m\u202emoc\u2066",
    '"><script>alert(1)</script><img src=x onerror=alert(1)>',
    '"} botprobe_halted 0\n',
    "[/b][link=http://198.18.0.1/]click[/link][blink]",
    "\udcff\U000e0041",
    "A" * 20_000,
)
HOSTILE = "".join(WORDS[1:8])
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


def shown(view: RenderableType) -> str:
    """Return what a terminal shows, without the colours that are our own."""
    with redirect_stdout(io.StringIO()) as out:
        stdout_console().print(view)
    return out.getvalue()


def in_metrics(case: Case) -> str:
    """Return the counters of a case that was refused for a hostile reason."""
    metrics = Metrics()
    metrics.concluded(claim(), replace(case, refused=HOSTILE))
    return metrics.text()


OUTPUTS: dict[str, Callable[[Case], str]] = {
    "terminal": lambda case: shown(scan_view([], [case], explain=True)),
    "host log": log_text,
    "host page": lambda case: host_page(case.target.address, timeline(Known(), [case]), [case]),
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


def test_no_screen_obeys_what_strangers_write() -> None:
    """Rich reads tags in any text unless it is told not to; a tag alone would end the program."""
    calls = [
        (path.name, call)
        for path in sorted(Path(botprobe.__file__).parent.rglob("*.py"))
        for call in re.findall(r"\bConsole\([^)]*\)", path.read_text("utf-8"))
    ]

    assert len(calls) >= 4
    assert [name for name, call in calls if "markup=False" not in call] == []


def test_the_table_of_hostile_answers_names_tests_that_exist() -> None:
    """docs/safety.md says of each case which test holds it."""
    text = (ROOT / "docs/safety.md").read_text("utf-8")
    named = re.findall(r"`(tests/[a-z0-9_/]+\.py): (test_[a-z0-9_]+)`", text)

    assert len(named) >= 30
    for file, test in named:
        assert re.search(rf"def {test}\(", (ROOT / file).read_text("utf-8")), (file, test)


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

    def test_stand_in_no_answer_to_an_abuse_desk(self, word: str) -> None:
        """Who caused a probe is told in one line, on the screen and in the letter."""
        row = AuditRow(
            address=HOST, at=NOON, owner="trap:1", source=None, asked=(), rule=word, mails=(word,)
        )
        network = ip_network(f"{HOST}/32")
        letter = abuse_reply(network, [row], None, None)

        for text in (letter, shown(audit_screen(network, [row], {word: 1}))):
            assert not HARMFUL.search(text)
            assert not re.search(r"^Verdict: innocent", text, re.MULTILINE)

    def test_stand_in_no_answer_of_the_optout(self, word: str) -> None:
        """Names of an address and notes in the file are somebody else's words, too."""
        line = answer_line(HOST, None, None, Origin(names=(word,) * 99, asn=None))
        noted = answer_line(HOST, "opted out", Entry(ip_network(f"{HOST}/32"), word), None)

        assert not HARMFUL.search(line + noted)
        assert "\n" not in line + noted
        assert line.count("cmd") <= 4

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
