"""Which options were given, and which of them would do nothing: those are refused, never lost."""

from collections.abc import Collection, Mapping

import typer

from botprobe.errors import UsageError


def given(ctx: typer.Context, names: Collection[str] = ()) -> list[str]:
    """Return the options that were given on the command line, as they are written there.

    Args:
        ctx: of the command.
        names: of the parameters that are looked at; all, if there are none.
    """
    written = {one.name: one.opts[0] for one in ctx.command.params}
    sources = ((name, ctx.get_parameter_source(name or "")) for name in names or written)
    return [written[name] for name, source in sources if source and source.name == "COMMANDLINE"]


def refuse_idle(ctx: typer.Context, needs: Mapping[str, str]) -> None:
    """Refuse options without that which makes them do anything.

    Args:
        ctx: of the command.
        needs: by the name of a parameter what it needs, and what is not there.

    Raises:
        UsageError: one of them was given.
    """
    for name, needed in needs.items():
        if idle := given(ctx, [name]):
            raise UsageError(f"{idle[0]} needs {needed}")
