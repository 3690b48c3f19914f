"""runsvdir, its services and `sv`, as far as files and commands can tell, without a process of their own.

    with FakeRunit(tmp_path / "usr") as runit:
        runit.add("farmhand-adapter")           # a folder with supervise/ok and supervise/status, down
        runit.on_start["farmhand-adapter"] = lambda pid: ...
        runit.end("farmhand-adapter", signal=9) # it ended; written down as `finish` does, and started again if it is wanted
        assert runit.commands == [("up", "farmhand-adapter")]

`$PREFIX/bin/sv` is an executable that asks this object over a socket, so time limits, arguments and exit statuses are those of a real command.
modes: of a service: "deaf" (ends only when killed), "slow" (0.5 s after TERM), "refuses" (`sv` fails), "hangs" (`sv` never returns).
The real runit is in tests/live.
"""

from __future__ import annotations

import json
import os
import shutil
import socketserver
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from phone.runit_status import TAI_EPOCH

SV = """#!/bin/sh
exec {python} -I -S -c '
import json, socket, sys
with socket.socket(socket.AF_UNIX) as s:
    s.connect(sys.argv[1])
    s.sendall(json.dumps(sys.argv[2:]).encode() + b"\\n")
    answer = s.makefile().readline()
code, words = json.loads(answer or "[111, \\"gone\\"]")
print(words)
sys.exit(code)
' {path} "$@"
"""
STATES = {"down": 0, "run": 1, "finish": 2}


@dataclass
class _Service:
    folder: Path
    fifo: int
    state: str = "down"
    pid: int = 0
    wants_up: bool = False
    changed: threading.Condition = field(default_factory=threading.Condition)


class FakeRunit:
    def __init__(self, prefix: Path, exits: Path) -> None:
        """exits: where ends are written down."""
        self.services = prefix / "var" / "service"
        self.commands: list[tuple[str, str]] = []
        self.modes: dict[str, str] = {}
        self.restart_s = 0.05  # a second, with the real one
        self.on_start: dict[str, Callable[[int], None]] = {}
        self._exits = exits
        self._known: dict[str, _Service] = {}
        self._next_pid = 500_000_000  # of no process: a kernel has fewer
        self._lock = threading.RLock()
        # The path of a socket is short, that of a test's folder is not.
        self._folder = tempfile.mkdtemp(prefix="sv")
        path = f"{self._folder}/s"
        fake = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                answer = fake._answer(json.loads(self.rfile.readline()))
                self.wfile.write(json.dumps(answer).encode() + b"\n")

        self._stopped = threading.Event()
        self._server = socketserver.ThreadingUnixStreamServer(path, Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        program = prefix / "bin" / "sv"
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text(SV.format(python=sys.executable, path=path))
        program.chmod(0o755)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        self._stopped.set()
        self._server.shutdown()
        self._server.server_close()
        for service in self._known.values():
            os.close(service.fifo)
        shutil.rmtree(self._folder)

    def add(self, name: str, *, up: bool = False) -> None:
        folder = self.services / name / "supervise"
        folder.mkdir(parents=True)
        os.mkfifo(folder / "ok")
        service = _Service(folder, os.open(folder / "ok", os.O_RDWR | os.O_NONBLOCK))
        self._known[name] = service
        self._write(service)
        if up:
            self._start(name, service)

    def pid(self, name: str) -> int | None:
        service = self._known[name]
        return service.pid if service.state == "run" else None

    def end(self, name: str, code: int = -1, signal: int = 0) -> None:
        """It has ended by itself."""
        with self._lock:
            self._end(name, self._known[name], code, signal)

    def asked(self, command: str) -> list[str]:
        """Of which services, in order."""
        return [name for done, name in self.commands if done == command]

    # --- what `sv` does ------------------------------------------------------------------------------------------

    def _answer(self, argv: list[str]) -> tuple[int, str]:
        wait_s = 7.0
        if argv[0] == "-w":
            wait_s, argv = float(argv[1]), argv[2:]
        command, name = argv[0], Path(argv[1]).name
        self.commands.append((command, name))
        service = self._known.get(name)
        mode = self.modes.get(name, "")
        if mode == "hangs":
            self._stopped.wait(60)
        if service is None or mode == "refuses":
            return 1, f"fail: {name}: unable to change to service directory"
        with self._lock:
            match command:
                case "up":
                    service.wants_up = True
                    self._write(service)
                    if service.state == "down":
                        self._start(name, service)
                case "stop":
                    service.wants_up = False
                    self._write(service)
                    if mode != "deaf" and service.state == "run":
                        threading.Timer(0.5 if mode == "slow" else 0.0, self._end_of, (name, service.pid)).start()
                case "kill" if service.state == "run":
                    self._end(name, service, -1, 9)
                case _:
                    pass
        return self._waited(service, wait_s) if command == "stop" else (0, "ok")

    def _waited(self, service: _Service, wait_s: float) -> tuple[int, str]:
        with service.changed:
            ended = service.changed.wait_for(lambda: service.state == "down", wait_s)
        return (0, "ok: down") if ended else (1, "timeout: run")

    def _end_of(self, name: str, pid: int) -> None:
        with self._lock:
            if self._known[name].pid == pid:
                self._end(name, self._known[name], 0, 0)

    def _start(self, name: str, service: _Service) -> None:
        self._next_pid += 1
        service.state, service.pid, service.wants_up = "run", self._next_pid, True
        self._write(service)
        if name in self.on_start:
            self.on_start[name](service.pid)

    def _end(self, name: str, service: _Service, code: int, signal: int) -> None:
        self._exits.mkdir(parents=True, exist_ok=True)
        service.state = "finish"
        self._write(service)
        with (self._exits / name).open("a") as file:
            file.write(f"{int(time.time())} {code} {signal} 2000000 -\n")
        service.state, service.pid = "down", 0
        self._write(service)
        if service.wants_up:
            timer = threading.Timer(self.restart_s, self._again, (name,))
            timer.daemon = True
            timer.start()

    def _again(self, name: str) -> None:
        with self._lock:
            service = self._known[name]
            if service.wants_up and service.state == "down" and not self._stopped.is_set():
                self._start(name, service)

    def _write(self, service: _Service) -> None:
        data = bytearray(20)
        data[0:8] = (TAI_EPOCH + int(time.time())).to_bytes(8, "big")
        data[12:16] = service.pid.to_bytes(4, "little")
        data[17:18] = b"u" if service.wants_up else b"d"
        data[19] = STATES[service.state]
        draft = service.folder / "status.new"
        draft.write_bytes(data)
        draft.replace(service.folder / "status")
        with service.changed:
            service.changed.notify_all()
