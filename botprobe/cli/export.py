"""``botprobe export``: verdicts in the forms that other programs read."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from botprobe.cli.given import refuse_idle
from botprobe.cli.options import ConfigFile, StorePath, checked, settings_from
from botprobe.cli.stderr import complain
from botprobe.export.abuse import arf_mail, xarf_mail
from botprobe.export.base import Format, Publication
from botprobe.export.dnszones import zone_of
from botprobe.export.formats import FORMATS
from botprobe.export.postfix import action_of
from botprobe.model.finding import Finding
from botprobe.model.text import counted
from botprobe.model.verdict import Label
from botprobe.report.files import write_bytes, write_whole
from botprobe.settings import Settings
from botprobe.storing import known_store

AbuseMail = Callable[[Finding, Mapping[str, Any], Publication], bytes]

ABUSE_MAILS: dict[str, AbuseMail] = {"arf": arf_mail, "xarf": xarf_mail}

_ZONES = ("rbldnsd", "rpz")

_NAMES = (*FORMATS, *ABUSE_MAILS)


def _known(form: str) -> str:
    if form not in _NAMES:
        raise typer.BadParameter(f"{form!r} is none of {', '.join(_NAMES)}")
    return form


Form = Annotated[str, typer.Argument(metavar="FORMAT", help=", ".join(_NAMES), callback=_known)]
Labels = Annotated[
    list[Label] | None,
    typer.Option(
        "--label", help="Publish hosts with this label; without it bots.", metavar="LABEL"
    ),
]
Days = Annotated[
    float | None, typer.Option(help="How long a look holds.", metavar="DAYS", min=0.01, max=3650)
]
Action = Annotated[
    str,
    typer.Option(
        callback=checked(action_of),
        metavar="ACTION",
        help="postfix: reject, discard, hold, defer, warn, dunno or filter:TRANSPORT:DESTINATION.",
    ),
]
Zone = Annotated[
    str,
    typer.Option(help="rbldnsd, rpz: name of the zone.", metavar="NAME", callback=checked(zone_of)),
]
Output = Annotated[
    Path | None,
    typer.Option(
        "--output", "-o", metavar="PATH", help="File, or for arf and xarf the folder of the mails."
    ),
]


def export(
    ctx: typer.Context,
    form: Form,
    label: Labels = None,
    days: Days = None,
    action: Action = "reject",
    zone: Zone = "bots.invalid",
    output: Output = None,
    config: ConfigFile = None,
    store: StorePath = None,
) -> None:
    """Publish verdicts as lists, feeds, zones and abuse reports."""
    refuse_idle(ctx, {} if form == "postfix" else {"action": "postfix"})
    refuse_idle(ctx, {} if form in _ZONES else {"zone": " or ".join(_ZONES)})
    settings = settings_from(config, store=store)
    request = _Request(
        settings=settings,
        labels=tuple(label or (Label.BOT,)),
        holds=timedelta(days=days or settings.export.days),
        publication=Publication(
            made=datetime.now(UTC).replace(microsecond=0),
            organisation=settings.export.organisation,
            contact=settings.export.contact,
            action=action,
            zone=zone,
        ),
    )
    if form in FORMATS:
        _write(FORMATS[form], request, output)
    elif output is None or not output.is_dir():
        raise typer.BadParameter("the mails need a folder: --output DIR")
    else:
        asyncio.run(_write_mails(form, request, output))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Request:
    settings: Settings
    labels: tuple[Label, ...]
    holds: timedelta
    publication: Publication


def _write(form: Format, request: _Request, output: Path | None) -> None:
    findings = asyncio.run(_findings(request))
    if form.blocks:
        left = [finding for finding in findings if finding.handed_to_us]
        if len(left) < len(findings):
            complain(
                f"{counted(len(findings) - len(left), 'host')} left out: delivered nothing to us"
            )
        findings = left
    text = form.write(findings, request.publication)
    if output is None:
        for part in text:
            print(part, end="")
    else:
        write_whole(output, "".join(text))


async def _findings(request: _Request) -> list[Finding]:
    async with known_store(request.settings) as store:
        found = store.findings(request.labels, request.publication.made, request.holds)
        return [finding async for finding in found]


async def _write_mails(form: str, request: _Request, folder: Path) -> None:
    publication, written = request.publication, 0
    _ = publication.signature  # before anything is written
    async with known_store(request.settings) as store:
        async for finding in store.findings(request.labels, publication.made, request.holds):
            mail = await store.boundary_mail(finding.address) if finding.handed_to_us else None
            if mail is None:
                continue
            made = ABUSE_MAILS[form](finding, mail, publication)
            write_bytes(folder / f"{finding.evidence_id}.{form}.eml", made, mode=0o640)
            written += 1
    complain(f"{counted(written, 'report')} in {folder}; look at each before you send it")
