"""Chat templates: the families' habits in small, and what they refuse."""

from __future__ import annotations

from datetime import datetime

import pytest

from adapter.chat import Message, Role, ToolCall
from adapter.engines.llama.template import ChatTemplate, TemplateError, opens_reasoning
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
        (
            "{% for m in messages %}{% if loop.index0 == 1 %}{% break %}{% endif %}x{% endfor %}",
            [HI, HELLO],
            "x",
        ),
        ("{{ {'b': 1, 'a': '<'} | tojson(indent=1) }}", [HI], '{\n "b": 1,\n "a": "<"\n}'),
        ("{% if tools %}no{% endif %}{% if documents is none %}yes{% endif %}", [HI], "yes"),
    ],
)
def test_rendered(source: str | None, messages: list[Message], prompt: str) -> None:
    template = ChatTemplate(source, bos="<bos>", eos="<eos>", now=lambda: datetime(2026, 11, 20))
    assert template.render(messages) == prompt


def test_known_developer_role_stays() -> None:
    source = "{# system developer #}{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}"
    assert ChatTemplate(source).render([DEVELOPER, HI]) == "[developer]Be brief.[user]Hi"


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
        ChatTemplate(source).render([HI])
    assert said in caught.value.message
    assert caught.value.param == "messages"


def test_unreadable_template() -> None:
    with pytest.raises(TemplateError, match="cannot be read"):
        ChatTemplate("{% if %}")


@pytest.mark.parametrize(
    ("prompt", "opens"),
    [
        ("<|im_start|>assistant\n<think>\n", True),
        ("<think>", True),
        ("<|im_start|>assistant\n<think>\n\n</think>\n\n", False),
        ("<|im_start|>assistant\n", False),
    ],
)
def test_opened_reasoning(prompt: str, opens: bool) -> None:
    assert opens_reasoning(prompt) is opens
