"""How many tokens a text has, roughly, for engines whose tokenizer we cannot ask. Pure.

Basis: the large vocabularies of current small models (Llama 3, Qwen 3, Gemma 3: 128k to 262k entries),
where a common English word is one token together with the blank before it, English prose comes to about
1.3 tokens a word (four characters a token), and a Chinese character to somewhat less than one. Each class of
characters below has a price in hundredths of a token. Expect to be off by up to a fifth for prose and code,
more for text in rare scripts; every number made from this is marked as estimated.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from adapter.chat import Chat

# What a chat template adds around each message (role, turn markers), and once for the answer's opening.
MESSAGE_TOKENS = 5
OPENING_TOKENS = 3

# A word's first seven letters are one token, every further seven another.
_LETTERS_PER_TOKEN = 7
_DIGITS_PER_TOKEN = 2
_BLANKS_PER_TOKEN = 8
_PUNCTUATION_HUNDREDTHS = 75

_RUNS = re.compile(
    r"(?P<word>[A-Za-z]+)|(?P<digits>[0-9]+)|(?P<space>[\x00-\x20\x7f]+)|(?P<punctuation>[!-/:-@\[-`{-~]+)"
    r"|(?P<foreign>[^\x00-\x7f]+)"
)

# (first code point after the range, hundredths of a token per character); the first range that fits counts.
_FOREIGN_HUNDREDTHS = (
    (0x0250, 70),  # Latin with accents: they break words apart
    (0x0530, 45),  # Greek, Cyrillic
    (0x0E00, 60),  # Armenian, Hebrew, Arabic, the scripts of India
    (0x1100, 80),  # Thai, Lao, Tibetan, Burmese, Georgian
    (0x2000, 80),
    (0x2E80, 100),  # punctuation, arrows, mathematics
    (0xA000, 80),  # CJK, kana
    (0xAC00, 120),
    (0xD7A4, 80),  # Hangul
    (0x10000, 120),
)
_BEYOND_HUNDREDTHS = 200  # emoji and rare characters come as several byte tokens


def estimate_tokens(text: str) -> int:
    """Tokens of `text`, at least 1 unless it is empty."""
    hundredths = sum(_hundredths(match.lastgroup or "", match.group()) for match in _RUNS.finditer(text))
    return max(1, -(-hundredths // 100)) if text else 0


def estimate_prompt_tokens(contents: Iterable[str]) -> int:
    """Tokens of a conversation, one text per message, with what a chat template adds around them."""
    return OPENING_TOKENS + sum(MESSAGE_TOKENS + estimate_tokens(content) for content in contents)


def roughly_tokens(chat: Chat) -> int:
    """Tokens of a whole request at a glance: four characters each. Costs nothing, and is off by a half for some scripts."""
    said = sum(len(message.content) for message in chat.messages)
    return (said + sum(len(tool.description) + len(tool.parameters) for tool in chat.tools)) // 4


def _hundredths(kind: str, run: str) -> int:
    match kind:
        case "word":
            return 100 * -(-len(run) // _LETTERS_PER_TOKEN)
        case "digits":
            return 100 * -(-len(run) // _DIGITS_PER_TOKEN)
        case "space":
            return _space_hundredths(run)
        case "punctuation":
            return _PUNCTUATION_HUNDREDTHS * len(run)
        case _:
            return sum(map(_foreign_hundredths, run))


def _space_hundredths(run: str) -> int:
    """A single blank belongs to the word behind it; line ends and indentation cost."""
    if run == " ":
        return 0
    return 100 * -(-len(run) // _BLANKS_PER_TOKEN)


def _foreign_hundredths(char: str) -> int:
    point = ord(char)
    for end, hundredths in _FOREIGN_HUNDREDTHS:
        if point < end:
            return hundredths
    return _BEYOND_HUNDREDTHS
