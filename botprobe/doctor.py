"""What can be measured on this machine, and the exact line that mends what cannot.

Each check is independent: one that cannot even be made is a failed check, not an error.
"""

import asyncio
import ctypes
import os
import shutil
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_address
from pathlib import Path

from dns.asyncresolver import Resolver
from dns.exception import DNSException
from dns.resolver import NXDOMAIN, NoAnswer

from botprobe.classify.addressnames import NameKind, name_kind
from botprobe.config import addresses
from botprobe.errors import BotprobeError, ProbeUnavailable
from botprobe.intake.watching import Feed, mail_directories
from botprobe.mmdb import open_mmdb
from botprobe.model.mail import IpAddress
from botprobe.probes.canary import EgressState
from botprobe.probes.osdetect_nmap import nmap_version, os_database, require_raw_socket
from botprobe.probes.ping import needs_raw_socket
from botprobe.probing import canary_of, dnsbl_of, helo_name, own_addresses
from botprobe.scope.addresses import special_purpose
from botprobe.scoping import scope_of
from botprobe.settings import Settings
from botprobe.storing import open_store
from botprobe.wiring import hostlog_of

# Room for some ten thousand cases and logs; a full disk loses logs.
ENOUGH_DISK = 100 * 2**20

# Size of struct timex on 64 bits, and the answer of a clock that nobody synchronises.
_TIMEX_BYTES, _TIME_ERROR = 256, 5


class State(StrEnum):
    """How a check ended."""

    GOOD = "good"
    WARNING = "warning"
    """It works, and less well than it could."""
    BAD = "bad"
    """Something will not be measured or kept."""


@dataclass(frozen=True, slots=True)
class Check:
    """One finding."""

    name: str
    state: State
    says: str
    mend: str = ""
    """The line that mends it, to be typed or put into the configuration."""


async def examine(settings: Settings) -> list[Check]:
    """Make all checks, each bounded in time; sends packets to canaries and resolver only."""
    checks: tuple[Callable[[Settings], Awaitable[Check]], ...] = (
        _nmap,
        _os_database,
        _raw_socket,
        _ping,
        _resolver,
        _own_name,
        _own_line,
        _block_lists,
        _networks,
        _egress,
        _scope,
        _store,
        _disk,
        _clock,
        _mailboxes,
        _stop_file,
    )
    return [await _guarded(check, settings) for check in checks]


async def _guarded(check: Callable[[Settings], Awaitable[Check]], settings: Settings) -> Check:
    try:
        return await check(settings)
    except (BotprobeError, OSError) as error:
        return Check(check.__name__.strip("_"), State.BAD, str(error))


async def _nmap(settings: Settings) -> Check:
    try:
        version = await nmap_version(settings.nmap.program)
    except ProbeUnavailable as error:
        return Check("nmap", State.BAD, str(error), "apt-get install nmap")
    text = f"version {version[0]}.{version[1]}"
    if version < (7, 95):
        return Check("nmap", State.WARNING, f"{text}; 7.95 is faster and knows newer systems")
    return Check("nmap", State.GOOD, text)


async def _os_database(settings: Settings) -> Check:
    try:
        database = await asyncio.to_thread(os_database, settings.nmap.program)
    except ProbeUnavailable as error:
        return Check("nmap-os-db", State.BAD, str(error), "apt-get install nmap-common")
    age = f", of {database.updated}" if database.updated else ""
    text = f"{database.fingerprints} fingerprints{age}"
    if database.lacks:
        return Check("nmap-os-db", State.WARNING, f"{text}; lacks {', '.join(database.lacks)}")
    return Check("nmap-os-db", State.GOOD, text)


async def _raw_socket(settings: Settings) -> Check:
    try:
        await require_raw_socket(settings.nmap.program)
    except ProbeUnavailable as error:
        mend = "run as root, or from systemd with AmbientCapabilities=CAP_NET_RAW"
        return Check("raw socket", State.BAD, f"{error}; no OS can be told", mend)
    return Check("raw socket", State.GOOD, "nmap may use one")


async def _ping(_settings: Settings) -> Check:
    mend = "sysctl -w net.ipv4.ping_group_range='0 2147483647'"
    try:
        raw = needs_raw_socket(4)
    except ProbeUnavailable as error:
        return Check("ping", State.BAD, str(error), mend)
    if raw:
        return Check("ping", State.WARNING, "by raw socket, 50 hosts at a time", mend)
    return Check("ping", State.GOOD, "by ping socket")


async def _resolver(settings: Settings) -> Check:
    mend = 'in the configuration: [dns] nameservers = ["ADDRESS"]'
    try:
        # The root's servers: every working resolver knows them, and nobody learns whom we probe.
        await _configured_resolver(settings).resolve(".", "NS", raise_on_no_answer=False)
    except (DNSException, OSError) as error:
        return Check("resolver", State.BAD, f"no answer: {error}", mend)
    return Check("resolver", State.GOOD, "answers")


async def _own_name(settings: Settings) -> Check:
    name = helo_name(settings)
    mend = 'in the configuration: [smtp] helo_name = "a name that resolves to this host"'
    if "." not in name:
        return Check("own name", State.BAD, f"EHLO would say {name!r}, no full name", mend)
    try:
        answer = await _configured_resolver(settings).resolve_name(name)
    except (DNSException, OSError) as error:
        mend = f"publish an address record for {name}, or set [smtp] helo_name to one that has it"
        return Check("own name", State.WARNING, f"{name} does not resolve: {error}", mend)
    return Check("own name", State.GOOD, f"{name} is {', '.join(answer.addresses())}")


async def _own_line(settings: Settings) -> Check:
    """Look at our own addresses as those whom we ask do: is that a server, or a bot?"""
    scope, resolver, shown = scope_of(settings), _configured_resolver(settings), []
    faults = []
    for address in own_addresses(settings):
        shown.append(str(address))
        purpose = special_purpose(address)
        if purpose is not None and scope.refusal(address) == purpose:
            mend = 'in the configuration: [identity] addresses = ["as others see us"]'
            return Check("own line", State.WARNING, f"others do not see {address}: {purpose}", mend)
        try:
            fault = await bot_look(resolver, address)
        except (DNSException, OSError) as error:
            fault = f"cannot be looked up: {error}"
        if fault is not None:
            faults.append(f"{address} {fault}")
    if faults:
        mend = "botprobe identity prints the DNS records that mend it"
        return Check("own line", State.WARNING, f"looks like a bot: {'; '.join(faults)}", mend)
    if not shown:
        return Check("own line", State.BAD, "there is no way out", "look at ip route")
    return Check("own line", State.GOOD, f"{', '.join(shown)}: named like a server")


async def bot_look(resolver: Resolver, address: IpAddress) -> str | None:
    """Say what about the name of an address looks like a bot, None if nothing does."""
    try:
        answer = await resolver.resolve_address(str(address))
    except (NXDOMAIN, NoAnswer):
        return "has no PTR record"
    name = answer[0].target
    text = name.to_text(omit_final_dot=True)
    if name_kind(text, address) in {NameKind.GENERIC, NameKind.DYNAMIC}:
        return f"has a generic name, {text}"
    try:
        found = await resolver.resolve(name, "A" if address.version == 4 else "AAAA")
    except (NXDOMAIN, NoAnswer):
        return f"is called {text}, which does not exist"
    if address not in {ip_address(record.address) for record in found}:
        return f"is called {text}, which leads elsewhere"
    return None


async def _block_lists(settings: Settings) -> Check:
    zones = await dnsbl_of(settings, scope_of(settings)).problems()
    broken = [f"{zone}: {problem}" for zone, problem in zones.items() if problem is not None]
    if broken:
        return Check("block lists", State.WARNING, "; ".join(broken), "take it from dnsbl.zones")
    return Check("block lists", State.GOOD, ", ".join(zones) or "none are asked")


async def _networks(settings: Settings) -> Check:
    """Look whether the files that tell networks and countries can be read, and how old they are."""
    told = await asyncio.to_thread(_ages, settings.network.mmdb)
    return Check("networks", State.GOOD, told or "no MMDB file is read")


def _ages(names: Sequence[str]) -> str:
    paths = [Path(name).expanduser() for name in names]
    return ", ".join(f"{path.name} of {open_mmdb(path).built}" for path in paths)


async def _egress(settings: Settings) -> Check:
    egress = await canary_of(settings).egress()
    if egress.state is EgressState.OPEN:
        return Check("port 25 out", State.GOOD, egress.because)
    mend = (
        'in the configuration: [canary] hosts = ["addresses that answer on 25"]'
        if egress.state is EgressState.UNKNOWN
        else "ask the access provider to open outgoing port 25, or probe from elsewhere"
    )
    return Check("port 25 out", State.BAD, egress.because, mend)


async def _scope(settings: Settings) -> Check:
    scope = scope_of(settings)
    opened = ", ".join(str(network) for network in scope.allow)
    if opened:
        return Check("scope", State.WARNING, f"opened by scope.allow: {opened}")
    return Check("scope", State.GOOD, f"{len(scope.opted_out)} opted out")


async def _store(settings: Settings) -> Check:
    async with open_store(settings) as store:
        await store.cases(ip_address("192.0.2.1"))
    return Check("store", State.GOOD, "can be opened and written")


async def _disk(settings: Settings) -> Check:
    directory = hostlog_of(settings).directory
    existing = next(path for path in (directory, *directory.absolute().parents) if path.exists())
    free = await asyncio.to_thread(_free_space, existing)
    text = f"{free // 2**20:,} MiB free for host logs in {directory}"
    if not os.access(existing, os.W_OK):
        return Check("host logs", State.BAD, f"{existing} is not writable", "--log-dir DIR")
    if free < ENOUGH_DISK:
        return Check("host logs", State.BAD, text, "make room, or --log-dir DIR")
    return Check("host logs", State.GOOD, text)


def _free_space(path: Path) -> int:
    return shutil.disk_usage(path).free


def _configured_resolver(settings: Settings) -> Resolver:
    nameservers = addresses(settings.dns.nameservers, "dns.nameservers")
    resolver = Resolver(configure=not nameservers)
    if nameservers:
        resolver.nameservers = [str(address) for address in nameservers]
    resolver.lifetime = settings.dns.timeout
    return resolver


async def _clock(_settings: Settings) -> Check:
    """Ask the kernel whether anybody sets the clock (adjtimex(2)): delays are counted by it."""
    mend = "systemctl enable --now systemd-timesyncd"
    libc = ctypes.CDLL(None, use_errno=True)
    state = libc.adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES))
    if state == _TIME_ERROR:
        return Check("clock", State.WARNING, "nobody keeps it right", mend)
    if state < 0:
        return Check("clock", State.WARNING, "the kernel does not tell whether it is right", mend)
    return Check("clock", State.GOOD, "kept right")


async def _mailboxes(settings: Settings) -> Check:
    """Look whether the mailboxes of the watch can be read, and noticed by inotify."""
    if not settings.watch.mailboxes:
        return Check("mailboxes", State.GOOD, "none to watch")
    blind = await asyncio.to_thread(_why_blind, settings.watch.mailboxes)
    if blind:
        mend = "sysctl -w fs.inotify.max_user_instances=512 fs.inotify.max_user_watches=65536"
        return Check("mailboxes", State.WARNING, f"found by scanning only: {blind}", mend)
    if settings.watch.after != "none" and (directory := await asyncio.to_thread(_fixed, settings)):
        mend = "let the service write there: a group, and ReadWritePaths in its unit"
        return Check("mailboxes", State.BAD, f"no mail can be moved out of {directory}", mend)
    return Check("mailboxes", State.GOOD, "noticed by inotify")


async def _stop_file(settings: Settings) -> Check:
    path = settings.watch.stop_file
    if path is None:
        return Check("stop file", State.GOOD, "none is set")
    if await asyncio.to_thread(Path(path).exists):
        return Check("stop file", State.WARNING, f"{path} is there: nobody is probed", f"rm {path}")
    return Check("stop file", State.GOOD, "is not there")


def _fixed(settings: Settings) -> Path | None:
    """Return a directory out of which mails cannot be moved, if there is one."""
    names = settings.watch.mailboxes
    places = [place for name in names for place in mail_directories(Path(name).expanduser())]
    return next((place for place in places if not os.access(place, os.W_OK)), None)


def _why_blind(mailboxes: Sequence[str]) -> str | None:
    feed = Feed([Path(name).expanduser() for name in mailboxes])
    try:
        feed.open()
    finally:
        feed.close()
    return feed.blind
