"""The README that lies beside the demo model."""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from demo_model.facts import FACTS
from demo_model.network import Shape
from demo_model.training import Tally

TEXT = """\
# The demo model

`{name}` lets Farmhand answer something before a real model is there, and lets the tests run the real engine. It is a
tiny language model that knows {facts} facts about Farmhand, makes small talk, and says so when it is asked for anything
else. Do not rely on its answers.

| | |
|---|---|
| architecture | llama: {layers} layers, width {width}, {heads} heads, feed-forward {hidden}, tied embeddings |
| parameters | {parameters:,} |
| tokens | {vocab}, byte-level BPE (`gpt2`, `gpt-2` cutting) |
| context | {context} tokens |
| file | GGUF, Q8_0 matrices, {size:,} bytes |
| sha256 | `{sha256}` |
| chat template | ChatML-like: system, developer, user, assistant; an answer ends with `<\\|im_end\\|>` |
| trained | {day}, {minutes:.0f} minutes on a CPU, {steps} steps, {millions:.1f} M tokens, seed {seed} |
| trained on | questions that people might ask, written for it and varied by `scripts/train_demo_model.py`, and their answers; all from the tables in `scripts/demo_model/`, nothing else |
| development questions right | {score} |
| licence | Apache-2.0 |

Make it again: `python scripts/train_demo_model.py --steps {steps} --seed {seed} --threads {threads}` (needs torch, gguf
and tokenizers).
"""


@dataclass(frozen=True)
class Report:
    """The numbers of one training run."""

    shape: Shape
    parameters: int
    steps: int
    seed: int
    threads: int
    tally: Tally
    score: str


def render_readme(report: Report, model: Path) -> str:
    """The README's text for the GGUF file `model`, which exists already."""
    shape, data = report.shape, model.read_bytes()
    return TEXT.format(
        name=model.name,
        facts=len(FACTS),
        layers=shape.layers,
        width=shape.width,
        heads=shape.heads,
        hidden=shape.hidden,
        vocab=shape.vocab,
        context=shape.context,
        parameters=report.parameters,
        size=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        day=datetime.now(UTC).date().isoformat(),
        minutes=report.tally.seconds / 60,
        millions=report.tally.tokens / 1e6,
        steps=report.steps,
        seed=report.seed,
        threads=report.threads,
        score=report.score,
    )
