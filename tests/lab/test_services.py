"""Services: what each of them says, and that none gets stuck."""

import pytest

from tests.lab.services import SERVICES, Identity
from tests.lab.stream import Hear, Reset, Say, Wait

_WHO = Identity("mx.example")
_CLIENT = (b"EHLO probe.example\r\n", b"QUIT\r\n")


def _talk(name: str, *, actions: int = 400) -> tuple[bytes, float]:
    """Return what a service says to a polite client, and how long it waits in between."""
    script = SERVICES[name](_WHO)
    lines = iter(_CLIENT)
    said, waited, result = b"", 0.0, None
    for _ in range(actions):
        try:
            action = script.send(result)  # type: ignore[arg-type]  # the first value is None
        except StopIteration:
            break
        match action:
            case Say(data):
                said, result = said + data, b""
            case Hear():
                result = next(lines, b"")
            case Wait(seconds):
                waited, result = waited + seconds, b""
            case Reset():
                break
    return said, waited


class TestSmtp:
    @pytest.mark.parametrize("name", ["smtp", "smtp-delayed", "smtp-postscreen", "smtp-exchange"])
    def test_a_mail_server_greets_and_lists_its_extensions(self, name: str) -> None:
        """Greeting, reply to EHLO, farewell: every line is of RFC 5321's form."""
        said, _ = _talk(name)

        lines = said.decode("ascii").split("\r\n")
        assert lines.pop() == ""
        assert lines[0].startswith("220")
        assert any(line.startswith("250-") and "mx.example" in line for line in lines)
        assert lines[-1].startswith("221 ")
        assert all(line[:3].isdigit() and line[3] in " -" for line in lines)

    @pytest.mark.parametrize(("name", "code"), [("smtp-refuse", b"554 "), ("smtp-busy", b"421 ")])
    def test_a_refusal_is_the_first_word(self, name: str, code: bytes) -> None:
        """Who refuses never greets."""
        said, _ = _talk(name)

        assert said.startswith(code)
        assert b"220" not in said

    def test_delays(self) -> None:
        """Some greetings take their time."""
        assert _talk("smtp-delayed")[1] >= 5
        assert _talk("smtp-postscreen")[1] >= 5
        assert _talk("smtp-tarpit", actions=2_000)[1] >= 60
        assert _talk("smtp")[1] == 0

    def test_hostile_bytes(self) -> None:
        """Escape sequences, markup and controls really are sent."""
        said, _ = _talk("smtp-hostile")

        assert b"\x1b]0;" in said
        assert b"<script>" in said

    def test_the_endless_greeting_has_no_last_line(self) -> None:
        """Every line says that another one follows."""
        said, _ = _talk("smtp-endless", actions=10)

        assert {line[:4] for line in said.splitlines()} == {b"220-"}


class TestAll:
    @pytest.mark.parametrize("name", SERVICES)
    def test_end_or_go_on_but_do_not_fail(self, name: str) -> None:
        """Every service takes a client that speaks SMTP and hangs up."""
        said, _ = _talk(name, actions=50)
        # An SMB server waits for a request of its own protocol, as the real ones do.
        is_mute = name == "silent" or name.startswith(("smb1-", "smb2-"))

        assert bool(said) is not is_mute
