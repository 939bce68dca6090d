"""The opt-out file: networks whose owners asked not to be probed.

One line per network: ``CIDR`` and then, free in form, the date, the contact and the reason.
Empty lines and lines that begin with ``#`` do not count.
"""

from ipaddress import ip_network
from pathlib import Path

from botprobe.errors import ConfigError
from botprobe.scope.addresses import IpNetwork, unmapped_network


def parse_optout(text: str, name: str) -> tuple[IpNetwork, ...]:
    """Read the lines of an opt-out file called ``name``.

    Raises:
        ConfigError: a line does not begin with a network. It is fatal on purpose: whoever
            asked to be left alone must not be probed because of a typing error.
    """
    networks = []
    for number, line in enumerate(text.splitlines(), 1):
        words = line.replace(",", " ").split()
        if not words or words[0].startswith("#"):
            continue
        try:
            networks.append(unmapped_network(ip_network(words[0], strict=False)))
        except ValueError as error:
            raise ConfigError(f"{name}:{number}: not a network: {words[0][:50]!r}") from error
    return tuple(networks)


def read_optout(path: Path) -> tuple[IpNetwork, ...]:
    """Read an opt-out file.

    Raises:
        ConfigError: it cannot be read, or a line is wrong.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read the opt-out file {path}: {error}") from error
    return parse_optout(text, str(path))
