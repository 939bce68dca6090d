"""Whose an address is, as far as the opt-out file may ask: its names, and its autonomous system."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """What was found out about an address before anything was sent to it."""

    names: tuple[str, ...] | None = None
    """Its PTR names, none of which need point back; None if nobody could tell."""
    asn: int | None = None
    """Number of the autonomous system that announces it; None if that is not known."""
