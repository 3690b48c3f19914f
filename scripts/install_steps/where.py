"""Which installation this is: where it lies, and what its services are told. Pure; the environment comes in."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from install_steps.failure import InstallFailed
from phone.places import TERMUX_PREFIX, Places, places
from setup_steps.facts import is_termux

# Services start with the environment of the boot script, which has none of these (`facts/termux.md` 3).
REMEMBERED = ("FARMHAND_HOME", "FARMHAND_CONFIG", "XDG_CONFIG_HOME")
# The others are exported by whoever reads the file (`termux/service.sh`).
EXPORTED = {"XDG_CONFIG_HOME": "export "}
HEADER = "# What Farmhand's services start with. `scripts/install` keeps what you add here.\n"


@dataclass(frozen=True, slots=True)
class Here:
    """settings: name and value of what `$PREFIX/etc/farmhand/env` must say."""

    places: Places
    settings: Mapping[str, str]

    @property
    def etc(self) -> Path:
        return self.places.prefix / "etc" / "farmhand"

    @property
    def env_file(self) -> Path:
        return self.etc / "env"

    @property
    def libexec(self) -> Path:
        return self.places.prefix / "libexec" / "farmhand"

    @property
    def manifest(self) -> Path:
        return self.places.state / "install.json"

    @property
    def engine_env(self) -> Path:
        """Settings of Termux's own llama-server, where the embedded engine could not be built."""
        return self.places.state / "engine.env"


def in_termux(platform: str, env: Mapping[str, str]) -> bool:
    """platform: `sys.platform`. Termux sets PREFIX and TERMUX_VERSION in all that it starts (`facts/termux.md` 3)."""
    prefix = env.get("PREFIX", "")
    return bool(prefix) and (is_termux(platform, prefix) or bool(env.get("TERMUX_VERSION")))


def env_file_of(env: Mapping[str, str]) -> Path:
    """Where an installation in this prefix has its settings, if there is one."""
    return Path(env.get("PREFIX") or TERMUX_PREFIX) / "etc" / "farmhand" / "env"


def here(env: Mapping[str, str], env_file: str, root: Path) -> Here:
    """env_file: what it says now, "" if there is none: an installation keeps its places until it is told others.

    Raises `InstallFailed` for places that services could not use, and for a state folder other than the one in use.
    """
    before = assignments(env_file)
    given = {name: value for name in REMEMBERED if (value := env.get(name) or before.get(name))}
    # The services have $PREFIX/var/service in them: where this shell looks for services (SVDIR) does not matter.
    base = {name: env[name] for name in ("HOME", "PREFIX", "XDG_DATA_HOME") if env.get(name)}
    there = places({**base, **given}, root)
    for name, path in (("PREFIX", there.prefix), ("HOME", there.user), ("FARMHAND_HOME", there.state), ("FARMHAND_CONFIG", there.config)):
        if not path.is_absolute() or "\n" in str(path):
            raise InstallFailed(f"{name} must be an absolute path, and is {str(path)!r}")
    if "FARMHAND_HOME" in before and (installed := Path(before["FARMHAND_HOME"])) != there.state:
        raise InstallFailed(
            f"FARMHAND_HOME is {there.state}, but what is installed here has its state in {installed}.\n"
            "Type: unset FARMHAND_HOME, to go on with that one; or run scripts/uninstall first."
        )
    settings = {"FARMHAND_ROOT": str(root), "HOME": str(there.user), "FARMHAND_HOME": str(there.state)}
    # FARMHAND_CONFIG names a file that must exist, so it is passed on only where somebody chose it.
    settings |= {"FARMHAND_CONFIG": str(there.config)} if "FARMHAND_CONFIG" in given else {}
    settings |= {"XDG_CONFIG_HOME": given["XDG_CONFIG_HOME"]} if "XDG_CONFIG_HOME" in given else {}
    return Here(there, settings)


def env_text(settings: Mapping[str, str], before: str) -> str:
    """The text of `etc/farmhand/env`, for dash: our lines, then whatever else a person has put there."""
    ours = [f"{EXPORTED.get(name, '')}{name}={_quoted(value)}" for name, value in settings.items()]
    known = {*settings, *REMEMBERED}
    theirs = [line for line in before.splitlines() if line + "\n" != HEADER and _name_of(line) not in known]
    return HEADER + "\n".join([*ours, *theirs]) + "\n"


def assignments(text: str) -> dict[str, str]:
    """Of `NAME=VALUE` lines of sh, quoted or not; what is no such line is left out."""
    found = {}
    for line in text.splitlines():
        name = _name_of(line)
        try:
            words = shlex.split(line.partition("=")[2], comments=True)
        except ValueError:
            continue
        if name.isidentifier() and len(words) == 1:
            found[name] = words[0]
    return found


def _name_of(line: str) -> str:
    name, equals, _ = line.strip().removeprefix("export ").partition("=")
    return name.strip() if equals else ""


def _quoted(value: str) -> str:
    return "'" + value.replace("'", "'\\''") + "'"
