"""Tests of the table that says what hosts really are."""

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botprobe.classify.truth import Truth, read_labels
from botprobe.errors import InputError

HOST = ip_address("198.18.10.1")


class TestReadLabels:
    def test_truth_may_be_any_word(self) -> None:
        """Which kinds are bots is said in a column of its own."""
        text = "ip,truth,bot,note\n198.18.10.1,camera,yes,x\n2001:db8::1,printer,No,\n"

        assert read_labels(text) == {
            HOST: Truth("camera", is_bot=True),
            ip_address("2001:db8::1"): Truth("printer", is_bot=False),
        }

    def test_without_that_column_bots_are_called_bot(self) -> None:
        """The shortest table has two columns."""
        assert read_labels("ip,truth\n198.18.10.1,bot\n") == {HOST: Truth("bot", is_bot=True)}

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("", "no column 'ip'"),
            ("ip,kind\n", "no column 'truth'"),
            ("ip,truth\n198.18.10,bot\n", "line 2: '198.18.10' is not an IP address"),
            ("ip,truth,bot\n198.18.10.1,bot,perhaps\n", "'perhaps' is neither yes nor no"),
            ('ip,truth\n198.18.10.1,"bot\n', "unexpected end"),
            ("ip,truth\nbot\n", "line 2"),
        ],
    )
    def test_a_wrong_table_is_named(self, text: str, said: str) -> None:
        """Figures on half a table would be wrong figures."""
        with pytest.raises(InputError, match=said):
            read_labels(text)

    @given(st.text(max_size=200))
    def test_never_fails_in_an_unexpected_way(self, text: str) -> None:
        """Any file at all is read or refused."""
        try:
            labels = read_labels("ip,truth\n" + text)
        except InputError:
            labels = {}

        assert all(truth.kind for truth in labels.values())
