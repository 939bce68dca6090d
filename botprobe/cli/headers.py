"""``botprobe headers``: the way of a mail as its header tells it. It never sends a packet."""

from typing import Annotated

import typer

from botprobe.cli.exitcodes import ExitCode
from botprobe.cli.hoptable import mail_chain
from botprobe.cli.mailinput import MailReader
from botprobe.cli.options import (
    AsJson,
    AsJsonLines,
    ConfigFile,
    InternalNetworks,
    OwnHosts,
    SubmissionNetworks,
    TrustedNetworks,
    settings_from,
)
from botprobe.cli.render import print_json, print_json_lines, stdout_console
from botprobe.contract.mail import mail_document
from botprobe.scoping import trust_settings


def headers(
    files: Annotated[
        list[str],
        typer.Argument(metavar="FILE", help="Mails, mboxes, Maildirs; - is standard input."),
    ],
    config: ConfigFile = None,
    as_json: AsJson = False,
    jsonl: AsJsonLines = False,
    trusted_network: TrustedNetworks = None,
    internal_network: InternalNetworks = None,
    msa_network: SubmissionNetworks = None,
    own_host: OwnHosts = None,
) -> None:
    """Show the way of mails, and how far each hop can be believed."""
    settings = settings_from(
        config,
        trusted_network=trusted_network,
        internal_network=internal_network,
        msa_network=msa_network,
        own_host=own_host,
    )
    reader = MailReader(files, trust_settings(settings))
    if jsonl:
        print_json_lines(map(mail_document, reader))
    elif as_json:
        mails = [mail_document(mail) for mail in reader]
        print_json({"schema": "botprobe/mails/1", "mails": mails, "skipped": reader.skipped})
    else:
        console = stdout_console()
        for mail in reader:
            console.print(mail_chain(mail))
    raise typer.Exit(ExitCode.PARTLY if reader.skipped else ExitCode.DONE)
