"""What goes wrong for good: a crash loop of the adapter, a proxy that never gets ready. It ends loudly, and the rest serves."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

from phone.supervisor.notification import ALERT_ID
from phone.supervisor.types import SUPERVISOR, Phase, Service
from tests.live.bundle_looks import Looks
from tests.live.bundle_prefix import Farm, bundle, measured, now_s, shown

TICK_S = 5.0


@contextmanager
def taken(port: int) -> Iterator[None]:
    """By another program, which does not listen there yet."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
        yield


def test_a_crash_loop(tmp_path: Path) -> None:
    """Two ends in a row, a pause of 1 s, then 2 s, then it is given up: one alert, and one line of the doctor's that says what to type."""
    with bundle(tmp_path, supervisor={"crashes": 2, "backoff_s": 1, "max_backoff_s": 300, "give_up": 2}) as farm:
        with taken(farm.ports[Service.ADAPTER]):
            farm.phone.boot()
            farm.wait_state(Service.ADAPTER, "given up")
            the_pauses(farm)
            the_alert(farm)
            the_doctor(farm)
        began_s = now_s()
        done = farm.phone.run("farmhand", "restart", "adapter")
        shown("farmhand restart adapter, once it is mended", done.stdout + done.stderr)
        assert done.returncode == 0 and done.stdout.endswith("adapter is ready.\n")
        farm.wait_ready()  # the others have waited for it
        measured("farmhand restart adapter after a crash loop: all ready after", now_s() - began_s)
        assert farm.talk()[0] == 200


def the_pauses(farm: Farm) -> None:
    starts = [line for line in farm.lines() if "starting adapter" in line.text]
    pauses = [line for line in farm.lines() if "ended 2 times in a row; tried again in" in line.text]
    assert [line.text.rpartition("tried again in ")[2] for line in pauses] == ["1 s", "2 s"]
    for pause, start, wait_s in zip(pauses, starts[1:], (1.0, 2.0), strict=True):
        measured(f"a pause of {wait_s:g} s took", start.at_s - pause.at_s)
        assert wait_s - 0.1 <= start.at_s - pause.at_s < wait_s + 3
    measured("first start to giving up", farm.at(SUPERVISOR, "is given up") - starts[0].at_s)
    assert len(farm.phone.exits(Service.ADAPTER.folder)) == 6
    farm.wait(lambda: farm.phone.status(Service.ADAPTER.folder).phase is Phase.DOWN, "it is down", 10)
    assert farm.states() == {"engine": "disabled", "adapter": "given up", "litellm": "waiting", "openclaw": "waiting"}


def the_alert(farm: Farm) -> None:
    farm.wait(lambda: ALERT_ID in farm.fake.notes, "the alert")
    alerts = [call for call in farm.fake.calls("termux-notification") if ALERT_ID in call.argv]
    assert len(alerts) == 1
    text = farm.fake.notes[ALERT_ID].content
    shown("the alert", text)
    assert "adapter is given up after 2 pauses" in text and str(farm.ports[Service.ADAPTER]) in text
    assert ".." not in text and text.endswith("When that is mended, type: farmhand restart")
    farm.wait(lambda: farm.fake.notes["farmhand"].title == "Farmhand: adapter gave up", "the notification")


def the_doctor(farm: Farm) -> None:
    done = farm.phone.run("farmhand", "doctor")
    shown("farmhand doctor", done.stdout)
    assert done.returncode == 1
    found = [entry for entry in " ".join(done.stdout.split()).split("FAIL ")[1:] if "adapter is given up" in entry]
    assert len(found) == 1 and "farmhand restart adapter" in found[0]


def test_a_proxy_that_never_gets_ready(tmp_path: Path) -> None:
    """The gateway does without; once the proxy is mended and has stayed so for half a minute, it is led there, once.

    Meanwhile nothing changes, and the supervisor looks every 5 s.
    """
    with bundle(tmp_path, supervisor={"ready_s": 3, "crashes": 50, "tick_s": TICK_S}) as farm:
        farm.behave(Service.PROXY, status=500)
        began_s = now_s()
        farm.phone.start_daemon()
        farm.wait_state(Service.GATEWAY, "ready")
        measured("a proxy that never gets ready (ready_s = 3): the gateway is ready after", now_s() - began_s)
        direct = f"http://127.0.0.1:{farm.ports[Service.ADAPTER]}/v1"
        proxied = f"http://127.0.0.1:{farm.ports[Service.PROXY]}/v1"
        assert f"models at {direct}" in farm.phone.log("farmhand-openclaw")
        assert farm.said("litellm did not become ready within 3 s (/health/liveliness answers with HTTP 500)")
        shown("farmhand status", farm.phone.run("farmhand", "status").stdout)
        farm.behave(Service.PROXY)
        farm.wait_state(Service.PROXY, "ready")
        mended_s, gateway = farm.at(SUPERVISOR, "litellm is ready"), farm.pid(Service.GATEWAY)
        looks_while_nothing_changes(farm)
        assert farm.pid(Service.GATEWAY) == gateway
        farm.wait(lambda: f"models at {proxied}" in farm.phone.log("farmhand-openclaw"), "the gateway is started for the proxy")
        measured("the proxy ready until the gateway is led there", farm.at("farmhand-openclaw", f"models at {proxied}") - mended_s)
        farm.wait_ready()
        assert [line.text for line in farm.lines() if "restarting openclaw" in line.text] == [
            f"I supervisor restarting openclaw: its models are at {proxied} now"
        ]
        assert (farm.phone.places.run / "gateway.env").read_text() == f"NEURAL_FARM_BASE_URL={proxied}\n"


def looks_while_nothing_changes(farm: Farm) -> None:
    """Counted from outside: whoever looks opens the adapter's status file."""
    with Looks(farm.phone.places.service(Service.ADAPTER.folder) / "supervise", "status") as looks:
        seen = looks.during(4 * TICK_S)
    pauses = [later - earlier for earlier, later in pairwise(seen)]
    measured(f"{len(seen)} looks in {4 * TICK_S:g} s; the shortest pause between two", min(pauses))
    assert 3 <= len(seen) <= 5
    assert min(pauses) >= TICK_S - 0.5
