"""Does somebody wait for this answer? Pure.

In this order: the key's own setting (`class` of the `[[key]]`), the header `X-Farmhand-Class`, the shapes of requests that programs make
by themselves. What is not known for sure is interactive: a title that goes first is a nuisance, a person's question that goes last a fault.

LiteLLM's and vLLM's `priority` is not read: a number in the body, whose meaning is relative to the other callers of the same router, with
no value that says "nobody waits". The header takes the words of the setting.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from adapter.caller import Urgency
from adapter.chat import Chat, Message, Role
from adapter.settings import KeySettings

CLASS_HEADER = "x-farmhand-class"


def urgency_of(chat: Chat, headers: Mapping[str, str], key: KeySettings | None) -> Urgency:
    """headers: found by lower-case names. An unknown word in the header says nothing."""
    if key is not None and key.urgency is not None:
        return key.urgency
    asked = headers.get(CLASS_HEADER)
    try:
        return Urgency(asked.strip().lower()) if asked else _by_shape(chat)
    except ValueError:
        return _by_shape(chat)


def _by_shape(chat: Chat) -> Urgency:
    return Urgency.BACKGROUND if is_errand(chat) or is_heartbeat(chat) else Urgency.INTERACTIVE


# --- Open WebUI's errands: after an answer, for its page (recorded: 0.12.4, wire/clients/open-webui) ---------------

_TASK = "### Task:\n"
_HISTORY = re.compile(r"### Chat History:\s*<chat_history>")
_END = "</chat_history>"
# What the page wants as JSON: the key of the object that the template asks for, behind its `### Output:`.
# Not here: `queries` (a search that the answer waits for), `prompt` (a picture that somebody waits for), `text` (completion while typing).
_WANTED = re.compile(r'### Output:\s*JSON format: \{ ?"(title|tags|follow_ups)":')


def is_errand(chat: Chat) -> bool:
    """A title, tags or follow-up questions for a conversation that is quoted in the request.

    One user message in the template's own form from its first line to its last, no tools, no conversation of its own. The form is the
    same in all its versions, whatever the instructions in between say.
    """
    if chat.tools or any(m.role not in (Role.SYSTEM, Role.DEVELOPER, Role.USER) for m in chat.messages):
        return False
    users = [m for m in chat.messages if m.role is Role.USER]
    if len(users) != 1 or not users[0].content.startswith(_TASK) or not users[0].content.rstrip().endswith(_END):
        return False
    history = _HISTORY.search(users[0].content)
    return history is not None and _WANTED.search(users[0].content, 0, history.start()) is not None


# --- OpenClaw's and Clawdbot's heartbeat: every half hour by itself (its prompt: recorded in Clawdbot's system message) ----

_HEARTBEAT = re.compile(
    r"Read HEARTBEAT\.md if it exists \(workspace context\)\. Follow it strictly\. "
    r"Do not infer or repeat old tasks from prior chats\. If nothing needs attention, reply HEARTBEAT_OK\."
)
# A heartbeat prompt of the user's own is named in the system message, in one line.
_NAMES_IT = "\nHeartbeat prompt: "
_SHORTEST_PROMPT = 12
_STAMP = re.compile(r"\[[A-Z][a-z]{2} \d{4}-\d{2}-\d{2} \d{2}:\d{2}[^\]\n]{0,40}\] ")
# What the program itself writes below the prompt.
_BELOW = re.compile(r"(?:When reading HEARTBEAT\.md, |Current time: |Runtime: )")
_INTERNAL = "<<<BEGIN_OPENCLAW_INTERNAL_CONTEXT>>>"


def is_heartbeat(chat: Chat) -> bool:
    """Is the turn that this request belongs to a heartbeat? Its calls and their results count as the same turn.

    Nothing but the prompt, and the lines that the program adds: with a report of finished work in front of it, or a word of a
    person behind it, somebody may wait.
    """
    asked = next((m for m in reversed(chat.messages) if m.role is Role.USER and not _is_context(m)), None)
    if asked is None:
        return False
    stamp = _STAMP.match(asked.content)
    text = asked.content[stamp.end() if stamp else 0 :]
    said = _HEARTBEAT.match(text)
    end = said.end() if said else _end_of_named(text, chat)
    if not end:
        return False
    return all(not line.strip() or _BELOW.match(line) for line in text[end:].splitlines())


def _end_of_named(text: str, chat: Chat) -> int:
    """Where the prompt ends that the system message names, if the text begins with it; else 0."""
    system = chat.messages[0]
    if system.role not in (Role.SYSTEM, Role.DEVELOPER):
        return 0
    _, _, named = system.content.partition(_NAMES_IT)
    prompt = named.partition("\n")[0].strip()
    return len(prompt) if len(prompt) >= _SHORTEST_PROMPT and text.startswith(prompt) else 0


def _is_context(message: Message) -> bool:
    return message.content.startswith(_INTERNAL)
