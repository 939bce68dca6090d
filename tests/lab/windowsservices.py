"""Windows services that tell their system to anybody who asks: NTLM over HTTP and RDP, SMB.

Just enough of each protocol for nmap's scripts ([MS-NLMP] 2.2.1.2, [MS-RDPBCGR] 2.2.1, [MS-CSSP]
2.2.1, [MS-CIFS] 2.2.4, [MS-SMB2] 2.2.4). Nobody can log in.
"""

import base64
import ssl
import struct
import subprocess
import tempfile
from collections.abc import Generator
from functools import cache, partial
from pathlib import Path

from tests.lab.stream import Action, Hear, HearAny, Say, Script

# Product versions that a host of the population can have, and the words that SMB 1 uses for them.
VERSIONS = (
    *("5.1.2600", "5.2.3790", "6.0.6000", "6.0.6002", "6.1.7601", "6.2.9200", "6.3.9600"),
    *("10.0.14393", "10.0.17763", "10.0.19045", "10.0.20348", "10.0.22631", "10.0.26100"),
)
PRODUCTS = {
    "xp": "Windows 5.1",
    "2003": "Windows Server 2003 3790 Service Pack 2",
    "7": "Windows 7 Professional 7601 Service Pack 1",
    "2008r2": "Windows Server 2008 R2 Standard 7601 Service Pack 1",
    "samba": "Windows 6.1",
}
# The newest dialect of SMB 2 that goes with each product; XP and 2003 know none.
_DIALECTS = {"7": 0x0210, "2008r2": 0x0210, "samba": 0x0311}
# What has SMB 1 turned off tells dialects only.
SMB2_ONLY = {"2.0.2": 0x0202, "2.1": 0x0210, "3.0": 0x0300, "3.0.2": 0x0302, "3.1.1": 0x0311}

_NEGOTIATE_FLAGS = 0xE28A8205  # [MS-NLMP] 2.2.2.5: version and target information are there
_TLS_CHUNK = 16_384
_SMB2 = b"\xfeSMB"
_NOT_SUPPORTED = 0xC00000BB  # STATUS_NOT_SUPPORTED, [MS-ERREF] 2.3.1


def ntlm_challenge(version: str, computer: str) -> bytes:
    """Return the CHALLENGE_MESSAGE of a Windows of this version."""
    major, minor, build = map(int, version.split("."))
    name = computer.encode("utf-16-le")
    pairs = b"".join(struct.pack("<HH", kind, len(name)) + name for kind in (1, 2)) + bytes(4)
    start = 56
    return (
        b"NTLMSSP\0"
        + struct.pack("<IHHI", 2, len(name), len(name), start)
        + struct.pack("<I8s8x", _NEGOTIATE_FLAGS, b"botprobe")
        + struct.pack("<HHI", len(pairs), len(pairs), start + len(name))
        + struct.pack("<BBH3xB", major, minor, build, 15)
        + name
        + pairs
    )


def http_ntlm(version: str, computer: str) -> Script:
    """Ask for a login by NTLM, as IIS does."""
    challenge = base64.b64encode(ntlm_challenge(version, computer)).decode()
    while (line := (yield Hear())) and line.split():
        offered = "NTLM"
        while (field := (yield Hear())).strip():
            if field.lower().startswith(b"authorization: ntlm "):
                offered = f"NTLM {challenge}"
        yield Say(
            f"HTTP/1.1 401 Unauthorized\r\nServer: Microsoft-IIS/10.0\r\n"
            f"WWW-Authenticate: {offered}\r\nContent-Length: 0\r\n\r\n".encode()
        )


def rdp(version: str, computer: str) -> Script:
    """Confirm the connection, and challenge inside of TLS, as network level authentication does."""
    yield HearAny()
    yield Say(bytes.fromhex("030000130ed000001234000200080002000000"))
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = _tls_context().wrap_bio(incoming, outgoing, server_side=True)
    greeted = False
    while heard := (yield HearAny()):
        incoming.write(heard)
        try:
            if not greeted:
                tls.do_handshake()
                greeted = True
            while tls.read(_TLS_CHUNK):
                tls.write(_cred_ssp(ntlm_challenge(version, computer)))
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError:
            return
        if answer := outgoing.read():
            yield Say(answer)


def smb1(product: str, newest: int, computer: str) -> Script:
    """Speak SMB 1 as far as the anonymous session in which the server names its system.

    Args:
        product: the name that the system gives itself.
        newest: the newest dialect of SMB 2 that it negotiates, 0 for none.
        computer: its NetBIOS name.
    """
    manager = "Samba 4.17.12" if product == PRODUCTS["samba"] else "Windows LAN Manager"
    while request := (yield from _smb_request()):
        match request[4]:
            case 0x40 if request[:4] == _SMB2 and newest:
                yield Say(_smb2_negotiated(request, newest))
                continue
            case 0x72:  # SMB_COM_NEGOTIATE: NT LM 0.12, challenge and response
                parameters = struct.pack("<HBHHIIIIQhB", 0, 3, 50, 1, 16_644, 65_536, 0, 0, 0, 0, 8)
                data = b"botprobe" + f"WORKGROUP\0{computer}\0".encode("utf-16-le")
            case 0x73:  # SMB_COM_SESSION_SETUP_ANDX
                parameters = struct.pack("<BBHH", 0xFF, 0, 0, 0)
                data = f"{product}\0{manager}\0WORKGROUP\0".encode("ascii")
            case _:
                return
        header = b"\xffSMB" + request[4:5] + bytes(4) + b"\x88\x01\x40" + request[12:32]
        body = bytes([len(parameters) // 2]) + parameters + struct.pack("<H", len(data)) + data
        yield Say(struct.pack(">I", len(header + body)) + header + body)


def smb2(newest: int, _: str) -> Script:
    """Negotiate SMB 2 up to a dialect, and hang up on whoever speaks SMB 1."""
    while (request := (yield from _smb_request())) and request[:4] == _SMB2:
        yield Say(_smb2_negotiated(request, newest))


def _smb2_negotiated(request: bytes, newest: int) -> bytes:
    """Answer a NEGOTIATE request with the newest dialect that both sides know."""
    count = int.from_bytes(request[66:68], "little")
    offered = (int.from_bytes(request[100 + 2 * i : 102 + 2 * i], "little") for i in range(count))
    known = [dialect for dialect in offered if 0 < dialect <= newest]
    status = 0 if known else _NOT_SUPPORTED
    # The reply flag, and of the request the message's number and the process.
    header = _SMB2 + struct.pack("<HHIHHII", 64, 0, status, 0, 1, 1, 0) + request[24:48] + bytes(16)
    if known:
        limits = (65_536, 65_536, 65_536)
        body = struct.pack("<HHHH16xIIIIQQHHI", 65, 1, max(known), 0, 0, *limits, 0, 0, 128, 0, 0)
    else:
        body = struct.pack("<HBBIB", 9, 0, 0, 0, 0)  # an ERROR response
    return struct.pack(">I", len(header + body)) + header + body


def _smb_request() -> Generator[Action, bytes, bytes]:
    """Collect one request; nothing when the client has closed."""
    heard = b""
    while len(heard) < 4 or len(heard) < 4 + int.from_bytes(heard[1:4], "big"):
        more = yield HearAny()
        if not more:
            return b""
        heard += more
    return heard[4:].ljust(102, b"\0")


def _cred_ssp(challenge: bytes) -> bytes:
    """Wrap a challenge into a TSRequest."""
    token = _der(0xA0, _der(0x04, challenge))
    return _der(0x30, b"\xa0\x03\x02\x01\x06" + _der(0xA1, _der(0x30, _der(0x30, token))))


def _der(tag: int, content: bytes) -> bytes:
    return bytes([tag, 0x82]) + len(content).to_bytes(2, "big") + content


@cache
def _tls_context() -> ssl.SSLContext:
    """Make a certificate, as every Windows does for itself when it is installed."""
    with tempfile.TemporaryDirectory() as folder:
        key, certificate = Path(folder) / "key", Path(folder) / "certificate"
        subprocess.run(
            [
                *("openssl", "req", "-x509", "-nodes", "-newkey", "ec"),
                *("-pkeyopt", "ec_paramgen_curve:prime256v1", "-subj", "/CN=laboratory"),
                *("-days", "30", "-keyout", str(key), "-out", str(certificate)),
            ],
            check=True,
            capture_output=True,
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
    return context


WINDOWS_SERVICES = {
    **{f"http-ntlm-{version}": partial(http_ntlm, version) for version in VERSIONS},
    **{f"rdp-{version}": partial(rdp, version) for version in VERSIONS},
    **{
        f"smb1-{name}": partial(smb1, product, _DIALECTS.get(name, 0))
        for name, product in PRODUCTS.items()
    },
    **{f"smb2-{name}": partial(smb2, dialect) for name, dialect in SMB2_ONLY.items()},
}
"""Name of the service to what takes the computer's name."""
