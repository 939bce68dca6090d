"""Whether the host carries the words of strangers."""

from botprobe.classify.rules.base import Group, Rule
from botprobe.classify.subject import Subject
from botprobe.model.verdict import Family


def open_proxy(subject: Subject) -> str | None:
    """Our own listener heard our own word: there is no better proof."""
    doors = subject.open_doors
    if not doors:
        return None
    named = ", ".join(f"{door.protocol} on port {door.port}" for door in doors)
    return f"it is an open proxy: {named}"


PROXY_RULES = Group(
    looks_at=lambda subject: (subject.facts.proxy,),
    rules=(Rule("open-proxy", Family.PROXY, open_proxy),),
)
