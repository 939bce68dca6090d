"""The commonest fields, read in one step."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botprobe.intake.received import read_any
from botprobe.intake.usual import read_usual
from tests.intake import corpus
from tests.intake.writerlines import DATE, FORMS, Slots

parts = st.sampled_from(
    [
        "mail.example.net",
        "[192.0.2.9]",
        "unknown",
        "by",
        "HELO",
        "helo",
        "account",
        "softdnserr",
        "x.",
        "a=b",
    ]
)
literals = st.sampled_from(
    ["192.0.2.1", "IPv6:2001:db8::1", "999.1.1.1", "unknown", "::ffff:192.0.2.1"]
)
comments = st.sampled_from(
    ["", " (TLS)", " (a (b) c)", " (authenticated)", " (envelope-from <s@x>)"]
)
fields = st.builds(
    "from {} ({} [{}]){} by {} ({}) with {}{} id {}{} for {}; {}".format,
    parts,
    parts,
    literals,
    comments,
    parts,
    st.sampled_from(["Postfix", "8.17.1/8.17.1", "8.9.3", "Exim 4.97", "Postfix, from userid 1"]),
    st.sampled_from(["ESMTP", "SMTP", "ESMTPS", "ESMTPSA", "HTTP", "LMTP"]),
    comments,
    st.sampled_from(["4XYZ12", "<4X@y>", "4X,", "for"]),
    comments,
    st.sampled_from(["<u@example.org>", "u@example.org", "<a@x>,<b@x>", "with"]),
    st.sampled_from([DATE, f"{DATE} (CEST)", DATE.replace("+0200", "+9900"), "5 Oct 26 9:12 GMT"]),
)


class TestReadUsual:
    @given(fields)
    def test_agrees_with_the_long_way(self, raw: str) -> None:
        """It leaves a field to the long way, or reads it just the same."""
        hop = read_usual(raw, 3)

        assert hop is None or hop == read_any(raw, 3)

    @pytest.mark.parametrize("name", ["Postfix", "Postfix, no reverse DNS", "Sendmail"])
    def test_takes_what_it_is_made_for(self, name: str) -> None:
        """Otherwise it would be of no use."""
        (form,) = (form for form in FORMS if form.name == name)

        assert read_usual(" ".join(form.fill(Slots()).split()), 0) is not None

    @pytest.mark.skipif(not corpus.MAILS.is_dir(), reason="no test material in ../shared/data")
    @pytest.mark.timeout(120)
    def test_agrees_on_real_mail(self) -> None:
        """Thousands of fields of real servers are read alike on both ways."""
        raws = {hop.raw for mail in corpus.all_mails() for hop in mail.hops}
        short = [hop for raw in raws if (hop := read_usual(raw, 0)) is not None]

        assert len(short) > 1000
        assert [hop for hop in short if hop != read_any(hop.raw, 0)] == []
