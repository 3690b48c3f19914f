"""From Termux:Boot to all ready, and from TERM to nothing left: in order, one after the other, with the times that it takes."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from phone.supervisor.types import SUPERVISOR, Exit, Phase, Service
from tests.live.bundle_prefix import Farm, bundle, measured, now_s, shown
from tests.live.termux_prefix import SERVICES

IN_ORDER = (Service.ADAPTER, Service.PROXY, Service.GATEWAY)
TAKES_LONG_S = 3.0


@pytest.fixture
def farm(tmp_path: Path) -> Iterator[Farm]:
    with bundle(tmp_path) as made:
        yield made


def test_boot_and_stop(farm: Farm) -> None:
    farm.behave(Service.GATEWAY, stop_s=TAKES_LONG_S)
    boots(farm)
    a_second_supervisor_waits(farm)
    stops(farm)


def boots(farm: Farm) -> None:
    """Wake lock, then each service once the one before it is ready; the gateway is told where the proxy is."""
    began_s = now_s()
    farm.phone.boot()
    farm.wait_ready()
    measured("boot script to all ready", now_s() - began_s)
    locked_s = farm.fake.calls("termux-wake-lock")[0].at_s
    times = [began_s, locked_s]
    for service in IN_ORDER:
        times += [farm.at(SUPERVISOR, f"starting {service.value}"), farm.at(SUPERVISOR, f"{service.value} is ready")]
        measured(f"{service.value}: start to ready", times[-1] - times[-2])
    assert times == sorted(times)
    # As the services saw it themselves: the adapter answers before litellm begins, litellm listens before openclaw begins.
    seen = [farm.at("farmhand-adapter", "Farmhand answers"), farm.at("farmhand-litellm", "began"), farm.at("farmhand-litellm", "listening")]
    seen += [farm.at("farmhand-openclaw", "began"), farm.at("farmhand-openclaw", "listening")]
    assert seen == sorted(seen)
    proxied = f"http://127.0.0.1:{farm.ports[Service.PROXY]}/v1"
    assert f"models at {proxied}" in farm.phone.log("farmhand-openclaw")
    assert (farm.phone.places.run / "gateway.env").read_text() == f"NEURAL_FARM_BASE_URL={proxied}\n"
    assert farm.fake.locked
    farm.wait(lambda: "farmhand" in farm.fake.notes and farm.fake.notes["farmhand"].title == "Farmhand: serving", "the notification")
    note = farm.fake.notes["farmhand"]
    assert note.ongoing and [text for text, _ in note.buttons] == ["Stop", "Restart", "Pause"]
    assert len(farm.fake.notes) == 1
    shown("sv status, all ready", farm.phone.sv("status", *(str(farm.phone.places.service(name)) for name in SERVICES)))
    assert farm.states() == {"engine": "disabled", "adapter": "ready", "litellm": "ready", "openclaw": "ready"}
    status, _, body = farm.talk("how are you")
    assert status == 200 and "how are you" in body


def a_second_supervisor_waits(farm: Farm) -> None:
    """For the first one to end, whatever its reason; told to end, it does, and nobody has noticed. On a terminal it does not wait."""
    pids, locks = farm.pids(), len(farm.fake.calls("termux-wake-lock"))
    python = farm.phone.places.root / ".venv" / "bin" / "python"
    places = farm.phone.places
    env = {**farm.phone.env, "FARMHAND_HOME": str(places.state), "FARMHAND_CONFIG": str(places.config)}
    words = [str(python), "-u", "-m", "phone", "supervise"]
    with subprocess.Popen(words, cwd=places.root, env=env, stdout=subprocess.PIPE, text=True) as second:
        assert second.stdout is not None
        first = farm.phone.pid(SUPERVISOR)
        assert f"process {first} is the supervisor already: waiting" in second.stdout.readline()
        second.send_signal(signal.SIGTERM)
        assert second.wait(10) == 0
    ours, theirs = pty.openpty()
    try:
        third = subprocess.run(words, cwd=places.root, env=env, stdout=theirs, stderr=theirs, timeout=20, check=False)
        os.close(theirs)
        assert third.returncode == 75
        assert f"process {first} is the supervisor already; see: farmhand status" in os.read(ours, 4096).decode()
    finally:
        os.close(ours)
    assert (farm.pids(), farm.phone.pid(SUPERVISOR), len(farm.fake.calls("termux-wake-lock"))) == (pids, first, locks)


def stops(farm: Farm) -> None:
    """The last started first, each only when the one before has ended, however long it takes; lock and notification go."""
    began_s = now_s()
    outcome = farm.phone.runsv.down(SUPERVISOR, 40)
    assert outcome.ok and not outcome.words
    measured(f"TERM to the supervisor until all is stopped (openclaw takes {TAKES_LONG_S:g} s)", now_s() - began_s)
    times = [
        farm.at("farmhand-openclaw", "got TERM", began_s),
        farm.at("farmhand-openclaw", "ended in its own time", began_s),
        farm.at("farmhand-litellm", "got TERM", began_s),
        farm.at("farmhand-litellm", "ended in its own time", began_s),
        farm.at("farmhand-adapter", "stopping", began_s),
        farm.at("farmhand-adapter", "Farmhand has stopped", began_s),
        farm.at(SUPERVISOR, "wake lock: given back", began_s),
        farm.at(SUPERVISOR, "the bundle is stopped", began_s),
    ]
    assert times == sorted(times)
    assert times[1] - times[0] >= TAKES_LONG_S - 0.1
    for service in IN_ORDER:
        (end,) = farm.phone.exits(service.folder)
        assert (end.code, end.signal) == (0, 0)
        assert farm.phone.status(service.folder).phase is Phase.DOWN
    assert not farm.fake.locked and farm.fake.notes == {}
    assert farm.ask("/health")[0] == 0
    left = sorted(words.split()[0].rpartition("/")[2] for words in farm.phone.processes().values())
    assert set(left) == {"runsv", "runsvdir", "svlogd", "sleep"}
    published = farm.published
    assert published is not None and published.pid is None and published.goal == "down"
    shown("sv status, all stopped", farm.phone.sv("status", *(str(farm.phone.places.service(name)) for name in SERVICES)))


def test_service_daemon_restart(farm: Farm) -> None:
    """What it does to a bundle whose gateway needs 3 s: killed at 2 s (`facts/termux.md` 2.5), and the daemon may stay down. The job that looks
    after Termux brings it back, and the supervisor starts from whatever is there."""
    farm.behave(Service.GATEWAY, stop_s=TAKES_LONG_S)
    farm.phone.start_daemon()
    farm.wait_ready()
    began_s = now_s()
    done = farm.phone.run("service-daemon", "restart", limit_s=60)
    measured(f"service-daemon restart (exit {done.returncode})", now_s() - began_s)
    assert "ended in its own time" not in farm.phone.log("farmhand-openclaw")
    shown("records of ends after service-daemon restart", "\n".join(f"{s.value} {_short(farm.phone.exits(s.folder))}" for s in IN_ORDER))
    farm.behave(Service.GATEWAY)
    job = farm.phone.start_task(farm.phone.prefix / "libexec" / "farmhand" / "ensure")
    farm.wait(lambda: farm.published and farm.published.wall_s > began_s and farm.is_ready(), "all is ready again")
    measured("service-daemon restart until all is ready again", now_s() - began_s)
    assert farm.talk()[0] == 200
    job.terminate()


def _short(exits: tuple[Exit, ...]) -> str:
    return ", ".join(f"{end.code} {end.signal}" for end in exits) or "none"
