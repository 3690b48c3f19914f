"""Asks a service whether it is ready; `python -m phone.probe NAME` for runit's `check`, `--port NAME` for its `run`.

Standard library only and few imports: `sv start` runs `check` twice a second until it is ready.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import time
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

from phone.places import Places, places
from phone.readiness import PATHS, Probe, answered, is_complete, judge
from phone.supervisor import clock
from phone.supervisor.published import published_from_json
from phone.supervisor.types import SUPERVISOR, Service

LIMIT_S = 4.0
MAX_ANSWER = 16_384
# Section of the configuration file, and the port without it (`phone/settings.py`).
SECTIONS = {Service.ADAPTER: ("server", 8888), Service.PROXY: ("proxy", 4000), Service.GATEWAY: ("gateway", 18789)}
ENGINE_PORT = 8090
LOOPBACK = "127.0.0.1"
# Listened on there means reached here.
REACHED_AT = {"0.0.0.0": LOOPBACK, "::": "::1", "": LOOPBACK}


def probe(service: Service, host: str, port: int, limit_s: float = LIMIT_S) -> Probe:
    """One question, answered within `limit_s` whatever the other side does. Blocks; never raises."""
    where = f"{host}:{port}"
    try:
        data = _ask(REACHED_AT.get(host, host), port, PATHS[service], time.monotonic() + limit_s)
    except ConnectionRefusedError:
        return Probe(False, f"nothing listens on {where} yet")
    except TimeoutError:
        return Probe(False, f"no answer from {where} within {limit_s:g} s")
    except OSError as exc:
        return Probe(False, f"{where} cannot be asked: {exc.strerror or exc}")
    answer = answered(data)
    if answer is None:
        return Probe(False, f"{where} accepts connections, but does not answer in HTTP")
    return judge(service, answer)


def _ask(host: str, port: int, path: str, until: float) -> bytes:
    """What is answered to a GET, up to the end, MAX_ANSWER or `until`. Raises `OSError`; `TimeoutError` if nothing came at all."""
    data = b""
    with socket.create_connection((host, port), timeout=_left(until)) as connection:
        name = f"[{host}]" if ":" in host else host
        connection.sendall(f"GET {path} HTTP/1.0\r\nHost: {name}:{port}\r\nConnection: close\r\n\r\n".encode())
        try:
            while len(data) < MAX_ANSWER and not is_complete(data):
                connection.settimeout(_left(until))  # of all that it sends, so that a trickle does not hold us
                chunk = connection.recv(4096)
                if not chunk:
                    break
                data += chunk
        except TimeoutError:
            if not data:
                raise
    return data


def _left(until: float) -> float:
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def probe_supervisor(where: Places) -> Probe:
    """By what it has published: of this boot, by a process that lives, and all that is wanted is ready."""
    try:
        text = (where.run / "supervisor.json").read_text(encoding="utf-8")
        published = published_from_json(json.loads(text))
    except (OSError, ValueError):
        published = None
    if published is None or published.pid is None:
        return Probe(False, "the supervisor has not said anything yet")
    if published.boot_id != clock.boot_id() or not _lives(published.pid):
        return Probe(False, "the supervisor that spoke last has ended")
    if published.ready:
        return Probe(True, "all is ready")
    unready = [name for name, service in published.services.items() if not service.ready]
    return Probe(False, f"not ready yet: {', '.join(unready) or 'no service'}")


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (OSError, OverflowError):
        return False
    return pid > 0


# --- where each listens ------------------------------------------------------------------------------------------


def address(service: Service, where: Places, env: Mapping[str, str]) -> tuple[str, int]:
    """Host and port by the configuration file, `FARMHAND_<SECTION>_<KEY>`, and `engine.env` for Termux's own llama-server.

    Raises `ValueError` with a sentence for what cannot be read or is no port.
    """
    if service is Service.ENGINE:
        given = _assignment(where.state / "engine.env", "ENGINE_PORT")
        return LOOPBACK, _port(given or ENGINE_PORT, "ENGINE_PORT of engine.env")
    section, usual = SECTIONS[service]
    entry = _section(where.config, section)
    port = env.get(f"FARMHAND_{section}_PORT".upper()) or entry.get("port", usual)
    host = env.get("FARMHAND_SERVER_HOST") or entry.get("host") if service is Service.ADAPTER else None
    return str(host or LOOPBACK), _port(port, f"{section}.port of {where.config}")


def _section(config: Path, name: str) -> Mapping[str, object]:
    try:
        section = tomllib.loads(config.read_text(encoding="utf-8")).get(name, {})
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as exc:
        raise ValueError(f"{config}: cannot be read: {exc.strerror}") from None
    except ValueError as exc:  # TOMLDecodeError, UnicodeDecodeError
        raise ValueError(f"{config}: not valid TOML: {exc}") from None
    return section if isinstance(section, dict) else {}  # who owns it complains


def _assignment(path: Path, name: str) -> str:
    """Of a line `NAME=value`, quoted or not; "" without one."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    values = [line.strip().removeprefix(f"{name}=") for line in lines if line.strip().startswith(f"{name}=")]
    return values[-1].strip("'\"") if values else ""


def _port(value: object, name: str) -> int:
    text = str(value).strip()
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and 0 < int(text) <= 65_535):
        raise ValueError(f"{name} must be a port, 1 to 65535; it is {value!r}")
    return int(text)


# --- the command -------------------------------------------------------------------------------------------------


def main(argv: Sequence[str], env: Mapping[str, str]) -> int:
    """`NAME`: 0 if it is ready, else 1 and why. `--port NAME`: prints its port. NAME: as people call it, or `farmhand`."""
    where = places(env, Path(__file__).resolve().parent.parent)
    name = argv[-1] if argv else ""
    only_port = list(argv[:-1]) == ["--port"]
    known = [*Service] if only_port else [*Service, SUPERVISOR]
    if name not in known or not (only_port or len(argv) == 1):
        sys.stderr.write(f"usage: python -m phone.probe {' | '.join([*Service, SUPERVISOR])}, or --port {' | '.join(Service)}\n")
        return 2
    if name == SUPERVISOR:
        return _told(probe_supervisor(where))
    try:
        host, port = address(Service(name), where, env)
    except ValueError as exc:
        sys.stderr.write(f"{exc}\n")
        return 1
    if only_port:
        print(port)  # noqa: T201 - for `run`
        return 0
    return _told(probe(Service(name), host, port))


def _told(answer: Probe) -> int:
    sys.stderr.write(f"{answer.words}\n")
    return 0 if answer.ready else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
