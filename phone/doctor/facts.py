"""All that `farmhand doctor` knows before it judges. Pure data; `gather*.py` collect it, `checks_*.py` judge."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from phone.device import Device
from phone.places import Places
from phone.settings import PhoneSettings
from phone.supervisor.published import Published
from phone.supervisor.types import Exit, Runit
from phone.termux_answers import Job, Problem


@dataclass(frozen=True, slots=True)
class ServiceFacts:
    """One service folder. scripts: of run, finish, check, log/run: "" if fine, else what is wrong with it. logger: its svlogd's runsv."""

    installed: bool = False
    has_down: bool = False
    runit: Runit = field(default_factory=Runit)
    logger: Runit = field(default_factory=Runit)
    scripts: Mapping[str, str] = field(default_factory=dict)
    log_age_s: float | None = None
    exits: tuple[Exit, ...] = ()


@dataclass(frozen=True, slots=True)
class Ensured:
    """When `libexec/farmhand/ensure` last did something, by whom it was started. lock_code: of termux-wake-lock; 124: it hung."""

    wall_at_s: float
    lock_code: str = ""


@dataclass(frozen=True, slots=True)
class BootFacts:
    """~/.termux/boot. name: of our script. problem: what is wrong with it, "" if it is fine. strange: entries that are no plain files.

    Of others' scripts: sourcing: say `source` to a `sh` that has none. starters: start runit too. by_env: begin with `#!/usr/bin/env`.
    after_boot: what `ensure` wrote after it was last started by Termux:Boot.
    """

    exists: bool = False
    name: str = "00-farmhand"
    problem: str = ""
    strange: tuple[str, ...] = ()
    sourcing: tuple[str, ...] = ()
    starters: tuple[str, ...] = ()
    by_env: tuple[str, ...] = ()
    after_boot: Ensured | None = None


@dataclass(frozen=True, slots=True)
class DaemonFacts:
    """runsvdir. pid: of the one that looks after our services folder. others: that do so too. pid_file: what its pid file says; pid_file_lives: is there
    a process with that number? missing: programs of runit and termux-services that are not there."""

    pid: int | None = None
    others: tuple[int, ...] = ()
    pid_file: int | None = None
    pid_file_lives: bool = False
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PythonFacts:
    """platform: `sys.platform`. venv_version: of `pyvenv.cfg`, "3.14". imports: module -> "" if it loads, else the error's last line;
    empty if the environment's Python does not even start (`broken` says how)."""

    platform: str = ""
    version: str = ""
    venv_version: str = ""
    broken: str = ""
    imports: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """Of the gateway. version: (24, 18, 0), empty if there is none. network_error: what `os.networkInterfaces()` throws, "" if nothing.
    guarded: what answers in its place is there (`termux/openclaw-guard.cjs`). configured: OpenClaw has its file.
    """

    version: tuple[int, ...] = ()
    network_error: str = ""
    guarded: bool = False
    configured: bool = True


@dataclass(frozen=True, slots=True)
class ProxyFacts:
    """Of litellm/ in the state folder. wants_master_key: its config.yaml refers to it. base_url: where it asks this phone's server, by env.local; "" if that
    does not say."""

    has_config: bool = False
    wants_master_key: bool = False
    has_master_key: bool = False
    base_url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """on_phone: in Termux. booted_wall_s: when the phone was started; installed_wall_s: when the services were put in place.

    apps: package -> is it installed, `None` if nobody says. api: what is wrong with Termux:API, asked for the battery. jobs: Android's scheduled
    ones, `None` if nobody says. missing_parts: of what is shared by all services. cpuset, affinity: of the supervisor where it lives, else ours;
    cores: how many there are. own_processes: of this user, ours or not. engine_model: of Termux's llama-server, `None` where that is not used,
    else its path; engine_problem: what is wrong with it. adapter: what `farmhand status --json` printed; adapter_words: why it could not be
    asked. phantoms: the value of settings_enable_monitor_phantom_procs, "" if it cannot be read from here. modes: path -> permission bits of
    what must be private.
    """

    on_phone: bool
    env: Mapping[str, str]
    places: Places
    wall_s: float
    booted_wall_s: float | None = None
    installed_wall_s: float | None = None
    settings: PhoneSettings | None = None
    config_problem: str = ""
    daemon: DaemonFacts = DaemonFacts()
    services: Mapping[str, ServiceFacts] = field(default_factory=dict)
    missing_parts: tuple[str, ...] = ()
    published: Published | None = None
    supervisor_lives: bool = False
    boot: BootFacts = BootFacts()
    apps: Mapping[str, bool | None] = field(default_factory=dict)
    api: Problem | None = None
    api_asked: bool = False
    jobs: tuple[Job, ...] | None = None
    device: Device = field(default_factory=Device)
    cpuset: str = ""
    affinity: int | None = None
    cores: int | None = None
    own_processes: int | None = None
    phantoms: str = ""
    python: PythonFacts = PythonFacts()
    node: NodeFacts | None = None
    proxy: ProxyFacts | None = None
    engine_model: str | None = None
    engine_problem: str = ""
    adapter: Mapping[str, Any] | None = None
    adapter_words: str = ""
    programs: Mapping[str, str] = field(default_factory=dict)
    disk_free_bytes: int | None = None
    modes: Mapping[str, int] = field(default_factory=dict)
    auth_required: bool = True
    paused_words: str = ""
