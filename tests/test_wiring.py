"""What wiring makes of the settings where it can be wrong."""

import pytest

from botprobe.config import load_settings
from botprobe.errors import ConfigError
from botprobe.wiring import shipped_weights, weights_of


class TestWeightsOf:
    def test_a_list_without_meanings_is_not_asked(self) -> None:
        """A code that nobody explained would be taken for a listing, or for nothing."""
        settings = load_settings(None, {}, {"dnsbl": {"zones": ["new.example"]}})

        with pytest.raises(ConfigError, match=r"codes of new\.example mean"):
            weights_of(settings)

    def test_the_operator_may_explain_a_list(self) -> None:
        """A list of one's own is asked like the well-known ones."""
        meanings = {"New.Example.": {"127.0.0.2": "exploited"}}
        settings = load_settings(
            None, {}, {"dnsbl": {"zones": ["new.example"], "meanings": meanings}}
        )

        zones = weights_of(settings).zones

        assert "new.example" in zones
        assert zones.keys() > shipped_weights().zones.keys()

    def test_no_list_is_asked_by_itself(self) -> None:
        """Block lists learn whom we look at: that is the operator's decision."""
        assert load_settings(None, {}, {}).dnsbl.zones == ()
