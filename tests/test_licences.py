"""The licence of the whole, and those of what it stands on."""

import re
import tomllib
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest

from tests.bom import joined

ROOT = Path(__file__).parents[1]
LOCK = (ROOT / "locks" / "runtime.txt").read_text()
NAMES = re.findall(r"^([a-z0-9_.-]+)==\S+ ?(;.*)?", LOCK, re.MULTILINE)

# What may be part of a program under the GPL, version 3 or later (gnu.org, "Various Licenses").
COMPATIBLE = re.compile(
    r"MIT|BSD|ISC|Apache-2\.0|MPL-2\.0|PSF-2\.0|Unlicense|LGPL|Lesser General Public License v3"
    r"|GNU General Public License \(GPL\)|gpl-3\.0"
)


def licence_of(name: str) -> str:
    """Return all that a distribution says of its licence, in one line."""
    about = distribution(name).metadata
    said = about.get_all("License-Expression", []) + about.get_all("License", [])
    said += [one for one in about.get_all("Classifier", []) if one.startswith("License ::")]
    return " | ".join(one[:80] for one in said)


def test_the_whole_is_under_the_gpl() -> None:
    """python-nmap is under the GPL, version 3 or later, and so is what contains it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    assert project["license"] == "GPL-3.0-or-later"
    assert "GNU GENERAL PUBLIC LICENSE" in (ROOT / "LICENSE").read_text()
    assert "GNU General Public License" in licence_of("python-nmap")


@pytest.mark.parametrize(("name", "where"), NAMES)
def test_each_dependency_may_be_part_of_it(name: str, where: str) -> None:
    """A package with another licence, or with none, is noticed before it is shipped."""
    try:
        licence = licence_of(name)
    except PackageNotFoundError:
        assert where, f"{name} is wanted on every system, and not installed"
        return

    assert COMPATIBLE.search(licence), f"{name}: {licence or 'says nothing'}"


def test_everything_is_locked_by_hash() -> None:
    """What pip installs is what was looked at."""
    blocks = re.split(r"^(?=[a-z0-9])", LOCK, flags=re.MULTILINE)[1:]

    assert len(blocks) == len(NAMES)
    assert all("--hash=sha256:" in block for block in blocks)


def test_the_bill_of_materials_has_what_either_source_knows() -> None:
    """Every package of the lock with its hashes; licences and graph of what is installed."""

    def part(name: str, ref: str, **more: object) -> dict[str, object]:
        return {"name": name, "bom-ref": ref, "purl": f"pkg:pypi/{name}@1", **more}

    whole = {"bom-ref": "root-component"}
    locked = {
        "metadata": {"component": whole},
        "components": [part("a", "L1", hashes=1), part("b", "L2"), part("elsewhere", "L3")],
        "dependencies": [],
    }
    installed = {
        "metadata": {"component": whole},
        "components": [part("a", "a==1", licenses=["MIT"]), part("b", "b==1"), part("c", "c==1")],
        "dependencies": [
            {"ref": "root-component", "dependsOn": ["a==1"]},
            {"ref": "a==1", "dependsOn": ["b==1", "c==1"]},
            {"ref": "b==1"},
        ],
    }

    bill = joined(locked, installed)

    assert bill["components"] == [
        part("a", "L1", hashes=1, licenses=["MIT"]),
        part("b", "L2"),
        part("elsewhere", "L3"),
    ]
    assert bill["dependencies"] == [
        {"ref": "root-component", "dependsOn": ["L1"]},
        {"ref": "L1", "dependsOn": ["L2"]},
        {"ref": "L2", "dependsOn": []},
        {"ref": "L3", "dependsOn": []},
    ]
