"""Makes from the settings what says whom to believe, whom to ask, and how often."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from botprobe.config import addresses, networks
from botprobe.errors import ConfigError
from botprobe.intake.networks import parse_networks
from botprobe.intake.trust import TrustSettings
from botprobe.scope.addresses import Scope
from botprobe.scope.budget import Budget, Limits
from botprobe.scope.optout import read_optout
from botprobe.scope.surroundings import surroundings
from botprobe.settings import Settings
from botprobe.store.base import CaseStore


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
    except ConfigError as error:
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
        around=surroundings(addresses(settings.dns.nameservers, "dns.nameservers")),
    )


async def budget_of(settings: Settings, store: CaseStore) -> Budget:
    """Return the budget, less what was spent of it before."""
    budget = Budget(limits_of(settings))
    memory = max(budget.limits.cooldown, timedelta(days=1))
    budget.remember(await store.probed_since(datetime.now(UTC) - memory))
    return budget


def limits_of(settings: Settings) -> Limits:
    """Read how much may be asked, and how often."""
    table = settings.scope
    return Limits(
        cooldown=timedelta(hours=table.cooldown_hours),
        per_network_per_day=table.max_probes_per_network_per_day,
        per_hour=table.max_probes_per_hour,
        per_day=table.max_probes_per_day,
    )
