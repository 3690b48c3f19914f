"""Where everything lies: Termux's prefix, runit's folders, Farmhand's state and the clone. Pure; the environment comes in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

# Fixed by the Termux app (`facts/termux.md` 7.1); tests and other packagings have another $PREFIX.
TERMUX_PREFIX = "/data/data/com.termux/files/usr"
SERVICE_PREFIX = "farmhand"


@dataclass(frozen=True, slots=True)
class Places:
    """prefix: $PREFIX. user: $HOME. state: $FARMHAND_HOME, mode 0700. config: the configuration file; it need not exist.
    services: $SVDIR. logs: $LOGDIR; a service's log is `logs/sv/NAME/current`. root: the clone, with its `.venv`.
    """

    prefix: Path
    user: Path
    state: Path
    config: Path
    services: Path
    logs: Path
    root: Path

    @property
    def run(self) -> Path:
        """What the supervisor tells others while it runs; outside $TMPDIR, which Termux empties (`facts/termux.md` 4.1)."""
        return self.state / "run"

    @property
    def exits(self) -> Path:
        """One file a service, a line an end, written by its `finish` (`termux/sv/*/finish`)."""
        return self.state / "exits"

    @property
    def key_file(self) -> Path:
        """The installation's own key, which may do everything; the adapter makes it (`adapter/keys.py`)."""
        return self.state / "key"

    @property
    def boot_scripts(self) -> Path:
        return self.user / ".termux" / "boot"

    def service(self, name: str) -> Path:
        return self.services / name

    def log(self, name: str) -> Path:
        return self.logs / "sv" / name / "current"


def places(env: Mapping[str, str], root: Path) -> Places:
    """From the environment; what is not set there is where Termux has it. root: the clone that this code is part of."""
    user = Path(env.get("HOME") or "/data/data/com.termux/files/home")
    prefix = Path(env.get("PREFIX") or TERMUX_PREFIX)
    config = env.get("FARMHAND_CONFIG") or f"{env.get('XDG_CONFIG_HOME') or user / '.config'}/farmhand/config.toml"
    state = env.get("FARMHAND_HOME") or f"{env.get('XDG_DATA_HOME') or user / '.local/share'}/farmhand"
    return Places(
        prefix=prefix,
        user=user,
        state=_under(user, state),
        config=_under(user, config),
        services=Path(env.get("SVDIR") or prefix / "var" / "service"),
        logs=Path(env.get("LOGDIR") or prefix / "var" / "log"),
        root=root,
    )


def _under(user: Path, text: str) -> Path:
    """`~` is this user's; there is no other on a phone."""
    return user / text[2:] if text.startswith("~/") else Path(text)
