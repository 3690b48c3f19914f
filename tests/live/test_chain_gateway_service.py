"""The gateway as the phone's service: real runit, the shipped run script, the real OpenClaw and adapter, the embedded engine; and what it refuses.

Node is made to fail as on Android (`facts/termux.md` 11). The prompt is recorded from the real thing, and is warm after the next start.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.fakes.tiny_gguf import write_parrot
from tests.live import kit
from tests.live.openclaw_cases import START_S, OpenClaw, free_port, openclaw_program
from tests.live.processes import REPO
from tests.live.termux_prefix import TermuxPrefix, termux_prefix
from tests.live.test_connect_openclaw_guard import ANDROID

# Of the embedded engine, whose model has a token for each byte.
PARROT = "Tiny words."
GATEWAY, ADAPTER = "farmhand-openclaw", "farmhand-adapter"
CONFIG = """
[server]
port = {port}
[gateway]
enabled = true
port = {gateway}
[[engine]]
name = "embedded"
kind = "llama"
model = "{parrot}"
slots = 1
ctx_tokens = 16384
threads = 1
"""
# A minute on two cores that others use as well, for prompts of some thousand tokens.
LONG_S = 300.0


@contextmanager
def phone_with(tmp_path: Path, config: str | None = None) -> Iterator[TermuxPrefix]:
    with termux_prefix(tmp_path, services=(ADAPTER, GATEWAY), config=config) as phone:
        phone.ship("openclaw-guard.cjs", phone.prefix / "libexec" / "farmhand" / "openclaw-guard.cjs")
        yield phone


# --- what it refuses ------------------------------------------------------------------------------------------------


def refused(phone: TermuxPrefix) -> str:
    """The last line of the run script, which ended with 78."""
    done = phone.run(str(phone.places.service(GATEWAY) / "run"))
    assert done.returncode == 78, done.stdout + done.stderr
    return done.stdout.splitlines()[-1].removeprefix(f"{GATEWAY}: ")


def test_what_it_refuses_says_what_to_type(tmp_path: Path) -> None:
    with phone_with(tmp_path) as phone:
        config = phone.places.user / ".openclaw" / "openclaw.json"
        assert refused(phone).endswith("or type: pkg install nodejs-lts && npm install -g openclaw")
        phone.write(phone.bin / "openclaw", "#!/usr/bin/env node\n")
        assert refused(phone) == "there is no node, which openclaw runs on. Type: pkg install nodejs-lts"
        phone.command_file("node", "exit 1\n")
        assert refused(phone) == f"{phone.bin}/node does not start. Type: pkg install nodejs-lts"
        old = phone.write(phone.places.user / "old.cjs", "Object.defineProperty(process.versions, 'node', { value: '22.20.0' });", 0o600)
        phone.command_file("node", f'exec {kit.node()} --require {old} "$@"\n')
        assert refused(phone) == "node is 22.20.0; openclaw wants 24.16 or later of 24, or 26.1 or later. Type: pkg install nodejs-lts"
        phone.command_file("node", f'exec {kit.node()} "$@"\n')
        assert refused(phone) == f"openclaw has no configuration, {config}. Type: farmhand connect openclaw --write"


def test_what_it_is_started_with(tmp_path: Path) -> None:
    """Behind the proxy with the proxy's key, else its own: OpenClaw reads that itself. The guard only where Node needs it."""
    shows = "console.log(JSON.stringify([process.argv.slice(2), process.env]))\n"
    with phone_with(tmp_path) as phone:
        phone.write(phone.bin / "openclaw", f"#!/usr/bin/env node\n{shows}")
        phone.write(phone.places.user / ".openclaw" / "openclaw.json", "{}", 0o600)
        android = phone.write(phone.places.user / "android.cjs", ANDROID, 0o600)

        def started() -> tuple[list[str], dict[str, str]]:
            done = phone.run(str(phone.places.service(GATEWAY) / "run"))
            assert done.returncode == 0, done.stdout
            argv, env = json.loads(done.stdout.splitlines()[-1])
            return argv, env

        phone.command_file("node", f'exec {kit.node()} "$@"\n')
        argv, env = started()
        assert argv == ["gateway", "run", "--port", "18789", "--bind", "loopback"]
        assert (env["NEURAL_FARM_BASE_URL"], env["OPENCLAW_DISABLE_BONJOUR"]) == (f"http://127.0.0.1:{phone.port}/v1", "1")
        assert "NEURAL_FARM_API_KEY" not in env and "NODE_OPTIONS" not in env
        phone.write(phone.places.run / "gateway.env", "OTHER=x\nNEURAL_FARM_BASE_URL=http://127.0.0.1:4000/v1\n", 0o600)
        phone.write(phone.places.state / "litellm" / "env.local", "# keys\nexport LITELLM_MASTER_KEY='sk-master=1'\n", 0o600)
        phone.command_file("node", f'exec {kit.node()} --require {android} "$@"\n')
        _, env = started()
        assert (env["NEURAL_FARM_BASE_URL"], env["NEURAL_FARM_API_KEY"]) == ("http://127.0.0.1:4000/v1", "sk-master=1")
        assert env["NODE_OPTIONS"] == f"--require={phone.prefix}/libexec/farmhand/openclaw-guard.cjs"


# --- the real one ---------------------------------------------------------------------------------------------------


def connect(phone: TermuxPrefix, *arguments: str, path: str = "") -> subprocess.CompletedProcess[str]:
    env = {"HOME": str(phone.places.user), "FARMHAND_HOME": str(phone.places.state), "FARMHAND_CONFIG": str(phone.places.config)}
    clean = {"PATH": path or os.environ["PATH"], "LANG": "C.UTF-8", "TMPDIR": str(phone.prefix / "tmp"), **env}
    return subprocess.run(
        [sys.executable, "-m", "adapter", "connect", "openclaw", *arguments],
        cwd=REPO, env=clean, capture_output=True, text=True, timeout=600, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip


def ready(phone: TermuxPrefix, name: str) -> bool:
    """By the service's own `check`."""
    return phone.run(str(phone.places.service(name) / "check")).returncode == 0


def asked(phone: TermuxPrefix, body: dict[str, Any]) -> dict[str, Any]:
    """A plain answer of the adapter."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{phone.port}/v1/chat/completions",
        json.dumps(body).encode(),
        {"Content-Type": "application/json", "Authorization": f"Bearer {(phone.places.state / 'key').read_text().strip()}"},
    )
    with urllib.request.urlopen(request, timeout=LONG_S) as answer:
        value: dict[str, Any] = json.load(answer)
        return value


def test_it_starts_on_an_android_answers_and_is_warm_after_the_next_start(tmp_path: Path) -> None:
    gateway_port = free_port()
    with termux_prefix(tmp_path, services=(ADAPTER, GATEWAY), config="") as phone:
        parrot = phone.places.user / "parrot.gguf"
        write_parrot(parrot, PARROT, ends=True)
        phone.places.config.write_text(CONFIG.format(port=phone.port, gateway=gateway_port, parrot=parrot))
        phone.ship("openclaw-guard.cjs", phone.prefix / "libexec" / "farmhand" / "openclaw-guard.cjs")
        android = phone.write(phone.places.user / "android.cjs", ANDROID, 0o600)
        (phone.bin / "openclaw").symlink_to(openclaw_program())
        phone.command_file("node", f'exec {kit.node()} --require {android} "$@"\n')
        phone.start_daemon()
        assert phone.runsv.up(ADAPTER).ok
        phone.wait_until(lambda: ready(phone, ADAPTER), "the adapter is ready", LONG_S)
        done = connect(phone, "--write", "--small")
        assert done.returncode == 0, done.stdout + done.stderr

        claw = OpenClaw(phone.places.user, port=gateway_port)
        assert phone.runsv.up(GATEWAY).ok
        phone.wait_until(lambda: ready(phone, GATEWAY), "the gateway is ready", START_S)
        turn = claw.turn("hi", "service")
        assert turn.returncode == 0 and PARROT in turn.stdout, turn.stdout + turn.stderr
        said = turn.stdout.strip()
        log = phone.log(GATEWAY)
        assert "uv_interface_addresses" not in log, log

        # Two gateways cannot share its folder, so a record says what to do; with the service down it is made.
        path = f"{phone.bin}:/usr/bin:/bin"
        done = connect(phone, "--record", path=path)
        assert done.returncode == 1 and "A gateway runs" in done.stderr, done.stdout + done.stderr
        assert phone.runsv.down(GATEWAY, 30).ok
        done = connect(phone, "--record", path=path)
        assert done.returncode == 0, done.stdout + done.stderr
        pin = json.loads((phone.places.state / "pins" / "openclaw.json").read_text())
        assert "You are a personal assistant running inside OpenClaw." in pin["messages"][0]["content"]

        assert phone.runsv.restart(ADAPTER, 30).ok
        phone.wait_until(lambda: [*(phone.places.state / "kv").rglob("*.pin.kv")], "the prompt is computed ahead", LONG_S)
        body = {**{key: value for key, value in pin.items() if key != "date"}, "model": "auto", "max_tokens": 4}
        usage = asked(phone, {**body, "messages": [*pin["messages"], {"role": "user", "content": "good morning"}]})["usage"]
        warm = usage["prompt_tokens_details"]["cached_tokens"] / usage["prompt_tokens"]
        assert warm > 0.95, usage
        print(f"\nthe gateway under the guard said {said[-80:]!r}; after the next start {usage} ({warm:.1%} warm)")  # noqa: T201
