"""Tests of what names say about lines."""

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botprobe.classify.addressnames import (
    DYNAMIC_WORDS,
    MAIL_WORDS,
    STATIC_WORDS,
    NameKind,
    carries_address,
    name_kind,
)

V4 = ip_address("198.18.10.1")
V6 = ip_address("2001:db8:10::1a2b:3c4d")


class TestNameKind:
    @pytest.mark.parametrize(
        "name",
        [
            "dsl-198-18-10-1.pool.isp-a.example",
            "198-18-10-1.fiber.isp.example",
            "1.10.18.198.pool.cable.isp.example",
            "ppp-8.modem.isp.example",
            "host-10-1.adsl.isp.example",
            "cust-10-1.dyn.isp.example",
            "h24.wimax.isp.example",
            "p0a01.dip.isp.example",
            "c-198-18-10-1.hsd1.isp.example",
            "user-198018010001.isp.example",
            "pool-198-18-10-1.mail.isp.example",
            "mail-198-18-10-1.dyn.isp.example",
            "DSL-198-18-10-1.ISP.EXAMPLE.",
        ],
    )
    def test_lines_for_customers_are_dynamic(self, name: str) -> None:
        """A provider's word for a line, alone or beside the address."""
        assert name_kind(name, V4) is NameKind.DYNAMIC

    @pytest.mark.parametrize(
        "name",
        [
            "host-198-18-10-1.isp.example",
            "1.10.18.198.isp.example",
            "c6120a01.isp.example",
            "x-c6-12-0a-01.isp.example",
            "198x18x10x1.isp.example",
            "h198018010001.isp.example",
            "010a12c6.isp.example",
        ],
    )
    def test_names_made_from_the_address_are_generic(self, name: str) -> None:
        """Decimal or hex, forward or backward, with any separator."""
        assert name_kind(name, V4) is NameKind.GENERIC

    @pytest.mark.parametrize(
        "name",
        [
            "static-198-18-10-1.isp.example",
            "198-18-10-1.static.adsl.isp.example",
            "fixed.isp.example",
        ],
    )
    def test_fixed_lines_are_static(self, name: str) -> None:
        """The provider's word that a line is fixed outweighs its other words."""
        assert name_kind(name, V4) is NameKind.STATIC

    @pytest.mark.parametrize(
        "name",
        [
            "mail.firm.example",
            "mx1.dyn.com",
            "smtp-out3.cust.isp.example",
            "relay2.pool.isp.example",
            "mail-198-18-10-1.service.example",
            "o1.bounces.news.example",
        ],
    )
    def test_names_for_mail_are_mail(self, name: str) -> None:
        """A host that is named for mail is, wherever its domain lies."""
        assert name_kind(name, V4) is NameKind.MAIL

    @pytest.mark.parametrize(
        "name",
        [
            "www.firm.example",
            "dsl.example",
            "dynamic.com",
            "home.firm.example",
            "firm.example",
            "host-10-1.isp.example",
            "db1-2-3.firm.example",
            "",
            ".",
            "a" * 300 + ".dsl.isp.example",
        ],
    )
    def test_everything_else_is_plain(self, name: str) -> None:
        """A domain's own name is nobody's line, and two octets are a coincidence."""
        assert name_kind(name, V4) is NameKind.PLAIN

    @given(st.text(max_size=400), st.ip_addresses())
    def test_takes_any_text(self, name: str, address: object) -> None:
        """Names come from the DNS and from HELOs: anything at all has a kind."""
        assert name_kind(name, ip_address(str(address))) in NameKind

    def test_words_do_not_overlap(self) -> None:
        """A word speaks for one kind only."""
        assert not DYNAMIC_WORDS & MAIL_WORDS
        assert not DYNAMIC_WORDS & STATIC_WORDS
        assert not STATIC_WORDS & MAIL_WORDS


class TestCarriesAddress:
    @pytest.mark.parametrize(
        "text",
        [
            "2001-db8-10--1a2b-3c4d",
            "20010db80010000000000000" + "1a2b3c4d",
            "2001.0db8.0010.0000.0000.0000.1a2b.3c4d",
            "d.4.c.3.b.2.a.1.0.0.0.0.0.0.0.0.0.0.0.0.0.1.0.0.8.b.d.0.1.0.0.2",
            "host-1a2b3c4d",
        ],
    )
    def test_finds_ipv6_addresses(self, text: str) -> None:
        """Compressed with dashes, in full, by nibble backwards, or the host's half alone."""
        assert carries_address(text, V6)

    def test_short_interface_numbers_are_a_coincidence(self) -> None:
        """The 1 of 2001:db8::1 stands in many names."""
        assert not carries_address("host1", ip_address("2001:db8::1"))

    @given(st.ip_addresses(v=4))
    def test_finds_every_ipv4_address_in_its_usual_spellings(self, address: object) -> None:
        """Dashed, dotted, reversed, padded and hex forms are found for any address."""
        v4 = ip_address(str(address))
        octets = list(v4.packed)
        spellings = (
            "-".join(map(str, octets)),
            ".".join(map(str, octets[::-1])),
            "".join(f"{octet:03d}" for octet in octets),
            "".join(f"{octet:02x}" for octet in octets[::-1]),
            "ip" + "_".join(map(str, octets[:3])),
        )

        assert all(carries_address(spelling, v4) for spelling in spellings)
