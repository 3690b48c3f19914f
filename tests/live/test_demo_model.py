"""The bundled model, judged through a real adapter on questions that it was not trained on.

`demo_questions.toml` was written from the facts alone, by somebody who had not seen the training wording.
"""

from __future__ import annotations

import random
import re
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

pytest.importorskip("openai", reason="the OpenAI SDK has no Android wheel; run this on a PC")

import openai

from demo_model.asked import ASKED
from demo_model.grammar import expand
from demo_model.questions import TEMPLATES
from demo_model.questions_more import MORE_TEMPLATES
from tests.live.processes import REPO, adapter

DEMO_GGUF = REPO / "adapter" / "demo" / "demo.gguf"
QUESTIONS = Path(__file__).with_name("demo_questions.toml")
RIGHT_SHARE = 0.90
MAX_BYTES = 8_000_000
EXPANSIONS = 200


@dataclass(frozen=True)
class Question:
    """must: all of these are in a right answer. any_of: and at least one of these, if there are any."""

    ask: str
    fact: str
    must: tuple[str, ...]
    any_of: tuple[str, ...]

    def is_right(self, answer: str) -> bool:
        said = answer.lower()
        return all(m.lower() in said for m in self.must) and (
            not self.any_of or any(a.lower() in said for a in self.any_of)
        )


def held_out() -> list[Question]:
    rows = tomllib.loads(QUESTIONS.read_text(encoding="utf-8"))["question"]
    return [Question(r["ask"], r["fact"], tuple(r.get("must", ())), tuple(r.get("any", ()))) for r in rows]


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[openai.OpenAI]:
    with (
        adapter(tmp_path_factory.mktemp("demo")) as running,
        openai.OpenAI(base_url=running.base_url, api_key=running.key, max_retries=0) as made,
    ):
        yield made


def ask(client: openai.OpenAI, text: str) -> tuple[str, str]:
    """Answer and finish reason, at temperature 0."""
    answer = client.chat.completions.create(
        model="demo", messages=[{"role": "user", "content": text}], temperature=0
    )
    return answer.choices[0].message.content or "", answer.choices[0].finish_reason


def test_it_is_small_enough_to_ship() -> None:
    assert DEMO_GGUF.stat().st_size <= MAX_BYTES


def test_the_questions_were_not_trained_on() -> None:
    """None of them, letter for letter, stands among the training questions or comes out of their templates."""
    rng = random.Random(20261120)
    tables = (*TEMPLATES.values(), *MORE_TEMPLATES.values())
    trained = {plain(expand(t, rng)) for rows in tables for t in lines(rows) for _ in range(EXPANSIONS)}
    trained |= {plain(question) for questions in ASKED.values() for question in questions}
    assert [q.ask for q in held_out() if plain(q.ask) in trained] == []


def lines(rows: str) -> list[str]:
    return [line.strip() for line in rows.splitlines() if line.strip()]


def plain(text: str) -> str:
    return " ".join(re.findall(r"[a-z0-9]+", text.lower()))


def test_it_gives_the_right_fact(client: openai.OpenAI) -> None:
    """At least 100 questions, 90 % of them right, and every answer ends by itself.

    One after the other: a batch's company changes the last bits of its logits, and with them a near tie.
    """
    questions = held_out()
    assert len(questions) >= 100
    answers = [ask(client, question.ask) for question in questions]
    endless = [q.ask for q, (_, reason) in zip(questions, answers, strict=True) if reason != "stop"]
    wrong = [f"{q.ask} -> {a}" for q, (a, _) in zip(questions, answers, strict=True) if not q.is_right(a)]
    sys.stdout.write(f"demo model: {len(questions) - len(wrong)} of {len(questions)} right\n")
    assert endless == []
    assert len(questions) - len(wrong) >= RIGHT_SHARE * len(questions), "\n".join(wrong)


def test_the_rest_of_the_conversation_does_not_confuse_it(client: openai.OpenAI) -> None:
    """A system prompt and an earlier turn, as every real client sends them."""
    answer = client.chat.completions.create(
        model="demo",
        messages=[
            {"role": "system", "content": "You are a helpful assistant. Answer briefly and politely."},
            {"role": "user", "content": "hi there"},
            {"role": "assistant", "content": "Hello! Ask me about Farmhand."},
            {"role": "user", "content": "Which port does the adapter listen on?"},
        ],
        temperature=0,
    )
    assert "8888" in (answer.choices[0].message.content or "")
