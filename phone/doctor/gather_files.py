"""What `farmhand doctor` learns from files and from /proc. Starts nothing; nothing here raises for what it finds."""

from __future__ import annotations

import os
import re
import shutil
import time
import tomllib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from phone.bundle.report import ago
from phone.doctor.facts import BootFacts, DaemonFacts, Ensured, ProxyFacts, ServiceFacts
from phone.places import Places
from phone.runit import DAEMON, Runsv
from phone.sense import Process
from phone.supervisor import store
from phone.supervisor.clock import now_s

SCRIPTS = ("run", "finish", "check", "log/run")
# Of runit and of termux-services; what is shared by our own services.
DAEMONS = ("runsvdir", "runsv", "sv", "svlogd", "service-daemon")
PARTS = ("libexec/farmhand/service.sh", "libexec/farmhand/ensure", "libexec/farmhand/anchor", "etc/farmhand/env")


def booted_wall_s(wall_s: float) -> float:
    """When the phone was started, by the clock of now."""
    return wall_s - now_s()


def changed_s(path: Path) -> float | None:
    """Unix time."""
    try:
        return path.stat().st_mtime
    except OSError:
        return None


# --- runit -------------------------------------------------------------------------------------------------------


def daemon(places: Places, runsv: Runsv, processes: Iterable[Process]) -> DaemonFacts:
    pid = runsv.runsvdir_pid()
    all_of_them = [process for process in processes if _is_daemon(process, places)]
    number = _whole(places.prefix / "var" / "run" / "service-daemon.pid")
    return DaemonFacts(
        pid=pid,
        others=tuple(process.pid for process in all_of_them if process.pid != pid) if pid is not None else (),
        pid_file=number,
        pid_file_lives=number is not None and Path(f"/proc/{number}").exists(),
        missing=tuple(name for name in DAEMONS if not os.access(places.prefix / "bin" / name, os.X_OK)),
    )


def _is_daemon(process: Process, places: Places) -> bool:
    words = process.command.split()
    return len(words) > 1 and words[0].rpartition("/")[2] == DAEMON and str(places.services) in words


def service(name: str, places: Places, runsv: Runsv) -> ServiceFacts:
    folder = places.service(name)
    if not folder.is_dir():
        return ServiceFacts()
    exits, _ = runsv.exits(name, 0)
    log = changed_s(places.log(name))
    return ServiceFacts(
        installed=(folder / "run").exists(),
        has_down=(folder / "down").exists(),
        runit=runsv.status(name),
        logger=runsv.status(f"{name}/log"),
        scripts={script: script_problem(folder / script, places) for script in SCRIPTS},
        log_age_s=None if log is None else max(0.0, time.time() - log),
        exits=exits,
    )


def script_problem(path: Path, places: Places) -> str:
    """ "" if it can be started, else what is wrong with it, to follow its name."""
    try:
        with path.open("rb") as file:
            first = file.readline(200).decode("utf-8", "replace").rstrip("\n")
    except OSError as exc:
        return f"cannot be read ({exc.strerror})"
    if not os.access(path, os.X_OK):
        return "is not executable"
    if not first.startswith(f"#!{places.prefix}/"):
        return f"does not begin with #!{places.prefix}/bin/sh"
    return "has line ends of Windows" if first.endswith("\r") else ""


def missing_parts(places: Places) -> tuple[str, ...]:
    return tuple(part for part in PARTS if not os.access(places.prefix / part, os.R_OK))


# --- boot --------------------------------------------------------------------------------------------------------


def boot(places: Places) -> BootFacts:
    try:
        entries = sorted(places.boot_scripts.iterdir())
    except OSError:
        return BootFacts()
    ours = [path for path in entries if "farmhand" in path.name and path.is_file()]
    others = [path for path in entries if path.is_file() and path not in ours]
    problem = script_problem(ours[0], places) if ours else ""
    return BootFacts(
        exists=bool(ours),
        name=ours[0].name if ours else BootFacts().name,
        problem="" if problem == "is not executable" else problem,  # Termux:Boot sets the bit itself
        strange=tuple(path.name for path in entries if not path.is_file()),
        sourcing=_names(others, lambda text: _is_sh(text) and _says(r"^ *source\s", text)),
        starters=_names(others, lambda text: _says(r"start-services\.sh|service-daemon start|runsvdir", text)),
        by_env=_names(others, lambda text: text.startswith("#!/usr/bin/env ")),
        after_boot=_ensured(places.run / "ensured-by-boot"),
    )


def _names(paths: Iterable[Path], holds: Callable[[str], bool]) -> tuple[str, ...]:
    return tuple(path.name for path in paths if holds(_text(path)))


def _is_sh(text: str) -> bool:
    """bash and zsh know more."""
    first = text.partition("\n")[0]
    return not first.startswith("#!") or re.search(r"/(da)?sh\b", first) is not None


def _says(pattern: str, text: str) -> bool:
    code = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    return re.search(pattern, code, re.MULTILINE) is not None


def _ensured(path: Path) -> Ensured | None:
    """`EPOCH LOCK_CODE UPTIME_S`, as `termux/ensure` writes it."""
    words = _text(path).split()
    return Ensured(float(words[0]), words[1]) if len(words) == 3 and words[0].isdecimal() else None


# --- state and configuration -------------------------------------------------------------------------------------


def auth_required(places: Places) -> bool:
    """What the adapter itself makes of its section is its own business; here only that one line counts."""
    try:
        auth = tomllib.loads(places.config.read_text(encoding="utf-8")).get("auth")
    except (OSError, ValueError):
        return True
    return not (isinstance(auth, dict) and auth.get("required") is False)


def paused_words(places: Places) -> str:
    try:
        hold = store.read_hold(places)
    except ValueError as exc:
        return str(exc)
    if hold is None or hold.is_over(time.time()):
        return ""
    until = "until farmhand resume" if hold.until_wall_s is None else f"for another {ago(hold.until_wall_s - time.time())}"
    why = f": {hold.why.rstrip('. ')}" if hold.why else ""
    return f"Somebody has paused the engines {until}{why}."


def programs(places: Places) -> dict[str, str]:
    own = {"litellm": places.root / ".cache" / "litellm" / "bin" / "litellm"}
    return {
        name: str(own[name]) if name in own and own[name].exists() else shutil.which(name) or ""
        for name in ("litellm", "openclaw", "llama-server", "node")
    }


def engine(places: Places) -> tuple[str | None, str]:
    """The model of Termux's own llama-server and what is wrong with it; `None` where that is not used."""
    file = places.state / "engine.env"
    if not file.exists():
        return None, ""
    found = re.search(r"^ *ENGINE_MODEL=(['\"]?)(.+?)\1 *$", _text(file), re.MULTILINE)
    if found is None:
        return "", f"{file} has no ENGINE_MODEL"
    return found[2], "" if os.access(found[2], os.R_OK) else f"{found[2]}, the ENGINE_MODEL of {file}, cannot be read"


def proxy(places: Places) -> ProxyFacts:
    """What stands in the proxy's two files, as its run script reads them."""
    folder = places.state / "litellm"
    values = dict(re.findall(r"^[ \t]*(?:export )?(\w+)=['\"]?([^'\"\n]*)", _text(folder / "env.local"), re.MULTILINE))
    config = folder / "config.yaml"
    return ProxyFacts(
        os.access(config, os.R_OK),
        "os.environ/LITELLM_MASTER_KEY" in _text(config),
        bool(values.get("LITELLM_MASTER_KEY")),
        values.get("NEURAL_FARM_BASE_URL", ""),
    )


def disk_free(path: Path) -> int | None:
    while not path.exists() and path != path.parent:
        path = path.parent
    try:
        return shutil.disk_usage(path).free
    except OSError:
        return None


def modes(places: Places) -> dict[str, int]:
    tokens = (places.state / "token-secret", places.state / "tokens.json")
    private = (places.state, places.key_file, *tokens, places.state / "litellm" / "env.local")
    return {str(path): path.stat().st_mode & 0o777 for path in private if path.exists()}


def affinity_of(pid: int) -> Sequence[int]:
    """Which cores it may use; empty where that is not told."""
    try:
        return sorted(os.sched_getaffinity(pid))
    except (AttributeError, OSError):
        return ()


def cpuset_of(pid: int) -> str:
    return _text(Path(f"/proc/{pid}/cpuset")).strip()


def _whole(path: Path) -> int | None:
    text = _text(path).strip()
    return int(text) if re.fullmatch(r"[1-9]\d{0,8}", text) else None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")[:100_000]
    except OSError:
        return ""
