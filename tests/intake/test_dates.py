"""Dates of trace fields."""

from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botprobe.intake.dates import IMPOSSIBLE, parse_date, parse_stamp, trailing_date

NOON = datetime(2018, 4, 21, 3, 1, 1, tzinfo=UTC)


class TestParseDate:
    @pytest.mark.parametrize(
        "text",
        [
            "Sat, 21 Apr 2018 03:01:01 +0000",
            " Sat, 21 Apr 2018 05:01:01 +0200 (CEST)",
            "Saturday, 21 Apr 2018 03:01:01 +0000",
            "21 Apr 2018 03:01:01 -0000",
            "21 Apr 18 03:01:01 GMT",
            "21-Apr-2018 03:01:01 +0000",
            "Apr 21 2018 03:01:01 +0000",
            "Apr, 21 2018 3:01:01 AM +0000",
            "Sat Apr 21 03:01:01 2018",
            "Sat Apr 21 03:01:01 2018 +0000",
            "4/20/2018 23:01:01 -0400 (EDT)",
            "4/20/2018 11:01:01 PM -04:00",
            "4-21-2018 3:01:01 AM",
            "2018-4-21 3:01:01 AM",
            "2018-04-21 03:01:01.000000000 +0000 UTC",
            "2018-04-21T03:01:01 Z",
            "Fri, 20 Apr 2018 22:01:01 EST",
            "Sat, 21 Apr 2018 03:01:01 +0000 for <u@example.org>",
            "Sat, 21 Apr 2018 03:01:01 +0000\n\t(envelope-from <s@example.net>)",
        ],
    )
    def test_reads_each_spelling(self, text: str) -> None:
        """Old, American and ISO spellings mean the same moment; without a zone it is UTC."""
        assert parse_date(text) == NOON

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "not a date",
            "tue, 15 aug 2000 gmt",
            "22 Apr 2018",
            "wed, 21 feb 2001 19:29: 59 -0500",
            "tue, 15 aug 2000 08:57:09 -04= 00",
            "of, 15 ssa 2000 09:40:38 -0600",
            "Sat, 21 Apr 2018 03:01:01 XYZ",
            "Sat, 21 Apr 2018 03:01:01 IST",
            "4/20/2018 13:01:01 PM",
        ],
    )
    def test_never_invents_a_date(self, text: str) -> None:
        """What lacks a part, or names a zone that is several zones, has no date."""
        assert parse_date(text) is None

    @pytest.mark.parametrize(
        "text",
        [
            "Mon, 1 Jan 2024 00:00:00 +9900",
            "Mon, 1 Jan 2024 00:00:00 -1300",
            "Mon, 1 Jan 2024 00:00:00 +0107",
            "31 Feb 2020 10:00:00 +0000",
            "1 Feb 2020 25:00:00 +0000",
        ],
    )
    def test_an_impossible_date_is_named_as_such(self, text: str) -> None:
        """A zone or a day that does not exist is a fault of its own, fit to be evidence."""
        stamp = parse_stamp(text)

        assert stamp.at is None
        assert stamp.fault.startswith(IMPOSSIBLE)

    @given(
        st.datetimes(min_value=datetime(1950, 1, 1), max_value=datetime(9998, 1, 1)),  # noqa: DTZ001
        st.integers(min_value=-48, max_value=56),
    )
    def test_what_the_standard_library_writes_is_read_back(
        self, moment: datetime, quarters: int
    ) -> None:
        """Every moment in every zone that exists survives RFC 5322."""
        zone = timezone(timedelta(minutes=15 * quarters))
        written = moment.replace(microsecond=0, tzinfo=zone)

        assert parse_date(format_datetime(written)) == written

    @given(st.text())
    def test_never_fails(self, text: str) -> None:
        """Any text at all is a moment in UTC or None."""
        moment = parse_date(text)

        assert moment is None or moment.utcoffset() == timedelta()


class TestTrailingDate:
    def test_finds_a_date_without_a_semicolon(self) -> None:
        """SendGrid puts the date at the end and leaves the semicolon out."""
        field = "by filter.example.net with SMTP id 1-2\n 2018-03-26 13:35:36.270951634 +0000 UTC"

        assert trailing_date(field) == "2018-03-26 13:35:36.270951634 +0000 UTC"

    def test_a_date_in_the_middle_does_not_count(self) -> None:
        """What follows a date is no date's end."""
        assert not trailing_date("by x Mon, 26 Mar 2018 13:35:36 +0000 id 1")
