"""The help of every command."""

import re

import pytest
from typer.testing import CliRunner

from botprobe.cli.app import COMMANDS, app

GROUPS = {
    "router": ("off", "rules", "sink"),
    "optout": ("add", "list", "check"),
    "config": ("check", "show"),
    "store": ("init", "upgrade", "check", "copy", "prune"),
}
ALL = [(one,) for one in COMMANDS] + [(one, two) for one, more in GROUPS.items() for two in more]


@pytest.mark.parametrize("command", ALL, ids=" ".join)
def test_names_what_is_to_be_given(command: tuple[str, ...]) -> None:
    """ADDRESS, CIDR or FILE tell more than the type of a value in Python."""
    shown = CliRunner().invoke(app, [*command, "--help"])

    assert shown.exit_code == 0
    assert shown.stdout.startswith(f"Usage: botprobe {' '.join(command)} ")
    assert not re.findall(r"<[a-zA-Z%][^|>]*>|\[\[|\.\.\.\}", shown.stdout)
