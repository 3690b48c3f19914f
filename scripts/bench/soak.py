"""Half an hour of everything at once: answers, cancels, kills. Nothing may leak, stick or be wrong.

`.venv/bin/python scripts/bench/soak.py [--minutes 30] [--clients 6]` starts the adapter with the bundled model and a small prefix
store, works out what each prompt's greedy answer is, and then asks the same prompts again and again from several clients:
streamed and plain, alone and with n > 1, held to a schema, completions; a quarter of the clients leave in the middle; every
now and then the worker is killed, or stopped for two seconds. Every answer that comes whole must be the one that was
worked out. Errors are allowed only when a worker has just died. Prints what happened each minute, a summary, and exits with 1 if anything was wrong.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

ROOT = Path(__file__).resolve().parent.parent.parent
KEY = "sk-soak-farm"
PORT_LINE = "Farmhand answers at http://127.0.0.1:"
SCHEMA = {
    "type": "object",
    "properties": {"port": {"type": "integer"}, "word": {"enum": ["yes", "no"]}},
    "required": ["port", "word"],
    "additionalProperties": False,
}
CONFIG = f"""
[auth]
keys = ["{KEY}"]
[log]
level = "error"
[[engine]]
name = "demo"
kind = "llama"
model = "demo"
slots = 4
queue = 64
threads = 1
kv_store_mib = 32
kv_save_tokens = 64
between_tokens_s = 20
first_token_s = 30
"""
QUESTIONS = (
    "What is Farmhand?", "Which port does the adapter use?", "How do I start it?", "What does error 429 mean?",
    "Where is the key?", "What is a slot?", "Does it need root?", "What is the wake lock for?", "How do I stop it?",
    "Which models can it run?", "What is the demo model?", "How do I use it from a laptop?",
)  # fmt: skip
# A beginning that many requests share, long enough to be saved, copied and restored.
SYSTEM = "You answer questions about Farmhand, a server on a phone. " * 12
# What a client may be told because a worker was killed under it, or because everything was taken.
EXCUSES = {"engine_failed", "engine_unavailable", "queue_full", "upstream_timeout"}
GRACE_S = 8.0


@dataclass(slots=True)
class Soak:
    """One run. wrong: what must not be; each a sentence."""

    session: aiohttp.ClientSession
    base: str
    process: asyncio.subprocess.Process
    rng: random.Random
    expected: dict[str, str] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    completion: str = ""
    trouble_until_s: float = 0.0
    slowest_s: float = 0.0

    def messages(self, name: str) -> list[dict[str, str]]:
        long, _, question = name.partition(":")
        asked = {"role": "user", "content": question}
        return [{"role": "system", "content": SYSTEM}, asked] if long == "long" else [asked]

    def body(self, name: str, **more: Any) -> dict[str, Any]:
        return {"model": "demo", "messages": self.messages(name), "max_tokens": 40, "temperature": 0, **more}

    async def work_out(self) -> None:
        """Each prompt's answer, one after the other, before anything else runs."""
        for kind in ("short", "long"):
            for question in QUESTIONS:
                name = f"{kind}:{question}"
                answer = await self.post(self.body(name))
                self.expected[name] = answer["choices"][0]["message"]["content"]

    async def post(self, body: dict[str, Any], path: str = "/chat/completions") -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {KEY}"}
        async with self.session.post(self.base + path, json=body, headers=headers) as answer:
            data: dict[str, Any] = await answer.json()
            if answer.status != 200:
                raise Refused(data["error"]["code"], data["error"]["message"])
            return data

    async def stream(self, body: dict[str, Any], leave_after: int | None) -> str | None:
        """The whole text, or `None` for a client that left."""
        headers, text, done, pieces = {"Authorization": f"Bearer {KEY}"}, "", False, 0
        body = {**body, "stream": True}
        async with self.session.post(self.base + "/chat/completions", json=body, headers=headers) as answer:
            if answer.status != 200:
                data = await answer.json()
                raise Refused(data["error"]["code"], data["error"]["message"])
            async for line in answer.content:
                done = done or line.startswith(b"data: [DONE]")
                if not line.startswith(b"data: {"):
                    continue
                chunk = json.loads(line[6:])
                if "error" in chunk:
                    raise Refused(chunk["error"]["code"], chunk["error"]["message"])
                text += "".join(c["delta"].get("content") or "" for c in chunk["choices"])
                pieces += 1
                if leave_after is not None and pieces > leave_after:
                    return None
        if not done:
            raise Refused("cut", "a stream ended without [DONE]")
        return text

    # --- what clients do -----------------------------------------------------------------------------------

    async def client(self, until_s: float) -> None:
        while time.monotonic() < until_s:
            began_s = time.monotonic()
            action = self.rng.choice(("stream", "stream", "plain", "leave", "leave", "many", "schema", "completion"))
            try:
                async with asyncio.timeout(60):
                    await self.act(action)
                self.counts[action] += 1
            except Refused as refused:
                self.refused(action, refused, began_s)
            except (aiohttp.ClientError, ConnectionError) as exc:
                self.wrong.append(f"{action}: {type(exc).__name__}: {exc}")
            except TimeoutError:
                self.wrong.append(f"{action}: nothing for 60 s")
            self.slowest_s = max(self.slowest_s, time.monotonic() - began_s)

    async def act(self, action: str) -> None:
        name = self.rng.choice(list(self.expected))
        match action:
            case "stream":
                self.check(action, name, await self.stream(self.body(name), None))
            case "plain":
                self.check(action, name, (await self.post(self.body(name)))["choices"][0]["message"]["content"])
            case "leave":
                await self.stream(self.body(name, max_tokens=400, stop=["\0"]), self.rng.randint(0, 12))
            case "many":
                answer = await self.post(self.body(name, n=3))
                for choice in answer["choices"]:
                    self.check(action, name, choice["message"]["content"])
            case "schema":
                form = {"type": "json_schema", "json_schema": {"name": "a", "schema": SCHEMA, "strict": True}}
                answer = await self.post(self.body(name, response_format=form, max_tokens=200))
                self.check_schema(answer["choices"][0])
            case "completion":
                asked = {"model": "demo", "prompt": "Farmhand is", "max_tokens": 8, "temperature": 0}
                text = (await self.post(asked, "/completions"))["choices"][0]["text"]
                self.completion = self.completion or text
                if text != self.completion:
                    self.wrong.append(f"completion: {text!r} instead of {self.completion!r}")
            case _:
                raise ValueError(action)

    def check(self, action: str, name: str, text: str | None) -> None:
        wanted = self.expected[name]
        if text != wanted:
            self.wrong.append(f"{action} {name!r}: {text!r} instead of {wanted!r}")

    def check_schema(self, choice: dict[str, Any]) -> None:
        if choice["finish_reason"] == "length":
            self.counts["schema cut"] += 1
            return
        value = json.loads(choice["message"]["content"])
        if not (isinstance(value["port"], int) and value["word"] in ("yes", "no") and len(value) == 2):
            self.wrong.append(f"schema: {value!r}")

    def refused(self, action: str, refused: Refused, began_s: float) -> None:
        self.counts[f"{refused.code}"] += 1
        if refused.code not in EXCUSES or began_s > self.trouble_until_s:
            self.wrong.append(f"{action}: {refused.code}: {refused}")

    # --- what befalls the worker ---------------------------------------------------------------------------

    async def trouble(self, until_s: float) -> None:
        while time.monotonic() < until_s - GRACE_S:
            await asyncio.sleep(self.rng.uniform(4, 20))
            if (pid := self.worker()) is None:
                continue
            self.trouble_until_s = time.monotonic() + GRACE_S
            if self.rng.random() < 0.7:
                os.kill(pid, signal.SIGKILL)
                self.counts["killed"] += 1
            else:
                os.kill(pid, signal.SIGSTOP)
                await asyncio.sleep(2)
                os.kill(pid, signal.SIGCONT)
                self.counts["stopped for 2 s"] += 1

    def worker(self) -> int | None:
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return int(children[0]) if children else None

    def size(self) -> str:
        worker = self.worker()
        shown = [f"adapter {_rss_mib(self.process.pid):.0f} MiB, {_open_files(self.process.pid)} files"]
        if worker is not None:
            shown.append(f"worker {_rss_mib(worker):.0f} MiB, {_open_files(worker)} files")
        return "; ".join(shown)

    async def report(self, until_s: float) -> None:
        began_s = time.monotonic()
        while time.monotonic() < until_s:
            await asyncio.sleep(min(60, max(0.1, until_s - time.monotonic())))
            print(f"{(time.monotonic() - began_s) / 60:5.1f} min  {self.size()}  {dict(self.counts)}  wrong: {len(self.wrong)}", flush=True)


class Refused(Exception):
    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def _rss_mib(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / (1 << 20)


def _open_files(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--clients", type=int, default=6)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        sys.exit(asyncio.run(_run(args, Path(folder))))


async def _run(args: argparse.Namespace, folder: Path) -> int:
    (folder / "config.toml").write_text(CONFIG)
    env = {**os.environ, "FARMHAND_HOME": str(folder / "home"), "PYTHONPATH": str(ROOT)}
    command = (sys.executable, "-m", "adapter", "serve", "--config", str(folder / "config.toml"), "--port", "0")
    process = await asyncio.create_subprocess_exec(*command, env=env, stdout=subprocess.PIPE, cwd=folder)
    try:
        return await _soak(args, process)
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGINT)
            await process.wait()


async def _soak(args: argparse.Namespace, process: asyncio.subprocess.Process) -> int:
    base = await _base_url(process)
    connector = aiohttp.TCPConnector(limit=0, force_close=True)
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=120)) as session:
        soak = Soak(session, base, process, random.Random(args.seed))
        await soak.work_out()
        print(f"        {soak.size()}; {len(soak.expected)} prompts worked out", flush=True)
        until_s = time.monotonic() + args.minutes * 60
        clients = (soak.client(until_s) for _ in range(args.clients))
        await asyncio.gather(soak.report(until_s), soak.trouble(until_s), *clients)
        return await _verdict(soak)


async def _verdict(soak: Soak) -> int:
    """Afterwards every slot must be free: four answers at once, promptly, and right."""
    name = next(iter(soak.expected))
    began_s = time.monotonic()
    answers = await asyncio.gather(*(soak.post(soak.body(name)) for _ in range(4)))
    for answer in answers:
        soak.check("afterwards", name, answer["choices"][0]["message"]["content"])
    print(f"\nfour at once afterwards: {time.monotonic() - began_s:.2f} s; slowest request {soak.slowest_s:.1f} s; {soak.size()}")
    for count in sorted(soak.counts):
        print(f"{soak.counts[count]:8} {count}")
    for sentence in soak.wrong[:40]:
        print("WRONG", sentence[:400])
    print(f"{len(soak.wrong)} wrong")
    return 1 if soak.wrong else 0


async def _base_url(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    while line := (await process.stdout.readline()).decode():
        if line.startswith(PORT_LINE):
            drain = asyncio.create_task(process.stdout.read())
            drain.add_done_callback(lambda _: None)
            return line.split()[-1]
    raise SystemExit("the adapter did not start")


if __name__ == "__main__":
    main()
