"""Abuse reports: their form, and what must never be in them."""

import base64
import json
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest
import xarf
from hypothesis import given
from hypothesis import strategies as st

from botprobe.errors import InputError
from botprobe.export.abuse import arf_mail, xarf_document, xarf_mail
from botprobe.export.redaction import recipients_of, redacted, redacted_header
from tests.export.examples import HOSTILE, MAIL, PUBLICATION, finding

SECRETS = ("trap.trap@", "trap.trap=", "secret@", "inside.example")


def read(data: bytes) -> EmailMessage:
    """Read a report as a mail program would."""
    message = message_from_bytes(data, policy=policy.default)
    assert isinstance(message, EmailMessage)
    assert message.defects == []
    return message


def whole_text(message: EmailMessage) -> str:
    """Return all that is in a report, decoded."""
    parts = [str(part.items()) for part in message.walk()]
    for part in message.walk():
        payload = part.get_payload(decode=True)
        if isinstance(payload, bytes):
            parts.append(payload.decode())
        elif part.get_content_type() == "message/feedback-report":
            parts.append(part.as_string())
    return "\n".join(parts)


class TestArf:
    def test_has_the_three_parts(self) -> None:
        """A text, the machine's part, and the header of the mail (RFC 5965, section 2)."""
        message = read(arf_mail(finding("198.18.10.1"), MAIL, PUBLICATION))

        assert message.get_content_type() == "multipart/report"
        assert message.get_param("report-type") == "feedback-report"
        assert [part.get_content_type() for part in message.iter_parts()] == [
            "text/plain",
            "message/feedback-report",
            "text/rfc822-headers",
        ]
        feedback = whole_text(message)
        for line in ("Feedback-Type: abuse", "Version: 1", "Source-IP: 198.18.10.1"):
            assert line in feedback
        assert "Arrival-Date: Sun, 22 Nov 2026 11:59:57 +0000" in feedback

    @pytest.mark.parametrize("write", [arf_mail, xarf_mail])
    def test_only_who_delivered_to_us_is_reported(self, write: object) -> None:
        """A hop below the boundary may be forged, so it is never reported."""
        assert callable(write)
        with pytest.raises(InputError, match="did not deliver"):
            write(finding("198.18.10.1", delivered=0), MAIL, PUBLICATION)

    @pytest.mark.parametrize("write", [arf_mail, xarf_mail])
    def test_recipients_are_redacted(self, write: object) -> None:
        """No address of ours is in a report: not in To, Subject, Message-ID, for or a bounce."""
        assert callable(write)
        message = read(write(finding("198.18.10.1"), MAIL, PUBLICATION))
        text = whole_text(message)
        if message.get_content_type() == "multipart/mixed":
            [document] = [part for part in message.iter_parts() if part.get_filename()]
            for item in json.loads(document.get_content())["evidence"]:
                text += base64.b64decode(item["payload"]).decode()

        assert not [secret for secret in SECRETS if secret in text.lower()]
        assert "redacted@redacted.invalid" in text

    @pytest.mark.parametrize("write", [arf_mail, xarf_mail])
    def test_hostile_words_add_no_field(self, write: object) -> None:
        """A line break in a reason stays inside its part."""
        assert callable(write)
        message = read(write(finding("198.18.10.1", because=HOSTILE), MAIL, PUBLICATION))

        assert message["Bcc"] is None
        assert all(part["Bcc"] is None for part in message.walk())
        assert "\x1b" not in whole_text(message)


class TestXarf:
    def test_follows_the_schema(self) -> None:
        """The official schemas take the document, and would mind a missing field."""
        document = xarf_document(finding("198.18.10.1"), MAIL, PUBLICATION)
        without = {name: value for name, value in document.items() if name != "compromise_evidence"}

        assert xarf.SchemaValidator().validate(document) == []
        assert len(xarf.SchemaValidator().validate(without)) == 1

    def test_the_same_evidence_is_the_same_report(self) -> None:
        """Whoever gets a report twice knows it by its number."""
        first, second = (
            xarf_document(finding("198.18.10.1"), MAIL, PUBLICATION)["report_id"] for _ in range(2)
        )
        assert first == second


class TestRedaction:
    def test_lines_of_our_own_side_are_left_out(self) -> None:
        """Only the boundary line and what the sender wrote below it is shown."""
        assert "store.inside.example" not in redacted_header(MAIL)

    @given(st.text(max_size=200), st.text(max_size=40))
    def test_any_text_becomes_one_line(self, text: str, recipient: str) -> None:
        """Whatever a header holds, it stays one harmless line, and the recipient is out of it."""
        line = redacted(text, [recipient])

        assert len(line.splitlines()) <= 1
        assert "\r" not in line

    def test_recipients_come_from_every_field(self) -> None:
        """To, the envelope and each for clause name recipients; the longest is replaced first."""
        assert set(recipients_of(MAIL)) == {
            "Trap.Trap@trap.example",
            "trap.trap@trap.example",
            "secret@inside.example",
        }
