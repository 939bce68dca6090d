"""Lines of real form with a few words changed: where a short reading and the long one may part."""

import re

from hypothesis import strategies as st

from tests.intake.writerlines import LINES

_WORDS = re.compile(r"[A-Za-z0-9.:+-]+|.")
_ODD = (
    *("by", "id", "with", "for", "FROM", "via", "tls", "HELO", "account", "unknown", "softdnserr"),
    *("x.", "a=b", "a@b", "[192.0.2.9]", "999.1.1.1", "::ffff:192.0.2.1", "IPv6:2001:db8::1", "Z"),
    *("(TLS)", "(a (b) c)", "(authenticated)", "(envelope-from <s@x>)", "(may be forged)", "(Exim"),
    *("Received:", "ESMTPSA", "HTTP", "LMTP", "local", "esmtpa", "Exim", "Postfix", "8.9.3/8.9.3"),
    *("(", ")", "[", "]", '"', "\\", "<", ">", ";", ",", "@", "=", ":", " ", "", "0", "5 Oct 26"),
)


@st.composite
def mutants(draw: st.DrawFn, lines: tuple[str, ...] = LINES) -> str:
    """A line that a mail server writes, unfolded, with up to three of its words changed."""
    parts = _WORDS.findall(" ".join(draw(st.sampled_from(lines)).split()))
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(parts)))
        end = start + draw(st.integers(0, 2))
        parts[start:end] = draw(st.lists(st.sampled_from(_ODD), max_size=2))
    return " ".join("".join(parts).split())
