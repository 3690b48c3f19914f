"""Collects what `farmhand doctor` judges: files, `sv` states, a few commands with time limits, all at once in threads."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import time
import tomllib
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from phone.bundle.report import ago
from phone.command import Runs
from phone.configuration import ConfigError, load
from phone.device import Battery
from phone.doctor.checks_server import MODULES
from phone.doctor.facts import BootFacts, Facts, PythonFacts, ServiceFacts
from phone.places import Places
from phone.runit import Runsv
from phone.sense import Sensors
from phone.settings import PhoneSettings
from phone.supervisor import store
from phone.supervisor.types import SUPERVISOR, Service
from phone.termux import Termux

SERVICES = (SUPERVISOR, *(service.folder for service in Service))
SCRIPTS = ("run", "finish", "check", "log/run")
# Of commands that answer at once or never.
COMMAND_S = 8.0
# Engines say within about 2 s how they are; a phone under load starts Python in one more.
ADAPTER_S = 20.0
IMPORT_S = 60.0

# In the environment's own Python, since that is what has to load it; the engine's loader wants another name for the platform.
_PROBE = """
import importlib, json, sys
said = {}
for name in sys.argv[1:]:
    true, sys.platform = sys.platform, "linux" if name == "llama_cpp" and sys.platform == "android" else sys.platform
    try:
        importlib.import_module(name)
        said[name] = ""
    except BaseException as exc:
        said[name] = f"{type(exc).__name__}: {exc}".splitlines()[0][:200]
    sys.platform = true
print(json.dumps({"version": "%d.%d" % sys.version_info[:2], "platform": sys.platform, "imports": said}))
"""


def gather(places: Places, env: Mapping[str, str], commands: Runs, termux: Termux, *, on_phone: bool) -> Facts:
    """Everything, in at most about a minute and usually in seconds. Never raises for what it finds."""
    runsv = Runsv(places, commands)
    settings, problem = _settings(places, env)
    published = store.read_published(places)
    with ThreadPoolExecutor(max_workers=6, thread_name_prefix="doctor") as pool:
        python = pool.submit(_python, places, commands)
        adapter = pool.submit(_adapter, places, commands)
        apps = {app: pool.submit(_is_installed, app, commands) for app in ("com.termux.boot", "com.termux.api") if on_phone}
        phantoms = pool.submit(_phantoms, commands) if on_phone else None
        api = pool.submit(_api, termux) if on_phone else None
        services = {name: _service(name, places, runsv) for name in SERVICES}
        sensors = Sensors(termux if on_phone else _Nobody())
        battery = (api.result() if api else (None, ""))[0]
        standing = sensors.standing()
        said, words = adapter.result()
        return Facts(
            on_phone=on_phone,
            env=env,
            places=places,
            wall_s=time.time(),
            settings=settings,
            config_problem=problem,
            runsvdir_pid=runsv.runsvdir_pid(),
            services=services,
            published=published,
            supervisor_lives=published is not None and published.pid is not None and published.pid == services[SUPERVISOR].runit.pid,
            boot=_boot(places),
            apps={app: answer.result() for app, answer in apps.items()},
            api=termux.api_missing if battery is None else "",
            api_asked=api is not None,
            device=sensors.device(battery_max_age_s=600.0),
            cpuset=standing.cpuset,
            affinity=len(standing.cores) or None,
            cores=len(sensors.cores()) or os.cpu_count(),
            own_processes=len(sensors.processes()) if on_phone else None,
            phantoms=_result(phantoms),
            python=python.result(),
            adapter=said,
            adapter_words=words,
            programs=_programs(places),
            disk_free_bytes=_disk_free(places.state),
            modes=_modes(places),
            auth_required=_auth_required(places),
            paused_words=_paused(places),
        )


class _Nobody:
    """Off the phone there is no Termux:API to ask."""

    def battery(self, max_age_s: float = 0.0) -> Battery | None:
        return None


def _result(future: Future[str] | None) -> str:
    return "" if future is None else future.result()


def _settings(places: Places, env: Mapping[str, str]) -> tuple[PhoneSettings | None, str]:
    try:
        return load(places.config, env), ""
    except ConfigError as exc:
        return None, str(exc)


def _auth_required(places: Places) -> bool:
    """What the adapter itself makes of its section is its own business; here only that one line counts."""
    try:
        auth = tomllib.loads(places.config.read_text(encoding="utf-8")).get("auth")
    except (OSError, ValueError):
        return True
    return not (isinstance(auth, dict) and auth.get("required") is False)


def _paused(places: Places) -> str:
    try:
        hold = store.read_hold(places)
    except ValueError as exc:
        return str(exc)
    if hold is None or hold.is_over(time.time()):
        return ""
    until = "until farmhand resume" if hold.until_wall_s is None else f"for another {ago(hold.until_wall_s - time.time())}"
    return f"Somebody has paused the engines {until}."


# --- files -------------------------------------------------------------------------------------------------------


def _service(name: str, places: Places, runsv: Runsv) -> ServiceFacts:
    folder = places.service(name)
    if not folder.is_dir():
        return ServiceFacts()
    exits, _ = runsv.exits(name, 0)
    return ServiceFacts(
        installed=(folder / "run").exists(),
        has_down=(folder / "down").exists(),
        runit=runsv.status(name),
        scripts={script: _script(folder / script, places) for script in SCRIPTS},
        log_age_s=_age_s(places.log(name)),
        exits=exits,
    )


def _script(path: Path, places: Places) -> str:
    try:
        first = path.open("rb").readline(200).decode("utf-8", "replace").strip()
    except OSError as exc:
        return f"cannot be read ({exc.strerror})"
    if not os.access(path, os.X_OK):
        return "is not executable"
    if not first.startswith(f"#!{places.prefix}/"):
        return f"does not begin with #!{places.prefix}/bin/sh"
    return ""


def _age_s(path: Path) -> float | None:
    try:
        return max(0.0, time.time() - path.stat().st_mtime)
    except OSError:
        return None


def _boot(places: Places) -> BootFacts:
    folder = places.boot_scripts
    try:
        entries = sorted(folder.iterdir())
    except OSError:
        return BootFacts()
    ours = [path for path in entries if "farmhand" in path.name and path.is_file()]
    others = [path for path in entries if path.is_file() and path not in ours]
    problem = ""
    if ours:
        problem = _script(ours[0], places)
    return BootFacts(
        exists=bool(ours),
        problem="" if problem == "is not executable" else problem,  # Termux:Boot sets the bit itself
        folders=tuple(path.name for path in entries if path.is_dir()),
        sourcing=tuple(path.name for path in others if _says(path, r"^\s*source\s", shell="sh")),
        starters=tuple(path.name for path in others if _says(path, r"start-services\.sh|service-daemon start|runsvdir")),
    )


def _says(path: Path, pattern: str, *, shell: str = "") -> bool:
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    first = text.partition("\n")[0]
    if shell and first.startswith("#!") and not re.search(rf"/{shell}\b", first):
        return False  # bash and zsh know more
    return re.search(pattern, text, re.MULTILINE) is not None


def _programs(places: Places) -> dict[str, str]:
    own = {"litellm": places.root / ".cache" / "litellm" / "bin" / "litellm"}
    return {
        name: str(own[name]) if name in own and own[name].exists() else shutil.which(name) or ""
        for name in ("litellm", "openclaw", "llama-server")
    }


def _disk_free(path: Path) -> int | None:
    while not path.exists() and path != path.parent:
        path = path.parent
    try:
        return shutil.disk_usage(path).free
    except OSError:
        return None


def _modes(places: Places) -> dict[str, int]:
    private = (places.state, places.key_file, places.state / "token-secret", places.state / "tokens.json")
    return {str(path): path.stat().st_mode & 0o777 for path in private if path.exists()}


# --- commands ----------------------------------------------------------------------------------------------------


def _is_installed(app: str, commands: Runs) -> bool | None:
    """`pm path` prints a path, or ends with status 1 (`facts/termux.md` 5.1)."""
    done = commands(["pm", "path", app], limit_s=COMMAND_S)
    if done.ok and "package:" in done.out:
        return True
    return False if done.code == 1 else None


def _phantoms(commands: Runs) -> str:
    """Apps may not ask on most phones; then this is an error, and a command for the laptop is shown."""
    done = commands(
        ["/system/bin/settings", "get", "global", "settings_enable_monitor_phantom_procs"], limit_s=COMMAND_S
    )
    return done.out.strip() if done.ok else ""


def _api(termux: Termux) -> tuple[Any, str]:
    return termux.battery(max_age_s=0.0), termux.api_missing


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
        how = "its Python does not start" if done.missing or not done.timed_out else f"its Python took more than {IMPORT_S:g} s"
        last = done.err.strip().splitlines()[-1:]
        return PythonFacts(venv_version=made_by, broken=f"{how} ({last[0][:200]})" if last else how)
    return PythonFacts(said["platform"], said["version"], made_by, imports=said["imports"])


def _venv_version(cfg: Path) -> str:
    try:
        found = re.search(r"^version(?:_info)? *= *(\d+\.\d+)", cfg.read_text(encoding="utf-8"), re.MULTILINE)
    except OSError:
        return ""
    return found[1] if found else ""
