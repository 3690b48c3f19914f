"""Our grammars in llama.cpp's own grammar engine, with the demo model's vocabulary.

A token that does not fit aborts the process inside llama.cpp, so each batch runs in a child; it asks before it accepts.
"""

from __future__ import annotations

import ctypes
import json
import math
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from adapter.constrain.check import check_json
from adapter.constrain.grammar import GrammarBuilder, literal
from tests.constrain_cases import CASES, client_cases
from tests.gbnf_walk import Grammar

pytest.importorskip("llama_cpp", reason="needs llama-cpp-python: pip install .[llama]")

ROOT = Path(__file__).resolve().parent.parent.parent
MODEL = ROOT / "adapter" / "demo" / "demo.gguf"
NO_GRAMMAR = "llama.cpp refuses the grammar"


def judged(jobs: list[tuple[str, list[str]]]) -> list[list[str]]:
    """For each grammar and its texts what llama.cpp says: "whole", "cut" (a beginning only), "not" or `NO_GRAMMAR`."""
    done = subprocess.run(
        [sys.executable, "-c", "from tests.live.test_constrain_grammar import child; child()"],
        input=json.dumps(jobs), capture_output=True, text=True, timeout=300, cwd=ROOT, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    answer: list[list[str]] = json.loads(done.stdout.splitlines()[-1])
    return answer


def child() -> None:
    engine = Engine()
    answer = [[engine.judge(grammar, text) for text in texts] for grammar, texts in json.loads(sys.stdin.read())]
    print("\n" + json.dumps(answer))  # noqa: T201


class Engine:
    def __init__(self) -> None:
        from adapter.engines.llama.binding import import_llama_cpp

        self._lib = import_llama_cpp()
        self._lib.llama_backend_init()
        shape = self._lib.llama_model_default_params()
        shape.vocab_only = True
        self._model = self._lib.llama_model_load_from_file(str(MODEL).encode(), shape)
        self._vocab = self._lib.llama_model_get_vocab(self._model)
        self._end = self._lib.llama_vocab_eos(self._vocab)
        pieces = {self._piece(token): token for token in range(self._lib.llama_vocab_n_tokens(self._vocab))}
        self._bytes = {piece[0]: token for piece, token in pieces.items() if len(piece) == 1}

    def judge(self, grammar: str, text: str) -> str:
        """In the tokens that the model itself would use, and byte by byte; both must agree."""
        raw = text.encode()
        single = [self._bytes[byte] for byte in raw]
        found = {self._judge(grammar, self._tokens(raw)), self._judge(grammar, single)}
        assert len(found) == 1, (text, found)
        return found.pop()

    def _judge(self, grammar: str, tokens: list[int]) -> str:
        sampler = self._lib.llama_sampler_init_grammar(self._vocab, grammar.encode(), b"root")
        if not sampler:
            return NO_GRAMMAR
        try:
            for token in tokens:
                if not self._allowed(sampler, token):
                    return "not"
                self._lib.llama_sampler_accept(sampler, token)
            return "whole" if self._allowed(sampler, self._end) else "cut"
        finally:
            self._lib.llama_sampler_free(sampler)

    def _allowed(self, sampler: Any, token: int) -> bool:
        one = (self._lib.llama_token_data * 1)(self._lib.llama_token_data(id=token, logit=0.0, p=0.0))
        array = self._lib.llama_token_data_array(data=one, size=1, selected=-1, sorted=False)
        self._lib.llama_sampler_apply(sampler, ctypes.byref(array))
        return not math.isinf(one[0].logit)

    def _piece(self, token: int) -> bytes:
        space = ctypes.create_string_buffer(64)
        count = self._lib.llama_token_to_piece(self._vocab, token, space, len(space), 0, False)
        return space.raw[: max(count, 0)]

    def _tokens(self, raw: bytes) -> list[int]:
        space = (self._lib.llama_token * (len(raw) + 8))()
        count = self._lib.llama_tokenize(self._vocab, raw, len(raw), space, len(space), False, False)
        assert count >= 0
        return list(space[:count])


def compiled(schema: Any, *, lenient: bool = False) -> str:
    builder = GrammarBuilder()
    return builder.text(builder.schema(schema, param="test", lenient=lenient).rule)


def test_cases_are_judged_as_expected() -> None:
    jobs = [(compiled(case.schema), [*case.good, *case.late, *case.bad]) for case in CASES]
    assert len(jobs) > 60
    wrong = []
    for case, found in zip(CASES, judged(jobs), strict=True):
        taken = len(case.good) + len(case.late)
        for number, (text, verdict) in enumerate(zip([*case.good, *case.late, *case.bad], found, strict=True)):
            if (verdict == "whole") != (number < taken) or verdict == NO_GRAMMAR:
                wrong.append((case.name, text, verdict))
    assert wrong == []


def test_client_schemas_take_documents_that_fit_and_refuse_others() -> None:
    names, jobs = [], []
    for name, tool, schema in client_cases():
        grammar = compiled(schema, lenient=tool)
        rng = random.Random(name)
        samples = [Grammar(grammar).sample(rng) for _ in range(3)]
        spoiled = [text for text in spoil(samples[0]) if not Grammar(grammar).matches(text)]
        assert spoiled
        names.append((name, len(samples)))
        jobs.append((grammar, [*samples, *spoiled]))
    for (name, good), found in zip(names, judged(jobs), strict=True):
        assert found[:good] == ["whole"] * good, name
        assert set(found[good:]) <= {"cut", "not"}, name


def spoil(text: str) -> Iterator[str]:
    """The same text with a mistake: cut, an alien key, a wrong bracket, something behind it."""
    yield text[:-1]
    yield text + "x"
    yield '{"no such key": 1, ' + text[1:]
    yield text.replace(":", " :", 1)
    yield "[" + text


def test_all_tools_of_an_agent_in_one_grammar() -> None:
    path = ROOT / "tests" / "data" / "wire" / "clients" / "clawdbot" / "agent_turn.json"
    tools = json.loads(path.read_text(encoding="utf-8"))["body"]["tools"]
    builder = GrammarBuilder()
    bodies = []
    for tool in tools:
        rule = builder.schema(tool["function"]["parameters"], param="tools", lenient=True).rule
        bodies.append(literal(tool["function"]["name"] + " ") + " " + rule)
    grammar = builder.text(" | ".join(bodies))
    rng = random.Random(1)
    walk = Grammar(grammar)
    texts = [walk.sample(rng) for _ in range(10)]
    assert judged([(grammar, texts)]) == [["whole"] * 10]


@pytest.mark.parametrize("seed", range(3))
def test_chance_documents_are_taken_to_the_end(seed: int) -> None:
    rng = random.Random(seed)
    jobs = []
    for case in CASES:
        grammar = compiled(case.schema)
        walk = Grammar(grammar)
        texts = [walk.sample(rng) for _ in range(4)]
        if not case.unchecked:
            assert [check_json(case.schema, text) for text in texts] == [None] * 4
        jobs.append((grammar, texts))
    for case, (_, texts), found in zip(CASES, jobs, judged(jobs), strict=True):
        assert found == ["whole"] * 4, (case.name, texts)


def test_other_parts_of_a_grammar() -> None:
    def grammar(body: str) -> str:
        return builder.text(body)

    builder = GrammarBuilder()
    think = f'"<think>" {builder.until("</think>", "<tool_call>")} {literal("</think>")} {builder.json_object()}'
    until = builder.until("aab", "€uro", "</s>")
    jobs = [
        (grammar(think), ['<think></think>{}', '<think>a < b </thin </</think>{"a": 1}', "<think>é€</think>{}",
                          "<think><tool_call></think>{}", "<think></think></think>{}", "<think>{}"]),
        (grammar(until), ["", "aa", "aaaa", "ab€ur", "€€", "x</s", "aab", "aaab", "x€uro", "</s>"]),
        (grammar(builder.regex(r"(\d{1,3}\.){3}\d+|[^\x00-\x7f]+ \w", param=None)), ["1.22.333.4", "é€ x", "1.2.3", "e x"]),
        (grammar(builder.choice(["yes", "yes, but", "no", "é\n\"\\]"], param=None)), ["yes", "yes, but", "no", "é\n\"\\]", "ye", "yes,", "noo"]),
        (grammar(builder.regex("(a|b|ab)*c.{300}d", param=None)), ["ababc" + "x" * 300 + "d", "abc" + "x" * 299 + "d"]),
        (grammar(builder.json_value()), ["null", '[{"a": "b\\n"}, 1e5]', "nul", "[1,]"]),
        (grammar(builder.json_string()), ['"a"', '"a', "a"]),
    ]  # fmt: skip
    good = [3, 6, 2, 4, 1, 2, 1]
    for (_, texts), found, count in zip(jobs, judged(jobs), good, strict=True):
        assert [text for text, verdict in zip(texts, found, strict=True) if verdict == "whole"] == texts[:count]


def test_what_our_check_refuses_as_a_grammar_llama_cpp_refuses_too() -> None:
    fine = 'root ::= ("a" | b){2,3} c\nb ::= [x-z]+ # note\nc ::= "\\u00e9"?\n'
    broken = ["root ::= x", 'root ::= root "a"', "root ::= [", 'root ::= "\\q"', 'root ::= "a"{2001}',
              'root ::= ("a"{0,100}){0,100}', "rooot ::= [a]"]  # fmt: skip
    found = judged([(fine, ["axyé", "aaa", "a"]), *((text, ["a"]) for text in broken)])
    assert found == [["whole", "whole", "cut"], *([[NO_GRAMMAR]] * len(broken))]
