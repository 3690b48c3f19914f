"""The judge: does an answer hold the fact that was asked for?"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from demo_model.facts import BY_ID


@dataclass(frozen=True)
class Miss:
    """A question that was answered wrongly."""

    fact: str
    question: str
    answer: str


def judge(answer: str, must: Sequence[str], any_of: Sequence[str] = ()) -> bool:
    """True if `answer` holds every text of `must` and, if there are any, one of `any_of`. Case does not matter."""
    lowered = answer.lower()
    return all(text.lower() in lowered for text in must) and (
        not any_of or any(text.lower() in lowered for text in any_of)
    )


def misses(pairs: Iterable[tuple[str, str]], answer: Callable[[str], str]) -> list[Miss]:
    """Ask every (fact id, question) and return those whose answer lacks the fact."""
    found = []
    for fact, question in pairs:
        said = answer(question)
        if not judge(said, BY_ID[fact].key):
            found.append(Miss(fact, question, said))
    return found
