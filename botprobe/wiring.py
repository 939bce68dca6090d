"""The one place that chooses implementations and hands settings down."""

import os
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from ipaddress import ip_network
from pathlib import Path

from botprobe.classify.classifier import judge
from botprobe.classify.weights import Weights, load_weights
from botprobe.config import Settings, addresses, networks, state_directory
from botprobe.errors import ConfigError
from botprobe.hostlog import HostLog
from botprobe.intake.networks import parse_networks
from botprobe.intake.trust import TrustSettings
from botprobe.model.facts import Facts
from botprobe.model.target import Target
from botprobe.model.verdict import Verdict
from botprobe.pipeline import Judge, Pipeline, Probes, Watcher
from botprobe.probes.canary import Canary, GuardedSmtpProbe
from botprobe.probes.dns import DnsProbe
from botprobe.probes.osdetect import OsEngine, OsProbe
from botprobe.probes.ping import PingProbe
from botprobe.probes.smtp import SmtpProbe
from botprobe.scope.addresses import Scope
from botprobe.scope.budget import Budget, Limits
from botprobe.scope.optout import read_optout
from botprobe.service.batch import Batch
from botprobe.store.sqlite import SqliteStore


def trust_settings(settings: Settings) -> TrustSettings:
    """Read what the operator says about the own side.

    Raises:
        ConfigError: a network is not one.
    """
    table = settings.trust
    try:
        return TrustSettings(
            trusted_networks=parse_networks(table.trusted_networks),
            internal_networks=parse_networks(table.internal_networks),
            msa_networks=parse_networks(table.msa_networks),
            own_hosts=frozenset(name.lower() for name in table.own_hosts),
        )
    except ValueError as error:
        raise ConfigError(f"trust: {error}") from error


def scope_of(settings: Settings) -> Scope:
    """Read who may be probed.

    Raises:
        ConfigError: a network is not one, or the opt-out file cannot be read.
    """
    table = settings.scope
    return Scope(
        allow=networks(table.allow, "scope.allow"),
        own_networks=networks(table.own_networks, "scope.own_networks"),
        opted_out=read_optout(Path(table.optout)) if table.optout else (),
    )


def open_store(settings: Settings) -> SqliteStore:
    """Return the store; it is opened by ``async with``."""
    path = settings.store.path
    return SqliteStore(Path(path) if path else state_directory(os.environ) / "cases.sqlite")


def hostlog_of(settings: Settings) -> HostLog:
    """Return the writer of host logs."""
    directory = settings.log.directory
    return HostLog(Path(directory) if directory else state_directory(os.environ) / "hosts")


def helo_name(settings: Settings) -> str:
    """Return the name that our EHLO gives."""
    return settings.smtp.helo_name or socket.gethostname()


def shipped_weights() -> Weights:
    """Read the table of weights that is part of the package."""
    return load_weights((files("botprobe.classify") / "weights.toml").read_text("utf-8"))


def judge_of(settings: Settings) -> Judge:
    """Return the judge with the shipped weights."""
    weights = shipped_weights()

    def judge_case(facts: Facts, target: Target, lag_seconds: float | None) -> Verdict:
        lag = lag_seconds if settings.verdict.lag_weakens else None
        return judge(facts, target, weights, lag)

    return judge_case


def canary_of(settings: Settings) -> Canary:
    """Return the watch over our own way out on port 25.

    The operator named the canaries, so they may be asked even if they are our own.
    """
    hosts = addresses(settings.canary.hosts, "canary.hosts")
    scope = Scope(allow=tuple(ip_network(host) for host in hosts))
    return Canary(
        [Target(host) for host in hosts],
        _smtp_probe(settings, scope),
        max_age=settings.canary.every_seconds,
    )


@asynccontextmanager
async def open_batch(
    settings: Settings, watcher: Watcher, trouble: Callable[[str], None], *, fresh: bool = False
) -> AsyncIterator[Batch]:
    """Open the store, start the OS engine, and put the pipeline together.

    Raises:
        ConfigError: a setting is wrong.
        StoreError: the store cannot be opened.
    """
    scope = scope_of(settings)
    limits = _limits(settings)
    budget = Budget(limits)
    async with open_store(settings) as store:
        memory = max(limits.cooldown, timedelta(days=1))
        budget.remember(await store.probed_since(datetime.now(UTC) - memory))
        async with OsEngine(permission=scope, program=settings.nmap.program) as engine:
            yield Batch(
                pipeline=Pipeline(
                    probes=_probes(settings, scope, engine),
                    scope=scope,
                    budget=budget,
                    store=store,
                    judge=judge_of(settings),
                    watcher=watcher,
                    fresh=fresh,
                ),
                hostlog=hostlog_of(settings),
                concurrency=settings.scope.concurrency,
                trouble=trouble,
            )


def _probes(settings: Settings, scope: Scope, engine: OsEngine) -> Probes:
    return Probes(
        ping=PingProbe(permission=scope),
        os=OsProbe(engine=engine),
        smtp=GuardedSmtpProbe(probe=_smtp_probe(settings, scope), canary=canary_of(settings)),
        dns=DnsProbe(
            permission=scope,
            nameservers=addresses(settings.dns.nameservers, "dns.nameservers"),
            timeout=settings.dns.timeout,
        ),
    )


def _smtp_probe(settings: Settings, scope: Scope) -> SmtpProbe:
    return SmtpProbe(
        permission=scope,
        helo_name=helo_name(settings),
        connect_timeout=settings.smtp.connect_timeout,
        session_timeout=settings.smtp.session_timeout,
    )


def _limits(settings: Settings) -> Limits:
    table = settings.scope
    return Limits(
        cooldown=timedelta(hours=table.cooldown_hours),
        per_network_per_day=table.max_probes_per_network_per_day,
        per_hour=table.max_probes_per_hour,
        per_day=table.max_probes_per_day,
    )
