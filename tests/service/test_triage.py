"""Who goes first in a flood of mails."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botprobe.intake.networks import parse_networks
from botprobe.intake.peek import peek_sender
from botprobe.intake.trust import TrustSettings
from botprobe.intake.watching import MailFile
from botprobe.service.triage import Triage
from tests.service.test_reader import mail

OURS = TrustSettings(trusted_networks=parse_networks(("198.18.0.0/24",)))


class TestPeekSender:
    @pytest.mark.parametrize(
        ("header", "sender"),
        [
            ("from x (unknown [198.18.10.1]) by mx", "198.18.10.1"),
            ("from in (in [198.18.0.9]) by mx\nReceived: from x ([198.18.10.2])", "198.18.10.2"),
            ("from x ([IPv6:2001:db8::1])", "2001:db8::1"),
            ("from x (HELO y) (198.18.10.3)", "198.18.10.3"),
            ("from x ([192.168.0.1])", None),
            ("nothing at all", None),
        ],
    )
    def test_names_the_first_who_is_not_one_of_us(self, header: str, sender: str | None) -> None:
        """Our own hosts and private ones are passed over."""
        found = peek_sender(f"Received: {header}\n\n".encode(), OURS)

        assert (found and str(found)) == sender

    @given(st.binary(max_size=200))
    def test_any_bytes_give_an_address_or_none(self, data: bytes) -> None:
        """A glance never fails."""
        found = peek_sender(data + b"[198.18.10.1]", OURS)

        assert found is not None


class TestTriage:
    def test_the_first_mail_of_a_host_goes_before_its_others(self, tmp_path: Path) -> None:
        """Of a campaign, one mail per host is urgent; what cannot be read is not."""
        files = [MailFile(tmp_path, tmp_path / name) for name in ("1", "2", "3", "gone")]
        for file, host in zip(files, (1, 1, 2), strict=False):
            file.path.write_text(mail(host))
        triage = Triage(OURS)

        urgent, others = triage.sort(files)
        again, _ = triage.sort(files)

        assert [file.path.name for file in urgent] == ["1", "3"]
        assert [file.path.name for file in others] == ["2", "gone"]
        assert again == []
