"""From a written question to the many ways people type it.

Templates hold choices in brackets: "[what|which] port[ number|]". `vary` then does what people do: swap a word
for another of the same sense, add politeness, leave words out, mistype, drop capitals and the question mark.
"""

import random
import re

from demo_model import wording

CHOICE = re.compile(r"\[([^\[\]]*)\]")
WORD = re.compile(r"\w+")
MACRO = re.compile(r"\{(\w+)\}")


def expand(template: str, rng: random.Random) -> str:
    """Choose one way through `template`: first the {macros}, then the brackets, the innermost first."""
    text = template
    while match := MACRO.search(text):
        text = text[: match.start()] + rng.choice(wording.MACROS[match[1]]) + text[match.end() :]
    while match := CHOICE.search(text):
        text = text[: match.start()] + rng.choice(match[1].split("|")) + text[match.end() :]
    return " ".join(text.split()).replace("<<", "[[").replace(">>", "]]")


def plain(text: str) -> str:
    """`text` without what does not tell questions apart: capitals, punctuation, spacing."""
    return " ".join(WORD.findall(text.lower()))


def vary(question: str, rng: random.Random, strength: float = 1.0) -> str:
    """Say `question` in another way. `strength` scales how often each kind of change happens; 0 changes nothing."""
    text = question
    if rng.random() < 0.3 * strength:
        text = _reframe(text, rng)
    if rng.random() < 0.5 * strength:
        text = _swap_words(text, rng)
    if rng.random() < 0.18 * strength:
        text = _drop_words(text, rng)
    if rng.random() < 0.22 * strength:
        text = rng.choice(wording.PREFIXES) + _lower_first(text)
    elif rng.random() < 0.12 * strength:
        text = rng.choice(wording.LEAD_INS) + " " + text
    if rng.random() < 0.16 * strength:
        text = text.rstrip("?!. ") + rng.choice(wording.SUFFIXES)
    if rng.random() < 0.16 * strength:
        text = _mistype(text, rng)
    return _restyle(text, rng) if rng.random() < strength else text


def _reframe(text: str, rng: random.Random) -> str:
    """Begin a question in another way: "How do I stop it" becomes "Is there any way to stop it"."""
    lowered = text.lower()
    for beginnings, others in wording.REFRAMES:
        for beginning in beginnings:
            if lowered.startswith(beginning):
                return rng.choice(others) + text[len(beginning) :]
    return text


def _swap_words(text: str, rng: random.Random) -> str:
    words = text.split(" ")
    for place, word in enumerate(words):
        bare = word.lower().rstrip("?!.,")
        if bare in wording.SYNONYMS and rng.random() < 0.4:
            words[place] = rng.choice(wording.SYNONYMS[bare]) + word[len(bare) :]
    return " ".join(words)


def _drop_words(text: str, rng: random.Random) -> str:
    """Leave out small words, as in notes and search boxes; never words that carry the sense."""
    kept = [
        word
        for word in text.split(" ")
        if word.lower().rstrip("?!.,") not in wording.SMALL_WORDS or rng.random() < 0.4
    ]
    return " ".join(kept) or text


def _mistype(text: str, rng: random.Random) -> str:
    """One or two slips in longer words: a letter lost, doubled, swapped with its neighbour or hit beside."""
    words = text.split(" ")
    long_words = [place for place, word in enumerate(words) if len(word) > 3 and word.isalpha()]
    for place in rng.sample(long_words, min(len(long_words), rng.choice((1, 1, 2)))):
        words[place] = _slip(words[place], rng)
    return " ".join(words)


def _slip(word: str, rng: random.Random) -> str:
    at = rng.randrange(1, len(word) - 1)
    kind = rng.randrange(4)
    if kind == 0:
        return word[:at] + word[at + 1 :]
    if kind == 1:
        return word[:at] + word[at] + word[at:]
    if kind == 2:
        return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    return word[:at] + rng.choice("abcdefghijklmnopqrstuvwxyz") + word[at + 1 :]


def _restyle(text: str, rng: random.Random) -> str:
    """Capitals and the end of the sentence as people leave them."""
    roll = rng.random()
    if roll < 0.35:
        text = text.lower()
    elif roll < 0.41:
        text = text.upper()
    elif roll < 0.75:
        text = text[:1].upper() + text[1:]
    roll = rng.random()
    bare = text.rstrip("?!. ")
    if bare and roll < 0.3:
        return bare
    if bare and roll < 0.75:
        return bare + rng.choice(("?", "?", "?", "?", "?", " ?", "??", ".", "!"))
    return text


def _lower_first(text: str) -> str:
    second_is_capital = len(text) > 1 and text[1].isupper()
    return text if second_is_capital else text[:1].lower() + text[1:]
