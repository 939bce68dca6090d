"""The demonstration's copies are the samples, come a moment ago."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from msgspec.structs import replace

from botprobe.intake.message import read_mail
from botprobe.model.mail import Hop, Mail
from tests.lab.redelivery import PAUSE, redeliver, redelivered

SAMPLES = Path(__file__).parents[2] / "maildir_samples"
NOW = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)


def _undated(hop: Hop) -> Hop:
    return replace(hop, at=None, raw="")


def _read(path: Path) -> Mail:
    return read_mail(path.read_bytes(), path.name)


class TestRedelivered:
    def test_moves_every_date_and_keeps_the_times_between(self) -> None:
        """The topmost date is the arrival; the others keep their distance and their zones."""
        mail = (
            b"Received: from a (b [198.18.10.1]) by mx.example;\n"
            b"\tTue, 9 Sep\n 2025 20:18:31 +0200\n"
            b"Date: Tue, 09 Sep 2025 11:18:21 -0700\n\nsee you on 9 Sep 2025 20:18:31 +0200\n"
        )

        moved = redelivered(mail, NOW)

        assert b"mx.example;\n\tThu, 26 Nov 2026 14:00:00 +0200\n" in moved
        assert b"Date: Thu, 26 Nov 2026 04:59:50 -0700\n" in moved
        assert moved.endswith(b"\n\nsee you on 9 Sep 2025 20:18:31 +0200\n")

    def test_a_mail_without_a_date_stays_as_it_is(self) -> None:
        """There is nothing to move, and nothing is invented."""
        assert redelivered(b"Subject: x\n\nbody", NOW) == b"Subject: x\n\nbody"


class TestRedeliver:
    def test_every_sample_is_read_as_before_but_for_its_dates(self, tmp_path: Path) -> None:
        """Hops, trust and boundary are the sample's own, and all mails came within the hour."""
        copy = tmp_path / "fresh"

        count = redeliver(SAMPLES, copy, NOW)

        pairs = [
            (_read(path), _read(copy / path.relative_to(SAMPLES)))
            for folder in ("new", "cur")
            for path in (SAMPLES / folder).iterdir()
        ]
        assert count == len(pairs)
        for old, new in pairs:
            assert new.boundary == old.boundary
            assert list(map(_undated, new.hops)) == list(map(_undated, old.hops))
            assert (new.delivered_at is None) == (old.delivered_at is None)
            if new.delivered_at is not None:
                assert NOW - count * PAUSE - timedelta(days=3) <= new.delivered_at <= NOW
