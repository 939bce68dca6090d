"""What to do about a proxy that strangers use: lines for its configuration, ready to be read over.

The rules are the same everywhere: CONNECT to 443 only, inside users only, a password where the
program has one, and a filter that lets nobody but the mail server out on port 25.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from botprobe.model.mail import IpAddress


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """Lines for one program."""

    program: str
    file: str
    lines: tuple[str, ...]


def advice(
    proxies: Iterable[IpAddress], origins: Iterable[IpAddress], inside: Sequence[str]
) -> tuple[Advice, ...]:
    """Write the lines.

    Args:
        proxies: the proxy's addresses.
        origins: who abused it.
        inside: the networks of its rightful users, as CIDR.
    """
    users = list(inside) or ["192.0.2.0/24"]
    return (
        _squid(users),
        _tinyproxy(users),
        _three_proxy(users),
        _nginx(users),
        _nftables(sorted(proxies, key=str), sorted(origins, key=str)),
    )


def _squid(users: Sequence[str]) -> Advice:
    lines = (
        *(f"acl inside src {user}" for user in users),
        "acl tls_port port 443",
        "acl mail_ports port 25 465 587",
        "acl CONNECT method CONNECT",
        "acl known proxy_auth REQUIRED  # needs auth_param, see squid.conf.documented",
        "http_access deny mail_ports",
        "http_access deny CONNECT !tls_port",
        "http_access deny !inside",
        "http_access allow known",
        "http_access deny all",
    )
    return Advice(program="squid", file="/etc/squid/squid.conf", lines=lines)


def _tinyproxy(users: Sequence[str]) -> Advice:
    lines = (
        *(f"Allow {user}" for user in users),
        "ConnectPort 443  # without any ConnectPort line all ports are allowed",
        "BasicAuth user a-long-password",
    )
    return Advice(program="tinyproxy", file="/etc/tinyproxy/tinyproxy.conf", lines=lines)


def _three_proxy(users: Sequence[str]) -> Advice:
    lines = (
        "users user:CL:a-long-password",
        "auth strong",
        "deny * * * 25,465,587",
        f"allow * {','.join(users)} * 80,443",
        "deny *",
        "proxy",
        "socks",
    )
    return Advice(program="3proxy", file="/etc/3proxy/3proxy.cfg", lines=lines)


def _nginx(users: Sequence[str]) -> Advice:
    lines = (
        "# stream {} : forward to names of your own only, never to a variable of the client's",
        "server {",
        "    listen 8443;",
        *(f"    allow {user};" for user in users),
        "    deny all;",
        "    proxy_pass backend.example.org:443;",
        "}",
    )
    return Advice(program="nginx", file="/etc/nginx/nginx.conf", lines=lines)


def _nftables(proxies: Sequence[IpAddress], origins: Sequence[IpAddress]) -> Advice:
    lines = ["table inet proxy_egress {"]
    for hook, rules in (
        ("input", [_rule("saddr", origins, "drop")]),
        ("output", ["tcp dport { 25, 465, 587 } counter reject  # on the proxy itself"]),
        ("forward", [_rule("saddr", proxies, "reject", ports="tcp dport { 25, 465, 587 } ")]),
    ):
        body = [line for rule in rules for line in rule.splitlines() if line]
        if body:
            lines.append(f"    chain {hook} {{")
            lines.append(f"        type filter hook {hook} priority filter; policy accept;")
            lines += [f"        {line}" for line in body]
            lines.append("    }")
    lines.append("}")
    return Advice(program="nftables", file="/etc/nftables.conf", lines=tuple(lines))


def _rule(side: str, addresses: Sequence[IpAddress], action: str, ports: str = "") -> str:
    rules = []
    for version, family in ((4, "ip"), (6, "ip6")):
        chosen = [str(one) for one in addresses if one.version == version]
        if chosen:
            members = ", ".join(chosen)
            rules.append(f"{family} {side} {{ {members} }} {ports}counter {action}")
    return "\n".join(rules)
