"""``botprobe host``: everything that is known about one address."""

import asyncio
from collections.abc import Sequence
from typing import Annotated

import typer

from botprobe.cli.options import (
    AsJson,
    AsJsonLines,
    ConfigFile,
    Explain,
    HtmlFile,
    Rejudge,
    StorePath,
    parse_address,
    settings_from,
)
from botprobe.cli.render import print_cases, print_json, stdout_console
from botprobe.cli.timeline import timeline_table
from botprobe.contract.history import Known, history_document, timeline
from botprobe.errors import InputError
from botprobe.judging import judge_of
from botprobe.model.mail import IpAddress
from botprobe.model.verdict import Case
from botprobe.pipeline import rejudged
from botprobe.report.files import write_whole
from botprobe.report.pages import host_page
from botprobe.settings import Settings
from botprobe.storing import known_store

# Of a host that mails us all day, the newest are shown and the others counted.
MAX_SIGHTINGS = 200


def host(
    address: Annotated[str, typer.Argument(metavar="IP", help="The host.")],
    config: ConfigFile = None,
    as_json: AsJson = False,
    jsonl: AsJsonLines = False,
    explain: Explain = False,
    store: StorePath = None,
    rejudge: Rejudge = False,
    html: HtmlFile = None,
) -> None:
    """Show the history of one address, and its cases, newest first."""
    ip = parse_address(address)
    settings = settings_from(config, store=store)
    known, cases = asyncio.run(_known(settings, ip))
    if not (any(known) or cases):
        raise InputError(f"{ip} was never seen")
    if rejudge:
        judge = judge_of(settings)
        cases = [rejudged(case, judge) for case in cases]
    if html is not None:
        write_whole(html, host_page(ip, timeline(known, cases), cases))
    if as_json:
        print_json(history_document(known, cases))
    elif jsonl or html is None:
        if not jsonl:
            stdout_console().print(timeline_table(timeline(known, cases)))
            # The timeline names the refusals; what was found stands in the looks.
            cases = [case for case in cases if case.refused is None]
        print_cases(cases, as_json=as_json, jsonl=jsonl, explain=explain)


async def _known(settings: Settings, address: IpAddress) -> tuple[Known, Sequence[Case]]:
    async with known_store(settings) as store:
        known = Known(
            history=await store.history(address),
            sightings=await store.sightings(address, MAX_SIGHTINGS),
            observed=await store.observations(address, MAX_SIGHTINGS),
            suspicions=await store.suspicions(address, MAX_SIGHTINGS),
        )
        return known, await store.cases(address)
