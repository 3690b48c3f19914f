"""`protocols/inferrlm.md` 13, row by row: traits of GGUF and LiteRT models, and what a client of the adapter saw of them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fakes.inferrlm import GEMMA_LITERT, LLAMA, Build, FakeInferrLM, FakeModelRuntime, Script
from tests.fakes.inferrlm.connection import Connection
from tests.wire.hazards import TEXT, both, rescuer
from tests.wire.inferrlm_cases import LONG, every_build
from tests.wire.inferrlm_hazards import QUESTIONS, TAKEN_UP, chats_came, other_program, place
from tests.wire.test_inferrlm_litert import break_litert

# --- 13.1 GGUF models (llama.cpp) -----------------------------------------------------------------------------


@every_build
@both
async def test_13_1_newline_is_a_stop_word(build: Build, stream: bool) -> None:
    """13.1, B, C, "the answer is its first line", also with a `stop` of one's own. Said in the model list, not hidden."""
    async with place(build) as here:
        seen = await here.ask("three lines", stream=stream)
        with_stop = await here.ask("three lines", stream=stream, stop=["zzz"])
        async with here.adapter.session.get(f"/v1/models/phone/{LLAMA}") as response:
            listed = await response.json()
    whole = "First line.\nSecond line.\n\nThird."
    assert seen.whole and seen.finish_reason == "stop"
    assert seen.text == with_stop.text == (whole if build == "A" else "First line.")
    assert listed["farmhand"]["multiline"] is (build == "A")


@every_build
@both
async def test_13_1_text_in_the_newlines_token_is_lost(build: Build, stream: bool) -> None:
    """13.1, "text that sits in the same token as the newline (typically the final full stop) is lost with it": in the app,
    so the client lacks it too."""
    async with place(build, Script(pieces=("All", " done", ".\n", "Bye"))) as here:
        seen = await here.ask(stream=stream)
    assert (seen.whole, seen.text) == (True, "All done.\nBye" if build == "A" else "All done")


@every_build
async def test_13_1_who_asks_for_any_model_gets_one_with_lines(build: Build) -> None:
    """13.1, the same row, for `auto`: an engine that can write more than one line comes first."""
    async with place(build, second=rescuer()) as here:
        seen = await here.ask(model="auto")
    assert seen.whole and seen.engine == ("phone" if build == "A" else "second")


MARKED = Script(pieces=["Two", " things", ".", " ¶", " -", " a", " ¶", " ¶", "     x", " =", " 1"])


@every_build
@both
async def test_13_1_line_marks_are_turned_back_into_lines(build: Build, stream: bool) -> None:
    """13.1, B, C, "ask for a one-line format" (section 16, rule 10): with `line_marks = true` the client has its lines."""
    async with place(build, MARKED, line_marks=True) as here:
        seen = await here.ask("List two things.", stream=stream)
        asked = here.chats[0]["messages"][-1]["content"]
    if build == "A":  # needs none, and is not asked for them
        assert (asked, seen.text) == ("List two things.", "".join(MARKED.pieces or ()))
        assert "line_marks" not in seen.farmhand
    else:
        assert "write ¶" in asked
        assert (seen.whole, seen.text) == (True, "Two things.\n- a\n\n    x = 1")
        assert seen.farmhand["line_marks"] is True


@every_build
@both
@pytest.mark.parametrize("pieces", [("\n", "Hello"), ("\n\n",), ("\\n", "Hello")], ids=["newline", "newlines", "backslash-n"])
async def test_13_1_a_model_that_begins_with_a_newline_answers_nothing(
    build: Build, pieces: tuple[str, ...], stream: bool
) -> None:
    """13.1, B, C, "a model that begins with a newline answers nothing": an error that says why, or the next target."""
    async with place(build, Script(pieces=pieces)) as here:
        seen = await here.ask(stream=stream)
        if build == "A":
            assert (seen.whole, seen.text) == (True, "".join(pieces))
            return
        assert seen.refused == (502, "upstream_protocol")
        assert "stops at the first line break" in seen.message
    async with place(build, Script(pieces=pieces), second=rescuer()) as here:
        seen = await here.ask(stream=stream)
        assert (seen.whole, seen.text, seen.engine, seen.seams) == (True, TEXT, "second", [])


@every_build
@both
async def test_13_1_a_reasoning_model_answers_think(build: Build, stream: bool) -> None:
    """13.1, B, C, "a reasoning model that writes `<think>` and a newline answers `<think>`": that is no answer either."""
    script = Script(pieces=("<think>", "\n", "Hm.", "\n", "</think>", "\n\n", "Yes."))
    async with place(build, script) as here:
        seen = await here.ask(stream=stream)
        if build == "A":
            assert (seen.whole, seen.text, seen.reasoning.strip()) == (True, "Yes.", "Hm.")
            return
        assert seen.refused == (502, "upstream_protocol")
    async with place(build, script, second=rescuer()) as here:
        seen = await here.ask(stream=stream)
        assert (seen.whole, seen.text, seen.engine) == (True, TEXT, "second")


@every_build
@both
async def test_13_1_backslash_n_is_a_stop_word_too(build: Build, stream: bool) -> None:
    """13.1, B, C, "backslash followed by `n`, as two characters": code such as `print("a\\n")` ends there, and nothing tells."""
    async with place(build, Script(pieces=("print", "(", '"', "a", "\\", "n", '"', ")"))) as here:
        seen = await here.ask(stream=stream)
    assert (seen.whole, seen.text) == (True, 'print("a\\n")' if build == "A" else 'print("a')


@every_build
@both
async def test_13_1_stop_words_take_their_tokens_text_along(build: Build, stream: bool) -> None:
    """13.1, "the text before a stop word that shares a token with it ... is not delivered". So the client's `stop` stays with
    us, where nothing is lost; the app's own list takes what it takes."""
    async with place(build) as here:
        here.phone.runtime.next(Script(pieces=("one tw", "o thr", "ee four")), Script(pieces=("one", " two<|im_end|>", "x")))
        ours = await here.ask(stream=stream, stop=["three"])
        apps = await here.ask(stream=stream, stop="zzz")
        assert all("stop" not in chat["options"] for chat in here.chats)
    assert (ours.whole, ours.text, ours.finish_reason) == (True, "one two ", "stop")
    assert (apps.whole, apps.text, apps.finish_reason) == (True, "one", "stop")


@every_build
@both
async def test_13_1_held_back_text_is_delivered(build: Build, stream: bool) -> None:
    """13.1, "or was held back because it might become one": what turns out not to be a stop word comes, in `output` at least."""
    async with place(build, Script(pieces=("a <", "|im", " b", " <|im"))) as here:
        seen = await here.ask(stream=stream)
    assert (seen.whole, seen.text) == (True, "a <|im b <|im")


@every_build
@both
async def test_13_1_reasoning_is_split_from_the_text(build: Build, stream: bool) -> None:
    """13.1, "passed through inside the text, `<think>` ... `</think>`" (`chat-stream-think`): the client has the two apart."""
    async with place(build) as here:
        seen = await here.ask("think please", stream=stream)
    assert (seen.whole, seen.text) == (True, "think please")
    assert seen.reasoning == "The user said something. I will echo it."


class Templated(FakeInferrLM):
    """Its stored models' chat template is `template`."""

    def __init__(self, build: Build, template: str, script: Script) -> None:
        super().__init__(build, engine=FakeModelRuntime(script=script))
        self._template = template
        self._real_show = self._routes._table["POST", "/api/show"]
        self._routes._table["POST", "/api/show"] = self._show

    async def _show(self, connection: Connection, body: str) -> dict[str, Any] | None:
        shown = await self._real_show(connection, body)
        assert shown is not None
        shown["info"]["tokenizer.chat_template"] = self._template
        return shown


@every_build
@both
async def test_13_1_only_the_closing_tag_of_reasoning(build: Build, stream: bool) -> None:
    """13.1, "models whose template opens the block themselves give only the closing tag": seen in the template, so the
    first word is reasoning already."""
    template = "{% if add_generation_prompt %}<|assistant|><think>{% endif %}"
    script = Script(pieces=("Let", " me", " see", ".", "</think>", " Yes", "."))
    async with place(build, phone=Templated(build, template, script)) as here:
        seen = await here.ask(stream=stream)
    assert (seen.whole, seen.text.strip(), seen.reasoning) == (True, "Yes.", "Let me see.")


@every_build
@both
async def test_13_1_code_points_are_spread_over_records(build: Build, stream: bool) -> None:
    """13.1, "sequences of several code points (flags, skin tones, families) are spread over records"
    (`chat-stream-unicode`): whole code points in each of our frames, and nothing lost between them."""
    async with place(build) as here:
        seen = await here.ask("unicode please", stream=stream)
    assert (seen.whole, seen.text) == (True, "Hi 👋🏽 flag 🇩🇪 family 👨‍👩‍👧 naïve 日本語 \U0001d4b3.")
    assert not any(0xD800 <= ord(char) < 0xE000 or char == "\ufffd" for delta in seen.deltas for char in delta)
    assert len(seen.deltas) > 10 or not stream


@every_build
@both
async def test_13_1_determinism(build: Build, stream: bool) -> None:
    """13.1, "`temperature` 0 (A: also `mirostat` 0)": what the client says at the top level arrives in `options`."""
    async with place(build) as here:
        assert (await here.ask(stream=stream, temperature=0, seed=7)).whole
        options = here.chats[0]["options"]
    assert (options["temperature"], options["seed"]) == (0, 7)
    assert options.get("mirostat") == (0 if build == "A" else None)


@every_build
@both
async def test_13_1_max_tokens_is_always_sent(build: Build, stream: bool) -> None:
    """13.1, "a request nobody listens to is computed to its end, up to `max_tokens`": with a limit, always, even if the client
    has none; and within the window even if the client's is absurd."""
    async with place(build, default_max_tokens=77) as here:
        for limit in (None, 5, 1_000_000):
            assert (await here.ask("hello there", stream=stream, max_tokens=limit)).whole
        sent = [chat["options"]["max_tokens"] for chat in here.chats]
    assert sent[:2] == [77, 5]
    assert 4000 < sent[2] < (6144 if build == "A" else 4096)


# --- 13.2 LiteRT models (C) ------------------------------------------------------------------------------------


def litert(script: Script | None = None, **more: Any) -> Any:
    """A phone that has a LiteRT model in memory, as `place`."""
    app = {"loaded": GEMMA_LITERT, **more.pop("app", {})}
    return place("C", script, model=GEMMA_LITERT, app=app, **more)


def turns(here: Any) -> list[int]:
    """Which question of its conversation each generation was, for the model."""
    return [event.fields["turn"] for event in here.phone.log.of("litert_start")]


@both
async def test_13_2_newline_is_no_stop_word_and_stop_has_no_effect(stream: bool) -> None:
    """13.2, "newline: not a stop word; `stop` has no effect": lines come, and the client's `stop` is ours to keep."""
    async with litert() as here:
        lines = await here.ask("three lines", stream=stream)
        stopped = await here.ask("three lines", stream=stream, stop=["Second"])
    assert lines.text == "First line.\nSecond line.\n\nThird."
    assert (stopped.whole, stopped.text, stopped.finish_reason) == (True, "First line.\n", "stop")


@both
async def test_13_2_options_that_change_reload_the_model(stream: bool) -> None:
    """13.2, "any change of `temperature`, `top_p`, `top_k`, `max_tokens` ... reloads the model" (`litert-options-reload`):
    clients with different `max_tokens` do not make it reload, and each has its own limit."""
    async with litert(LONG) as here:
        for limit in (3, 5, None, 2):
            seen = await here.ask(stream=stream, max_tokens=limit)
            assert seen.whole
            assert seen.finish_reason == ("length" if limit else "stop")
            assert len(seen.text.split()) == (limit or 40)
            await here.free()
        assert len({chat["options"]["max_tokens"] for chat in here.chats}) == 1
        assert len(here.phone.log.of("litert_load")) == 1, "for our options, which then stay the same"


@both
async def test_13_2_what_clients_ask_for_themselves_does_reload_the_model(stream: bool) -> None:
    """13.2, the same row, "or of the system prompt": where clients differ in what they want, the app loads anew, silently; each
    has its whole answer, and what was asked for."""
    system = {"role": "system", "content": "Be kind."}
    async with litert(app={"load_delay_s": 0.05}) as here:
        for temperature, before in ((0.2, []), (0.9, []), (0.9, [system])):
            asked = [*before, {"role": "user", "content": "hello there"}]
            seen = await here.ask(asked, stream=stream, temperature=temperature)
            assert (seen.whole, seen.text) == (True, "hello there")
        assert [chat["options"]["temperature"] for chat in here.chats] == [0.2, 0.9, 0.9]
        assert len(here.phone.log.of("litert_load")) == 3


@both
async def test_13_2_history_is_rewritten(stream: bool) -> None:
    """13.2, "only its last 8000 characters are kept": what would lose its beginning is refused before, or goes to the next target."""
    long = [{"role": role, "content": "word " * 450} for role in ("user", "assistant") * 2]
    asked = [*long, {"role": "user", "content": "And now?"}]
    async with litert(app={"token_delay_s": 0.0}) as here:
        seen = await here.ask(asked, stream=stream)
        assert seen.refused == (400, "context_length_exceeded")
        assert here.chats == []
        short = await here.ask([*asked[:2], asked[-1]], stream=stream)
        assert short.whole and "And now?" in short.text
        assert "conversation so far" in here.phone.engine.litert.instance.conversation[0]
    async with litert(second=rescuer()) as here:
        assert (await here.ask(asked, stream=stream)).text == TEXT


async def test_13_2_a_system_message_counts_only_if_it_is_first() -> None:
    """13.2, "a system message counts only if it is the first message": so it is made the first one, wherever the client put it."""
    async with litert() as here:
        asked = [
            {"role": "user", "content": "hello"},
            {"role": "system", "content": "Be kind."},
            {"role": "assistant", "content": "hi"},
            {"role": "developer", "content": "Be short."},
            {"role": "user", "content": "and now"},
        ]
        assert (await here.ask(asked)).whole
        assert here.chats[0]["messages"][0] == {"role": "system", "content": "Be kind.\n\nBe short."}
        assert [m["role"] for m in here.chats[0]["messages"][1:]] == ["user", "assistant", "user"]


@both
async def test_13_2_a_single_user_message(stream: bool) -> None:
    """13.2, "is added to the conversation the runtime already has": of other clients too. Ours each begin anew."""
    async with litert() as here:
        for text in ("my secret", "what is it", "still not"):
            seen = await here.ask(text, stream=stream)
            assert (seen.whole, seen.text) == (True, text)
            assert here.phone.engine.litert.instance.conversation == [text]
        assert turns(here) == [1, 1, 1]


@both
async def test_13_2_no_user_message(stream: bool) -> None:
    """13.2, "no user message: 200 with empty text": a 400 that says so, without asking the app."""
    async with litert() as here:
        seen = await here.ask([{"role": "system", "content": "Be kind."}], stream=stream)
        assert seen.refused == (400, "bad_request")
        assert seen.error["param"] == "messages" and "message of the user" in seen.message
        assert here.chats == []


@both
async def test_13_2_text_that_begins_with_error(stream: bool) -> None:
    """13.2, "text beginning with `Error: ` in one piece: taken for a failure": by the app, so it is one for us; with its words."""
    script = Script(pieces=("Error: no such harbour",))
    async with litert(script) as here:
        seen = await here.ask(stream=stream)
        assert seen.refused == (500, "engine_failed")
        assert "no such harbour" in seen.message
    async with litert(script, second=rescuer()) as here:
        assert (await here.ask(stream=stream)).text == TEXT
    async with litert(Script(pieces=("Error", ": no such harbour"))) as here:
        assert (await here.ask(stream=stream)).text == "Error: no such harbour"


async def test_13_2_one_extra_empty_record_at_the_end() -> None:
    """13.2, "end of stream: one extra empty record": the client gets no empty piece for it, nor is it counted."""
    async with litert(LONG) as here:
        seen = await here.ask()
        connection = next(r.connection for r in here.phone.requests if r.path == "/api/chat")
        assert b'"response":"","done":false' in here.phone.connections[connection].sent
    assert (seen.whole, seen.text) == (True, "".join(LONG.pieces or ()))
    assert [delta for delta in seen.deltas if not delta] in ([], [""]), "but for the opening one"


@both
async def test_13_2_disconnect_while_the_model_is_being_reloaded(stream: bool) -> None:
    """13.2, "all later streams are empty ... plain requests still work" (`litert-stuck-after-disconnect`): another program did
    it; our client has its whole answer, asked for once more without streaming."""
    async with litert(app={"load_delay_s": 0.05}) as here:
        await break_litert(here.phone)
        seen = await here.ask("hello there", stream=stream, temperature=0.4)
        assert (seen.whole, seen.text) == (True, "hello there")
        assert [chat["stream"] for chat in here.chats] == [True, True, False]
        assert here.phone.overlaps == 0


@both
async def test_13_2_our_clients_never_cause_that(stream: bool) -> None:
    """13.2, the same row, from the other side: a client of ours that leaves during a reload breaks no later stream."""
    async with litert(app={"load_delay_s": 0.1}) as here:
        async with here.client("leaves", stream=stream):
            await here.phone.log.wait_for("litert_load")
        seen = await here.ask("hello there", stream=stream)
        assert (seen.whole, seen.text) == (True, "hello there")
        assert [chat["stream"] for chat in here.chats] == [True, True], "no repetition was needed"
        assert here.phone.overlaps == 0


@both
async def test_13_2_an_answer_that_is_empty_both_ways(stream: bool) -> None:
    """13.2, "on an empty stream repeat once without streaming": once; then it is an error, or the next target's."""
    async with litert(Script(pieces=())) as here:
        assert (await here.ask(stream=stream)).refused == (502, "upstream_protocol")
        assert [chat["stream"] for chat in here.chats] == [True, False]
    async with litert(Script(pieces=()), second=rescuer()) as here:
        assert (await here.ask(stream=stream)).text == TEXT


@pytest.mark.parametrize("obeys", [True, False], ids=["obeys", "runs on"])
async def test_13_2_disconnect_in_mid_stream(obeys: bool) -> None:
    """13.2, "asks the runtime for a new conversation; whether the old generation really stops ... could not be examined": either
    way the next client has a whole answer."""
    runtime = FakeModelRuntime(litert_obeys_reset=obeys)
    async with litert(runtime=runtime) as here:
        runtime.next(LONG)
        async with here.client() as leaver:
            await leaver.hears(4)
        seen = await here.ask("the next one")
        assert (seen.whole, seen.text) == (True, "the next one")
        left = here.phone.log.of("litert_end")[0].fields["n"]
        assert left < 40 if obeys else left == 40
        assert here.phone.overlaps == (0 if obeys else 1), "nothing on the wire tells that it runs on"


async def test_13_2_a_plain_client_that_leaves_in_mid_answer() -> None:
    """13.2, the same for a plain request: it was streamed from the app, and stops there too."""
    async with litert() as here:
        here.phone.runtime.next(TAKEN_UP)
        async with here.client(stream=False):
            await here.phone.log.wait_for("litert_start")
            await chats_came(here, 1)
        await here.phone.log.wait_for("litert_end")
        assert (await here.ask("the next one")).text == "the next one"
        assert here.paths == QUESTIONS | {"/api/chat"}


async def test_13_2_behind_another_program() -> None:
    """13.2 and 11: another program's question on the same model stays out of our conversation."""
    async with litert() as here:
        async with other_program(here.phone, "their secret") as other:
            await other.to_end()
        seen = await here.ask("what is it")
        assert (seen.whole, seen.text) == (True, "what is it")
        assert here.phone.engine.litert.instance.conversation == ["what is it"]
