"""Tests of the laboratory's Windows services, with nmap's own scripts and with hostile clients."""

import struct

import pytest

from tests.lab.stream import Hear, HearAny, Say, Script
from tests.lab.windowsservices import WINDOWS_SERVICES, ntlm_challenge


def talk(script: Script, said: list[bytes]) -> bytes:
    """Let a client say these things, and return all that the service answered."""
    answer, heard = b"", iter(said)
    try:
        action = next(script)
        while True:
            match action:
                case Say(data):
                    answer += data
                    action = script.send(b"")
                case Hear() | HearAny():
                    action = script.send(next(heard, b""))
    except StopIteration:
        return answer


class TestNtlmChallenge:
    def test_carries_version_and_name(self) -> None:
        """Scripts find both at the places of [MS-NLMP] 2.2.1.2."""
        challenge = ntlm_challenge("10.0.19045", "OFFICE")

        assert challenge[:12] == b"NTLMSSP\0\x02\0\0\0"
        assert challenge[48:56] == b"\x0a\x00\x65\x4a\x00\x00\x00\x0f"
        assert "OFFICE".encode("utf-16-le") in challenge


class TestServices:
    def test_http_challenges_who_offers_ntlm(self) -> None:
        """Without an NTLM offer nothing is told."""
        request = [b"GET / HTTP/1.1\r\n", b"Authorization: NTLM AAAA\r\n", b"\r\n"]

        told = talk(WINDOWS_SERVICES["http-ntlm-6.0.6002"]("OFFICE"), request)
        silent = talk(WINDOWS_SERVICES["http-ntlm-6.0.6002"]("OFFICE"), [request[0], b"\r\n"])

        assert b"WWW-Authenticate: NTLM TlRMTVNTUAAC" in told
        assert b"WWW-Authenticate: NTLM\r\n" in silent

    @pytest.mark.parametrize("name", sorted(WINDOWS_SERVICES))
    @pytest.mark.parametrize("noise", [[], [b"\0"], [b"\xff" * 3000], [b"\r\n"], [b"\0\0\0\x04r"]])
    def test_noise_ends_no_responder(self, name: str, noise: list[bytes]) -> None:
        """All hosts share one process: what a client sends must not raise in it."""
        answer = talk(WINDOWS_SERVICES[name]("OFFICE"), noise)

        assert len(answer) < 1_000

    @pytest.mark.parametrize(
        ("offered", "status", "dialect"),
        [((0x0202, 0x0210, 0x0311), 0, 0x0210), ((0x0300,), 0xC00000BB, 0)],
    )
    def test_smb_2_settles_on_the_newest_common_dialect(
        self, offered: tuple[int, ...], status: int, dialect: int
    ) -> None:
        """[MS-SMB2] 3.3.5.4; with nothing in common it refuses."""
        body = struct.pack("<HH32x", 36, len(offered)) + struct.pack(f"<{len(offered)}H", *offered)
        request = b"\xfeSMB" + struct.pack("<H58x", 64) + body
        said = struct.pack(">I", len(request)) + request

        answer = talk(WINDOWS_SERVICES["smb2-2.1"]("OFFICE"), [said])

        assert int.from_bytes(answer[12:16], "little") == status
        assert int.from_bytes(answer[72:74], "little") == dialect
