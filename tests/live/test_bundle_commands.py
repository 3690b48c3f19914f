"""`farmhand up`, `status`, `restart`, `pause`, `resume`, `logs` and `down` as somebody types them, in a terminal of 80 columns."""

from __future__ import annotations

import fcntl
import json
import re
import struct
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from phone.supervisor.types import SUPERVISOR, Service
from tests.live.bundle_prefix import Farm, bundle, measured, now_s, shown
from tests.live.terminal import CTRL_C, Terminal, on_terminal

COLUMNS = 80
SIZE = struct.pack("HHHH", 24, COLUMNS, 0, 0)


@contextmanager
def typed(farm: Farm, *words: str) -> Iterator[Terminal]:
    env = {**farm.phone.env, **farm.phone.login_env}
    with on_terminal([str(farm.phone.bin / "farmhand"), *words], env) as terminal:
        fcntl.ioctl(terminal.fd, termios.TIOCSWINSZ, SIZE)
        yield terminal


def said(farm: Farm, *words: str, code: int = 0) -> str:
    """What it printed until its end, in lines that fit; its exit status is `code`."""
    began_s = now_s()
    with typed(farm, *words) as terminal:
        ended = terminal.end()
        text = terminal.shown.replace("\r\n", "\n")
    shown(f"$ farmhand {' '.join(words)}   (status {ended}, {now_s() - began_s:.1f} s)", text)
    assert ended == code, text
    assert "--json" in words or max(map(len, text.splitlines())) <= COLUMNS or text.startswith("farmhand: ")
    assert "Traceback" not in text
    return text


def test_the_commands(tmp_path: Path) -> None:
    with bundle(tmp_path) as farm:
        before_the_first_start(farm)
        up(farm)
        status(farm)
        pause_and_resume(farm)
        restart_one(farm)
        logs(farm)
        restart(farm)
        down(farm)
        for_scripts(farm)


def before_the_first_start(farm: Farm) -> None:
    assert said(farm, "status", code=2).strip() == "The supervisor has not run yet. To start the bundle: farmhand up"
    assert said(farm, "logs", code=1) == "farmhand: there is no log yet. To start the bundle: farmhand up\n"


def up(farm: Farm) -> None:
    text = said(farm, "up")
    order = [line.split()[0] for line in text.splitlines() if line.endswith(" ready")]
    assert order == ["adapter", "litellm", "openclaw"] and text.endswith("The bundle is ready.\n")
    pids = farm.pids()
    assert said(farm, "up").endswith("The bundle is ready.\n")
    assert farm.pids() == pids


def status(farm: Farm) -> None:
    text = said(farm, "status")
    assert text.startswith("The bundle is ready.\n")
    for service in (Service.ADAPTER, Service.PROXY, Service.GATEWAY):
        assert re.search(rf"(?m)^{service.value} +ready +pid {farm.pid(service)} for \d+ s", text)
    assert "nobody can ask whether it is held" in text and "78 %, charging, 33.4 degrees C" in text
    data = json.loads(said(farm, "status", "--json"))
    assert data["status"] == "ready" and data["bundle"]["ready"] is True and data["bundle"]["alive"] is True
    assert data["bundle"]["services"]["adapter"]["pid"] == farm.pid(Service.ADAPTER)


def pause_and_resume(farm: Farm) -> None:
    """Within 2 s a request gets a 503 that says why and for how long; `resume` ends it as soon."""
    said(farm, "pause", "--for", "10min", "--why", "It is in a pocket")
    began_s = now_s()
    farm.wait(lambda: farm.talk()[0] == 503, "requests are refused", 2)
    measured("farmhand pause until requests are refused", now_s() - began_s)
    _, headers, body = farm.talk()
    message = json.loads(body)["error"]["message"]
    shown("a request meanwhile", f"Retry-After: {headers['retry-after']}\n{message}")
    assert "paused by hand (It is in a pocket)" in message and 590 <= int(headers["retry-after"]) <= 600
    text = " ".join(said(farm, "status").split())
    assert "governor pause: Farmhand was paused by hand (It is in a pocket)" in text
    farm.wait(lambda: farm.fake.notes["farmhand"].title == "Farmhand: paused by hand", "the notification")
    assert [name for name, _ in farm.fake.notes["farmhand"].buttons] == ["Stop", "Restart", "Resume"]
    began_s = now_s()
    assert farm.phone.shell(dict(farm.fake.notes["farmhand"].buttons)["Resume"]).stdout == "Resumed.\n"
    farm.wait(lambda: farm.talk()[0] == 200, "requests are answered", 2)
    measured("the notification's Resume until requests are answered, the command included", now_s() - began_s)
    assert said(farm, "resume") == "It is not paused by anybody.\n"


def restart_one(farm: Farm) -> None:
    before = farm.pids()
    assert said(farm, "restart", "litellm") == "restarting litellm\nlitellm is ready.\n"
    changed = {name for name, pid in farm.pids().items() if pid != before[name]}
    assert changed == {"litellm"}
    assert "engine is not enabled" in said(farm, "restart", "engine", code=1)


def logs(farm: Farm) -> None:
    """All as one, and on until Ctrl-C. What may be shown to others holds no key."""
    with typed(farm, "logs", "-f", "-n", "200") as terminal:
        terminal.wait_for(r"supervisor I litellm ended [\s\S]*supervisor I litellm is ready\r\n")
        farm.talk()
        terminal.wait_for(r"adapter +I adapter.request .*POST /v1/chat/completions status=200")
        terminal.type(CTRL_C)
        assert terminal.end() == 130
        shown("$ farmhand logs -f", terminal.shown.replace("\r\n", "\n"))
        assert farm.key not in terminal.shown and "Traceback" not in terminal.shown


def restart(farm: Farm) -> None:
    before, began_s = farm.pids(), now_s()
    text = said(farm, "restart")
    measured("farmhand restart", now_s() - began_s)
    ended = [line.split()[0] for line in text.splitlines() if line.endswith(" stopped")]
    assert ended == ["openclaw", "litellm", "adapter"] and text.endswith("The bundle is ready.\n")
    assert not set(farm.pids().values()) & set(before.values())


def down(farm: Farm) -> None:
    assert said(farm, "down").endswith("The bundle is stopped.\n")
    assert farm.pids() == {}
    assert said(farm, "down") == "The bundle is stopped.\n"
    assert "The supervisor was stopped" in said(farm, "status", code=2)
    assert "the supervisor does not run" in said(farm, "restart", "adapter", code=1)
    assert farm.pids() == {}
    assert "nobody acts on it yet" in said(farm, "pause", code=1)


def for_scripts(farm: Farm) -> None:
    """With `--json`; and `up` takes back that it was switched off for good."""
    told = json.loads(said(farm, "resume", "--json", code=1))
    assert (told["ok"], told["exit_status"], told["said"][0]) == (False, 1, "Resumed.")
    switch = farm.phone.places.service(SUPERVISOR) / "down"
    switch.touch()
    told = json.loads(said(farm, "up", "--json"))
    assert told["ok"] is True and told["said"][-1] == "The bundle is ready."
    assert told["services"] == {"engine": "disabled", "adapter": "ready", "litellm": "ready", "openclaw": "ready"}
    assert not switch.exists()
    told = json.loads(said(farm, "down", "--json"))
    assert (told["ok"], told["said"][-1]) == (True, "The bundle is stopped.")
    assert set(told["services"].values()) <= {"stopped", "missing"}
