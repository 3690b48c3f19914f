"""The whole bundle in a scratch prefix: real runit, services as shipped, real supervisor and adapter; stand-ins only for litellm and openclaw.

    with bundle(tmp_path, supervisor={"ready_s": 3}) as farm:
        farm.phone.boot()
        farm.wait_ready()

What happened when is read from the services' logs, whose stamps are svlogd's.
"""

from __future__ import annotations

import json
import re
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from http.client import HTTPConnection, HTTPException, HTTPResponse
from pathlib import Path
from typing import Any

from phone.supervisor import store
from phone.supervisor.published import Published
from phone.supervisor.types import SUPERVISOR, Phase, Service
from tests.fakes.termux import FakeTermux
from tests.live.termux_prefix import SERVICES, TermuxPrefix, termux_prefix

STAND_IN = Path(__file__).with_name("bundle_stand_in.py")
# Two cores, and several tests at once.
READY_S = 60.0
STAMP = re.compile(r"(\d{4}-\d\d-\d\d_\d\d:\d\d:\d\d\.\d{5})\d* (.*)")
# What people wait for, made short.
QUICK: Mapping[str, float] = {"ready_s": 20, "stop_s": 8, "stable_s": 2, "crashes": 3, "backoff_s": 1, "max_backoff_s": 2, "give_up": 2}


@dataclass(frozen=True)
class Line:
    """at_s: Unix time."""

    at_s: float
    service: str
    text: str


@dataclass
class Farm:
    phone: TermuxPrefix
    ports: Mapping[Service, int]
    sections: dict[str, Mapping[str, object]]
    engine: str

    @property
    def fake(self) -> FakeTermux:
        assert self.phone.fake is not None
        return self.phone.fake

    # --- what is set -------------------------------------------------------------------------------------------------

    def configure(self, **sections: Mapping[str, object]) -> None:
        """Writes the configuration, with these sections changed. Nobody reads it anew before HUP or a start."""
        self.sections |= {name: {**self.sections.get(name, {}), **changes} for name, changes in sections.items()}
        text = [self.engine]
        for name, entries in self.sections.items():
            text += [f"[{name}]", *(f"{key} = {json.dumps(value)}" for key, value in entries.items())]
        self.phone.places.config.write_text("\n".join(text) + "\n", encoding="utf-8")

    def behave(self, service: Service, **mode: object) -> None:
        """From the stand-in's next start on; see `bundle_stand_in.py`."""
        (self.phone.places.user / f"{service.value}.json").write_text(json.dumps(mode))

    # --- what is seen ------------------------------------------------------------------------------------------------

    @property
    def published(self) -> Published | None:
        return store.read_published(self.phone.places)

    def state(self, service: Service) -> str:
        published = self.published
        return published.services[service.value].state if published and service.value in published.services else ""

    def states(self) -> dict[str, str]:
        published = self.published
        return {name: one.state for name, one in published.services.items()} if published else {}

    def is_ready(self) -> bool:
        """By the word of the supervisor that runs now."""
        published = self.published
        return published is not None and published.ready and published.pid == self.phone.status(SUPERVISOR).pid

    def wait_ready(self, limit_s: float = READY_S) -> None:
        self.wait(self.is_ready, "all is ready", limit_s)

    def wait_state(self, service: Service, *states: str, limit_s: float = READY_S) -> None:
        self.wait(lambda: self.state(service) in states, f"{service.value} is {' or '.join(states)}", limit_s)

    def wait(self, holds: Callable[[], object], what: str, limit_s: float = READY_S) -> None:
        self.phone.wait_until(holds, what, limit_s)

    def pid(self, service: Service) -> int:
        return self.phone.pid(service.folder)

    def pids(self) -> dict[str, int | None]:
        """Of all services that run, the supervisor left out."""
        looks = {service.value: self.phone.status(service.folder) for service in Service}
        return {name: look.pid for name, look in looks.items() if look.phase is Phase.RUN}

    def lines(self, folder: str = SUPERVISOR) -> list[Line]:
        """Of a service's log."""
        found = (STAMP.fullmatch(line) for line in self.phone.log(folder).splitlines())
        return [Line(_unix(match[1]), folder, match[2]) for match in found if match]

    def at(self, folder: str, text: str, after_s: float = 0.0) -> float:
        """When a line with `text` was written first, Unix time; it must have been."""
        for line in self.lines(folder):
            if text in line.text and line.at_s >= after_s:
                return line.at_s
        raise AssertionError(f"{text!r} is not in the log of {folder}:\n{self.phone.log(folder)}")

    def said(self, text: str, after_s: float = 0.0) -> bool:
        """Did the supervisor say so?"""
        return any(text in line.text and line.at_s >= after_s for line in self.lines())

    def wait_said(self, text: str, after_s: float = 0.0, limit_s: float = READY_S) -> float:
        self.wait(lambda: self.said(text, after_s), f"the supervisor says {text!r}", limit_s)
        return self.at(SUPERVISOR, text, after_s)

    # --- the adapter -------------------------------------------------------------------------------------------------

    @property
    def key(self) -> str:
        return self.phone.places.key_file.read_text().strip()

    def ask(self, path: str, body: object = None, limit_s: float = 10.0) -> tuple[int, Mapping[str, str], str]:
        """Status, headers (lower case), body; status 0 where nobody answers."""
        try:
            with self.open(path, body, limit_s) as answer:
                return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read().decode()
        except (OSError, HTTPException) as exc:
            return 0, {}, str(exc)

    @contextmanager
    def open(self, path: str, body: object = None, limit_s: float = 10.0) -> Iterator[HTTPResponse]:
        """The answer, its body unread."""
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        with closing(HTTPConnection("127.0.0.1", self.ports[Service.ADAPTER], timeout=limit_s)) as connection:
            connection.request("GET" if body is None else "POST", path, None if body is None else json.dumps(body), headers)
            with connection.getresponse() as answer:
                yield answer

    def chat(self, text: str = "hello", *, stream: bool = False) -> dict[str, object]:
        return {"model": "echo/echo", "messages": [{"role": "user", "content": text}], "stream": stream, "max_tokens": 10_000}

    def talk(self, text: str = "hello") -> tuple[int, Mapping[str, str], str]:
        return self.ask("/v1/chat/completions", self.chat(text))


@contextmanager
def bundle(
    tmp_path: Path,
    *,
    proxy: bool = True,
    gateway: bool = True,
    token_delay_s: float = 0.0,
    supervisor: Mapping[str, object] | None = None,
    **sections: Mapping[str, object],
) -> Iterator[Farm]:
    """Everything in place, nothing running. supervisor: over `QUICK`. sections: others of the configuration file."""
    with termux_prefix(tmp_path, services=SERVICES) as phone:
        ports = {Service.ADAPTER: phone.port, Service.PROXY: free_port(), Service.GATEWAY: free_port()}
        given: dict[str, Mapping[str, object]] = {
            "server": {"port": phone.port},
            "proxy": {"enabled": proxy, "port": ports[Service.PROXY]},
            "gateway": {"enabled": gateway, "port": ports[Service.GATEWAY]},
            "supervisor": {**QUICK, **(supervisor or {})},
            # The machine that runs the tests is not the phone.
            "governor": {"memory_low_bytes": 0, "margin_memory_bytes": 0, "slow_clock": 0.0, "slow_trend": 0.0},
        }
        engine = f'[[engine]]\nname = "echo"\nkind = "echo"\nctx_tokens = 100000\ntoken_delay_s = {token_delay_s}\n'
        farm = Farm(phone, ports, given, engine)
        farm.configure(**sections)
        for name in (Service.PROXY, Service.GATEWAY):
            words = f"{sys.executable} -I -S {STAND_IN} {name.value} {phone.places.user}"
            phone.command_file(name.value, f'exec {words} "$@"\n')
        phone.write(phone.places.state / "litellm" / "config.yaml", "model_list: []\n", 0o600)
        phone.write(phone.places.user / ".openclaw" / "openclaw.json", "{}\n", 0o600)
        yield farm


def measured(what: str, seconds: float) -> None:
    """For the closing note: `pytest -s -k bundle`."""
    sys.stdout.write(f"\nmeasured: {what}: {seconds:.2f} s")


def shown(what: str, text: str) -> None:
    sys.stdout.write(f"\n--- {what}\n{text}\n")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _unix(stamp: str) -> float:
    return datetime.strptime(stamp, "%Y-%m-%d_%H:%M:%S.%f").replace(tzinfo=UTC).timestamp()


def now_s() -> float:
    """As svlogd's stamps."""
    return time.time()


def bodies(text: str) -> list[Any]:
    """The frames of a stream, without `[DONE]`."""
    frames = [line.removeprefix("data: ") for line in text.splitlines() if line.startswith("data: ")]
    return [json.loads(frame) for frame in frames if frame != "[DONE]"]
