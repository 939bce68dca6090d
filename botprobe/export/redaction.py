"""Header fields of a spam mail without its recipients (RFC 6590).

A report goes to strangers and may reach the spammer; a trap whose address is told is a trap no
longer. What the sender wrote (subject, names, Message-ID) may carry the address too, also in the
form that encodes it into the sender (``user=host@``).
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from botprobe.model.text import visible

REDACTED = "redacted@redacted.invalid"

# Lines of a report are read by people; a longer field is cut.
MAX_FIELD = 2_000

_FOR = re.compile(r"(?i)\bfor\s+<?[^\s<>;]+@[^\s<>;]+>?")


def recipients_of(mail: Mapping[str, Any]) -> tuple[str, ...]:
    """Collect every address that the mail was meant for, longest first."""
    hops = (hop.get("for") for hop in mail.get("hops", ()))
    named = {*mail.get("to", ()), *hops, mail.get("envelope_to")}
    return tuple(sorted((name.strip("<>") for name in named if name), key=len, reverse=True))


def redacted(text: str, recipients: Iterable[str]) -> str:
    """Take all recipients out of a header field and make it one harmless line."""
    for recipient in recipients:
        user, _, host = recipient.partition("@")
        for form in (recipient, f"{user}={host}"):
            if "@" in recipient:
                text = re.sub(re.escape(form), REDACTED, text, flags=re.IGNORECASE)
    return visible(_FOR.sub(f"for <{REDACTED}>", text))[:MAX_FIELD]


def redacted_header(mail: Mapping[str, Any]) -> str:
    """Write the trace and the identity of a mail as header lines, recipients taken out.

    Args:
        mail: a ``botprobe/mail/1`` document.
    """
    recipients = recipients_of(mail)
    boundary = mail["boundary"]["hop"]
    lines = [
        f"Received: {redacted(hop['raw'], recipients)}"
        for hop in mail["hops"]
        if boundary is not None and hop["index"] >= boundary and hop["trust"] != "synthetic"
    ]
    for name, key in (("From", "from"), ("Subject", "subject"), ("Message-ID", "message_id")):
        if mail.get(key):
            lines.append(f"{name}: {redacted(mail[key], recipients)}")
    lines.append(f"To: {REDACTED}")
    return "\n".join(lines) + "\n"
