"""Tests of the forms of a HELO."""

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botprobe.classify.heloforms import HeloForm, helo_form
from tests.classify.builders import ADDRESS, DYNAMIC_NAME


class TestHeloForm:
    @pytest.mark.parametrize(
        ("helo", "form"),
        [
            ("localhost", HeloForm.LOCALHOST),
            ("localhost.localdomain", HeloForm.LOCALHOST),
            ("[127.0.0.1]", HeloForm.LOCALHOST),
            ("::1", HeloForm.LOCALHOST),
            ("198.18.10.1", HeloForm.BARE_ADDRESS),
            ("[198.18.10.1]", HeloForm.LITERAL),
            ("203.0.113.7", HeloForm.FOREIGN_ADDRESS),
            ("[8.8.8.8]", HeloForm.FOREIGN_ADDRESS),
            ("192.168.1.5", HeloForm.FOREIGN_ADDRESS),
            ("[192.168.1.5]", HeloForm.PRIVATE_ADDRESS),
            ("[IPv6:fd00::5]", HeloForm.PRIVATE_ADDRESS),
            ("gmail.com", HeloForm.FREEMAIL),
            ("Hotmail.COM.", HeloForm.FREEMAIL),
            ("mail-ed1-f41.google.com", HeloForm.NAME),
            ("gmail.com.firm.example", HeloForm.NAME),
            ("mx.gmail.com", HeloForm.NAME),
            ("DESKTOP-1AB2C3D", HeloForm.UNQUALIFIED),
            ("pc.fritz.lan", HeloForm.UNQUALIFIED),
            ("", HeloForm.UNQUALIFIED),
            (DYNAMIC_NAME, HeloForm.DYNAMIC),
            ("198-18-10-1.isp.example", HeloForm.DYNAMIC),
            ("mail.firm.example", HeloForm.NAME),
            ("[not.an.address]", HeloForm.NAME),
            ("999.999.999.999", HeloForm.NAME),
        ],
    )
    def test_tells_the_forms_apart(self, helo: str, form: HeloForm) -> None:
        """RFC 5321 allows a full name or an address in brackets; bots say all sorts of things."""
        assert helo_form(helo, ADDRESS) is form

    def test_literal_of_an_ipv6_client(self) -> None:
        """The tag of RFC 5321 is not part of the address."""
        address = ip_address("2001:db8:10::1")

        assert helo_form("[IPv6:2001:DB8:10::1]", address) is HeloForm.LITERAL
        assert helo_form("[IPv6:2001:db8:10::2]", address) is not HeloForm.LITERAL

    @given(st.text(max_size=2000))
    def test_takes_any_text(self, helo: str) -> None:
        """The HELO is the sender's own: anything at all has a form."""
        assert helo_form(helo, ADDRESS) in HeloForm
