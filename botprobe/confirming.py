"""The confirmer of the router: does a host that only sends take mail after all?"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from botprobe.errors import ProbeUnavailable
from botprobe.judging import judge_of
from botprobe.model.mail import IpAddress
from botprobe.model.outcome import Measured
from botprobe.model.target import Target
from botprobe.pipeline import Candidate, Pipeline, Probes, Watcher
from botprobe.probes.base import Permission
from botprobe.probing import account_of, origin_of, smtp_of
from botprobe.scoping import budget_of, live_scope_of
from botprobe.settings import Settings
from botprobe.storing import open_store

_ASKED = ("tcp 25: greeting, EHLO, QUIT",)


class _Unasked:
    """Stands for the probes that a router does without: it only wants to know who takes mail."""

    async def run(self, target: Target) -> Any:
        """Ask nothing.

        Raises:
            ProbeUnavailable: always.
        """
        raise ProbeUnavailable(f"{target} was asked on port 25 only")


@asynccontextmanager
async def open_confirmer(
    settings: Settings, watcher: Watcher
) -> AsyncIterator[Callable[[IpAddress], Awaitable[bool | None]]]:
    """Make what asks a host on port 25, within scope, budgets and cool-down.

    Its answer is None where the host may not be asked, or our own way out is not sure.

    Raises:
        ConfigError: a setting is wrong.
        StoreError: the store cannot be opened.
    """
    async with open_store(settings) as store:
        scope, budget = live_scope_of(settings), await budget_of(settings, store)
        pipeline = Pipeline(
            probes=_port_25_only(settings, scope),
            scope=scope,
            budget=budget,
            store=store,
            dossier=store,
            ledger=store,
            account=replace(account_of(settings), asked=_ASKED),
            judge=judge_of(settings),
            watcher=watcher,
            origin_of=origin_of(settings),
        )

        async def takes_mail(address: IpAddress) -> bool | None:
            case = await pipeline.investigate(Candidate(Target(address)))
            match case.facts.smtp:
                case Measured(result):
                    return result.speaks_smtp
                case _:
                    return None

        yield takes_mail


def _port_25_only(settings: Settings, scope: Permission) -> Probes:
    unasked = _Unasked()
    return Probes(
        ping=unasked,
        os=unasked,
        smtp=smtp_of(settings, scope),
        dns=unasked,
        windows=lambda _: None,
    )
