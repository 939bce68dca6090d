"""MMDB files (MaxMind's format, also of DB-IP and IPinfo): whose network, and in which country?

They are read here and tell nobody which addresses interest us. Each maker lays records out in a way
of his own; a field that is not where it is looked for, or no such value, is unknown.
"""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from botprobe.errors import ConfigError, InputError
from botprobe.model.mail import IpAddress
from botprobe.model.results import NetworkResult

_COUNTRY = re.compile(r"[A-Z]{2}")
_ASN = re.compile(r"(?:AS)?([0-9]{1,10})")
_MAX_ASN = 2**32 - 1


@dataclass(frozen=True, slots=True)
class MmdbFile:
    """An open file, as ``open_mmdb`` gives it."""

    reader: Any
    """Of the package maxminddb."""

    @property
    def built(self) -> date:
        """The day on which its maker built it."""
        return datetime.fromtimestamp(self.reader.metadata().build_epoch, UTC).date()

    def look_up(self, address: IpAddress) -> NetworkResult:
        """Say what the file knows of an address."""
        record, length = self._find(address)
        asn = _asn_of(record)
        prefix = ip_network((address, length), strict=False) if asn is not None else None
        return NetworkResult(
            asn=asn, prefix=None if prefix is None else str(prefix), country=country_of(record)
        )

    def country(self, address: IpAddress) -> str | None:
        """Return the ISO 3166 code of an address's country."""
        return country_of(self._find(address)[0])

    def _find(self, address: IpAddress) -> tuple[object, int]:
        try:
            record, length = self.reader.get_with_prefix_len(address)
        except (ValueError, RuntimeError):  # IPv6 in an IPv4 file; InvalidDatabaseError
            return None, 0
        # An IPv6 file that counts IPv4 networks in its own tree gives their lengths as IPv6's.
        return record, length if length <= address.max_prefixlen else length - 96


def open_mmdb(path: Path) -> MmdbFile:
    """Open an MMDB file.

    Raises:
        ConfigError: the package that reads such files is not installed.
        InputError: the file cannot be read.
    """
    try:
        import maxminddb  # noqa: PLC0415  # an extra that most installations do without
    except ImportError as error:
        raise ConfigError("an MMDB file needs maxminddb: pip install 'botprobe[geo]'") from error
    try:
        return MmdbFile(maxminddb.open_database(path))
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, maxminddb.InvalidDatabaseError) as error:
        raise InputError(f"cannot read {path}: it is no MMDB file") from error


def country_of(record: object) -> str | None:
    """Return the country of an MMDB record, in any of the usual layouts."""
    if not isinstance(record, dict):
        return None
    country = record.get("country_code") or record.get("country")
    if isinstance(country, dict):
        country = country.get("iso_code")
    return country if isinstance(country, str) and _COUNTRY.fullmatch(country) else None


def _asn_of(record: object) -> int | None:
    if not isinstance(record, dict):
        return None
    said = record.get("autonomous_system_number") or record.get("asn")
    number = _ASN.fullmatch(str(said)) if isinstance(said, str | int) else None
    return int(number[1]) if number and 0 < int(number[1]) <= _MAX_ASN else None
