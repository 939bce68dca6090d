"""What the observers' commands share: ``--keep`` and ``--investigate``."""

from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from botprobe.cli.stderr import complain
from botprobe.model.mail import IpAddress
from botprobe.model.observation import Observation
from botprobe.model.text import counted
from botprobe.settings import Settings

if TYPE_CHECKING:
    from botprobe.service.suspects import Handover

Keep = Annotated[
    bool, typer.Option("--keep", help="Write what was seen of each host into its dossier.")
]
Investigate = Annotated[
    bool,
    typer.Option(
        "--investigate", help="Also have a watch probe the suspects, within scope and budgets."
    ),
]


def keep(
    settings: Settings,
    observations: Collection[Observation],
    suspects: Mapping[IpAddress, str],
) -> "Handover":
    """Write observations into the dossiers and make the suspects due; tell both on stderr.

    Args:
        settings: which store, and who may be probed.
        observations: what was seen, for ``botprobe host`` and for verdicts.
        suspects: who is to be probed, each with a clause that says why.

    Raises:
        BotprobeError: the store or the scope cannot be read.
    """
    # The store takes half a second and 40 MB, and most runs keep nothing.
    import asyncio  # noqa: PLC0415

    from botprobe.scoping import scope_of  # noqa: PLC0415
    from botprobe.service.suspects import hand_over  # noqa: PLC0415
    from botprobe.storing import open_store  # noqa: PLC0415

    async def run() -> "Handover":
        scope, cooldown = scope_of(settings), timedelta(hours=settings.scope.cooldown_hours)
        async with open_store(settings) as store:
            await store.observe(observations)
            return await hand_over(suspects, store=store, scope=scope, cooldown=cooldown)

    handed = asyncio.run(run())
    complain(f"{counted(len(observations), 'observation')} kept")
    if suspects:
        complain(
            f"{len(handed.due)} of {counted(len(suspects), 'suspect')} due for botprobe watch, "
            f"{len(handed.known)} due or probed before, {len(handed.refused)} refused"
        )
    for address, reason in handed.refused:
        complain(f"{address}: {reason}")
    return handed
