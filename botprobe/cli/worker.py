"""``botprobe worker``: ask the hosts that are due in a store which several machines share."""

from typing import Annotated

import typer

from botprobe.cli.options import (
    AsJsonLines,
    Canaries,
    ConfigFile,
    HeloName,
    LogDirectory,
    StorePath,
    settings_from,
)
from botprobe.cli.watch import MetricsPlace, follow
from botprobe.errors import ConfigError
from botprobe.settings import Settings, is_shared
from botprobe.wiring import Role


def worker(
    config: ConfigFile = None,
    vantage: Annotated[
        str | None, typer.Option(help="Name of the place that it looks from.", metavar="NAME")
    ] = None,
    concurrency: Annotated[
        int | None,
        typer.Option(help="Hosts that it asks at the same time.", metavar="N", min=1, max=100_000),
    ] = None,
    jsonl: AsJsonLines = False,
    stop_file: Annotated[
        str | None, typer.Option(help="Probe nobody while this file exists.", metavar="FILE")
    ] = None,
    metrics: MetricsPlace = None,
    store: StorePath = None,
    log_dir: LogDirectory = None,
    helo_name: HeloName = None,
    canary: Canaries = None,
) -> None:
    """Ask the hosts that are due in a shared store (PostgreSQL)."""

    def load() -> Settings:
        settings = settings_from(
            config,
            store=store,
            log_dir=log_dir,
            helo_name=helo_name,
            canary=canary,
            watch={"stop_file": stop_file, "metrics": metrics},
            worker={"vantage": vantage, "concurrency": concurrency},
        )
        if not is_shared(settings.store):
            raise ConfigError("store: a worker needs a PostgreSQL database; watch asks by itself")
        return settings

    follow(load, jsonl=jsonl, role=Role.WORKER)
