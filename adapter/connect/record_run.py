"""`farmhand connect openclaw --record`: two real turns of a real gateway against a server that only records. Blocking.

A gateway of our own for that minute, with the user's configuration and workspace, since a turn without one has another prompt. Its chat channels stay
off: nobody's message may get "ok" for an answer. OpenClaw lets no two gateways share a state folder, so one that runs has to be stopped.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import date
from pathlib import Path

from adapter.connect.ask import NoAnswer, get
from adapter.connect.record import Pin, pin_of
from adapter.connect.record_server import Recorder
from adapter.connect.target import ConnectError

READY_S = 180.0  # 6 to 12 s on a PC (`protocols/clients.md` 8.2); a phone is slower
TURN_S = 180.0
STOP_S = 15.0
TURNS = ("farmhand-record-1", "farmhand-record-2")
STOP_IT = "A gateway runs, and two cannot share its folder. Stop it for this minute; on the phone: farmhand down, this command, farmhand up"


def record(name: str, home: Path, env: Mapping[str, str], say: Callable[[str], None]) -> tuple[Path, Pin]:
    """Writes `home/pins/NAME.json`, which the adapter's next start reads. Raises `ConnectError` with what to do."""
    if name != "openclaw":
        raise ConnectError(f"--record knows openclaw only, not {name}")
    program = shutil.which("openclaw", path=env.get("PATH"))
    if program is None:
        raise ConnectError("there is no program openclaw here. Type: npm install -g openclaw")
    with Recorder().running() as recorder:
        port = _free_port()
        ours = {
            **env,
            "NEURAL_FARM_BASE_URL": recorder.base_url,
            "NEURAL_FARM_API_KEY": "recording",
            "OPENCLAW_GATEWAY_PORT": str(port),
            "OPENCLAW_SKIP_CHANNELS": "1",
            "OPENCLAW_DISABLE_BONJOUR": "1",
        }
        ours |= _guard(ours)
        firsts = []
        say("starting a gateway of its own; that takes a while")
        with _gateway([program, "gateway", "run", "--port", str(port), "--bind", "loopback"], ours, port):
            for number, session in enumerate(TURNS, 1):
                say(f"turn {number} of {len(TURNS)}")
                came = len(recorder.bodies)
                _turn([program, "agent", "--agent", "main", "--session-id", session, "--message", "hi", "--timeout", f"{TURN_S:.0f}"], ours)
                firsts += recorder.bodies[came : came + 1]  # a turn may take several requests
        pin = pin_of(firsts, date.today().isoformat())
    path = home / "pins" / f"{name}.json"
    _write(path, json.dumps(pin.body))  # in ASCII: half an emoji, as JavaScript cuts texts, is no UTF-8
    return path, pin


def _guard(env: Mapping[str, str]) -> dict[str, str]:
    """What answers for what Android keeps from Node, as its service has it (`termux/openclaw-guard.cjs`); where nothing is kept it changes nothing."""
    script = Path(env.get("PREFIX") or "/nonexistent") / "libexec" / "farmhand" / "openclaw-guard.cjs"
    return {"NODE_OPTIONS": f"--require={script} {env.get('NODE_OPTIONS', '')}".strip()} if script.exists() else {}


@contextmanager
def _gateway(command: Sequence[str], env: Mapping[str, str], port: int) -> Iterator[None]:
    """Ready on entry, gone on exit, with what it has started."""
    with tempfile.TemporaryFile() as log:
        try:
            process = subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        except OSError as exc:
            raise ConnectError(f"{command[0]} does not start: {exc.strerror or exc}") from None
        try:
            _await_ready(process, port, lambda: _last_lines(log.fileno()))
            yield
        finally:
            _stop(process)


def _await_ready(process: subprocess.Popen[bytes], port: int, said: Callable[[], str]) -> None:
    until = time.monotonic() + READY_S
    while time.monotonic() < until:
        if process.poll() is not None:
            text = said()
            if "another OpenClaw process" in text or "already running" in text or "EADDRINUSE" in text:
                raise ConnectError(STOP_IT)
            raise ConnectError(f"the gateway ended at its start with code {process.returncode}; it said: {text}")
        with suppress(NoAnswer):
            if get(f"http://127.0.0.1:{port}/healthz", "").status == 200:
                return
        time.sleep(0.3)
    raise ConnectError(f"the gateway was not ready within {READY_S:g} s; it said: {said()}")


def _turn(command: Sequence[str], env: Mapping[str, str]) -> None:
    try:
        done = subprocess.run(
            command, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=TURN_S + 30, check=False
        )
    except subprocess.TimeoutExpired:
        raise ConnectError(f"its turn took more than {TURN_S + 30:g} s; nothing was recorded") from None
    if done.returncode:
        raise ConnectError(f"its turn failed: {' '.join((done.stderr or done.stdout).split())[-400:]}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _last_lines(descriptor: int) -> str:
    size = os.fstat(descriptor).st_size
    data = os.pread(descriptor, 2_000, max(0, size - 2_000))
    return " ".join(data.decode("utf-8", "replace").split())[-600:] or "nothing"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _write(path: Path, text: str) -> None:
    """Private: the prompt tells of the user's workspace."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=path.parent, prefix=".", delete=False) as file:
            try:
                file.write(text)
                file.close()
                os.replace(file.name, path)
            except BaseException:
                os.unlink(file.name)
                raise
    except OSError as exc:
        raise ConnectError(f"{path} cannot be written: {exc.strerror or exc}") from None
