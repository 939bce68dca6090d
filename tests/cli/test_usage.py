"""What every command does with options that cannot be: exit code 2, and a line that names it."""

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from botprobe.cli.app import app, exit_code_of
from botprobe.cli.exitcodes import ExitCode
from botprobe.errors import BotprobeError

HELO = ("--helo-name", "a b")
CANARY = ("--canary", "mx.example.org")
TRUST = (
    ("--trusted-network", "x"),
    ("--internal-network", "192.0.2.0/33"),
    ("--msa-network", ""),
    ("--own-host", ""),
    ("--own-host", " . "),
)
REDIRECT = ("--inside", "192.0.2.0/24", "--enforce", "--action", "redirect", "--sink")
BAD = [
    *[("headers", "mail.eml", *one) for one in TRUST],
    *[("scan", "mail.eml", *one) for one in (*TRUST, HELO, CANARY)],
    ("scan", "mail.eml", "--hops", "some"),
    ("scan", "mail.eml", "--fail-on", "evil"),
    ("scan", "mail.eml", "--store", ""),
    ("watch", "Maildir", "--after", "delete"),
    ("watch", "Maildir", "--again", "1y"),
    ("watch", "Maildir", "--metrics", "9464"),
    ("watch", "Maildir", "--metrics", "127.0.0.1:99999"),
    ("watch", "Maildir", "--hops", "some"),
    ("watch", "Maildir", *HELO),
    ("watch", "Maildir", *CANARY),
    ("worker", "--metrics", "9464"),
    ("worker", "--concurrency", "0"),
    ("worker", "--concurrency", "9000000000"),
    ("worker", *HELO),
    ("queue", "--store", ""),
    ("queue", "--store", "postgresql://x y z"),
    ("probe", "mx.example.org"),
    ("probe", "192.0.2.1", *HELO),
    ("probe", "192.0.2.1", *CANARY),
    ("host", "mx.example.org"),
    ("report", "--week", "x"),
    ("report", "--compare", "x"),
    ("report", "--since", "x"),
    ("report", "--week", ""),
    ("report", "--compare", ""),
    ("report", "--since", ""),
    ("report", "--since", "2026-W01", "--until", ""),
    ("report", "--week", "0001-W01"),
    ("report", "--week", "2026-W01..9998-W01"),
    ("export", "pdf"),
    ("export", "jsonl", "--label", "evil"),
    ("export", "jsonl", "--days", "nan"),
    ("export", "postfix", "--action", "explode"),
    ("export", "rpz", "--zone", "a b"),
    ("maillog", "mail.log", "--mail-host", "x"),
    ("maillog", "mail.log", "--exclude", "x"),
    ("maillog", "mail.log", "--reject-kind", "x"),
    ("maillog", "mail.log", "--country", "XX"),
    ("maillog", "mail.log", "--acted", "soon"),
    ("maillog", "mail.log", "--year", "0"),
    ("router", "--pcap", "x.pcap", "--inside", "x"),
    ("router", "--pcap", "x.pcap", "--allow", "x"),
    ("router", "--inside", "x"),
    ("router", "--allow", "x"),
    ("router", "--for", "nan"),
    ("router", "--for", "-1"),
    ("router", "--every", "nan"),
    ("router", "rules", "--inside", "x"),
    ("router", "rules", "--allow", "x"),
    ("router", "rules", "--inside", "fe80::%eth0/64"),
    ("router", "rules", "--cleanup", "100000000000000000000"),
    ("router", "rules", *REDIRECT, "fe80::1%eth0:25"),
    ("router", "--inside", "192.0.2.0/24", "--enforce", "--block-for", "100000000000000000000"),
    ("router", "rules", *REDIRECT, "x"),
    ("router", "sink", "--maildir", "x", "--listen", "x"),
    ("router", "sink", "--maildir", "x", "--for", "nan"),
    ("proxytrace", "x.pcap", "--proxy", "x"),
    ("proxytrace", "x.pcap", "--inside", "x"),
    ("proxytrace", "--interface", "x0", "--seconds", "nan"),
    ("evaluate", "--labels", "x.csv", "--positive", "evil"),
    ("audit", "--target", "x"),
    ("audit", "--target", "192.0.2.0/24", "--since", "x"),
    ("audit", "--target", "192.0.2.0/24", "--since", "999999w"),
    ("audit", "--target", "192.0.2.0/24", "--since", "\u00b2d"),
    ("audit", "--target", "192.0.2.0/24", "--until", "x"),
    ("optout", "add", "x", "--contact", "noc@example.net"),
    ("optout", "add", "\u00e4" * 64 + ".example", "--contact", "noc@example.net"),
    ("optout", "check", "x"),
    ("identity", *HELO),
    ("doctor", *HELO),
    ("doctor", *CANARY),
    ("store", "prune", "--keep", "1y"),
    ("store", "check", "--store", ""),
    ("store", "copy", "", "cases.sqlite"),
]


@pytest.fixture(autouse=True)
def _nothing_is_sent(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Be far from the user's configuration and state, and stop whatever would ask a host."""

    def asked(*_: object, **__: object) -> None:
        raise AssertionError("the command went on")

    for name in ("scan.investigate", "probe.investigate", "watch.follow", "worker.follow"):
        monkeypatch.setattr(f"botprobe.cli.{name}", asked)
    for name in ("doctor.examine", "router._watch", "router_sink.run_sink"):
        monkeypatch.setattr(f"botprobe.cli.{name}", asked)
    monkeypatch.setattr("botprobe.cli.proxytrace.recorded", asked)
    for variable in ("HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(variable, str(tmp_path))
    monkeypatch.delenv("BOTPROBE_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)


def run(*arguments: str) -> Result:
    """Run a command."""
    return CliRunner().invoke(app, arguments)


def ended(result: Result) -> tuple[int, str]:
    """Return the exit code of a command and what it said of its end."""
    if isinstance(result.exception, BotprobeError):
        return exit_code_of(result.exception), str(result.exception)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stderr


@pytest.mark.parametrize("arguments", BAD, ids=" ".join)
def test_a_value_that_cannot_be_is_a_usage_error(arguments: tuple[str, ...]) -> None:
    """Scripts tell a wrong call from a wrong configuration."""
    code, said = ended(run(*arguments))

    assert code == ExitCode.USAGE
    assert "does not appear" not in said  # Python's words
    assert "codec" not in said


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("headers", "m", "--own-host", ""), "--own-host: '' is no name of a host"),
        (("headers", "m", "--trusted-network", "x"), "--trusted-network: 'x' is not a network"),
        (("doctor", "--canary", "x"), "--canary: 'x' is not an IP address"),
        (("maillog", "m", "--exclude", "x"), "--exclude: 'x' is not a network"),
        (("router", "--inside", "x"), "--inside: 'x' is not a network"),
        (("watch", "--again", "1y"), "--again: '1y' is not an interval such as 1h, 24h, 60d"),
        (("watch", "--after", "x"), "--after: 'x' is not one of none, flag, move:FOLDER"),
        (("audit", "--target", "x"), "--target: 'x' is not a network"),
        (("audit", "--target", "::1", "--until", "x"), "--until: 'x' is no date, time or age (7d)"),
        (("queue", "--store", ""), "--store: names no file and no database"),
    ],
    ids=str,
)
def test_the_option_is_named(arguments: tuple[str, ...], line: str) -> None:
    """One line says which of the options is wrong, and how."""
    assert ended(run(*arguments)) == (ExitCode.USAGE, line)


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (("headers", "m"), ("--json", "--jsonl")),
        (("scan", "m"), ("--json", "--jsonl")),
        (("probe", "192.0.2.1"), ("--json", "--jsonl")),
        (("host", "192.0.2.1"), ("--json", "--jsonl")),
        (("rejudge",), ("--json", "--jsonl")),
        (("report",), ("--json", "--csv")),
        (("audit", "--target", "192.0.2.1"), ("--json", "--reply")),
    ],
    ids=str,
)
def test_a_result_has_one_form(arguments: tuple[str, ...], names: tuple[str, str]) -> None:
    """Two forms at once can be read by nobody, and leaving one out would hide it."""
    first, second = names
    wanted = (ExitCode.USAGE, f"{first} and {second} exclude each other")

    assert ended(run(*arguments, first, second)) == wanted
    assert ended(run(*arguments, second, first)) == wanted


@pytest.mark.parametrize("command", ["queue", "report", "host 192.0.2.1", "store check"])
def test_a_missing_store_names_the_command_that_makes_one(command: str) -> None:
    """Who mistyped a path sees it, and who has none yet knows what to do."""
    code, said = ended(run(*command.split(), "--store", "none.sqlite"))

    assert code == ExitCode.FAILURE
    assert said == (
        "there is no store none.sqlite: botprobe store init makes one, and so does the first scan"
    )


@pytest.mark.parametrize(
    ("command", "line"),
    [
        ("proxytrace --log x --proxy 192.0.2.1", "--proxy needs a capture"),
        ("proxytrace --log x --own-domain example.net", "--own-domain needs a capture"),
        ("proxytrace x.pcap --year 2026", "--year needs --log"),
        ("proxytrace x.pcap --seconds 5", "--seconds needs --interface"),
        ("proxytrace --log x --seconds 5", "--seconds needs --interface"),
        ("report --once", "--once needs --mail"),
        ("report --print", "--print needs --mail"),
        ("maillog x --action HOLD", "--action needs --access-map"),
        ("maillog x --mail-host 192.0.2.1", "--mail-host needs --dns"),
        ("export jsonl --action hold", "--action needs postfix"),
        ("export postfix --zone bots.example", "--zone needs rbldnsd or rpz"),
    ],
)
def test_an_option_that_would_do_nothing_is_refused(command: str, line: str) -> None:
    """Who gives it expects something of it; what is already the default counts as said."""
    assert ended(run(*command.split())) == (ExitCode.USAGE, line)


def test_an_audit_ends_after_it_begins() -> None:
    """An empty answer would say that nobody was ever asked."""
    code, said = ended(run("audit", "--target", "192.0.2.1", "--since", "1d", "--until", "2d"))

    assert code == ExitCode.USAGE
    assert said == "--until is before --since"


@pytest.mark.parametrize(
    "text",
    [
        "[smtp]\nhelo_name = 'a b'",
        "[canary]\nhosts = ['x']",
        "[scope]\nhops = 'x'",
        "[scope",
        "x = 1",
    ],
)
@pytest.mark.parametrize(
    "command", [("headers", "m"), ("queue",), ("identity",), ("optout", "list")]
)
def test_what_a_file_says_is_no_usage_error(
    tmp_path: Path, text: str, command: tuple[str, ...]
) -> None:
    """A wrong configuration has its own exit code, with each command."""
    file = tmp_path / "botprobe.toml"
    file.write_text(text)

    assert ended(run(*command, "--config", str(file)))[0] == ExitCode.CONFIG


def test_the_environment_is_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable stands for a line of the file."""
    monkeypatch.setenv("BOTPROBE_SMTP_HELO_NAME", "a b")

    assert ended(run("queue"))[0] == ExitCode.CONFIG
