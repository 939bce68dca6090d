"""Mail addresses, checked and normalised."""

import pytest
from email_validator import EmailNotValidError, validate_email
from hypothesis import given
from hypothesis import strategies as st

from botprobe.intake.mailaddresses import MAX_ADDRESSES, find_addresses, normalise

plain = st.from_regex(
    r"[A-Za-z0-9.+_-]{1,70}@[A-Za-z0-9.-]{1,70}(\.(org|local|test|arpa|onion|invalid))?",
    fullmatch=True,
)


class TestNormalise:
    @pytest.mark.parametrize(
        ("written", "normal"),
        [
            ("Some.Body@Example.ORG", "Some.Body@example.org"),
            ("u+tag@example.org", "u+tag@example.org"),
            ("u@bücher.example", "u@bücher.example"),
            ("u@xn--bcher-kva.example", "u@bücher.example"),
            ('"a b"@example.org', '"a b"@example.org'),
            ("u@[192.0.2.1]", "u@[192.0.2.1]"),
        ],
    )
    def test_valid_addresses_have_one_form(self, written: str, normal: str) -> None:
        """The domain in lower case and in Unicode, the local part as it is."""
        assert normalise(written) == normal

    @pytest.mark.parametrize(
        "written",
        [
            "",
            "u",
            "@example.org",
            "u@",
            "u@-a.example",
            "u@a_b.example",
            ".u@example.org",
            "u..v@example.org",
            "u@" + "b" * 64 + ".org",
            "u@" + "b." * 4000,
            "root@localhost",
        ],
    )
    def test_others_are_none(self, written: str) -> None:
        """What no server could be asked to deliver is no address."""
        assert normalise(written) is None

    @given(plain)
    def test_the_short_way_agrees_with_the_library(self, written: str) -> None:
        """email-validator has the last word on every plain address."""
        try:
            checked = validate_email(
                written, check_deliverability=False, globally_deliverable=False
            ).normalized
        except EmailNotValidError:
            assert normalise(written) is None
        else:
            assert normalise(written) == checked


class TestFindAddresses:
    @pytest.mark.parametrize(
        ("value", "addresses"),
        [
            (" Some Body <u@Example.org>", ("u@example.org",)),
            ('"Body, Some" <u@example.org>', ("u@example.org",)),
            ("u@example.org", ("u@example.org",)),
            ("a@example.org,\n b <b@example.org>", ("a@example.org", "b@example.org")),
            ("a@example.org, A@EXAMPLE.org, a@example.org", ("a@example.org", "A@example.org")),
            ("=?utf-8?q?S=C3=B6?= <u@example.org>", ("u@example.org",)),
            ("undisclosed-recipients:;", ()),
            ("<>", ()),
            ("nobody", ()),
            ("u@a_b.example", ("u@a_b.example",)),
        ],
    )
    def test_each_address_once(self, value: str, addresses: tuple[str, ...]) -> None:
        """Names are left out; an address that is not valid is reported as it was written."""
        assert find_addresses(value) == addresses

    def test_not_more_than_a_hundred(self) -> None:
        """A list without end is cut."""
        value = ", ".join(f"u{number}@example.org" for number in range(1000))

        assert len(find_addresses(value)) == MAX_ADDRESSES

    @given(st.text())
    def test_never_fails(self, value: str) -> None:
        """Any text has addresses or none."""
        assert all("@" in address for address in find_addresses(value))
