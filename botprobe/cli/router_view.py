"""What becomes of the router's table: it is shown, kept, and handed on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from botprobe.cli.dossier import keep
from botprobe.cli.options import settings_from
from botprobe.cli.render import print_json, stdout_console
from botprobe.cli.router_document import router_document
from botprobe.cli.router_screen import SortBy, router_screen, sort_table
from botprobe.model.mail import IpAddress
from botprobe.observers.capture import CaptureNotes
from botprobe.observers.router.credit import Action, CreditRule
from botprobe.observers.router.table import Deed, Judgement, Standing, observations
from botprobe.report.files import write_whole
from botprobe.settings import Settings

# A store keeps these; the rest of a flood stays in the table.
MAX_KEPT = 10_000
NO_DEEDS: Mapping[IpAddress, Deed] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """How the table is shown."""

    rule: CreditRule
    sort: SortBy
    as_json: bool = False
    textfile: Path | None = None

    def show(
        self,
        judged: Sequence[Judgement],
        notes: CaptureNotes | None = None,
        taken: Action = Action.ACCEPT,
    ) -> None:
        """Write the table to standard output, and the metrics."""
        table = sort_table(judged, self.sort)
        if self.as_json:
            print_json(router_document(table, self.rule, notes, taken))
        else:
            stdout_console().print(router_screen(table, self.rule, notes))
        self.write_metrics(table)

    def write_metrics(self, judged: Sequence[Judgement]) -> None:
        """Write the metrics, if they are wanted."""
        if self.textfile is None:
            return
        from botprobe.cli.router_metrics import router_metrics  # noqa: PLC0415  # costs memory

        write_whole(self.textfile, router_metrics(judged))


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """Where the table goes besides: into the dossiers, and its suspects to a watch."""

    config: Path | None
    store: str | None
    keep: bool
    investigate: bool

    @property
    def settings(self) -> Settings:
        """The settings, with the store of the command line.

        Raises:
            ConfigError: one is unknown or wrong.
        """
        return settings_from(self.config, store=self.store)

    def enter(
        self, judged: Sequence[Judgement], deeds: Mapping[IpAddress, Deed] = NO_DEEDS
    ) -> None:
        """Keep what was seen and done, and make the suspects due.

        Raises:
            BotprobeError: the store or the scope cannot be read.
        """
        if not (self.keep or self.investigate):
            return
        highest = sort_table(judged, SortBy.CREDIT)[:MAX_KEPT]
        due = suspects(highest) if self.investigate else {}
        keep(self.settings, observations(highest, deeds), due)


def suspects(judged: Sequence[Judgement]) -> dict[IpAddress, str]:
    """Return who is suspected, each with a clause that says why."""
    return {
        one.entry.address: f"only sends mail (credit {one.entry.credit:,})"
        for one in judged
        if one.standing is Standing.SUSPECT
    }
