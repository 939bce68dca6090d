"""Joins two bills of materials into one that lacks nothing; part of ``scripts/audit-deps``.

What cyclonedx-py reads from a lock file has every package and every hash, but no licence and no
graph; what it reads from an environment has these, but only of what this machine installs.
"""

import json
import sys
from pathlib import Path
from typing import Any

Bom = dict[str, Any]


def joined(locked: Bom, installed: Bom) -> Bom:
    """Return the packages of the lock with their hashes, and the licences and graph of the other.

    Args:
        locked: of the lock file, with the project itself as its subject.
        installed: of an environment into which the lock was installed.
    """
    places = {one["purl"]: one["bom-ref"] for one in locked["components"]}
    found = {one["bom-ref"]: one for one in installed["components"]}
    subject, root = locked["metadata"]["component"], installed["metadata"].get("component", {})
    refs = {ref: places.get(one.get("purl")) for ref, one in found.items()}
    refs[root.get("bom-ref")] = subject["bom-ref"]
    licences = {one.get("purl"): one.get("licenses") for one in found.values()}
    components = [
        one | ({"licenses": said} if (said := licences.get(one["purl"])) else {})
        for one in locked["components"]
    ]
    graph = {refs.get(node["ref"]): node.get("dependsOn", []) for node in installed["dependencies"]}
    dependencies = [
        {"ref": ref, "dependsOn": sorted(filter(None, map(refs.get, graph.get(ref, []))))}
        for ref in (subject["bom-ref"], *places.values())
    ]
    return locked | {"components": components, "dependencies": dependencies}


def main() -> None:
    """Write the joined bill, and say how complete it is."""
    locked, installed, out = map(Path, sys.argv[1:])
    bom = joined(json.loads(locked.read_text()), json.loads(installed.read_text()))
    out.write_text(json.dumps(bom, indent=2, sort_keys=True) + "\n", "utf-8")
    parts = bom["components"]
    silent = [one["name"] for one in parts if not one.get("licenses")]
    print(f"wrote {out}: {len(parts)} packages, {len(parts) - len(silent)} with their licences")
    if silent:
        print(f"not installed here, so without a licence: {', '.join(silent)}")


if __name__ == "__main__":
    main()
