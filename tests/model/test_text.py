"""Text from outside on a terminal."""

import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botprobe.model.text import counted, visible


class TestCounted:
    @pytest.mark.parametrize(
        ("text", "wanted"),
        [
            (counted(1, "address"), "1 address"),
            (counted(0, "address"), "0 addresses"),
            (counted(2_000, "mail"), "2,000 mails"),
            (counted(1, "reply", "replies"), "1 reply"),
            (counted(3, "reply", "replies"), "3 replies"),
        ],
    )
    def test_one_is_not_many(self, text: str, wanted: str) -> None:
        """A number and its noun agree."""
        assert text == wanted


class TestVisible:
    @pytest.mark.parametrize(
        ("hostile", "shown"),
        [
            ("\x1b[31mred", "\\x1b[31mred"),
            ("a\rb\nc\td", "a\\x0db\\x0ac\\x09d"),
            ("\x00\x7f\x9b", "\\x00\\x7f\\x9b"),
            ("moc\u202eexe.", "moc\\u202eexe."),
            ("\u2066x\u2069", "\\u2066x\\u2069"),
            ("pay\u200bpal", "pay\\u200bpal"),
            ("\ufeffx", "\\ufeffx"),
            ("\udcff", "\\udcff"),
            ("\U000e0041", "\\U000e0041"),
            ("line\u2028line", "line\\u2028line"),
            ("pay\u034fpal", "pay\\u034fpal"),
            ("\u17b4\u180b\ufe0f\uffa0", "\\u17b4\\u180b\\ufe0f\\uffa0"),
            ("a\u2800b", "a\\u2800b"),
            ("\U0001d173", "\\U0001d173"),
            ("\ue000", "\\ue000"),
        ],
    )
    def test_harmful_characters_are_written_as_escapes(self, hostile: str, shown: str) -> None:
        """Controls, overrides, invisible letters and lone surrogates are seen, and do nothing."""
        assert visible(hostile) == shown

    @pytest.mark.parametrize("text", ["mail.example.org", "Grüße, 世界", "a\\b", "", "🦆"])
    def test_other_text_stays_as_it_is(self, text: str) -> None:
        """Names in any script are readable."""
        assert visible(text) == text

    def test_no_control_or_format_character_of_unicode_is_left(self) -> None:
        """Whatever Python's Unicode calls control, format, private, surrogate or separator."""
        steering = {"Cc", "Cf", "Co", "Cs", "Zl", "Zp"}
        letters = map(chr, range(sys.maxunicode + 1))
        text = "".join(letter for letter in letters if unicodedata.category(letter) in steering)

        assert visible(text).isascii()

    @given(st.text())
    def test_nothing_that_steers_a_terminal_is_left(self, text: str) -> None:
        """Whatever comes in, the result is one line that every encoding of Unicode can carry."""
        shown = visible(text)

        assert len(shown.splitlines()) <= 1
        assert shown.encode("utf-8").decode("utf-8") == shown
        assert not any(ord(letter) < 0x20 or 0x7F <= ord(letter) < 0xA0 for letter in shown)

    @given(st.text())
    def test_escaping_twice_changes_nothing(self, text: str) -> None:
        """A text that was made visible once is not made longer by the next program."""
        assert visible(visible(text)) == visible(text)
