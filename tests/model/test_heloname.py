"""Names to introduce ourselves by."""

import pytest

from botprobe.model.heloname import is_helo_name

LABEL = "a" * 63
DOMAIN = ".".join([LABEL] * 3)


class TestIsHeloName:
    @pytest.mark.parametrize(
        "name",
        [
            "mx.example.org",
            "localhost",
            "my_box",
            "xn--bcher-kva.example",
            "7.example",
            LABEL,
            f"{DOMAIN}.{'b' * 63}",
            "[192.0.2.1]",
            "[IPv6:2001:db8::1]",
            "[ipv6:::ffff:192.0.2.1]",
        ],
    )
    def test_what_the_rfc_allows(self, name: str) -> None:
        """A domain, or an address literal; and the underscores of real machines."""
        assert is_helo_name(name)

    @pytest.mark.parametrize(
        "name",
        [
            "",
            " ",
            "a b",
            "mx.example.org ",
            "mx.example.org\n",
            "x\r\nMAIL FROM:<>",
            "mx\x00.example",
            "a..example",
            ".example.org",
            "example.org.",
            "-mx.example",
            "mx-.example",
            "b\u00fccher.example",
            "\u0661.example",
            f"{LABEL}a",
            f"{DOMAIN}.{'b' * 64}",
            f"{DOMAIN}.{'b' * 32}.{'c' * 31}",
            "192.0.2.1",
            "2001:db8::1",
            "[2001:db8::1]",
            "[IPv6:fe80::1%eth0]",
            "[192.0.2.256]",
            "[mx.example.org]",
            "[]",
        ],
    )
    def test_what_cannot_be_said(self, name: str) -> None:
        """No server takes it for a name, and some break off."""
        assert not is_helo_name(name)
