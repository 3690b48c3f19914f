"""Questions as single people asked them: written one by one from the facts alone, by several authors.

The grammars in `questions.py` cover a wording in all its small variants; these cover the ways people differ. Each line of
`asked.txt` is a fact's id, a bar, and a question.
"""

from pathlib import Path

ASKED_FILE = Path(__file__).with_name("asked.txt")


def read_asked(text: str) -> dict[str, list[str]]:
    """Questions by fact id. Raises ValueError for a line without a bar."""
    asked: dict[str, list[str]] = {}
    for line in text.splitlines():
        fact, bar, question = line.partition(" | ")
        if not bar:
            raise ValueError(f"no bar in {line!r}")
        asked.setdefault(fact, []).append(question)
    return asked


ASKED = read_asked(ASKED_FILE.read_text(encoding="utf-8"))
