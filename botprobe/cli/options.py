"""Options that several commands share, each said once, and how they override the settings."""

import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any

import typer

from botprobe.config import (
    addresses,
    helo_name,
    hops_choice,
    host_names,
    load_settings,
    networks,
    trust_networks,
)
from botprobe.errors import ConfigError, UsageError
from botprobe.model.mail import IpAddress
from botprobe.model.verdict import Label
from botprobe.scope.addresses import unmapped
from botprobe.settings import SHARED, Settings

# The forms of a result by the names of their parameters; a result has one of them.
_FORMS = {"as_json": "--json", "jsonl": "--jsonl", "as_csv": "--csv", "reply": "--reply"}


def checked(read: Callable[[str, str], object]) -> Callable[[typer.CallbackParam, Any], Any]:
    """Return a callback that refuses each value of an option that cannot be.

    Args:
        read: reads a value; its second argument is the option, to be named in the error.
    """

    def check(param: typer.CallbackParam, value: Any) -> Any:
        values = value if isinstance(value, list) else () if value is None else (value,)
        for each in values:
            try:
                read(each, param.opts[0])
            except ConfigError as error:
                raise UsageError(str(error)) from error
        return value

    return check


def each(read: Callable[[Iterable[str], str], object]) -> Callable[[str, str], object]:
    """Return what reads one value, by what reads many."""
    return lambda text, key: read((text,), key)


def only_form(ctx: typer.Context, param: typer.CallbackParam, value: bool) -> bool:
    """Refuse a second form of the result.

    Raises:
        UsageError: the result was to have another form, too.
    """
    chosen = [written for name, written in _FORMS.items() if ctx.params.get(name)]
    if value and chosen:
        both = sorted({*chosen, _FORMS[param.name or ""]}, key=list(_FORMS.values()).index)
        raise UsageError(f"{both[0]} and {both[1]} exclude each other")
    return value


def _store_place(text: str, key: str) -> None:
    if not text.strip():
        raise ConfigError(f"{key}: names no file and no database")
    if text.startswith(SHARED):
        with suppress(ImportError):  # told when the store is opened
            from botprobe.store.postgres import conninfo  # noqa: PLC0415  # an extra

            conninfo(text, key)


NETWORKS, ADDRESSES = checked(each(networks)), checked(each(addresses))
_TRUSTED, STORE_PLACE = checked(each(trust_networks)), checked(_store_place)

ConfigFile = Annotated[
    Path | None, typer.Option("--config", "-c", help="Configuration file (TOML).", metavar="FILE")
]
AsJson = Annotated[
    bool,
    typer.Option("--json", help="One JSON document on standard output.", callback=only_form),
]
AsJsonLines = Annotated[
    bool, typer.Option("--jsonl", help="One JSON object per line.", callback=only_form)
]
Explain = Annotated[
    bool, typer.Option("--explain", help="Show every contribution and what would change it.")
]
Fresh = Annotated[
    bool, typer.Option("--fresh", help="Probe again also who was probed within the cool-down.")
]
Rejudge = Annotated[
    bool, typer.Option("--rejudge", help="Judge the stored facts by today's rules first.")
]
ProxyCheck = Annotated[
    bool,
    typer.Option("--proxy-check", help="Also try whether it is an open proxy (proxy.listen)."),
]
StorePath = Annotated[
    str | None,
    typer.Option(
        "--store",
        help="SQLite file or PostgreSQL address of the cases.",
        metavar="FILE",
        callback=STORE_PLACE,
    ),
]
LogDirectory = Annotated[
    Path | None, typer.Option("--log-dir", help="Directory of the host logs.", metavar="DIR")
]
HeloName = Annotated[
    str | None,
    typer.Option(
        "--helo-name", help="Our own name in EHLO.", metavar="NAME", callback=checked(helo_name)
    ),
]
Canaries = Annotated[
    list[str] | None,
    typer.Option(
        "--canary",
        help="Address known to answer on port 25; may be given several times.",
        metavar="IP",
        callback=ADDRESSES,
    ),
]
HopsChoice = Annotated[
    str | None,
    typer.Option(
        "--hops",
        help="Which hops are probed: boundary, all, or all,forged.",
        metavar="WHICH",
        callback=checked(hops_choice),
    ),
]
FailOn = Annotated[
    list[Label] | None,
    typer.Option("--fail-on", help="Exit with 10 if a host gets this label.", metavar="LABEL"),
]

TrustedNetworks = Annotated[
    list[str] | None,
    typer.Option(
        "--trusted-network",
        metavar="CIDR",
        callback=_TRUSTED,
        help="Relays that write no forgeries; ! excludes, the first that holds an address decides.",
    ),
]
InternalNetworks = Annotated[
    list[str] | None,
    typer.Option(
        "--internal-network", metavar="CIDR", callback=_TRUSTED, help="Our own mail exchangers."
    ),
]
SubmissionNetworks = Annotated[
    list[str] | None,
    typer.Option(
        "--msa-network",
        metavar="CIDR",
        callback=_TRUSTED,
        help="Trusted relays that take authenticated mail only.",
    ),
]
OwnHosts = Annotated[
    list[str] | None,
    typer.Option(
        "--own-host",
        metavar="NAME",
        callback=checked(each(host_names)),
        help="Name of a mail server of ours; .example.org is a domain.",
    ),
]
HtmlFile = Annotated[
    Path | None, typer.Option("--html", help="Write a page that stands alone.", metavar="FILE")
]


def parse_address(text: str) -> IpAddress:
    """Read an address of the command line; an IPv4-mapped one is the IPv4 address it holds.

    Raises:
        typer.BadParameter: it is none.
    """
    try:
        return unmapped(ip_address(text.strip("[]")))
    except ValueError as error:
        raise typer.BadParameter(f"not an IP address: {text!r}") from error


def settings_from(
    config: Path | None,
    *,
    store: str | None = None,
    log_dir: Path | None = None,
    helo_name: str | None = None,
    canary: list[str] | None = None,
    hops: str | None = None,
    proxy_check: bool = False,
    trusted_network: list[str] | None = None,
    internal_network: list[str] | None = None,
    msa_network: list[str] | None = None,
    own_host: list[str] | None = None,
    watch: dict[str, Any] | None = None,
    worker: dict[str, Any] | None = None,
) -> Settings:
    """Read the settings and lay what the command line said over them; None is not said.

    Raises:
        ConfigError: a setting is unknown or wrong.
    """
    said: dict[str, dict[str, Any]] = {
        "store": {"path": store},
        "log": {"directory": log_dir and str(log_dir)},
        "smtp": {"helo_name": helo_name},
        "canary": {"hosts": canary or None},
        "scope": {"hops": hops},
        "proxy": {"check": proxy_check or None},
        "trust": {
            "trusted_networks": trusted_network or None,
            "internal_networks": internal_network or None,
            "msa_networks": msa_network or None,
            "own_hosts": own_host or None,
        },
        "watch": watch or {},
        "worker": worker or {},
    }
    return load_settings(config, os.environ, {table: _given(keys) for table, keys in said.items()})


def _given(keys: dict[str, Any]) -> dict[str, Any]:
    """Leave out what the command line does not say."""
    return {key: value for key, value in keys.items() if value is not None}
