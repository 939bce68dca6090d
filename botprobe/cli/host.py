"""``botprobe host``: everything that is known about one address."""

import asyncio
from collections.abc import Sequence
from ipaddress import ip_address
from typing import Annotated

import typer

from botprobe.cli.options import (
    AsJson,
    AsJsonLines,
    ConfigFile,
    Explain,
    Rejudge,
    StorePath,
    settings_from,
)
from botprobe.cli.render import print_cases
from botprobe.config import Settings
from botprobe.errors import InputError
from botprobe.model.mail import IpAddress
from botprobe.model.verdict import Case
from botprobe.pipeline import rejudged
from botprobe.wiring import judge_of, open_store


def host(
    address: Annotated[str, typer.Argument(metavar="IP", help="The host.")],
    config: ConfigFile = None,
    as_json: AsJson = False,
    jsonl: AsJsonLines = False,
    explain: Explain = False,
    store: StorePath = None,
    rejudge: Rejudge = False,
) -> None:
    """Show the cases of one address that the store keeps, newest first."""
    try:
        ip = ip_address(address.strip("[]"))
    except ValueError as error:
        raise typer.BadParameter(f"not an IP address: {address!r}") from error
    settings = settings_from(config, store=store)
    cases = asyncio.run(_cases(settings, ip))
    if not cases:
        raise InputError(f"{ip} was never investigated")
    if rejudge:
        judge = judge_of(settings)
        cases = [rejudged(case, judge) for case in cases]
    print_cases(cases, as_json=as_json, jsonl=jsonl, explain=explain)


async def _cases(settings: Settings, address: IpAddress) -> Sequence[Case]:
    async with open_store(settings) as store:
        return await store.cases(address)
