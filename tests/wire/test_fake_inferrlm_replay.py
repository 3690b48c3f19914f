"""The fake against every recording of the real server: same bytes, same order, same events.

Each recorded client is played against the fake on a hand-moved clock. Times, ids and TCP segments
are left out of the comparison; the framing, the headers and their order, each record, who closes,
what is never answered, the model runtime's events and the order across connections are in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.fakes.inferrlm import (
    CANNED,
    GEMMA_LITERT,
    LLAMA,
    QWEN,
    Build,
    FakeInferrLM,
    FakeModelRuntime,
    ManualClock,
    Script,
)
from tests.fakes.inferrlm.recording import ENGINE, order_violations, read_recording
from tests.fakes.inferrlm.replay import Replay

RECORDINGS = Path(__file__).parent.parent / "data" / "wire" / "inferrlm"
BUILDS: dict[str, Build] = {"2025": "A", "0.8.7": "B", "2026": "C"}
FILES = sorted(path for folder in BUILDS for path in (RECORDINGS / folder).glob("*.jsonl"))


@dataclass(frozen=True)
class Setup:
    """In what state the recorder had brought the app, and what it told its stand-in engine to do."""

    loaded: str | None = LLAMA
    scripts: Sequence[Script] = ()
    n_ctx: int | None = None
    failing_models: frozenset[str] = frozenset()
    load_delay_s: float = 0.12
    litert_turns: int = 0
    """Questions asked before, in the recordings made just before this one."""


SETUPS: dict[str, Setup] = {
    "busy-30s": Setup(),
    "chat-cold-load": Setup(loaded=None),
    "chat-context-full-stream": Setup(n_ctx=10),
    "chat-disconnect-plain": Setup(scripts=[Script(pieces=CANNED["long"][:25])]),
    "chat-fail-first": Setup(scripts=[Script(fail_after=0)]),
    "chat-fail-middle": Setup(scripts=[Script(fail_after=3)]),
    "chat-fail-plain": Setup(scripts=[Script(fail_after=2)]),
    "chat-load-fails": Setup(loaded=None, failing_models=frozenset({QWEN})),
    "chat-none-loaded": Setup(loaded=None),
    "chat-prompt-too-long": Setup(n_ctx=512),
    "chat-tail-lost": Setup(scripts=[Script(lose_tail_after=3)]),
    "litert-chat-stream": Setup(loaded=GEMMA_LITERT),
    "litert-embeddings": Setup(loaded=GEMMA_LITERT),
    "litert-multiline": Setup(loaded=GEMMA_LITERT, litert_turns=2),
    "litert-options-reload": Setup(loaded=GEMMA_LITERT),
    "litert-stuck-after-disconnect": Setup(loaded=GEMMA_LITERT, load_delay_s=0.5),
    "litert-v1-chat-stream": Setup(loaded=GEMMA_LITERT, litert_turns=1),
    "lock-broken-after-three": Setup(scripts=[Script(), Script(first_token_s=0.04, token_delay_s=0.067)]),
    "models-load": Setup(loaded=None),
    "ps-empty": Setup(loaded=None),
}


def test_all_recordings_are_there() -> None:
    """A recording that is missing would otherwise be one that passes."""
    assert len(FILES) == 236


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
async def test_replay(path: Path) -> None:
    """The fake does what the real server did, down to the byte."""
    recording = read_recording(path)
    setup = SETUPS.get(recording.scenario.removeprefix("v1-"), Setup())
    runtime = FakeModelRuntime(n_ctx=setup.n_ctx, failing_models=setup.failing_models)
    runtime.next(*setup.scripts)
    clock = ManualClock()
    phone = FakeInferrLM(
        BUILDS[path.parent.name],
        loaded=setup.loaded,
        engine=runtime,
        token_delay_s=0.04,
        load_delay_s=setup.load_delay_s,
        busy_wait_s=30.0,
        clock=clock,
    )
    async with phone:
        if phone.engine.litert.instance is not None:
            phone.engine.litert.instance.turn = setup.litert_turns
        replay = Replay(recording, phone, clock)
        await replay.run()
    for label in [*dict.fromkeys(act.connection for act in recording.acts), ENGINE]:
        assert replay.timeline.of(label) == recording.timeline.of(label), label
    assert list(order_violations(recording.timeline, replay.timeline)) == []
