"""``botprobe probe``: investigate addresses that the operator names, without a mail."""

from typing import Annotated

import typer

from botprobe.cli.exitcodes import ExitCode
from botprobe.cli.investigation import exit_code, investigate
from botprobe.cli.options import (
    AsJson,
    AsJsonLines,
    Canaries,
    ConfigFile,
    Explain,
    FailOn,
    Fresh,
    HeloName,
    LogDirectory,
    ProxyCheck,
    StorePath,
    parse_address,
    settings_from,
)
from botprobe.cli.render import print_cases
from botprobe.model.target import Target
from botprobe.pipeline import Candidate


def probe(
    addresses: Annotated[list[str], typer.Argument(metavar="IP", help="Hosts to ask.")],
    config: ConfigFile = None,
    as_json: AsJson = False,
    jsonl: AsJsonLines = False,
    explain: Explain = False,
    fresh: Fresh = False,
    store: StorePath = None,
    log_dir: LogDirectory = None,
    helo_name: HeloName = None,
    canary: Canaries = None,
    fail_on: FailOn = None,
    proxy_check: ProxyCheck = False,
) -> None:
    """Ask hosts what they are and judge them, without a mail."""
    settings = settings_from(
        config,
        store=store,
        log_dir=log_dir,
        helo_name=helo_name,
        canary=canary,
        proxy_check=proxy_check,
    )
    targets = dict.fromkeys(parse_address(text) for text in addresses)
    found = investigate(settings, [Candidate(Target(ip)) for ip in targets], fresh=fresh)
    print_cases(found.cases, as_json=as_json, jsonl=jsonl, explain=explain)
    code = exit_code(found, fail_on or ())
    if code is ExitCode.DONE and all(case.refused is not None for case in found.cases):
        code = ExitCode.REFUSED
    raise typer.Exit(code)
