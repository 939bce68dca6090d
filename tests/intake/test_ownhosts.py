"""What a whole mailbox shows of the own side."""

from collections.abc import Iterable

from botprobe.intake.message import read_mail
from botprobe.intake.ownhosts import MIN_MAILS, infer_hosts
from botprobe.model.mail import Mail
from tests.intake.writerlines import DATE


def mailbox(lines: Iterable[str]) -> list[Mail]:
    """One mail for each newest line."""
    return [read_mail(f"Received: {line}\n\n".encode(), "x") for line in lines]


def took(by: str, peer: str = "unknown", number: int = 0) -> str:
    """A line of a server that took a mail of a peer."""
    return f"from h ({peer} [192.0.2.{number}]) by {by} (Postfix) with ESMTP id 1; {DATE}"


class TestInferHosts:
    def test_the_server_that_took_nearly_all(self) -> None:
        """One in ten may have come another way."""
        lines = [took("mx.example.org", number=number) for number in range(27)]
        lines += [took("other.example") for _ in range(3)]

        assert infer_hosts(mailbox(lines)) == {"mx.example.org"}

    def test_a_relay_of_the_same_domain(self) -> None:
        """A confirmed name in our own domain, before nearly every mail, is ours."""
        lines = [took("mx.example.org", "relay.example.org") for _ in range(MIN_MAILS)]

        assert infer_hosts(mailbox(lines)) == {"mx.example.org", "relay.example.org"}

    def test_a_lone_sender_is_no_relay(self) -> None:
        """Who fills a mailbox is not trusted for it."""
        lines = [took("mx.example.org", "bot.example.net") for _ in range(MIN_MAILS)]

        assert infer_hosts(mailbox(lines)) == {"mx.example.org"}

    def test_a_few_mails_show_nothing(self) -> None:
        """They may all be of one sender."""
        assert infer_hosts(mailbox([took("mx.example.org")] * (MIN_MAILS - 1))) == frozenset()

    def test_a_mixed_mailbox_shows_nothing(self) -> None:
        """No server took nearly all of it."""
        lines = [took(f"mx{number % 2}.example.org") for number in range(40)]

        assert infer_hosts(mailbox(lines)) == frozenset()

    def test_mails_without_hops(self) -> None:
        """Drafts have none."""
        assert infer_hosts(mailbox([])) == frozenset()
