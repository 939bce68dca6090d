"""``botprobe/observation/1``: what an observer saw of an address, as other programs read it."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from ipaddress import ip_address
from typing import Any

import msgspec

from botprobe.contract.case import builtins, rfc3339
from botprobe.errors import ParseError
from botprobe.model.facts import NOTHING_OBSERVED
from botprobe.model.observation import OBSERVERS, Observation, Observer
from botprobe.model.outcome import Measured, Outcome
from botprobe.model.results import TrafficResult

SCHEMA = "botprobe/observation/1"

_READERS = {observer: saw for saw, observer in OBSERVERS.items()}


def observation_document(observation: Observation) -> dict[str, Any]:
    """Write an observation as a JSON-ready mapping."""
    return {
        "schema": SCHEMA,
        "ip": str(observation.address),
        "observer": str(observation.observer),
        "seen": rfc3339(observation.seen),
        "saw": builtins(observation.saw),
    }


def observation_from_document(document: Mapping[str, Any]) -> Observation:
    """Read back what ``observation_document`` wrote.

    Raises:
        ParseError: it is not such a document.
    """
    try:
        return Observation(
            address=ip_address(document["ip"]),
            seen=datetime.fromisoformat(document["seen"]),
            saw=msgspec.convert(document["saw"], _READERS[Observer(document["observer"])]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ParseError(f"not a {SCHEMA} document: {error}", b"") from error


def traffic_outcome(latest: Iterable[Observation]) -> Outcome[TrafficResult]:
    """Put the newest observation of each observer together as one fact.

    It counts as measured when the host was last seen.
    """
    newest = {one.observer: one for one in sorted(latest, key=lambda one: one.seen)}
    if not newest:
        return NOTHING_OBSERVED
    saw: dict[str, Any] = {str(observer): one.saw for observer, one in newest.items()}
    return Measured(TrafficResult(**saw), max(one.seen for one in newest.values()), 0.0)
