"""The rules: each looks at one side of a host and says in a clause what it found.

What a finding weighs stands in the table of weights. A rule speaks only of what was measured; a
host that answers on every port is not believed anything it says about itself.
"""

from botprobe.classify.rules.address import ADDRESS_RULES
from botprobe.classify.rules.base import Group, Rule
from botprobe.classify.rules.proxy import PROXY_RULES
from botprobe.classify.rules.receipt import RECEIPT_RULES
from botprobe.classify.rules.reputation import REPUTATION_RULES
from botprobe.classify.rules.service import SERVICE_RULES
from botprobe.classify.rules.system import SYSTEM_RULES
from botprobe.classify.rules.traffic import TRAFFIC_RULES

GROUPS: tuple[Group, ...] = (
    SYSTEM_RULES,
    SERVICE_RULES,
    ADDRESS_RULES,
    RECEIPT_RULES,
    REPUTATION_RULES,
    PROXY_RULES,
    TRAFFIC_RULES,
)

RULES: tuple[Rule, ...] = tuple(rule for group in GROUPS for rule in group.rules)
