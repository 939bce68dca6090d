"""``botprobe scan``: from mails to the verdicts on the hosts that they name."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from typing import Annotated, Any

import typer

from botprobe.cli.exitcodes import ExitCode
from botprobe.cli.investigation import exit_code, investigate
from botprobe.cli.mailinput import read_mails
from botprobe.cli.options import (
    AsJson,
    AsJsonLines,
    Canaries,
    ConfigFile,
    Explain,
    FailOn,
    Fresh,
    HeloName,
    HopsChoice,
    HtmlFile,
    InternalNetworks,
    LogDirectory,
    OwnHosts,
    StorePath,
    SubmissionNetworks,
    TrustedNetworks,
    settings_from,
)
from botprobe.cli.render import print_json, print_json_lines, print_scan
from botprobe.contract.case import case_document
from botprobe.contract.mail import mail_document
from botprobe.model.mail import Mail
from botprobe.model.target import Sighting
from botprobe.model.verdict import Case
from botprobe.pipeline import candidates
from botprobe.report.files import write_whole
from botprobe.report.pages import scan_page
from botprobe.scoping import trust_settings


def scan(
    files: Annotated[
        list[str],
        typer.Argument(metavar="FILE", help="Mails, mboxes, Maildirs; - is standard input."),
    ],
    config: ConfigFile = None,
    trusted_network: TrustedNetworks = None,
    internal_network: InternalNetworks = None,
    msa_network: SubmissionNetworks = None,
    own_host: OwnHosts = None,
    hops: HopsChoice = None,
    as_json: AsJson = False,
    jsonl: AsJsonLines = False,
    explain: Explain = False,
    fresh: Fresh = False,
    store: StorePath = None,
    log_dir: LogDirectory = None,
    helo_name: HeloName = None,
    canary: Canaries = None,
    fail_on: FailOn = None,
    html: HtmlFile = None,
) -> None:
    """Read mails, ask each host on their way, and name the bots."""
    settings = settings_from(
        config,
        store=store,
        log_dir=log_dir,
        helo_name=helo_name,
        canary=canary,
        hops=hops,
        trusted_network=trusted_network,
        internal_network=internal_network,
        msa_network=msa_network,
        own_host=own_host,
    )
    taken = read_mails(files, trust_settings(settings))
    chosen = candidates(taken.mails, settings.scope.hops, settings.scope.max_targets_per_mail)
    found = investigate(settings, chosen, mails=taken.mails, fresh=fresh)
    if html is not None:
        write_whole(html, scan_page(taken.mails, found.cases))
    if as_json or jsonl:
        documents = scan_documents(taken.mails, found.cases)
        _print_documents(documents, taken.skipped, lines=jsonl)
    elif html is None:
        print_scan(taken.mails, found.cases, explain=explain)
    code = exit_code(found, fail_on or ())
    raise typer.Exit(ExitCode.PARTLY if code is ExitCode.DONE and taken.skipped else code)


def scan_documents(mails: Sequence[Mail], cases: Collection[Case]) -> list[dict[str, Any]]:
    """Return the document of each mail with the cases of the addresses that it named."""
    by_file: dict[str, list[Case]] = {mail.file: [] for mail in mails}
    for case in cases:
        for file, seen in _by_file(case.target.sightings).items():
            # Each mail shows what it said itself: all sightings under all mails would be a square.
            by_file[file].append(replace(case, target=replace(case.target, sightings=seen)))
    return [
        mail_document(mail) | {"targets": [case_document(case) for case in by_file[mail.file]]}
        for mail in mails
    ]


def _by_file(sightings: Iterable[Sighting]) -> dict[str, tuple[Sighting, ...]]:
    found: dict[str, tuple[Sighting, ...]] = {}
    for sighting in sightings:
        found[sighting.file] = (*found.get(sighting.file, ()), sighting)
    return found


def _print_documents(
    documents: list[dict[str, Any]], skipped: Sequence[str], *, lines: bool
) -> None:
    if lines:
        print_json_lines(documents)
    else:
        print_json({"schema": "botprobe/scan/1", "mails": documents, "skipped": list(skipped)})
