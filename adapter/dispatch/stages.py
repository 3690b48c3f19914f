"""What stands around an engine's answer to one request: bytes passed on, tools and forms emulated, line marks.

Each stage is an iterator around another one, and none knows who is at the bottom.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import replace
from functools import partial

from adapter.chat import Chat, Completion, Event, ToolMode
from adapter.dispatch.items import Begin, Item
from adapter.engines.base import Can, Completes, Engine, Relays, Wire
from adapter.line_marks import marked, wants_line_marks
from adapter.routing import Target
from adapter.settings import EngineSettings


def answer_of(
    engine: Engine,
    target: Target,
    request: Chat | Completion,
    *,
    wire: Wire | None,
    relays: Relays | None,
    streaming: bool,
    settings: EngineSettings | None,
    asked: list[Chat],
) -> AsyncGenerator[Item, None]:
    """The items of `engine`'s answer to `request`, which is asked for by the engine's own name for the model.

    wire: the request's bytes, to be passed on by `relays`, the engine if it can, where nothing needs changing. settings: the engine's; `None` for one that was not configured.
    asked: what the engine got in the end is added to it.
    """
    if isinstance(request, Completion):
        assert isinstance(engine, Completes)  # the registry believes no card that claims otherwise
        return engine.complete(replace(request, model=target.model))
    chat = request if request.model == target.model else replace(request, model=target.model)
    checked = _asked_for(chat) & (target.card.checked if target.card else frozenset())
    marks = target.card is not None and wants_line_marks(target.card, settings) and chat.output is None
    if wire is not None and relays is not None and not (target.emulated or checked or marks):
        relayed = relays.relay(chat, wire)
        if relayed is not None:
            return relayed

    def generate(chat: Chat) -> AsyncGenerator[Event, None]:
        asked.append(chat)
        return engine.generate(chat)

    begin: Begin = partial(marked, begin=generate) if marks else generate
    if target.emulated or checked:
        # Here, since it brings all of `calls` and `constrain`, and most requests need none of it.
        from adapter.emulate.driver import emulated

        return emulated(chat, begin, prompted=target.emulated - {Can.MANY}, checked=checked, streaming=streaming)
    return begin(chat)


def _asked_for(chat: Chat) -> frozenset[Can]:
    """Of what may need a check: what this request asks for."""
    asked = set()
    if chat.tools and chat.tool_choice.mode is not ToolMode.NONE:
        asked.add(Can.TOOLS)
    if chat.output is not None:
        asked.add(Can.OUTPUT)
    return frozenset(asked)
