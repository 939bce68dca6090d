"""Findings as tables of Postfix: ``cidr_table(5)`` for ``access(5)`` and for postscreen(8)."""

import re
from collections.abc import Iterable, Iterator

from botprobe.errors import UsageError
from botprobe.export.base import Publication, entry_comment, instant
from botprobe.model.finding import Finding

_ACTIONS = {
    "reject": "REJECT Listed as a bot: {evidence}",
    "discard": "DISCARD listed as a bot: {evidence}",
    "hold": "HOLD listed as a bot: {evidence}",
    "defer": "DEFER_IF_PERMIT Listed as a bot: {evidence}",
    "warn": "WARN listed as a bot: {evidence}",
    "dunno": "DUNNO",
}

_FILTER = re.compile(r"filter:([A-Za-z0-9_-]+:[][A-Za-z0-9_.:/-]+)")

ACTIONS = (*_ACTIONS, "filter:TRANSPORT:DESTINATION")


def access_map(findings: Iterable[Finding], publication: Publication) -> Iterator[str]:
    """Write a table for ``check_client_access cidr:FILE``.

    Raises:
        UsageError: the action is none of ACTIONS.
    """
    action = action_of(publication.action)
    yield from _head("check_client_access", publication)
    for finding in findings:
        yield from _entry(finding, action.format(evidence=finding.evidence_id))


def postscreen_list(findings: Iterable[Finding], publication: Publication) -> Iterator[str]:
    """Write a table for ``postscreen_access_list = permit_mynetworks, cidr:FILE``."""
    yield from _head("postscreen_access_list", publication)
    for finding in findings:
        yield from _entry(finding, "reject")


def action_of(choice: str, key: str = "--action") -> str:
    """Read what is done with a bot's mail, and return it in Postfix's words.

    Raises:
        UsageError: it is none of ACTIONS.
    """
    if choice in _ACTIONS:
        return _ACTIONS[choice]
    match = _FILTER.fullmatch(choice)
    if match is None:
        raise UsageError(f"{key}: {choice!r} is not one of {', '.join(ACTIONS)}")
    return f"FILTER {match[1]}"


def _head(parameter: str, publication: Publication) -> Iterator[str]:
    yield f"# botprobe, {instant(publication.made)}: for {parameter} cidr:THIS_FILE\n"


def _entry(finding: Finding, action: str) -> Iterator[str]:
    yield f"# {entry_comment(finding)}\n"
    yield f"{finding.address}/{finding.address.max_prefixlen} {action}\n"
