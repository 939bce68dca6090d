"""Settings: a TOML file, then the environment, then the command line, each over the one before.

An unknown key is an error that names its path, so that a typing error never silently opens
what was meant to be closed. Environment variables are called ``BOTPROBE_SECTION_KEY``.
"""

import re
import tomllib
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import msgspec

from botprobe.errors import ConfigError, why_unread
from botprobe.intake.networks import NetworkList, parse_networks
from botprobe.model.audit import IpNetwork
from botprobe.model.heloname import is_helo_name
from botprobe.model.mail import IpAddress
from botprobe.scope.addresses import unmapped_network
from botprobe.settings import Settings

# Thirty years in seconds; whatever is counted here is less.
MAX_NUMBER = 1_000_000_000
# What msgspec says, and its words for types.
_UNKNOWN = re.compile(r"Object contains unknown field `([^`]*)`(?: - at `\$\.([^`]*)`)?")
_NO_CHOICE = re.compile(r"Invalid enum value (.*) - at `\$\.(.*)`")
_WRONG_KIND = re.compile(r"Expected `(\w+)[^`]*`, got `(\w+)` - at `\$\.(.*)`")
_KINDS = {"float": "a number", "int": "a whole number", "str": "text", "bool": "true or false"}
_KINDS |= {"array": "a list", "object": "a table"}

_HOPS = ("boundary", "all", "all,forged")
_POSITIVE = ("concurrency", "timeout", "every_seconds", "rescan_seconds", "concurrency_per_network")


@dataclass(frozen=True, slots=True)
class Loaded:
    """Settings, and who said each of them."""

    settings: Settings
    origins: Mapping[tuple[str, str], str]
    """By table and key; what is missing is a default."""
    file: Path | None


def load_settings(
    file: Path | None, environ: Mapping[str, str], overrides: Mapping[str, Mapping[str, Any]]
) -> Settings:
    """Read the settings, as ``load`` does."""
    return load(file, environ, overrides).settings


def load(
    file: Path | None, environ: Mapping[str, str], overrides: Mapping[str, Mapping[str, Any]]
) -> Loaded:
    """Read the settings and where they come from.

    Args:
        file: the configuration file; None takes ``BOTPROBE_CONFIG``, the user's or the system's.
        environ: the environment.
        overrides: what the command line said, by table and key.

    Raises:
        ConfigError: the file cannot be read, or a setting is unknown or wrong.
    """
    path = file or _default_file(environ)
    layers: tuple[tuple[str, Mapping[str, Any]], ...] = (
        (str(path), _read_file(path) if path else {}),
        ("environment", _from_environment(environ)),
        ("command line", overrides),
    )
    tables: dict[str, dict[str, Any]] = {}
    origins: dict[tuple[str, str], str] = {}
    for origin, layer in layers:
        for name, said in layer.items():
            table = {"path": said} if name == "store" and isinstance(said, str) else said
            if not isinstance(table, Mapping):
                raise ConfigError(f"{origin}: {name!r} is not a table of settings")
            tables.setdefault(name, {}).update(table)
            origins.update({(name, key): origin for key in table})
        settings = _convert(tables, origin)
    _check(settings)
    return Loaded(settings, origins, path)


def _convert(tables: Mapping[str, Any], origin: str) -> Settings:
    """Make the settings of all layers up to ``origin``, which is to blame for an error."""
    try:
        return msgspec.convert(tables, Settings)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{origin}: {_in_plain_words(str(error))}") from error


def _in_plain_words(said: str) -> str:
    """Name the setting first, and say what is wrong as an operator would."""
    if match := _UNKNOWN.fullmatch(said):
        name, table = match.groups()
        return f"{table}.{name}: there is no such setting" if table else f"{name}: no such table"
    if match := _NO_CHOICE.fullmatch(said):
        return f"{match[2]}: {match[1]} is none of its choices"
    if match := _WRONG_KIND.fullmatch(said):
        wanted, given = (_KINDS.get(kind, f"a {kind}") for kind in match.groups()[:2])
        return f"{match[3]}: expected {wanted}, got {given}"
    return said


def networks(texts: Iterable[str], key: str) -> tuple[IpNetwork, ...]:
    """Read a list of networks of the setting or option ``key``.

    Raises:
        ConfigError: one of them is not a network.
    """
    return tuple(_network(text, key) for text in texts)


def addresses(texts: Iterable[str], key: str) -> tuple[IpAddress, ...]:
    """Read a list of addresses of the setting or option ``key``.

    Raises:
        ConfigError: one of them is not an address.
    """
    return tuple(_address(text, key) for text in texts)


def host_names(texts: Iterable[str], key: str) -> tuple[str, ...]:
    """Read a list of names of hosts, and of domains that begin with a dot, in lower case.

    Raises:
        ConfigError: one of them can be no name: it would match no host, and nobody would notice.
    """
    names = {text: text.strip().lower().rstrip(".") for text in texts}
    for text, name in names.items():
        if not name or not name.isprintable() or " " in name:
            raise ConfigError(f"{key}: {text!r} is no name of a host")
    return tuple(names.values())


def trust_networks(texts: Iterable[str], key: str) -> NetworkList:
    """Read a list of networks as SpamAssassin writes them.

    Raises:
        ConfigError: one of them is not a network.
    """
    try:
        return parse_networks(texts)
    except ConfigError as error:
        raise ConfigError(f"{key}: {error}") from error


def helo_name(text: str, key: str) -> str:
    """Read the name by which we introduce ourselves.

    Raises:
        ConfigError: EHLO cannot give it.
    """
    if not is_helo_name(text):
        raise ConfigError(f"{key}: {text!r} is neither a host name nor an address as [192.0.2.1]")
    return text


def hops_choice(text: str, key: str) -> str:
    """Read which hops are probed.

    Raises:
        ConfigError: it is none of the choices.
    """
    if text not in _HOPS:
        raise ConfigError(f"{key}: {text!r} is not one of {'; '.join(_HOPS)}")
    return text


def state_directory(environ: Mapping[str, str]) -> Path:
    """Return where botprobe keeps its state (XDG base directory specification)."""
    base = environ.get("XDG_STATE_HOME") or str(Path("~/.local/state").expanduser())
    return Path(base) / "botprobe"


def _network(text: str, key: str) -> IpNetwork:
    with suppress(ValueError):
        if "%" not in text:  # a zone is of one machine only
            return unmapped_network(ip_network(text, strict=False))
    raise ConfigError(f"{key}: {text!r} is not a network")


def _address(text: str, key: str) -> IpAddress:
    try:
        return ip_address(text.strip("[]"))
    except ValueError as error:
        raise ConfigError(f"{key}: {text!r} is not an IP address") from error


def _check(settings: Settings) -> None:
    scope, trust = settings.scope, settings.trust
    hops_choice(scope.hops, "scope.hops")
    for key in ("trusted_networks", "internal_networks", "msa_networks"):
        trust_networks(getattr(trust, key), f"trust.{key}")
    host_names(trust.own_hosts, "trust.own_hosts")
    if settings.smtp.helo_name is not None:
        helo_name(settings.smtp.helo_name, "smtp.helo_name")
    networks(scope.allow, "scope.allow")
    networks(scope.own_networks, "scope.own_networks")
    addresses(settings.canary.hosts, "canary.hosts")
    addresses(settings.identity.addresses, "identity.addresses")
    addresses(settings.dns.nameservers, "dns.nameservers")
    for name in Settings.__struct_fields__:
        table = getattr(settings, name)
        for key in table.__struct_fields__:
            _check_number(f"{name}.{key}", getattr(table, key))


def _check_number(key: str, value: object) -> None:
    """Refuse numbers that no clock or counter can work with, ``nan`` and ``inf`` among them."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return
    if not 0 <= value <= MAX_NUMBER:
        raise ConfigError(f"{key}: must be a number from 0 to {MAX_NUMBER:,}")
    if value == 0 and key.endswith(_POSITIVE):
        raise ConfigError(f"{key}: must be more than 0")


def _default_file(environ: Mapping[str, str]) -> Path | None:
    named = environ.get("BOTPROBE_CONFIG")
    if named:
        return Path(named)
    home = environ.get("XDG_CONFIG_HOME") or str(Path("~/.config").expanduser())
    candidates = (Path(home) / "botprobe" / "botprobe.toml", Path("/etc/botprobe.toml"))
    return next((path for path in candidates if path.is_file()), None)


def _read_file(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: {why_unread(error)}") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: {error}") from error


def _from_environment(environ: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    tables: dict[str, dict[str, Any]] = {}
    for variable, text in environ.items():
        if not variable.startswith("BOTPROBE_") or variable == "BOTPROBE_CONFIG":
            continue
        section, _, key = variable.removeprefix("BOTPROBE_").lower().partition("_")
        if variable == "BOTPROBE_STORE":
            key = "path"
        if section == "lab":
            continue  # the laboratory's own marks
        if section not in Settings.__struct_fields__:
            raise ConfigError(f"{variable}: there are no settings called {section!r}")
        tables.setdefault(section, {})[key] = _toml_value(text)
    return tables


def _toml_value(text: str) -> Any:
    """Read a value as TOML would; a bare word is a string."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
