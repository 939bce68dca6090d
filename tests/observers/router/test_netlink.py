"""Sets of the packet filter over netlink: as nft tells them, whatever their form."""

import json
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botprobe.observers.router import netlink
from tests.lab.proxyabuse import run_private
from tests.observers.router.filtersets import MANY

HOSTS = "c6120001", "c6120002"


@pytest.fixture(scope="module")
def read() -> dict[str, Any]:
    """What was read of real sets in a namespace."""
    told: dict[str, Any] = json.loads(run_private("tests.observers.router.filtersets"))
    return told


@pytest.mark.lab
class TestReadSet:
    def test_many_elements_are_those_that_nft_lists(self, read: dict[str, Any]) -> None:
        """More than one message of the kernel holds."""
        assert read["four"] == read["nft"]
        assert len(read["four"]) == MANY

    def test_elements_of_one_set_may_differ_in_form(self, read: dict[str, Any]) -> None:
        """One counts its packets, one does not; one has a timeout of its own."""
        assert read["six"] == {"2001:db8::1": 7, "2001:db8::2": 0}
        assert read["plain"] == dict.fromkeys(HOSTS, 0)

    def test_each_part_of_a_key_takes_whole_words(self, read: dict[str, Any]) -> None:
        """A hop limit is one byte, followed by padding."""
        assert read["pairs"] == {"".join(HOSTS): 9}
        assert read["hops"] == {f"{HOSTS[0]}40000000": 0, f"{HOSTS[0]}80000000": 0}

    def test_an_empty_set_is_not_a_missing_one(self, read: dict[str, Any]) -> None:
        """Who took our table away is told about it."""
        assert read["none"] == {}
        assert read["missing"] == "set missing: the table read is gone"


@given(st.binary(max_size=200))
def test_a_damaged_message_is_an_error_of_one_kind(data: bytes) -> None:
    """Reading ends, and never with anything else."""
    found: netlink.Elements = {}
    try:
        for _, _, begin, end in netlink._messages(data):
            netlink._elements(data, begin, end, {}, found)
    except struct.error:
        return
    assert all(isinstance(key, bytes) for key in found)
