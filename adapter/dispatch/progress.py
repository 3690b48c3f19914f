"""What of an answer has been passed on so far, so that a break in it can be mended. Pure."""

from __future__ import annotations

from adapter.chat import Chat, Completion, ReasoningDelta, TextDelta, ToolCallDelta
from adapter.dispatch.items import Item
from adapter.engines.base import Raw


class Progress:
    """One request's answer as its client has it, whoever it came from.

    `Raw` bytes are only kept; they are read when it matters, since nearly all answers end as they should.
    begun: something of the answer itself is out. Reasoning is not: who has only thought may be replaced by another who thinks anew.
    """

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._thoughts: list[str] = []
        self._raw: list[bytes] = []
        self._called = False
        self.begun = False
        self.relayed_id = ""

    def note(self, item: Item) -> None:
        """`item` is on its way to the client."""
        match item:
            case TextDelta():
                self.begun = True
                self._parts.append(item.text)
            case ReasoningDelta():
                self._thoughts.append(item.text)
            case Raw():
                self.begun = True
                self._raw.append(item.data)
            case ToolCallDelta():
                self.begun = self._called = True
            case _:
                pass

    def settle(self) -> None:
        """An attempt is over: read what was relayed in it. Done once an attempt, not once a chunk."""
        if not self._raw:
            return
        from adapter.dialects.upstream_openai_relay import relayed  # not for those who have no such upstream

        seen = relayed(b"".join(self._raw))
        self._raw.clear()
        self._parts.append(seen.text)
        self._called = self._called or seen.calls or seen.choices > 1
        self.begun = self._called or bool(self.text)
        self.relayed_id = self.relayed_id or seen.id

    def forget(self) -> None:
        """Nothing of it has reached the client after all: a plain answer begins anew."""
        self.__init__()  # type: ignore[misc]  # all of its state is made there

    @property
    def text(self) -> str:
        """The answer's text, without reasoning. After `settle` only."""
        return "".join(self._parts)

    @property
    def said(self) -> str | None:
        """Reasoning and text, to be counted; `None` if there was more, which nobody can say as the model wrote it."""
        return None if self._called else "".join(self._thoughts) + self.text

    def continues(self, request: Chat | Completion) -> bool:
        """Could somebody else go on with this answer? After `settle` only.

        Calls and forms are never spliced: half a call in two models' words is none. Neither are several
        answers, or the log probabilities of two models.
        """
        if self._called or not self.text or request.n > 1 or request.output is not None:
            return False
        if request.logprobs is not None:
            return False
        if isinstance(request, Completion):
            return request.text is not None and request.suffix is None and not request.echo
        return True
