"""Where things lie, and the bundle's part of the configuration."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapter.configuration import PHONE_SECTIONS
from adapter.configuration import load as adapter_load
from phone.configuration import ConfigError, load
from phone.places import places
from phone.settings import LockPolicy, PhoneSettings

ROOT = Path("/clone")
TERMUX = {"HOME": "/data/data/com.termux/files/home", "PREFIX": "/data/data/com.termux/files/usr"}


def test_the_places_of_a_phone() -> None:
    """A boot script has no SVDIR and no LOGDIR (`facts/termux.md` 3)."""
    found = places(TERMUX, ROOT)
    assert found.services == Path("/data/data/com.termux/files/usr/var/service")
    assert found.log("farmhand") == Path("/data/data/com.termux/files/usr/var/log/sv/farmhand/current")
    assert found.state == Path("/data/data/com.termux/files/home/.local/share/farmhand")
    assert found.config == Path("/data/data/com.termux/files/home/.config/farmhand/config.toml")
    assert found.boot_scripts == Path("/data/data/com.termux/files/home/.termux/boot")
    assert found.service("farmhand-adapter").parent == found.services


def test_the_environment_moves_them() -> None:
    found = places(
        {**TERMUX, "SVDIR": "/s", "LOGDIR": "/l", "FARMHAND_HOME": "~/f", "FARMHAND_CONFIG": "/c.toml"}, ROOT
    )
    assert (found.services, found.logs, found.config) == (Path("/s"), Path("/l"), Path("/c.toml"))
    assert found.state == Path("/data/data/com.termux/files/home/f")
    assert found.run == found.state / "run"
    found = places({**TERMUX, "XDG_CONFIG_HOME": "/xc", "XDG_DATA_HOME": "/xd"}, ROOT)
    assert (found.config, found.state) == (Path("/xc/farmhand/config.toml"), Path("/xd/farmhand"))


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_without_a_file_it_is_as_shipped(tmp_path: Path) -> None:
    assert load(tmp_path / "none.toml", {}) == PhoneSettings()


def test_the_adapters_sections_are_left_alone(tmp_path: Path) -> None:
    path = write(tmp_path, '[server]\nport = 9000\ndrain_s = 3\n[[engine]]\nname = "x"\n[wakelock]\npolicy = "serving"\n')
    settings = load(path, {"FARMHAND_SERVER_DRAIN_S": "4", "FARMHAND_LOG_LEVEL": "debug", "FARMHAND_HOME": "/x"})
    assert settings.server.port == 9000
    assert settings.wakelock.policy is LockPolicy.SERVING


def test_the_environment_overrides_the_file(tmp_path: Path) -> None:
    path = write(tmp_path, "[supervisor]\ntick_s = 7\n")
    settings = load(path, {"FARMHAND_SUPERVISOR_TICK_S": "9", "FARMHAND_PROXY_ENABLED": "true", "FARMHAND_SERVER_PORT": "1"})
    assert (settings.supervisor.tick_s, settings.proxy.enabled, settings.server.port) == (9, True, 1)


@pytest.mark.parametrize(
    ("text", "env", "said"),
    [
        ("[supervisor]\ntik_s = 1\n", {}, "unknown key 'supervisor.tik_s'"),
        ("[supervisor]\ntick_s = 0.1\n", {}, "supervisor.tick_s: Input should be greater than or equal to 1"),
        ('[wakelock]\npolicy = "often"\n', {}, "wakelock.policy"),
        ("[governor]\nslow_c = 50\n", {}, "must rise in this order"),
        ("[governor]\npause_percent = 40\n", {}, "must fall in this order"),
        ("supervisor = 3\n", {}, "supervisor"),
        ("[supervisor\n", {}, "not valid TOML"),
        ("", {"FARMHAND_GOVERNOR_SLOWC": "40"}, "FARMHAND_GOVERNOR_SLOWC is no setting of Farmhand"),
        ("", {"FARMHAND_PROXY_PORT": "x"}, "proxy.port"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, env: dict[str, str], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(write(tmp_path, text), env)
    assert said in str(caught.value)


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load(tmp_path, {})


def test_the_adapter_leaves_the_bundles_sections_alone(tmp_path: Path) -> None:
    """One file for both: each refuses what is wrong in its own sections, and knows the names of the other's."""
    ours = set(PhoneSettings.model_fields) - {"server"}
    assert ours == PHONE_SECTIONS
    path = write(tmp_path, "".join(f"[{section}]\nmade_up = 1\n" for section in sorted(ours)) + "[server]\nport = 9000\n")
    env = {"HOME": str(tmp_path), "FARMHAND_WAKELOCK_POLICY": "serving", "FARMHAND_GOVERNOR_SLOW_C": "40"}
    assert adapter_load(env, config=path).server.port == 9000
    with pytest.raises(ConfigError, match="unknown key"):
        load(path, {})
