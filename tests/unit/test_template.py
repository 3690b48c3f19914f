"""Chat templates: the families' habits in small, and what they refuse."""

from __future__ import annotations

from datetime import datetime

import pytest

from adapter.chat import Chat, Message, Reasoning, Role, Tool, ToolCall
from adapter.engines.llama.template import ChatTemplate, TemplateError
from adapter.errors import BadRequest

CHATML_AS_QWEN = """\
{%- if messages[0].role == 'system' %}
    {{- '<|im_start|>system\\n' + messages[0].content + '<|im_end|>\\n' }}
{%- endif %}
{%- for message in messages %}
    {%- if message.role == 'user' or (message.role == 'system' and not loop.first) %}
        {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}
    {%- elif message.role == 'assistant' %}
        {{- '<|im_start|>assistant\\n' + message.content }}
        {%- for tool_call in message.tool_calls or [] %}
            {{- '<tool_call>{"name": "' + tool_call.function.name + '", "arguments": ' }}
            {{- tool_call.function.arguments | tojson }}
            {{- '}</tool_call>' }}
        {%- endfor %}
        {{- '<|im_end|>\\n' }}
    {%- elif message.role == 'tool' %}
        {{- '<|im_start|>user\\n<tool_response>' + message.content + '</tool_response><|im_end|>\\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n<think>\\n' }}{%- endif %}
"""
GEMMA = """\
{{ bos_token }}
{%- if messages[0]['role'] == 'system' -%}{{ raise_exception('System role not supported') }}{%- endif -%}
{%- for message in messages -%}
    {%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) -%}
        {{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}
    {%- endif -%}
    {%- set role = 'model' if message['role'] == 'assistant' else message['role'] -%}
    {{ '<start_of_turn>' + role + '\\n' + message['content'] | trim + '<end_of_turn>\\n' }}
{%- endfor -%}
{%- if add_generation_prompt -%}{{ '<start_of_turn>model\\n' }}{%- endif -%}
"""
FORGETFUL = (
    "{% for m in messages if m.role != 'system' %}[{{ m.role }}]{{ m.content }}{% endfor %}[assistant]"
)
STRICT = "{% for m in messages %}{% if m.role == 'system' and not loop.first %}{{ raise_exception('system first') }}"
STRICT += "{% endif %}[{{ m.role }}]{{ m.content }}{% endfor %}"

SYSTEM = Message(Role.SYSTEM, "Be brief.")
DEVELOPER = Message(Role.DEVELOPER, "Be brief.")
HI = Message(Role.USER, "Hi")
HELLO = Message(Role.ASSISTANT, "Hello")
MORE = Message(Role.USER, "More")
CALL = Message(Role.ASSISTANT, "", tool_calls=(ToolCall("c1", "now", '{"zone": "Zürich <1>"}'),))
RESULT = Message(Role.TOOL, "12:00", tool_call_id="c1")


def chat(*messages: Message) -> Chat:
    return Chat("m", messages)


@pytest.mark.parametrize(
    ("source", "messages", "prompt"),
    [
        (None, [HI], "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"),
        (
            None,
            [DEVELOPER, HI],
            "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n",
        ),
        (
            CHATML_AS_QWEN,
            [SYSTEM, HI, HELLO, MORE],
            (
                "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n"
                "<|im_start|>assistant\nHello<|im_end|>\n<|im_start|>user\nMore<|im_end|>\n"
                "<|im_start|>assistant\n<think>\n"
            ),
        ),
        (
            CHATML_AS_QWEN,
            [HI, CALL, RESULT],
            (
                "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
                '<tool_call>{"name": "now", "arguments": {"zone": "Zürich <1>"}}</tool_call><|im_end|>\n'
                "<|im_start|>user\n<tool_response>12:00</tool_response><|im_end|>\n"
                "<|im_start|>assistant\n<think>\n"
            ),
        ),
        (GEMMA, [HI], "<bos><start_of_turn>user\nHi<end_of_turn>\n<start_of_turn>model\n"),
        (
            GEMMA,
            [SYSTEM, HI, HELLO, MORE],
            (
                "<bos><start_of_turn>user\nBe brief.\n\nHi<end_of_turn>\n"
                "<start_of_turn>model\nHello<end_of_turn>\n"
                "<start_of_turn>user\nMore<end_of_turn>\n<start_of_turn>model\n"
            ),
        ),
        (GEMMA, [HI, MORE], "<bos><start_of_turn>user\nHi\n\nMore<end_of_turn>\n<start_of_turn>model\n"),
        (GEMMA, [SYSTEM], "<bos><start_of_turn>user\nBe brief.<end_of_turn>\n<start_of_turn>model\n"),
        (FORGETFUL, [SYSTEM, HI], "[user]Be brief.\n\nHi[assistant]"),
        (STRICT, [HI, SYSTEM, MORE], "[system]Be brief.[user]Hi\n\nMore"),
        ("{% for m in messages %}[{{ m.role }}]{% endfor %}developer", [DEVELOPER, HI], "[user]developer"),
        ("{{ strftime_now('%d %b %Y') }}", [HI], "20 Nov 2026"),
        ("{{ messages[0].name }}{{ eos_token }}", [Message(Role.USER, "x", name="Ann")], "Ann<eos>"),
        ("{% for m in messages %}{% if loop.index0 == 1 %}{% break %}{% endif %}x{% endfor %}", [HI, HELLO, HI], "x"),
        ("{% generation %}{{ messages[0].content }}{% endgeneration %}", [HI], "Hi"),
        ("{{ messages | map(attribute='role') | tojson }}", [HI], '["user"]'),
        ("{{ {'b': 1, 'a': '<'} | tojson(indent=1) }}", [HI], '{\n "b": 1,\n "a": "<"\n}'),
        ("{% if tools %}no{% endif %}{% if documents is none %}yes{% endif %}", [HI], "yes"),
    ],
)
def test_rendered(source: str | None, messages: list[Message], prompt: str) -> None:
    template = ChatTemplate(source, bos="<bos>", eos="<eos>", now=lambda: datetime(2026, 11, 20))
    assert template.render(chat(*messages)).prompt == prompt


def test_known_developer_role_stays() -> None:
    source = "{# system developer #}{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}"
    assert ChatTemplate(source).render(chat(DEVELOPER, HI)).prompt == "[developer]Be brief.[user]Hi"


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("{{ raise_exception('No tools here') }}", "No tools here"),
        ("{{ messages[9].content + 1 }}", "no element 9"),
        ("{{ 'a' + 1 }}", "TypeError"),
        ("{{ 1 // 0 }}", "ZeroDivisionError"),
        ("{{ nowhere.at.all }}", "'nowhere' is undefined"),
        ("{{ ''.__class__.__mro__ }}{{ messages.append(1) }}", "unsafe"),
        ("{% for a in range(99999999) %}{% endfor %}", "Range too big"),
    ],
)
def test_refusal_is_a_bad_request_in_the_templates_words(source: str, said: str) -> None:
    """Whatever a template does, the request that it met gets a 400 and nothing else happens."""
    with pytest.raises(BadRequest) as caught:
        ChatTemplate(source).render(chat(HI))
    assert said in caught.value.message
    assert caught.value.param == "messages"


def test_unreadable_template() -> None:
    with pytest.raises(TemplateError, match="cannot be read"):
        ChatTemplate("{% if %}")


# --- partial answers -----------------------------------------------------------------------------------------------

STRIPS = (
    "{% for m in messages %}[{{ m.role }}]{{ m.content | trim }}<end>{% endfor %}"
    "{% if add_generation_prompt %}[assistant]{% endif %}{{ eos_token }}"
)
PART = Message(Role.ASSISTANT, " Once upon\n a ")


@pytest.mark.parametrize(
    ("source", "messages", "prompt"),
    [
        (None, [HI, PART], "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n Once upon\n a "),
        (STRIPS, [HI, PART], "[user]Hi<end>[assistant] Once upon\n a "),
        (GEMMA, [SYSTEM, HI, PART], "<bos><start_of_turn>user\nBe brief.\n\nHi<end_of_turn>\n<start_of_turn>model\n Once upon\n a "),
        # a template that leaves the last answer out
        ("{% for m in messages if m.role == 'user' %}[{{ m.content }}]{% endfor %}>", [HI, PART], "[Hi]> Once upon\n a "),
        # an empty part is none
        (None, [HI, Message(Role.ASSISTANT, "")], "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"),
        # a part that begins with its reasoning, and a template that opens the block itself
        (
            CHATML_AS_QWEN,
            [HI, Message(Role.ASSISTANT, "<think>\nso")],
            "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n<think>\nso",
        ),
    ],
)
def test_partial_answer_is_the_prompts_end(source: str | None, messages: list[Message], prompt: str) -> None:
    template = ChatTemplate(source, bos="<bos>", eos="<eos>")
    assert template.render(chat(*messages)).prompt == prompt


# --- variables -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "shown"),
    [
        ("{}", "none"),
        ('{"color": "red", "unknown": [1]}', "red"),
        ('{"messages": [], "tools": [1], "add_generation_prompt": false, "color": "x"}', "x"),
    ],
)
def test_template_options(options: str, shown: str) -> None:
    """Further variables, never the messages themselves."""
    template = ChatTemplate("{{ messages[0].content }} {{ tools }} {{ color or 'none' }}{{ add_generation_prompt }}")
    prompt = template.render(Chat("m", (HI,), template_options=options)).prompt
    assert prompt == f"Hi None {shown}True"


SWITCHES = "{{ enable_thinking }},{{ thinking }},{{ reasoning_effort }},{{ thinking_budget }}"


@pytest.mark.parametrize(
    ("reasoning", "options", "shown"),
    [
        (Reasoning(), "{}", ",,,"),
        (Reasoning(effort="none"), "{}", "False,False,low,"),
        (Reasoning(effort="minimal"), "{}", "True,True,low,"),
        (Reasoning(effort="xhigh"), "{}", "True,True,high,"),
        (Reasoning(effort="max"), "{}", "True,True,high,"),
        (Reasoning(max_tokens=0), "{}", "False,False,,0"),
        (Reasoning(max_tokens=99), "{}", "True,True,,99"),
        (Reasoning(effort="none"), '{"enable_thinking": true}', "True,False,low,"),
    ],
)
def test_reasoning_switches(reasoning: Reasoning, options: str, shown: str) -> None:
    """The client's own options win."""
    template = ChatTemplate(SWITCHES)
    assert template.render(Chat("m", (HI,), reasoning=reasoning, template_options=options)).prompt == shown


def test_no_reasoning_closes_the_block() -> None:
    """Where the template opens it, or shows that the model would; a model that does not reason is left alone."""
    none = Reasoning(effort="none")

    def end(source: str | None) -> str:
        return ChatTemplate(source).render(Chat("m", (HI,), reasoning=none)).prompt.rpartition("<|im_start|>assistant\n")[2]

    assert end(CHATML_AS_QWEN) == "<think>\n\n</think>\n\n"
    knows = CHATML_AS_QWEN.replace("<think>\\n", "") + "{# takes <think> out of earlier answers #}"
    assert end(knows) == "<think>\n\n</think>\n\n"
    assert end(None) == ""


# --- tools without a template that knows them ---------------------------------------------------------------------------

NOW = Tool("now", "The time.", '{"type": "object", "properties": {"zone": {"type": "string"}}}')


@pytest.mark.parametrize("source", [None, GEMMA, FORGETFUL, STRICT])
def test_tools_on_any_template(source: str | None) -> None:
    """Described in the system message or where that goes; calls and results are replayed as text."""
    prompt = ChatTemplate(source).render(Chat("m", (SYSTEM, HI, CALL, RESULT), tools=(NOW,))).prompt
    assert prompt.index("Be brief.") < prompt.index('{"name": "now", "description": "The time."') < prompt.index("Hi")
    assert '<tool_call>\n{"name": "now", "arguments": {"zone": "Zürich <1>"}}\n</tool_call>' in prompt
    assert prompt.index("</tool_call>", prompt.index("Zürich")) < prompt.index("<tool_response>\nnow: 12:00\n</tool_response>")


def test_history_with_tools_needs_no_tools() -> None:
    """A client may go on with a conversation without them."""
    prompt = ChatTemplate(None).render(chat(HI, CALL, RESULT)).prompt
    assert "Zürich <1>" in prompt
    assert "12:00" in prompt
    assert "You can call" not in prompt


def test_arguments_as_the_template_wants_them() -> None:
    """An object, or the text where the template joins strings; broken text stays what it is."""
    loop = "{% for m in messages %}{{ m.content }}{% for c in m.tool_calls or [] %}(%s){% endfor %}{% endfor %}"
    call = "c.function.name ~ ':' ~ "
    broken = Message(Role.ASSISTANT, "", tool_calls=(ToolCall("c1", "now", "{zone"),))
    for shown in ("(c.function.arguments | tojson)", "c.function.arguments"):
        template = ChatTemplate(loop.replace("%s", "{{ " + call + shown + " }}"))
        assert template.render(chat(HI, CALL)).prompt == 'Hi(now:{"zone": "Zürich <1>"})'
        assert "{zone" in template.render(chat(HI, broken)).prompt


def test_halves_of_characters_do_not_get_into_a_prompt() -> None:
    """A client's JSON can contain them, no text can."""
    for text in (None, CHATML_AS_QWEN):
        half = Message(Role.ASSISTANT, "\ud800", tool_calls=(ToolCall("c1", "now", '{"zone": "\\ud800"}'),))
        ChatTemplate(text).render(Chat("m", (HI, half, RESULT), tools=(NOW,))).prompt.encode()
