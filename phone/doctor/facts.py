"""All that `farmhand doctor` knows before it judges. Pure data; `gather.py` collects it, `checks_*.py` judge."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from phone.device import Device
from phone.places import Places
from phone.settings import PhoneSettings
from phone.supervisor.published import Published
from phone.supervisor.types import Exit, Runit


@dataclass(frozen=True, slots=True)
class ServiceFacts:
    """One service folder. scripts: of run, finish, check, log/run: "" if fine, else what is wrong with it."""

    installed: bool = False
    has_down: bool = False
    runit: Runit = field(default_factory=Runit)
    scripts: Mapping[str, str] = field(default_factory=dict)
    log_age_s: float | None = None
    exits: tuple[Exit, ...] = ()


@dataclass(frozen=True, slots=True)
class BootFacts:
    """~/.termux/boot. folders: sub-directories in it. sourcing: scripts that say `source` to a `sh` that has none. starters: other scripts that
    start runit too. parts: of our script, what is wrong with it ("" if it is fine)."""

    exists: bool = False
    problem: str = ""
    folders: tuple[str, ...] = ()
    sourcing: tuple[str, ...] = ()
    starters: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PythonFacts:
    """platform: `sys.platform`. venv_version: of `pyvenv.cfg`, "3.14". imports: module -> "" if it loads, else the error's last line;
    empty if the environment's Python does not even start (`broken` says how)."""

    platform: str = ""
    version: str = ""
    venv_version: str = ""
    broken: str = ""
    imports: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """on_phone: in Termux. apps: package -> is it installed, `None` if nobody says. api: what Termux:API came to, "" if it answers.
    cpuset: of /proc/self/cpuset. affinity, cores: how many we may use, and there are. own_processes: of this user, ours or not.
    adapter: what `farmhand status --json` printed; adapter_words: why it could not be asked. phantoms: the value of
    settings_enable_monitor_phantom_procs, "" if it cannot be read from here. modes: path -> permission bits of what must be private.
    """

    on_phone: bool
    env: Mapping[str, str]
    places: Places
    wall_s: float
    settings: PhoneSettings | None = None
    config_problem: str = ""
    runsvdir_pid: int | None = None
    services: Mapping[str, ServiceFacts] = field(default_factory=dict)
    published: Published | None = None
    supervisor_lives: bool = False
    boot: BootFacts = BootFacts()
    apps: Mapping[str, bool | None] = field(default_factory=dict)
    api: str = ""
    api_asked: bool = False
    device: Device = field(default_factory=Device)
    cpuset: str = ""
    affinity: int | None = None
    cores: int | None = None
    own_processes: int | None = None
    phantoms: str = ""
    python: PythonFacts = PythonFacts()
    adapter: Mapping[str, Any] | None = None
    adapter_words: str = ""
    programs: Mapping[str, str] = field(default_factory=dict)
    disk_free_bytes: int | None = None
    modes: Mapping[str, int] = field(default_factory=dict)
    auth_required: bool = True
    paused_words: str = ""
