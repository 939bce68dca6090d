"""The README shows what the program says."""

import re
from pathlib import Path

from typer.testing import CliRunner

from botprobe.cli.app import app

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")


class TestReadme:
    def test_shows_the_real_help(self) -> None:
        """The list of commands in the README is the program's own."""
        shown = re.search(r"^\$ botprobe --help\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
        says = CliRunner().invoke(app, ["--help"], prog_name="botprobe", terminal_width=80)

        assert shown is not None
        assert shown[1].strip() == says.output.strip()

    def test_names_only_files_that_exist(self) -> None:
        """Each script, page and picture that the README points to is there."""
        named = set(re.findall(r"\]\(([^)#:]+)\)|`(scripts/[a-z-]+)`", README))
        paths = {path for pair in named for path in pair if path}

        assert {"scripts/lab", "docs/decisions"} <= paths
        assert [path for path in sorted(paths) if not (ROOT / path).exists()] == []
