"""The tokenizer and the chat form: byte-level BPE as GPT-2 cuts text, and a ChatML-like template.

Whatever is encoded here must come out of llama.cpp token for token, so the cutting rule is one that llama.cpp
has by name (`PRE_TOKENIZER`) and every special token is a control token there.
"""

import random
from collections.abc import Iterable, Sequence

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

BEGIN, TURN_START, TURN_END, PAD = "<|begin|>", "<|im_start|>", "<|im_end|>", "<|pad|>"
SPECIAL = (BEGIN, TURN_START, TURN_END, PAD)  # their ids are their places here
BEGIN_ID, TURN_START_ID, TURN_END_ID, PAD_ID = range(4)
PRE_TOKENIZER = "gpt-2"
BROKEN_SHARE = 0.2

# `developer` is what newer OpenAI clients call `system`. Content may be a string, a list of parts, or nothing.
CHAT_TEMPLATE = """\
{{- bos_token }}
{%- for message in messages %}
{%- set role = 'system' if message['role'] == 'developer' else message['role'] %}
{%- set role = role if role in ['system', 'user', 'assistant'] else 'user' %}
{{- '<|im_start|>' + role + '\\n' }}
{%- if message['content'] is string %}
{{- message['content'] | trim }}
{%- elif message['content'] %}
{%- for part in message['content'] %}{{- part['text'] if part['text'] is string else '' }}{%- endfor %}
{%- endif %}
{{- '<|im_end|>\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
{{- '<|im_start|>assistant\\n' }}
{%- endif %}
"""

Turn = tuple[str, str]  # role and text


def train_tokenizer(texts: Iterable[str], size: int) -> Tokenizer:
    """Learn a byte-level BPE of `size` tokens, special ones included, from `texts`."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=list(SPECIAL),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        min_frequency=8,
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


class ChatEncoder:
    """Turns conversations into token ids, and says which of them the model is taught to write."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer
        self._known: dict[str, list[int]] = {}

    def encode(self, text: str) -> list[int]:
        """Token ids of plain text. Special tokens are not looked for."""
        ids: list[int] = self.tokenizer.encode(text, add_special_tokens=False).ids
        return ids

    def _encode_known(self, text: str) -> list[int]:
        """`encode` for the few texts that come again and again."""
        if text not in self._known:
            self._known[text] = self.encode(text)
        return self._known[text]

    def prompt(self, turns: Sequence[Turn]) -> list[int]:
        """What the template makes of `turns` when an answer is wanted."""
        return [BEGIN_ID, *self.conversation(turns)[0], TURN_START_ID, *self._encode_known("assistant\n")]

    def encode_broken(self, text: str, rng: random.Random) -> list[int]:
        """`encode`, cut at a random place first: rarer tokens for the same text, as slips of the pen bring them."""
        at = rng.randrange(len(text) + 1)
        return self.encode(text[:at]) + self.encode(text[at:])

    def conversation(
        self, turns: Sequence[Turn], rng: random.Random | None = None
    ) -> tuple[list[int], list[bool]]:
        """All turns without the begin token: ids, and for each whether an assistant wrote it (its end too).

        With `rng` some user texts are cut into unusual tokens; without it nothing is random.
        """
        ids: list[int] = []
        taught: list[bool] = []
        newline = self._encode_known("\n")
        for role, text in turns:
            head = [TURN_START_ID, *self._encode_known(f"{role}\n")]
            is_answer = role == "assistant"
            if is_answer:
                body = self._encode_known(text)
            elif rng is not None and rng.random() < BROKEN_SHARE:
                body = self.encode_broken(text, rng)
            else:
                body = self.encode(text)
            body = [*body, TURN_END_ID]
            ids += [*head, *body, *newline]
            taught += [False] * len(head) + [is_answer] * len(body) + [False] * len(newline)
        return ids, taught
