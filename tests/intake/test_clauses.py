"""The clauses of a Received field."""

import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from botprobe.intake.clauses import comments_in, split_clauses, split_tokens
from tests.intake.mutants import mutants

# Texts made of the parts that decide how a field is read.
parts = st.sampled_from(
    [
        "from",
        "by",
        "with",
        "id",
        "for",
        "via",
        "tls",
        "By",
        "FROM",
        "x.example",
        "[1.2.3.4]",
        '\\"',
        "x\\",
        "(a b)",
        "(a (b) c)",
        "(",
        ")",
        "[",
        '"',
        '"q r"',
        "\\",
        ";",
        "<u@x>",
        "(a;b)",
        "ESMTP",
    ]
)
fields = st.lists(st.builds(str.__add__, parts, st.sampled_from(["", " ", " "])), max_size=16).map(
    "".join
)


class TestSplitClauses:
    def test_takes_each_clause_from_its_keyword(self) -> None:
        """All clauses of RFC 5321 are found, comments apart from words."""
        clauses = split_clauses(
            "from a.example (b.example [192.0.2.1]) (TLS) by c.example (Postfix) "
            "with ESMTPS (cipher) id 7X for <u@example.org>; Mon, 5 Oct 2026 09:12:44 +0200"
        )

        assert clauses.sender == ("a.example",)
        assert clauses.comment == "b.example [192.0.2.1]"
        assert clauses.second_comment == "TLS"
        assert (clauses.by, clauses.by_comment) == ("c.example", "Postfix")
        assert (clauses.protocol, clauses.id) == ("ESMTPS", "7X")
        assert clauses.recipient == "<u@example.org>"
        assert clauses.date == " Mon, 5 Oct 2026 09:12:44 +0200"

    @pytest.mark.parametrize("helo", ["from", "by", "with", "id", "for", "via", "BY"])
    def test_the_word_behind_from_is_data(self, helo: str) -> None:
        """A sender that says HELO by hides nothing."""
        clauses = split_clauses(f"from {helo} (unknown [192.0.2.1]) by mx.example.org; x")

        assert clauses.sender == (helo,)
        assert clauses.by == "mx.example.org"

    @pytest.mark.parametrize(
        "hidden",
        ["(x by y)", '(Client CN "x by y", Issuer "y")', "(a (nested by b) c)", "(a \\) by b)"],
    )
    def test_keywords_in_comments_do_not_count(self, hidden: str) -> None:
        """What the sender can write into a comment is no clause."""
        clauses = split_clauses(f"from h (r [192.0.2.1]) {hidden} by mx.example.org; x")

        assert clauses.by == "mx.example.org"

    def test_a_quoted_recipient_is_one_word(self) -> None:
        """A quoted local part may hold spaces and keywords."""
        clauses = split_clauses('from h (r) by mx for <"v by q"@example.org>; x')

        assert clauses.by == "mx"
        assert clauses.recipient == '<"v by q"@example.org>'

    def test_the_last_semicolon_outside_of_comments_begins_the_date(self) -> None:
        """A semicolon in a HELO, a comment or an address is not the date's."""
        clauses = split_clauses("from h; (r ; x) by mx (a; b); 5 Oct 2026 07:12:44 -0000 (x; y)")

        assert clauses.date == " 5 Oct 2026 07:12:44 -0000 (x; y)"

    @pytest.mark.parametrize("mark", ["(", ")", "[", '"'])
    def test_a_mark_without_a_partner_is_damage(self, mark: str) -> None:
        """Before the writer's name it makes the whole line doubtful."""
        assert split_clauses(f"from h {mark} by mx; x").damaged

    @given(fields | mutants())
    @settings(max_examples=500)
    @example("by x with ESMTPB id;")
    @example("by x id for; y")
    @example("by x with tls id y; z")
    @example("by x with esmtp tls; z")
    def test_the_short_way_and_the_long_way_agree(self, value: str) -> None:
        """Whatever the short form takes, the tokens give the same clauses for it."""
        short, long = split_clauses(value), split_tokens(value)

        assert comments_in(short.protocol_comments) == comments_in(long.protocol_comments)
        assert short._replace(protocol_comments="") == long._replace(protocol_comments="")

    @given(st.text())
    def test_never_fails(self, value: str) -> None:
        """Any text is taken apart."""
        assert isinstance(split_clauses(value).date, str)

    @pytest.mark.parametrize(
        "part", ["(", "((", "(x) ", '"', '\\"', "[", ";", "by ", "a", "(a", '(" ', "tls ", ") ("]
    )
    def test_time_grows_with_the_length_only(self, part: str) -> None:
        """Sixteen times the text takes nowhere near 256 times the time."""

        def spent(size: int) -> float:
            value = ("from x " + part * size)[:size]
            start = time.process_time()
            split_clauses(value)
            return time.process_time() - start

        # A busy machine spoils one measurement, not three.
        assert any(spent(1 << 20) < 100 * max(spent(1 << 16), 0.001) for _ in range(3))
