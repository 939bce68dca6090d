"""Makes from the settings what says whom to believe, whom to ask, and how often."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from botprobe.config import addresses, host_names, networks, trust_networks
from botprobe.errors import ConfigError
from botprobe.intake.trust import TrustSettings
from botprobe.model.mail import IpAddress
from botprobe.model.origin import Origin
from botprobe.scope.addresses import Scope
from botprobe.scope.budget import Budget, Limits
from botprobe.scope.live import LiveScope
from botprobe.scope.optout import read_entries
from botprobe.scope.parties import AutonomousSystem, Party
from botprobe.scope.surroundings import surroundings
from botprobe.settings import Settings
from botprobe.store.base import CaseStore


def trust_settings(settings: Settings) -> TrustSettings:
    """Read what the operator says about the own side.

    Raises:
        ConfigError: a network or a name is not one.
    """
    table = settings.trust
    return TrustSettings(
        trusted_networks=trust_networks(table.trusted_networks, "trust.trusted_networks"),
        internal_networks=trust_networks(table.internal_networks, "trust.internal_networks"),
        msa_networks=trust_networks(table.msa_networks, "trust.msa_networks"),
        own_hosts=frozenset(host_names(table.own_hosts, "trust.own_hosts")),
    )


def scope_of(settings: Settings, origins: dict[IpAddress, Origin] | None = None) -> Scope:
    """Read who may be probed.

    Args:
        settings: they also name the opt-out file.
        origins: of those who are being investigated, as a former scope knows them.

    Raises:
        ConfigError: a network is not one, or the opt-out file cannot be read or heeded.
    """
    table = settings.scope
    return Scope(
        allow=networks(table.allow, "scope.allow"),
        own_networks=networks(table.own_networks, "scope.own_networks"),
        opted_out=_opted_out(settings),
        around=surroundings(addresses(settings.dns.nameservers, "dns.nameservers")),
        origins={} if origins is None else origins,
    )


def live_scope_of(settings: Settings) -> LiveScope:
    """Read who may be probed, now and whenever the opt-out file changes.

    Raises:
        ConfigError: as ``scope_of``.
    """
    origins: dict[IpAddress, Origin] = {}
    return LiveScope(lambda: scope_of(settings, origins), optout_file(settings))


def optout_file(settings: Settings) -> Path | None:
    """Return where the opt-out file is, None if there is none."""
    return None if settings.scope.optout is None else Path(settings.scope.optout)


def require_heeded(party: Party, settings: Settings) -> None:
    """Return if there is a way to tell which addresses a party speaks for.

    Raises:
        ConfigError: there is none, and nobody may be probed as if it had not asked.
    """
    if isinstance(party, AutonomousSystem) and not settings.network.mmdb:
        raise ConfigError(f"{party}: no file of [network] mmdb tells which addresses it has")


def _opted_out(settings: Settings) -> tuple[Party, ...]:
    file = optout_file(settings)
    parties = () if file is None else tuple(entry.party for entry in read_entries(file))
    try:
        for party in parties:
            require_heeded(party, settings)
    except ConfigError as error:
        raise ConfigError(f"{file}: {error}") from error
    return parties


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
        total=table.max_probes_total,
    )
