"""What hosts really are, as somebody who knows has written it down.

A CSV table with the columns ``ip`` and ``truth``; ``truth`` is any word for the kind of host. A
column ``bot`` (yes or no) says which are bots; without it those are whose truth is ``bot``. Further
columns are for people.
"""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address

from botprobe.errors import InputError
from botprobe.model.mail import IpAddress

_YES_NO = {"yes": True, "no": False}


@dataclass(frozen=True, slots=True)
class Truth:
    """What a host really is."""

    kind: str
    is_bot: bool


def read_labels(text: str) -> Mapping[IpAddress, Truth]:
    """Read a table of labels; the last word on an address counts.

    Raises:
        InputError: a column is missing, or a row has no address, or another word than yes or no.
    """
    rows = csv.DictReader(text.splitlines(), skipinitialspace=True, strict=True)
    missing = {"ip", "truth"} - set(rows.fieldnames or ())
    if missing:
        raise InputError(f"labels: no column {min(missing)!r} in the first line")
    labels: dict[IpAddress, Truth] = {}
    try:
        for row in rows:
            kind, said = row["truth"] or "unknown", row.get("bot")
            is_bot = kind == "bot" if said is None else _yes_or_no(said)
            labels[_address(row["ip"])] = Truth(kind, is_bot)
    except (csv.Error, ValueError) as error:
        raise InputError(f"labels, line {rows.line_num}: {error}") from error
    return labels


def _address(said: str) -> IpAddress:
    try:
        return ip_address(said)
    except ValueError:
        raise ValueError(f"{said!r} is not an IP address") from None


def _yes_or_no(said: str) -> bool:
    try:
        return _YES_NO[said.strip().lower()]
    except KeyError:
        raise ValueError(f"{said!r} is neither yes nor no") from None
