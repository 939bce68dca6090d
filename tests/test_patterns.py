"""Regular expressions that mean the same on each Python that we support."""

import re
from pathlib import Path

import botprobe

# A group with a possessive quantifier behind it: )*+ and )++ and )?+ and ){2,3}+.
_POSSESSIVE_GROUP = re.compile(r"(?<!\\)\)(?:[*+?]|\{\{?[0-9]*,?[0-9]*\}?\})\+")


def test_no_group_is_possessive() -> None:
    """Up to 3.11.4 a possessive group keeps half a match; (?>(?:...)*) means the same, and works.

    Debian 12 has 3.11.2. Single characters and classes are not concerned.
    """
    sources = sorted(Path(botprobe.__file__).parent.rglob("*.py"))

    found = {
        str(path): found
        for path in sources
        if (found := _POSSESSIVE_GROUP.findall(path.read_text(encoding="utf-8")))
    }

    assert sources
    assert found == {}
