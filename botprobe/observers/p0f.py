"""What p0f made of a host's own packets when it delivered, asked over p0f's socket.

p0f 3 watches the traffic of the mail server. What a SYN said at delivery beats what nmap sees a
minute later through a NAT, but p0f knows few systems and no editions. Its guess at shared addresses
is not used: a host that opens twenty connections looks like twenty hosts to it. The protocol is
that of p0f's README, section 4, in the byte order of this machine.
"""

import asyncio
import struct
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from botprobe.errors import ParseError, ProbeUnavailable
from botprobe.model.mail import IpAddress
from botprobe.model.results import PassiveResult
from botprobe.model.target import Target

_QUERY_MAGIC, _ANSWER_MAGIC = 0x50304601, 0x50304602
_OK, _UNKNOWN_HOST = 0x10, 0x20
_FUZZY = 0x01
_QUERY = struct.Struct("=IB16s")
# magic, status; first_seen, last_seen, total_conn; uptime_min, up_mod_days; last_nat, last_chg;
# distance, bad_sw, os_match_q; os_name, os_flavor, http_name, http_flavor, link_type, language
_ANSWER = struct.Struct("=II III II II hBB 32s32s32s32s32s32s")


def write_query(address: IpAddress) -> bytes:
    """Write the question for one address."""
    return _QUERY.pack(_QUERY_MAGIC, address.version, address.packed.ljust(16, b"\0"))


def read_answer(raw: bytes) -> PassiveResult | None:
    """Read an answer; None if p0f has not seen the host.

    Raises:
        ParseError: this is no answer of p0f 3, or it did not understand us.
    """
    if len(raw) != _ANSWER.size:
        raise ParseError("no answer of p0f", raw)
    magic, status, _, last_seen, *_, distance, _, quality, system, flavor, _, _, _, _ = (
        _ANSWER.unpack(raw)
    )
    if magic != _ANSWER_MAGIC or status not in {_OK, _UNKNOWN_HOST}:
        raise ParseError("p0f does not understand the question", raw)
    if status == _UNKNOWN_HOST:
        return None
    return PassiveResult(
        system=_text(system),
        flavor=_text(flavor),
        fuzzy=bool(quality & _FUZZY),
        distance=distance if distance >= 0 else None,
        last_seen=datetime.fromtimestamp(last_seen, UTC),
    )


def _text(field: bytes) -> str | None:
    return field.partition(b"\0")[0].decode("ascii", "replace") or None


@dataclass(frozen=True, slots=True, kw_only=True)
class P0fObserver:
    """Asks p0f about the target; no packet is sent to anybody."""

    socket: Path
    """Where p0f listens (its option -s)."""
    seconds: float = 2

    async def run(self, target: Target) -> PassiveResult:
        """Ask what p0f remembers.

        Raises:
            ProbeUnavailable: there is no p0f, or it has not seen the host.
        """
        try:
            async with asyncio.timeout(self.seconds):
                seen = read_answer(await self._exchange(write_query(target.address)))
        except (OSError, asyncio.IncompleteReadError, ParseError) as error:
            raise ProbeUnavailable(f"p0f at {self.socket}: {error}") from error
        if seen is None:
            raise ProbeUnavailable("p0f has not seen the host")
        return seen

    async def _exchange(self, query: bytes) -> bytes:
        reader, writer = await asyncio.open_unix_connection(str(self.socket))
        try:
            writer.write(query)
            return await reader.readexactly(_ANSWER.size)
        finally:
            writer.close()
