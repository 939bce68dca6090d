"""The page on documents names every schema that the package writes."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
_SCHEMA = re.compile(r"botprobe/[a-z-]+/[0-9]+")


def test_every_schema_has_its_place_on_the_page() -> None:
    """Whoever reads our JSON finds out from one page what it is."""
    sources = (path.read_text("utf-8") for path in (ROOT / "botprobe").rglob("*.py"))
    written = {name for text in sources for name in _SCHEMA.findall(text)}
    explained = set(_SCHEMA.findall((ROOT / "docs/contract.md").read_text("utf-8")))

    assert {"botprobe/case/1", "botprobe/audit/1"} <= written
    assert written <= explained
