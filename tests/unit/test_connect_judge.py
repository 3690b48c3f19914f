"""What `--check` makes of what it saw."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from adapter.connect import check_requests as requests
from adapter.connect.check_facts import Facts, Finding, Level, Seen, Verdict
from adapter.connect.check_judge import judge
from adapter.connect.check_reader import Reader
from adapter.connect.profile import Profile
from adapter.connect.truth import Model
from adapter.tokens import estimate_tokens

CAN = frozenset({"chat", "tools", "response_format"})
BIG = Model("big", "e", 32_768, 4_096, CAN)
SMALL = Model("small", "e", 4_096, 1_024, frozenset({"chat"}), frozenset({"tools", "response_format"}))
PLAIN = Model("plain", "e", 4_096, 1_024, frozenset({"chat"}))
EMBEDDER = Model("vectors", "e", 512, 512, frozenset({"embeddings"}))
MODELS = (BIG, SMALL, PLAIN, EMBEDDER)
FINE = Seen(status=200)
STREAMED = Seen(status=200, byte_gap_s=2.0, data_gap_s=2.0, first_word_s=3.0, whole_s=4.0, words=16, words_s=1.0)
AGENT = Profile(prompt_tokens=7_400, small_prompt_tokens=1_700, tools=12, answer_tokens=1_024, data_s=300.0)
READY = {"status": "ready", "pressure": {"level": "serve", "reason": ""}, "engines": {"e": {"ready": True, "queue": {"capacity": 4}}}}


def facts(profile: Profile = AGENT, model: Model = BIG, **more: Any) -> Facts:
    small = more.pop("small", False)
    plan = requests.plan(profile, model, small=small)
    seen = {"listed": FINE, "plan": plan, "main": STREAMED, "ready": READY, "proxied": False, "farmhand": True, **more}
    return Facts("claw", profile, model, MODELS, small, **seen)


def found(given: Facts, name: str) -> Finding:
    (finding,) = [one for one in judge(given).findings if one.name == name]
    return finding


def test_all_is_well() -> None:
    verdict = judge(facts())
    assert {one.level for one in verdict.findings} == {Level.OK} and not verdict.fails
    assert [one.name for one in verdict.findings] == ["key", "ready", "context", "tools", "answer", "patience"]


@pytest.mark.parametrize(
    ("given", "name", "level", "says", "remedy"),
    [
        # the key, the server
        (facts(listed=Seen(status=401, error="revoked")), "key", Level.FAIL, "status 401). revoked.", "farmhand token new claw"),
        (facts(listed=Seen(error="nobody answers")), "server", Level.FAIL, "nobody answers", "farmhand status"),
        (facts(main=Seen(status=403, code="insufficient_scope", error="lacks chat")), "scope", Level.FAIL, "lacks chat.", "--scope chat,embed"),
        (facts(ready={**READY, "pressure": {"level": "pause", "reason": "too hot."}}, main=Seen(status=503, error="no")), "paused", Level.FAIL, "(too hot)", "farmhand resume"),
        (facts(ready={**READY, "pressure": {"level": "pause", "reason": ""}}), "paused", Level.WARN, "paused; the answer came from elsewhere", ""),
        (facts(ready={**READY, "pressure": {"level": "slow", "reason": ""}}), "slow", Level.WARN, "slowly;", "cooled"),
        (facts(ready={"status": "not ready"}), "ready", Level.FAIL, "no engine can answer", "farmhand status"),
        (facts(ready={}), "ready", Level.FAIL, "not ready", "farmhand status"),
        # the context
        (facts(model=SMALL), "context", Level.FAIL, "needs about 8,424 tokens, 1,024 of them for the answer; small has only 4,096",
         "claw --write --small, which needs 2,724; or --model big (32,768)"),
        (facts(model=SMALL, small=True), "context", Level.OK, "in the small form needs about 2,724 tokens", ""),
        (facts(Profile(prompt_tokens=7_400), SMALL), "context", Level.FAIL, "only 4,096", "--model big (32,768)"),
        (facts(Profile(prompt_tokens=90_000, small_prompt_tokens=50_000), SMALL), "context", Level.FAIL, "90,256", "at least 90,256 tokens of context"),
        (facts(Profile(prompt_tokens=90_000, small_prompt_tokens=50_000), SMALL), "context", Level.FAIL, "", "(even --small needs 50,256)"),
        (facts(model=replace(BIG, context_tokens=0)), "context", Level.WARN, "does not say", "look it up"),
        (facts(Profile(prompt_tokens=10, min_context_tokens=16_000), SMALL), "min-context", Level.FAIL, "less than 16,000", "--model big"),
        # what it can
        (facts(model=SMALL), "tools", Level.WARN, "calls none by itself", "--model big"),
        (facts(model=PLAIN), "tools", Level.WARN, "cannot call any", "switch tools off in the client, or --model big"),
        (facts(replace(AGENT, needs_tools=True), PLAIN), "tools", Level.FAIL, "of no use without", "--model big"),
        (facts(Profile(prompt_tokens=9, needs_tools=True), PLAIN), "tools", Level.FAIL, "It sends tools and", "--model big"),
        (facts(Profile(prompt_tokens=9, schema=True), PLAIN), "schema", Level.WARN, "cannot be held to one", "--model big"),
        (facts(Profile(prompt_tokens=9, needs_schema=True), PLAIN), "schema", Level.FAIL, "cannot be held to one", "--model big"),
        (facts(Profile(prompt_tokens=9, needs_schema=True), schema=Seen(status=200, content='{"sunny": true}')), "schema", Level.OK, "as asked for.", ""),
        (facts(Profile(prompt_tokens=9, schema=True), SMALL, schema=Seen(status=200, content='{"sunny": true}')), "schema", Level.OK, "around the model", ""),
        (facts(Profile(prompt_tokens=9, needs_schema=True), schema=Seen(status=200, content="Yes!")), "schema", Level.FAIL, "'Yes!'", "--model big"),
        (facts(Profile(prompt_tokens=9, schema=True), schema=Seen(status=500, error="no")), "schema", Level.WARN, "that fails: no.", "--model big"),
        (facts(Profile(prompt_tokens=9, schema=True), schema=Seen(late=True)), "schema", Level.WARN, "nothing came in time", ""),
        (facts(Profile(prompt_tokens=9, embeddings=True), embedding=FINE), "embeddings", Level.OK, "vectors makes vectors", ""),
        (facts(Profile(prompt_tokens=9, embeddings=True), embedding=Seen(status=503, error="asleep")), "embeddings", Level.FAIL, "asleep.", "status"),
        # the answer
        (facts(main=Seen(status=503, error="the app is closed", retry_after_s="5")), "answer", Level.FAIL, "status 503: the app is closed. It may be tried again after 5 s.", ""),
        (facts(main=Seen(status=200, error="broke off")), "answer", Level.FAIL, "fails: broke off.", ""),
        # patience: a stream of Farmhand's is never silent for long
        (facts(main=replace(STREAMED, first_word_s=500.0, kept_alive=True)), "patience", Level.OK, "after 500.0 s. Meanwhile the server keeps the line alive.", ""),
        (facts(main=replace(STREAMED, data_gap_s=301.0)), "patience", Level.FAIL, "silent for 301 s, and the client gives up after 300 s without a chunk", "--small"),
        (facts(main=replace(STREAMED, data_gap_s=151.0)), "patience", Level.WARN, "not much more", "time-out"),
        (facts(Profile(prompt_tokens=9, byte_s=300.0), main=replace(STREAMED, byte_gap_s=301.0)), "patience", Level.FAIL, "without a byte", ""),
        # a proxy swallows that, and other servers are silent
        (facts(proxied=True, main=replace(STREAMED, first_word_s=301.0)), "patience", Level.FAIL, "silent for 301 s", "straight to the adapter"),
        (facts(farmhand=False, main=replace(STREAMED, first_word_s=301.0)), "patience", Level.FAIL, "silent for 301 s", "faster model"),
        (facts(farmhand=False, main=replace(STREAMED, first_word_s=301.0, kept_alive=True)), "patience", Level.OK, "keeps the line alive", ""),
        # what was clipped is reckoned up: 3,264 of 7,400 tokens
        (facts(model=SMALL, farmhand=False, main=replace(STREAMED, first_word_s=140.0)), "patience", Level.FAIL, "about 317 s for its whole 7,400 tokens", ""),
        (facts(main=Seen(late=True, waited_s=240.0)), "patience", Level.WARN, "Not a word came within 240 s", "--limit"),
        (facts(main=Seen(late=True, waited_s=301.0)), "patience", Level.FAIL, "gives up after 300 s", "longer time-out"),
        (facts(main=Seen(late=True, waited_s=301.0, kept_alive=True)), "patience", Level.WARN, "was not seen", "--limit"),
        (facts(main=Seen(late=True, waited_s=301.0, first_word_s=1.0)), "patience", Level.WARN, "No whole answer", "--limit"),
    ],
)  # fmt: skip
def test_findings(given: Facts, name: str, level: Level, says: str, remedy: str) -> None:
    finding = found(given, name)
    assert (finding.level, says in finding.said, remedy in finding.remedy) == (level, True, True), finding
    assert judge(given).fails is any(one.level is Level.FAIL for one in judge(given).findings)


def test_no_embedder() -> None:
    given = facts(Profile(prompt_tokens=9, embeddings=True))
    assert found(replace(given, models=(BIG,)), "embeddings").level is Level.WARN


@pytest.mark.parametrize(
    ("whole_s", "token_s", "level", "says"),
    [
        (2.0, 0.01, Level.OK, "takes about 7.0 s; the client waits for 30 s"),  # 1.84 s of prompt, 512 tokens
        (2.0, 0.04, Level.WARN, "21.8 s"),
        (2.0, 0.1, Level.FAIL, "gives up after 30 s"),
        (31.0, 0.0, Level.FAIL, "31.0 s"),
    ],
)
def test_a_plain_answer_takes_as_long_as_its_tokens(whole_s: float, token_s: float, level: Level, says: str) -> None:
    pitwall = Profile(prompt_tokens=900, answer_tokens=512, stream=False, byte_s=30.0, whole_s=45.0)
    speed = replace(STREAMED, words=31, words_s=30 * token_s)
    finding = found(facts(pitwall, main=Seen(status=200, whole_s=whole_s), speed=speed), "patience")
    assert (finding.level, says in finding.said) == (level, True), finding


@pytest.mark.parametrize(
    ("parallel", "whole_s", "level", "says"),
    [(4, 1.0, Level.OK, "e answers 4."), (9, 4.0, Level.OK, "the others wait."), (9, 20.0, Level.WARN, "the last about 60 s, longer than it waits for (45 s)")],
)
def test_many_at_once(parallel: int, whole_s: float, level: Level, says: str) -> None:
    profile = Profile(prompt_tokens=9, stream=False, whole_s=45.0, parallel=parallel)
    finding = found(facts(profile, main=Seen(status=200, whole_s=whole_s)), "parallel")
    assert (finding.level, says in finding.said) == (level, True), finding


def test_a_model_with_a_small_vocabulary_needs_more() -> None:
    plan = requests.plan(AGENT, BIG, small=False)
    finding = found(facts(main=replace(STREAMED, prompt_tokens=plan.tokens * 2)), "context")
    assert "15,824 tokens" in finding.said


def test_the_verdict_in_words() -> None:
    verdict = Verdict((Finding("a", Level.OK, "fine"), Finding("b", Level.FAIL, "bad\x1b[31m " * 20, "mend it")))
    lines = [*verdict.lines("claw", 60)]
    assert lines[0].startswith("FAIL bad [31m") and lines[-1] == "claw would fail: 1 wrong, 0 doubtful, 1 in order." and "     do: mend it" in lines
    assert max(map(len, lines)) <= 60 and all(line.isprintable() for line in lines)
    assert verdict.for_programs() == {
        "works": False,
        "findings": [
            {"name": "a", "level": "ok", "said": "fine", "remedy": ""},
            {"name": "b", "level": "fail", "said": "bad\x1b[31m " * 20, "remedy": "mend it"},
        ],
    }
    assert [*Verdict((Finding("a", Level.WARN, "hm"),)).lines("c", 60)][-1] == "c works, with 1 doubtful; 0 in order."


# --- requests -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("profile", "model", "small", "tokens", "tools"),
    [
        (AGENT, BIG, False, 7_400, 12),
        (AGENT, BIG, True, 1_700, 3),
        (AGENT, replace(SMALL, emulated=frozenset({"tools"})), False, 3_264, 12),
        (AGENT, PLAIN, False, 3_264, 0),
        (AGENT, replace(BIG, context_tokens=0), False, 7_400, 12),
        (AGENT, replace(BIG, context_tokens=600), False, 467, 4),
        (Profile(prompt_tokens=5_200, tools=28), BIG, False, 5_200, 28),
        (Profile(prompt_tokens=10), replace(BIG, context_tokens=64), False, 48, 0),
    ],
)
def test_a_request_has_the_size_of_the_clients(profile: Profile, model: Model, small: bool, tokens: int, tools: int) -> None:
    plan = requests.plan(profile, model, small=small)
    assert (plan.tokens, plan.tools, len(plan.body.get("tools", ()))) == (tokens, tools, tools)
    really = estimate_tokens(str(plan.body["messages"])) + estimate_tokens(str(plan.body.get("tools", "")))
    assert 0.85 * tokens - 40 < really < 1.15 * tokens + 40
    assert len({tool["function"]["name"] for tool in plan.body.get("tools", ())}) == tools
    assert plan.clipped is (tokens < 0.9 * plan.wanted_tokens)


# --- reader -------------------------------------------------------------------------------------------------


def read(*pieces: tuple[bytes, float], streamed: bool = True) -> Seen:
    reader = Reader()
    for data, at_s in pieces:
        if not reader.feed(data, at_s, streamed=streamed):
            break
    return reader.seen(pieces[-1][1], streamed=streamed)


ROLE = b'data: {"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}]}\n\n'
EMPTY = b'data: {"choices": [{"index": 0, "delta": {"content": ""}}]}\n\n'
WORD = b'data: {"choices": [{"index": 0, "delta": {"content": "hi"}}]}\n\n'
CALL = b'data: {"choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0}]}}]}\n\n'
LAST = b'data: {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}\n\ndata: {"choices": [], "usage": {"prompt_tokens": 7}}\n\n'
DONE = b"data: [DONE]\n\n"


def test_a_stream_and_its_silences() -> None:
    seen = read((ROLE, 1.0), (b": ping\n\n", 5.0), (EMPTY, 8.0), (WORD[:20], 10.0), (WORD[20:] + WORD, 11.0), (LAST + DONE, 12.0))
    assert seen == Seen(
        status=200, byte_gap_s=4.0, data_gap_s=7.0, first_word_s=11.0, whole_s=12.0, words=2, kept_alive=True, prompt_tokens=7, content="hihi"
    )
    assert read((ROLE + CALL + LAST + DONE, 1.0)).fine


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (ROLE + WORD, "without a finish_reason"),
        (ROLE + DONE, "without a finish_reason"),
        (b'data: {"error": {"message": "out of memory", "code": "oom"}}\n\n', "out of memory"),
        (b"data: [1]\n\ndata: {}\n\n", "without a finish_reason"),
    ],
)
def test_streams_that_fail(data: bytes, says: str) -> None:
    seen = read((data, 1.0))
    assert not seen.fine and says in seen.error


@pytest.mark.parametrize(
    ("data", "error", "content"),
    [
        (b'{"choices": [{"message": {"content": "hi"}}], "usage": {"prompt_tokens": 3}}', "", "hi"),
        (b'   {"choices": [{"message": {"content": null}}]}', "", ""),
        (b'{"data": [{"embedding": [1]}]}', "", ""),
        (b'{"error": {"message": "no"}}', "no", ""),
        (b"<html>", "no OpenAI answer", ""),
        (b'{"choices": []}', "no OpenAI answer", ""),
    ],
)
def test_plain_answers(data: bytes, error: str, content: str) -> None:
    seen = read((data[:5], 1.0), (data[5:], 2.0), streamed=False)
    assert (error in seen.error, bool(error), seen.content, seen.whole_s) == (True, bool(seen.error), content, 2.0)


def test_an_answer_without_end() -> None:
    reader = Reader()
    assert [reader.feed(b"x" * (1 << 20), 1.0, streamed=True) for _ in range(5)] == [True, True, True, True, False]
    assert "does not end" in reader.seen(1.0, streamed=True).error
