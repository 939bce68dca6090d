"""Settings from file, environment and command line."""

from ipaddress import ip_network
from pathlib import Path

import pytest

from botprobe.config import host_names, load_settings, networks
from botprobe.errors import ConfigError
from botprobe.settings import Settings, is_shared


def write(path: Path, text: str) -> Path:
    """Write a configuration file and return its path."""
    file = path / "botprobe.toml"
    file.write_text(text)
    return file


class TestLoadSettings:
    def test_has_defaults_for_everything(self, tmp_path: Path) -> None:
        """Without a file, an environment or options botprobe runs with safe defaults."""
        settings = load_settings(None, {"XDG_CONFIG_HOME": str(tmp_path)}, {})

        assert settings == Settings()
        assert settings.scope.allow == ()

    def test_each_layer_overrides_the_one_before(self, tmp_path: Path) -> None:
        """The command line beats the environment, which beats the file, key by key."""
        file = write(tmp_path, '[smtp]\nhelo_name = "file"\nconnect_timeout = 3\n[dns]\ntimeout=1')
        environ = {"BOTPROBE_SMTP_HELO_NAME": "environment", "BOTPROBE_DNS_TIMEOUT": "2.5"}

        settings = load_settings(file, environ, {"smtp": {"helo_name": "option"}})

        assert settings.smtp.helo_name == "option"
        assert settings.smtp.connect_timeout == 3
        assert settings.dns.timeout == 2.5

    @pytest.mark.parametrize(
        ("text", "environ", "said", "found"),
        [
            ('store = "/srv/a.sqlite"', {}, {}, ("/srv/a.sqlite", False)),
            ('[store]\npath = "/srv/a.sqlite"', {}, {}, ("/srv/a.sqlite", False)),
            ('store = "postgresql://db/botprobe"', {}, {}, ("postgresql://db/botprobe", True)),
            ('[store]\npath = "postgres://db/x"', {}, {}, ("postgres://db/x", True)),
            (
                'store = "a"',
                {"BOTPROBE_STORE": "postgresql://db/b"},
                {},
                ("postgresql://db/b", True),
            ),
            ('store = "a"', {"BOTPROBE_STORE_PATH": "b"}, {}, ("b", False)),
            ('store = "a"', {"BOTPROBE_STORE": "b"}, {"store": {"path": "c"}}, ("c", False)),
            ("", {}, {}, (None, False)),
            ('store = "postgresql:/db/x"', {}, {}, ("postgresql:/db/x", False)),
        ],
    )
    def test_a_store_has_two_spellings_and_two_kinds(
        self,
        tmp_path: Path,
        text: str,
        environ: dict[str, str],
        said: dict[str, dict[str, object]],
        found: tuple[str | None, bool],
    ) -> None:
        """A word or a table, in each layer; what begins as libpq has it is a database."""
        store = load_settings(write(tmp_path, text), environ, said).store

        assert (store.path, is_shared(store)) == found

    def test_the_environment_may_hold_lists(self) -> None:
        """A variable is read as a TOML value."""
        environ = {"BOTPROBE_SCOPE_ALLOW": '["198.18.0.0/15"]'}

        assert load_settings(None, environ, {}).scope.allow == ("198.18.0.0/15",)

    def test_finds_the_file_of_the_user(self, tmp_path: Path) -> None:
        """The XDG configuration directory is looked into."""
        folder = tmp_path / "botprobe"
        folder.mkdir()
        write(folder, "[dns]\ntimeout = 7")

        assert load_settings(None, {"XDG_CONFIG_HOME": str(tmp_path)}, {}).dns.timeout == 7

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("[smtp]\nhelo = 'x'", r"botprobe\.toml: smtp\.helo: there is no such setting$"),
            ("[smpt]\n", r"botprobe\.toml: smpt: no such table$"),
            ("smtp = 1", "not a table"),
            ("[dns]\ntimeout = 'soon'", r"dns\.timeout: expected a number, got text$"),
            ("[dns]\ntimeout = -1", r"dns\.timeout: must be a number from 0"),
            ("[dns]\ntimeout = 0", r"dns\.timeout: must be more than 0"),
            ("[scope]\nconcurrency = 0", r"scope\.concurrency: must be more than 0"),
            ("[scope]\ncooldown_hours = inf", r"scope\.cooldown_hours: must be a number"),
            ("[scope]\ncooldown_hours = nan", r"scope\.cooldown_hours: must be a number"),
            ("[dns\n", "botprobe.toml: "),
            ("[mail]\nsecurity = 'ssl'", r"mail\.security: 'ssl' is none of its choices$"),
            ("[watch]\nagain = '1h'", r"watch\.again: expected a list, got text$"),
            (
                "[dns]\nnameservers = [1]",
                r"dns\.nameservers\[0\]: expected text, got a whole number$",
            ),
            ("[proxy]\ncheck = 1", r"proxy\.check: expected true or false, got a whole number$"),
            ("[mail]\nport = 2.5", r"mail\.port: expected a whole number, got a number$"),
            ("[mail]\nport = 2026-11-27", r"mail\.port: expected a whole number, got a date$"),
            ("[scope]\nallow = {}", r"scope\.allow: expected a list, got a table$"),
            ("[scope]\nallow = ['198.18.0.0/150']", r"scope\.allow: "),
            ("[scope]\nhops = 'some'", r"scope\.hops: 'some' is not one of"),
            ("[canary]\nhosts = ['mx.example']", r"canary\.hosts: "),
            ("[smtp]\nhelo_name = 'a b'", r"^smtp\.helo_name: 'a b' is neither a host name"),
            ("[smtp]\nhelo_name = ''", r"^smtp\.helo_name: ''"),
            ('[smtp]\nhelo_name = "a\\u0007"', r"^smtp\.helo_name: "),
            ("[trust]\nown_hosts = ['mx.example', '']", r"^trust\.own_hosts: '' is no name"),
            ("[trust]\nown_hosts = ['.']", r"^trust\.own_hosts: '\.' is no name"),
            ("[trust]\ninternal_networks = ['x']", r"^trust\.internal_networks: 'x' is not a net"),
            ("store = 7", r"store"),
            ("[store]\npath = 7", r"store\.path: expected text, got a whole number$"),
            ("[store]\nurl = 'postgresql://db/x'", r"store\.url: there is no such setting$"),
        ],
    )
    def test_names_what_is_wrong(self, tmp_path: Path, text: str, message: str) -> None:
        """A typing error never silently opens what was meant to be closed."""
        with pytest.raises(ConfigError, match=message):
            load_settings(write(tmp_path, text), {}, {})

    def test_a_file_that_is_no_text_is_said_so(self, tmp_path: Path) -> None:
        """The words are an operator's, and name the file once."""
        file = tmp_path / "botprobe.toml"
        file.write_bytes(b"\xff")

        with pytest.raises(ConfigError) as caught:
            load_settings(file, {}, {})

        assert str(caught.value) == f"{file}: not text in UTF-8"

    def test_the_layer_that_is_wrong_is_named(self, tmp_path: Path) -> None:
        """A wrong variable is not looked for in the file."""
        file = write(tmp_path, "[dns]\ntimeout = 1")

        with pytest.raises(
            ConfigError, match=r"^environment: smtp\.helo_nam: there is no such setting$"
        ):
            load_settings(file, {"BOTPROBE_SMTP_HELO_NAM": "x"}, {})

    def test_a_misspelt_variable_is_an_error(self) -> None:
        """An opt-out that nobody reads would be no opt-out."""
        with pytest.raises(ConfigError, match="BOTPROBE_SCOP_OPTOUT: there are no settings"):
            load_settings(None, {"BOTPROBE_SCOP_OPTOUT": "/etc/optout"}, {})

    def test_a_mapped_network_is_the_one_that_it_holds(self) -> None:
        """Whoever writes an IPv4 network as IPv6 means the same hosts."""
        assert networks(("::ffff:8.8.4.0/120",), "scope.own_networks") == (
            ip_network("8.8.4.0/24"),
        )

    def test_a_name_with_its_last_dot_is_the_same_host(self) -> None:
        """Zone files write it so; kept, it would match no host, and the boundary be unknown."""
        names = (" MX.example.org.", ".example.net")

        assert host_names(names, "trust.own_hosts") == ("mx.example.org", ".example.net")

    def test_a_file_that_was_named_must_exist(self, tmp_path: Path) -> None:
        """A missing file is not an empty one."""
        with pytest.raises(ConfigError, match="cannot read"):
            load_settings(tmp_path / "gone.toml", {}, {})
