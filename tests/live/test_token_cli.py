"""`farmhand token` as a process, beside the real adapter and real clients."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from openai import APIStatusError, AuthenticationError, OpenAI, PermissionDeniedError, RateLimitError

from tests.live.processes import REPO, adapter

ECHO = '[[engine]]\nname = "echo"\nkind = "echo"\n[auth]\nkeys = ["sk-static-0123456"]\n'
TOKEN = r"sk-fh1\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{43}"


def farmhand(home: Path, *args: str, **env: str) -> subprocess.CompletedProcess[str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("FARMHAND_")}
    return subprocess.run(
        [sys.executable, "-m", "adapter", "token", *args],
        cwd=REPO,
        env={**kept, "FARMHAND_HOME": str(home), "XDG_CONFIG_HOME": str(home / "none"), "PYTHONIOENCODING": "utf-8", **env},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def made(home: Path, name: str, *args: str) -> str:
    done = farmhand(home, "new", name, *args)
    assert done.returncode == 0 and re.fullmatch(TOKEN + "\n", done.stdout), done.stderr
    return done.stdout.strip()


def refused(home: Path, *args: str, status: int = 1, **env: str) -> str:
    done = farmhand(home, *args, **env)
    assert (done.returncode, done.stdout) == (status, "")
    assert done.stderr.startswith("farmhand: ") and done.stderr.count("\n") == 1 and "Traceback" not in done.stderr
    return done.stderr


def say(client: OpenAI, **fields: Any) -> str:
    answer = client.chat.completions.create(model="auto", messages=[{"role": "user", "content": "hello"}], **fields)
    return answer.choices[0].message.content or ""


def client_of(base_url: str, key: str) -> OpenAI:
    return OpenAI(base_url=base_url, api_key=key, max_retries=0, timeout=20)


def get(url: str, key: str) -> int:
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {key}"})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as exc:
        with exc:
            return exc.code


def test_a_token_from_its_making_to_its_end(tmp_path: Path) -> None:
    with adapter(tmp_path, ECHO) as running:
        token = made(tmp_path, "laptop", "--scope", "chat", "--expires", "30d", "--rate", "60/min", "--class", "background")
        with client_of(running.base_url, token) as client:
            assert "hello" in say(client)
            with pytest.raises(PermissionDeniedError) as lacking:
                client.embeddings.create(model="auto", input="a")
            assert lacking.value.code == "insufficient_scope"
            assert "farmhand token new NAME --scope embed" in lacking.value.message
            with client.chat.completions.create(model="auto", messages=[{"role": "user", "content": "hi"}], stream=True) as stream:
                assert "hi" in "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)
            raw = client.chat.completions.with_raw_response.create(model="auto", messages=[{"role": "user", "content": "a"}])
            assert raw.headers["x-ratelimit-limit-requests"] == "60"
            assert farmhand(tmp_path, "revoke", "laptop").returncode == 0
            began = time.monotonic()
            with pytest.raises(AuthenticationError) as dead:
                while time.monotonic() - began < 2:
                    say(client)
                    time.sleep(0.05)
            assert "has been revoked" in dead.value.message
        assert get(f"{running.base_url}/models", running.key) == 200
        assert get(f"{running.base_url}/models", "sk-static-0123456") == 200
    listed = {key["name"]: key for key in json.loads(farmhand(tmp_path, "list", "--json").stdout)["keys"]}
    assert listed["laptop"]["state"] == "revoked" and listed["laptop"]["use"]["requests"] >= 3
    assert listed["laptop"]["use"]["refused"] == 2 and listed["laptop"]["use"]["prompt_tokens"] > 0


def test_expiry_rate_and_curl(tmp_path: Path) -> None:
    with adapter(tmp_path, ECHO) as running:
        short = made(tmp_path, "short", "--expires", "2s")
        began = time.monotonic()
        with client_of(running.base_url, made(tmp_path, "slow", "--rate", "1/h")) as client:
            say(client)
            with pytest.raises(RateLimitError) as limited:
                say(client)
            assert limited.value.code == "rate_limit_exceeded"
            assert 3_590 <= int(limited.value.response.headers["retry-after"]) <= 3_600
        if curl := shutil.which("curl"):
            done = subprocess.run(
                [curl, "-s", f"{running.base_url}/models", "-H", f"Authorization: Bearer {made(tmp_path, 'curl')}"],
                capture_output=True, text=True, timeout=30, check=True,
            )  # fmt: skip
            assert "data" in json.loads(done.stdout)
        while (status := get(f"{running.base_url}/models", short)) == 200 and time.monotonic() - began < 10:
            time.sleep(0.05)
        assert status == 401
    refused(tmp_path, "show", "short")


def test_of_another_installation(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    token = made(elsewhere, "laptop", "--scope", "chat,embed,admin,metrics")
    home = tmp_path / "home"
    home.mkdir()
    made(home, "laptop")
    with adapter(home, ECHO) as running, client_of(running.base_url, token) as client:
        with pytest.raises(APIStatusError) as caught:
            say(client)
        assert caught.value.status_code == 401 and "not made by this Farmhand" in caught.value.message


def test_list_and_show(tmp_path: Path) -> None:
    empty = farmhand(tmp_path, "list")
    assert (empty.returncode, empty.stdout, empty.stderr) == (0, "No key yet. To make one: farmhand token new NAME\n", "")
    assert list(tmp_path.iterdir()) == [], "looking makes nothing"
    done = farmhand(tmp_path, "new", "desk", "--json", "--deadline", "30s", "--on-deadline", "partial")
    said = json.loads(done.stdout)
    assert (said["base_url"], said["scope"], said["deadline_s"], said["on_deadline"]) == (
        "http://127.0.0.1:8888/v1", ["chat", "embed"], 30, "partial",
    )  # fmt: skip
    assert farmhand(tmp_path, "show", "desk").stdout == farmhand(tmp_path, "show", said["id"]).stdout == said["token"] + "\n"
    shown = farmhand(tmp_path, "list")
    assert shown.stdout == (
        f"desk  (token {said['id']})\n  chat, embed; within 30 s, then what there is\n  never used\n"
    )
    coded = farmhand(tmp_path, "show", "desk", "--qr", "--url", "http://192.168.1.7:8888/v1/")
    lines = coded.stdout.splitlines()
    assert lines[:2] == [said["token"], ""] and len(lines) > 20 and coded.stderr == ""
    assert "is this device itself" in farmhand(tmp_path, "show", "desk", "--qr").stderr


def test_what_cannot_be_done_is_one_sentence(tmp_path: Path) -> None:
    made(tmp_path, "laptop")
    assert "a token 'laptop' already" in refused(tmp_path, "new", "laptop")
    assert "is no name for a token" in refused(tmp_path, "new", "l\u00e4ptop")
    assert "no token with the name or id 'desk'" in refused(tmp_path, "revoke", "desk")
    assert "no token with the name or id 'desk'" in refused(tmp_path, "show", "desk")
    assert "--expires: '30x' is no length of time" in refused(tmp_path, "new", "a", "--expires", "30x", status=2)
    assert "--expires: '9999w' is too long" in refused(tmp_path, "new", "a", "--expires", "9999w", status=2)
    assert "--rate: '60' is no rate" in refused(tmp_path, "new", "a", "--rate", "60", status=2)
    assert "--scope: 'all' is no scope" in refused(tmp_path, "new", "a", "--scope", "all", status=2)
    assert "--deadline: '2d' is too long; 1 day" in refused(tmp_path, "new", "a", "--deadline", "2d", status=2)
    assert "--url: 'phone' must look like" in refused(tmp_path, "new", "a", "--url", "phone", status=2)
    assert "server.port is 0" in refused(tmp_path, "new", "a", "--qr", status=2, FARMHAND_SERVER_PORT="0")
    (tmp_path / "config.toml").write_text('[[key]]\nname = "pit"\nkey = "sk-pit-012345"\n')
    assert "has a [[key]] 'pit'" in refused(tmp_path, "new", "pit", FARMHAND_CONFIG=str(tmp_path / "config.toml"))
    listed = json.loads(farmhand(tmp_path, "list", "--json").stdout)["keys"]
    assert [key["name"] for key in listed] == ["laptop"], "nothing was made by what was refused"
    token = (tmp_path / "token-secret").read_text()
    (tmp_path / "token-secret").write_text(token[:-3])
    assert "token-secret: cannot be used" in refused(tmp_path, "show", "laptop")
    (tmp_path / "token-secret").write_text(token)
    (tmp_path / "tokens.json").write_text("{")
    assert "tokens.json: cannot be used" in refused(tmp_path, "list")
    done = farmhand(tmp_path, "new", "b", "--qr", PYTHONIOENCODING="ascii")
    assert done.returncode == 1 and "Traceback" not in done.stderr
