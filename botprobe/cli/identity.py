"""``botprobe identity``: tell those who are probed who it was."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from botprobe.cli.options import AsJson, ConfigFile, HeloName, settings_from
from botprobe.cli.render import print_json
from botprobe.contract.identity import WELL_KNOWN, Identity, dns_records, page, probing_txt
from botprobe.errors import ConfigError, InputError
from botprobe.probing import account_of, helo_name, own_addresses
from botprobe.report.files import write_whole
from botprobe.settings import Settings

Folder = Annotated[
    Path | None, typer.Option("--out", help="Write the files into this directory.", metavar="DIR")
]


def identity(
    out: Folder = None,
    config: ConfigFile = None,
    helo_name: HeloName = None,
    as_json: AsJson = False,
) -> None:
    """Write a page and DNS records that tell others who probes."""
    told = identity_of(settings_from(config, helo_name=helo_name))
    files = {
        "index.html": page(told),
        WELL_KNOWN: probing_txt(told),
        "records.zone": dns_records(told),
    }
    if out is not None:
        for name, text in files.items():
            _write(out / name, text)
    if as_json:
        print_json({"schema": "botprobe/identity/1", "url": told.url, "files": files})
    elif out is None:
        print("\n".join(f"--- {name}\n{text}" for name, text in files.items()), end="")
    else:
        print(f"serve {out} as https://{told.name}/, and publish these records:\n")
        print(files["records.zone"], end="")


def identity_of(settings: Settings) -> Identity:
    """Collect what others may know of us.

    Raises:
        ConfigError: nobody says who we are.
    """
    name, publisher = helo_name(settings), settings.export
    if publisher.organisation is None or publisher.contact is None:
        raise ConfigError("identity: set export.organisation and export.contact: who are you?")
    if "." not in name:
        raise ConfigError(f"identity: {name!r} is no full name: set smtp.helo_name")
    return Identity(
        name=name.rstrip("."),
        addresses=own_addresses(settings),
        organisation=publisher.organisation,
        contact=publisher.contact,
        asked=account_of(settings).asked,
        cooldown_hours=settings.scope.cooldown_hours,
        written=datetime.now(UTC).replace(microsecond=0),
    )


def _write(path: Path, text: str) -> None:
    try:
        for folder in reversed([path.parent, *path.parent.parents]):
            if not folder.exists():
                folder.mkdir()
                folder.chmod(0o755)  # for a web server, as the files in it
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}") from error
    write_whole(path, text)
