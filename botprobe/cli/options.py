"""Options that several commands share, each said once, and how they override the settings."""

import os
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any

import typer

from botprobe.config import load_settings
from botprobe.model.mail import IpAddress
from botprobe.model.verdict import Label
from botprobe.scope.addresses import unmapped
from botprobe.settings import Settings

ConfigFile = Annotated[
    Path | None, typer.Option("--config", "-c", help="Configuration file (TOML).", metavar="FILE")
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]
AsJsonLines = Annotated[bool, typer.Option("--jsonl", help="One JSON object per line.")]
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
    typer.Option("--store", help="SQLite file or PostgreSQL address of the cases.", metavar="FILE"),
]
LogDirectory = Annotated[
    Path | None, typer.Option("--log-dir", help="Directory of the host logs.", metavar="DIR")
]
HeloName = Annotated[
    str | None, typer.Option("--helo-name", help="Our own name in EHLO.", metavar="NAME")
]
Canaries = Annotated[
    list[str] | None,
    typer.Option(
        "--canary",
        help="Address known to answer on port 25; may be given several times.",
        metavar="IP",
    ),
]
HopsChoice = Annotated[
    str | None,
    typer.Option(
        "--hops", help="Which hops are probed: boundary, all, or all,forged.", metavar="WHICH"
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
        help="Relays that write no forgeries; ! excludes, the first that holds an address decides.",
    ),
]
InternalNetworks = Annotated[
    list[str] | None,
    typer.Option("--internal-network", metavar="CIDR", help="Our own mail exchangers."),
]
SubmissionNetworks = Annotated[
    list[str] | None,
    typer.Option(
        "--msa-network", metavar="CIDR", help="Trusted relays that take authenticated mail only."
    ),
]
OwnHosts = Annotated[
    list[str] | None,
    typer.Option(
        "--own-host",
        metavar="NAME",
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
    """Read the settings and lay what the command line said over them.

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
    overrides = {
        table: {key: value for key, value in keys.items() if value is not None}
        for table, keys in said.items()
    }
    return load_settings(config, os.environ, overrides)
