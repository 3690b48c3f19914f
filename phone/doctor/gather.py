"""Collects what `farmhand doctor` judges: files, `sv` states, a few commands with time limits, all at once in threads."""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from phone import termux_answers
from phone.command import Runs
from phone.configuration import ConfigError, load
from phone.device import Battery
from phone.doctor import gather_files
from phone.doctor.checks_server import MODULES
from phone.doctor.facts import Facts, NodeFacts, PythonFacts
from phone.places import Places
from phone.runit import Runsv
from phone.sense import Sensors
from phone.settings import PhoneSettings
from phone.supervisor import store
from phone.supervisor.published import Published
from phone.supervisor.types import SUPERVISOR, Service
from phone.termux_answers import Job, Problem

S = TypeVar("S")
T = TypeVar("T")

SERVICES = (SUPERVISOR, *(service.folder for service in Service))
APPS = ("com.termux.boot", "com.termux.api")
# Of commands that answer at once or never. All questions are out at the same time, so that the longest one counts.
COMMAND_S = 8.0
# Engines say within about 2 s how they are; a phone under load starts Python in one more.
ADAPTER_S = 20.0
IMPORT_S = 25.0

# In the environment's own Python, since that is what has to load it. Of llama_cpp only the half that the adapter uses, and its loader wants another
# name for the platform (`facts/termux.md` 1, row 1).
_PROBE = """
import importlib, importlib.util, json, sys, types
said = {}
for name in sys.argv[1:]:
    platform = sys.platform
    try:
        if name == "llama_cpp" and (spec := importlib.util.find_spec(name)):
            package = sys.modules[name] = types.ModuleType(name)
            package.__path__, package.__spec__ = list(spec.submodule_search_locations), spec
            sys.platform, name = "linux" if platform == "android" else platform, "llama_cpp.llama_cpp"
        importlib.import_module(name)
        wrong = ""
    except BaseException as exc:
        wrong = (f"{type(exc).__name__}: {exc}".splitlines() or [""])[0][:200]
    said[name.partition(".")[0]] = wrong
    sys.platform = platform
print(json.dumps({"version": "%d.%d" % sys.version_info[:2], "platform": sys.platform, "imports": said}))
"""


def gather(places: Places, env: Mapping[str, str], commands: Runs, *, on_phone: bool, proc: Path = Path("/proc")) -> Facts:
    """Everything, in seconds, or in half a minute where nothing answers. Never raises for what it finds. proc: for what the kernel tells."""
    runsv = Runsv(places, commands)
    settings, problem = _settings(places, env)
    published = store.read_published(places)
    services = {name: gather_files.service(name, places, runsv) for name in SERVICES}
    lives = published is not None and published.pid is not None and published.pid == services[SUPERVISOR].runit.pid
    sensors, wall_s = Sensors(_Nobody(), proc), time.time()
    processes = sensors.processes()
    engine_model, engine_problem = gather_files.engine(places)
    with ThreadPoolExecutor(max_workers=12, thread_name_prefix="doctor") as pool:
        asked = _ask(pool, places, env, commands, settings, on_phone=on_phone)
    battery, api = _result(asked.api, (None, None))
    said, words = asked.adapter.result()
    return Facts(
        on_phone=on_phone,
        env=env,
        places=places,
        wall_s=wall_s,
        booted_wall_s=gather_files.booted_wall_s(wall_s),
        installed_wall_s=gather_files.changed_s(places.service(SUPERVISOR) / "run"),
        settings=settings,
        config_problem=problem,
        daemon=gather_files.daemon(places, runsv, processes),
        services=services,
        missing_parts=gather_files.missing_parts(places),
        published=published,
        supervisor_lives=lives,
        boot=gather_files.boot(places),
        apps={app: answer.result() for app, answer in asked.apps.items()},
        api=api,
        api_asked=asked.api is not None,
        jobs=_result(asked.jobs, None),
        device=replace(sensors.device(0.0), battery=battery),
        own_processes=len(processes) if on_phone else None,
        phantoms=_result(asked.phantoms, ""),
        python=asked.python.result(),
        node=_result(asked.node, None),
        proxy=gather_files.proxy(places),
        engine_model=engine_model,
        engine_problem=engine_problem,
        adapter=said,
        adapter_words=words,
        programs=gather_files.programs(places),
        disk_free_bytes=gather_files.disk_free(places.state),
        modes=gather_files.modes(places),
        auth_required=gather_files.auth_required(places),
        paused_words=gather_files.paused_words(places),
        **_processor(published if lives else None, sensors),
    )


class _Nobody:
    """The battery is asked for here, so that what is wrong with its answer is known."""

    def battery(self, max_age_s: float = 0.0) -> Battery | None:
        return None


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is out. `None`: off the phone, or not wanted."""

    python: Future[PythonFacts]
    adapter: Future[tuple[dict[str, Any] | None, str]]
    apps: Mapping[str, Future[bool | None]]
    phantoms: Future[str] | None = None
    api: Future[tuple[Battery | None, Problem | None]] | None = None
    jobs: Future[tuple[Job, ...] | None] | None = None
    node: Future[NodeFacts] | None = None


def _ask(
    pool: ThreadPoolExecutor, places: Places, env: Mapping[str, str], commands: Runs, settings: PhoneSettings | None, *, on_phone: bool
) -> _Asked:
    python = pool.submit(_python, places, commands)
    adapter = pool.submit(_adapter, places, commands)
    if not on_phone:
        return _Asked(python, adapter, {})
    return _Asked(
        python,
        adapter,
        {app: pool.submit(_is_installed, app, commands) for app in APPS},
        pool.submit(_phantoms, commands),
        pool.submit(_api, places, env, commands),
        pool.submit(_jobs, places, commands),
        pool.submit(_node, places, commands) if settings is not None and settings.gateway.enabled else None,
    )


def _result(future: Future[T] | None, otherwise: S) -> T | S:
    return otherwise if future is None else future.result()


def _processor(published: Published | None, sensors: Sensors) -> dict[str, Any]:
    """Of the supervisor, whose services have what it has; a terminal may have more (`facts/termux.md` 6)."""
    pid = os.getpid() if published is None or published.pid is None else published.pid
    return {
        "cpuset": gather_files.cpuset_of(pid),
        "affinity": len(gather_files.affinity_of(pid)) or None,
        "cores": len(sensors.cores()) or os.cpu_count(),
    }


def _settings(places: Places, env: Mapping[str, str]) -> tuple[PhoneSettings | None, str]:
    try:
        return load(places.config, env), ""
    except ConfigError as exc:
        return None, str(exc)


# --- commands ----------------------------------------------------------------------------------------------------


def _is_installed(app: str, commands: Runs) -> bool | None:
    """`pm path` prints a path, or ends with status 1 (`facts/termux.md` 5.1)."""
    done = commands(["pm", "path", app], limit_s=COMMAND_S)
    if done.ok and "package:" in done.out:
        return True
    return False if done.code == 1 else None


def _phantoms(commands: Runs) -> str:
    """Apps may not ask on most phones; then this is an error, and a command for the laptop is shown."""
    argv = ["/system/bin/settings", "get", "global", "settings_enable_monitor_phantom_procs"]
    done = commands(argv, limit_s=COMMAND_S)
    return done.out.strip() if done.ok else ""


def _api(places: Places, env: Mapping[str, str], commands: Runs) -> tuple[Battery | None, Problem | None]:
    """The battery, or what is wrong with the app (`facts/termux.md` 5.1)."""
    done = commands([str(places.prefix / "bin" / "termux-battery-status")], limit_s=COMMAND_S)
    found = termux_answers.failed(done, bool(env.get("TERMUX_API_VERSION"))) or termux_answers.battery(done.out)
    return (None, found) if isinstance(found, Problem) else (found, None)


def _jobs(places: Places, commands: Runs) -> tuple[Job, ...] | None:
    done = commands([str(places.prefix / "bin" / "termux-job-scheduler"), "--pending"], limit_s=COMMAND_S)
    found = termux_answers.failed(done) or termux_answers.jobs(done.out)
    return None if isinstance(found, Problem) else found


def _node(places: Places, commands: Runs) -> NodeFacts:
    """Its version, and whether it may list network interfaces, which Android 13 and later forbid (`facts/termux.md` 11)."""
    script = "console.log(process.version); require('os').networkInterfaces()"
    done = commands(["node", "-e", script], limit_s=COMMAND_S)
    version = re.search(r"^v(\d+)\.(\d+)\.(\d+)", done.out, re.MULTILINE)
    if version is None:
        return NodeFacts()
    error = re.search(r"^\w*Error.*: .*", done.err, re.MULTILINE)
    return NodeFacts(
        tuple(map(int, version.groups())),
        "" if done.ok else termux_answers.quoted(error[0] if error else done.err),
        guarded=(places.prefix / "libexec" / "farmhand" / "openclaw-guard.cjs").exists(),
        configured=(places.user / ".openclaw" / "openclaw.json").exists(),
    )


def _adapter(places: Places, commands: Runs) -> tuple[dict[str, Any] | None, str]:
    """The adapter's own status, by its own command: the two packages meet over argv."""
    done = commands([_own_python(places), "-m", "adapter", "status", "--json"], limit_s=ADAPTER_S)
    try:
        said = json.loads(done.out)
    except ValueError:
        last = done.err.strip().splitlines()[-1:] or ["it was not done in time" if done.timed_out else "it said nothing"]
        return None, last[0][:300]
    return (said, "") if isinstance(said, dict) else (None, "its status is no object")


def _own_python(places: Places) -> str:
    python = places.root / ".venv" / "bin" / "python"
    return str(python) if python.exists() else sys.executable


def _python(places: Places, commands: Runs) -> PythonFacts:
    done = commands([_own_python(places), "-c", _PROBE, *MODULES], limit_s=IMPORT_S)
    made_by = _venv_version(places.root / ".venv" / "pyvenv.cfg")
    try:
        said = json.loads(done.out)
    except ValueError:
        how = f"its Python took more than {IMPORT_S:g} s" if done.timed_out else "its Python does not start"
        last = done.err.strip().splitlines()[-1:]
        return PythonFacts(venv_version=made_by, broken=f"{how} ({last[0][:200]})" if last else how)
    return PythonFacts(said["platform"], said["version"], made_by, imports=said["imports"])


def _venv_version(cfg: Path) -> str:
    try:
        found = re.search(r"^version(?:_info)? *= *(\d+\.\d+)", cfg.read_text(encoding="utf-8"), re.MULTILINE)
    except OSError:
        return ""
    return found[1] if found else ""
