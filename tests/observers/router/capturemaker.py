"""Big captures of a site's uplink: an hour of web traffic, and in it machines that mail.

Each frame stands ready as a form into which addresses and ports are put, so a gigabyte takes some
seconds. The same seed makes the same capture.
"""

import random
import struct
from collections.abc import Iterable, Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import IO, NamedTuple

from tests.observers.wire import ACK, FIN, LINUX_SYN, PSH, SYN, Segment

HOUR = 3600
MACHINES, BOTS, SERVERS = 1_300, 2, 40
BOTS_SHARE, SENDS = 0.3, 0.25
"""How much of the sessions is the bots', and how often the others send instead of fetching."""
WEB_FRAMES = 20
"""Full frames of a burst; every other one is acknowledged."""

# Who speaks (True: the client), flags, and bytes of payload: a mail of 3 KB, and one look at POP.
SENDING = (
    *((True, SYN, 0), (False, SYN | ACK, 0), (True, ACK, 0), (False, PSH | ACK, 40)),
    *((True, PSH | ACK, 20), (False, PSH | ACK, 120), (True, PSH | ACK, 32), (False, PSH | ACK, 8)),
    *((True, PSH | ACK, 30), (False, PSH | ACK, 8), (True, PSH | ACK, 6), (False, PSH | ACK, 37)),
    *((True, ACK, 1400), (True, ACK, 1400), (False, ACK, 0), (True, PSH | ACK, 272)),
    *((False, PSH | ACK, 30), (True, PSH | ACK, 6), (False, PSH | ACK, 15), (True, ACK, 0)),
    *((True, FIN | ACK, 0), (False, FIN | ACK, 0), (True, ACK, 0)),
)
FETCHING = (
    *((True, SYN, 0), (False, SYN | ACK, 0), (True, ACK, 0), (False, PSH | ACK, 20)),
    *((True, PSH | ACK, 12), (False, PSH | ACK, 5), (True, PSH | ACK, 15), (False, PSH | ACK, 20)),
    *((True, PSH | ACK, 6), (False, PSH | ACK, 10), (True, PSH | ACK, 8), (False, ACK, 1400)),
    *((True, ACK, 0), (True, PSH | ACK, 6), (False, PSH | ACK, 10), (True, FIN | ACK, 0)),
    *((False, FIN | ACK, 0), (True, ACK, 0)),
)


class Form(NamedTuple):
    """A frame without its addresses and ports."""

    by_client: bool
    before: bytes
    after: bytes


class Machine(NamedTuple):
    """Addresses of a machine and of its servers, packed."""

    own: bytes
    servers: list[bytes]
    forms: tuple[list[Form], list[Form]]
    """Of a mail that it sends, and of a look into its mailbox."""


def generate(path: Path, size: int, mail_share: float, seed: int = 8) -> None:
    """Write a capture of an hour.

    Args:
        path: where to.
        size: bytes, roughly.
        mail_share: how much of it is SMTP and POP.
        seed: of the luck.
    """
    luck, machines, web = random.Random(seed), _machines(), _web()
    bursts = size * (1 - mail_share) / HOUR / sum(len(one) + 16 for one in web)
    sessions = size * mail_share / HOUR / _mean_size(machines[0])
    with path.open("wb", 1 << 20) as stream:
        stream.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        for second in range(HOUR):
            parts = [web] * _whole(luck, bursts)
            parts += [list(_session(luck, machines)) for _ in range(_whole(luck, sessions))]
            luck.shuffle(parts)
            _write(stream, second, [frame for part in parts for frame in part])


def _whole(luck: random.Random, number: float) -> int:
    """Round up or down, so that the mean is right."""
    return int(number) + (luck.random() < number % 1)


def _write(stream: IO[bytes], second: int, frames: Iterable[bytes]) -> None:
    for micros, frame in enumerate(frames):
        stream.write(struct.pack("<IIII", second, micros, len(frame), len(frame)) + frame)


def _session(luck: random.Random, machines: list[Machine]) -> Iterator[bytes]:
    """Yield a bot's mail, or what somebody else sends or fetches."""
    is_bot = luck.random() < BOTS_SHARE
    machine = machines[luck.randrange(BOTS) if is_bot else luck.randrange(BOTS, MACHINES)]
    sends = is_bot or luck.random() < SENDS
    server = luck.choice(machine.servers) if sends else machine.servers[0]
    own_port = luck.randrange(1024, 65536).to_bytes(2, "big")
    port = (25 if sends else 110).to_bytes(2, "big")
    there = machine.own + server + own_port + port
    back = server + machine.own + port + own_port
    for form in machine.forms[0 if sends else 1]:
        yield form.before + (there if form.by_client else back) + form.after


def _machines() -> list[Machine]:
    """Return the bots, then the others; each tenth speaks IPv6."""
    four, six = ((_forms(net, SENDING), _forms(net, FETCHING)) for net in ("192.0.2.1", "::1"))
    return [
        Machine(_packed("2001:db8:1::", n), [_packed("2001:db8:9::", m) for m in range(9)], six)
        if n % 10 == 1
        else Machine(_packed("198.18.0.0", n), [_packed("198.19.0.0", m) for m in range(40)], four)
        for n in range(MACHINES)
    ]


def _packed(network: str, number: int) -> bytes:
    return (ip_address(network) + number).packed


def _forms(address: str, script: Iterable[tuple[bool, int, int]]) -> list[Form]:
    size = len(ip_address(address).packed)
    start = 26 if size == 4 else 22
    forms = []
    for by_client, flags, payload in script:
        options = LINUX_SYN if flags & SYN else b""
        frame = Segment(
            source=address, target=address, from_port=1, to_port=1,
            flags=flags, options=options, payload=bytes(payload),
        ).frame()  # fmt: skip
        forms.append(Form(by_client, frame[:start], frame[start + 2 * size + 4 :]))
    return forms


def _mean_size(machine: Machine) -> float:
    """Bytes of a session in the file, by how often each kind comes."""
    more = 16 + 2 * len(machine.own) + 4
    sending, fetching = (
        sum(len(one.before) + len(one.after) + more for one in forms) for forms in machine.forms
    )
    sends = BOTS_SHARE + (1 - BOTS_SHARE) * SENDS
    return sends * sending + (1 - sends) * fetching


def _web() -> list[bytes]:
    """Return a burst of a download."""
    ends = {"source": "203.0.113.7", "target": "198.18.0.200", "from_port": 443, "to_port": 5000}
    back = {"source": "198.18.0.200", "target": "203.0.113.7", "from_port": 5000, "to_port": 443}
    full = Segment(**ends, payload=bytes(1448)).frame()  # type: ignore[arg-type]  # by name
    acknowledged = Segment(**back).frame()  # type: ignore[arg-type]  # by name
    return [full, full, acknowledged] * (WEB_FRAMES // 2)
