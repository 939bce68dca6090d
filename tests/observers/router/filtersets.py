"""Fills sets of a packet filter and reads them twice, by us and by nft; run in a namespace."""

import json
import subprocess
from ipaddress import IPv4Address, IPv6Address
from typing import Any

from botprobe.errors import ProbeUnavailable
from botprobe.observers.router.netlink import read_set

MANY = 3_000
_DYNAMIC = "size 65536; flags dynamic,timeout; timeout 1h;"
_SETS = f"""
table inet read {{
  set four {{ type ipv4_addr; {_DYNAMIC} }}
  set six {{ type ipv6_addr; {_DYNAMIC} }}
  set pairs {{ type ipv4_addr . ipv4_addr; {_DYNAMIC} }}
  set hops {{ typeof ip saddr . ip ttl; {_DYNAMIC} }}
  set plain {{ type ipv4_addr; {_DYNAMIC} }}
  set none {{ type ipv4_addr; {_DYNAMIC} }}
}}
add element inet read six {{ 2001:db8::1 counter packets 7 bytes 1, 2001:db8::2 }}
add element inet read pairs {{ 198.18.0.1 . 198.18.0.2 counter packets 9 bytes 9 }}
add element inet read hops {{ 198.18.0.1 . 64, 198.18.0.1 . 128 timeout 20s }}
add element inet read plain {{ 198.18.0.1, 198.18.0.2 timeout 20s }}
"""


def main() -> None:
    """Print what was read."""
    base = int(IPv4Address("198.18.0.0"))
    many = ", ".join(
        f"{IPv4Address(base + number)} counter packets {number} bytes 1" for number in range(MANY)
    )
    script = f"{_SETS}add element inet read four {{ {many} }}\n"
    subprocess.run(["nft", "-f", "-"], input=script.encode(), check=True)
    listed = subprocess.run(
        ["nft", "-j", "list", "set", "inet", "read", "four"], capture_output=True, check=True
    )
    elements = json.loads(listed.stdout)["nftables"][1]["set"]["elem"]
    four = read_set("read", "four")
    read: dict[str, Any] = {
        "four": {str(IPv4Address(key)): packets for key, packets in four.items()},
        "nft": {one["elem"]["val"]: one["elem"]["counter"]["packets"] for one in elements},
        "six": {str(IPv6Address(key)): packets for key, packets in read_set("read", "six").items()},
        **{
            name: {key.hex(): packets for key, packets in read_set("read", name).items()}
            for name in ("pairs", "hops", "plain", "none")
        },
    }
    try:
        read_set("read", "missing")
    except ProbeUnavailable as error:
        read["missing"] = str(error)
    print(json.dumps(read))


if __name__ == "__main__":
    main()
