"""Training conversations: drawn from the questions, dressed with system prompts and histories, and batched."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from demo_model.asked import ASKED
from demo_model.dev_questions import DEV_QUESTIONS
from demo_model.facts import BY_ID, FACTS
from demo_model.grammar import expand, plain, vary
from demo_model.offtopic import off_topic
from demo_model.prose import filler, system_prompt
from demo_model.questions import TEMPLATES
from demo_model.questions_more import MORE_TEMPLATES
from demo_model.vocabulary import BEGIN_ID, PAD_ID, ChatEncoder, Turn

# How many characters a token of filler has; only used to aim for a length.
CHARACTERS_PER_TOKEN = 3.6
BATCH_TOKENS = 3072
LENGTHS = (24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 1024, 2048)
SMALL_TALK = frozenset({"hello", "thanks", "bye", "how-are-you", "joke", "praise", "sorry", "ok", "ping"})
OFF_TOPIC_SHARE = 0.12
# How often a question is one that a single author wrote, rather than one out of the grammars.
ASKED_SHARE = 0.5
# Most rows end after the first words of the answer: which answer it will be takes learning, the rest does not.
CUT_SHARE = 0.7
CUT_ANSWER_TOKENS = 6
TEMPLATE_LINES = {
    fact: [line.strip() for line in (text + MORE_TEMPLATES[fact]).splitlines() if line.strip()]
    for fact, text in TEMPLATES.items()
}
KEPT_BACK = frozenset(plain(text) for _, text in DEV_QUESTIONS) - {""}


@dataclass(frozen=True)
class Row:
    """One conversation as the network sees it: token ids, and which of them it is taught to write."""

    ids: list[int]
    taught: list[bool]


@dataclass(frozen=True)
class Batch:
    """Rows of similar length, padded on the right to the same one."""

    ids: list[list[int]]
    taught: list[list[bool]]


def question(fact: str, rng: random.Random) -> str:
    """One way to ask for `fact`, but never one of the development questions."""
    while plain(text := _any_question(fact, rng)) in KEPT_BACK:
        pass
    return text


def _any_question(fact: str, rng: random.Random) -> str:
    if fact in ASKED and rng.random() < ASKED_SHARE:
        text = rng.choice(ASKED[fact])
        return vary(text, rng, 0.8) if text.isascii() else text
    if fact == "off-topic":
        text = off_topic(rng)
        return vary(text, rng, 0.6) if text.isascii() else text
    return vary(expand(rng.choice(TEMPLATE_LINES[fact]), rng), rng, 0.5 if fact in SMALL_TALK else 1.0)


def draw_fact(rng: random.Random) -> str:
    """Which fact is asked for next: off-topic often, since the world is large; all others equally often."""
    return "off-topic" if rng.random() < OFF_TOPIC_SHARE else rng.choice(FACTS).id


def pasted(rng: random.Random, characters: int) -> str:
    """A long text without a question of ours, as people paste it."""
    head = rng.choice(
        ("", "", "Summarize this: ", "Translate: ", "What does this mean? ", "Please read: ", "Fix: ")
    )
    return head + filler(rng, characters)


def exchange(rng: random.Random) -> tuple[Turn, Turn]:
    """One question and its answer."""
    if rng.random() < 0.01:
        return ("user", pasted(rng, rng.randrange(80, 600))), ("assistant", BY_ID["off-topic"].answer)
    fact = draw_fact(rng)
    return ("user", question(fact, rng)), ("assistant", BY_ID[fact].answer)


def conversation(rng: random.Random) -> list[Turn]:
    """A few exchanges, about half of the time after a system prompt."""
    turns: list[Turn] = []
    roll = rng.random()
    if roll < 0.42:
        turns.append(("system", system_prompt(rng)))
    elif roll < 0.47:
        turns.append(("system", system_prompt(rng, rng.randrange(100, 1600))))
    for _ in range(rng.choice((1, 1, 2, 3, 4, 5, 6))):
        turns += exchange(rng)
    return turns


def long_conversation(rng: random.Random, tokens: int) -> list[Turn]:
    """A conversation of nearly `tokens` tokens: the length is in the system prompt, the history, or both."""
    room = int(tokens * CHARACTERS_PER_TOKEN)
    where = rng.random()
    turns: list[Turn] = []
    if where < 0.6:
        turns.append(("system", system_prompt(rng, room if where < 0.4 else room // 2)))
    if where >= 0.4:
        for _ in range(rng.randrange(1, 4)):
            turns += exchange(rng)
        turns += [
            ("user", pasted(rng, room // (2 if where < 0.6 else 1))),
            ("assistant", BY_ID["off-topic"].answer),
        ]
    for _ in range(rng.randrange(2, 6)):
        turns += exchange(rng)
    return turns


def encode(turns: Sequence[Turn], encoder: ChatEncoder, rng: random.Random) -> Row:
    """The row of a conversation. Clients differ in whether they begin it, so now and then it begins twice or never."""
    begins = rng.choices((1, 0, 2), (0.85, 0.12, 0.03))[0]
    ids, taught = encoder.conversation(turns, rng)
    return Row([BEGIN_ID] * begins + ids, [False] * begins + taught)


def cut_row(encoder: ChatEncoder, rng: random.Random) -> Row:
    """One question and only the first words of its answer."""
    row = encode(exchange(rng), encoder, rng)
    end = row.taught.index(True) + CUT_ANSWER_TOKENS
    return Row(row.ids[:end], row.taught[:end])


def draw_row(encoder: ChatEncoder, rng: random.Random, long_share: float, context: int) -> Row:
    """One row of any kind."""
    roll = rng.random()
    if roll < long_share:
        return encode(long_conversation(rng, rng.randrange(250, context)), encoder, rng)
    if roll < long_share + CUT_SHARE:
        return cut_row(encoder, rng)
    return encode(conversation(rng), encoder, rng)


def draw_rows(
    encoder: ChatEncoder, rng: random.Random, count: int, long_share: float, context: int
) -> Iterator[Row]:
    """`count` rows, `long_share` of them long; none is longer than `context` tokens."""
    while count:
        row = draw_row(encoder, rng, long_share, context)
        if len(row.ids) <= context:
            count -= 1
            yield row


def batches(rows: Sequence[Row], rng: random.Random) -> list[Batch]:
    """All full batches that `rows` make, in random order; rows that fill none are left out.

    There are only a few shapes, nearly all of BATCH_TOKENS, because the CPU's matrix library compiles for each new one.
    """
    groups: dict[int, list[Row]] = {length: [] for length in LENGTHS}
    made: list[Batch] = []
    for row in rows:
        length = next(length for length in LENGTHS if len(row.ids) <= length)
        groups[length].append(row)
        if len(groups[length]) == max(1, BATCH_TOKENS // length):
            made.append(_pad(groups[length], length))
            groups[length] = []
    rng.shuffle(made)
    return made


def _pad(rows: Sequence[Row], length: int) -> Batch:
    return Batch(
        [row.ids + [PAD_ID] * (length - len(row.ids)) for row in rows],
        [row.taught + [False] * (length - len(row.ids)) for row in rows],
    )


def tokenizer_texts(rng: random.Random, count: int) -> Iterator[str]:
    """Text to learn the tokens from: questions most of all, every answer, and some of the prose."""
    for _ in range(count):
        fact = draw_fact(rng)
        yield question(fact, rng)
    for known in FACTS:
        for _ in range(40):
            yield known.answer
    for _ in range(count // 100):
        yield system_prompt(rng)
        yield filler(rng, 300)
