"""Raw answers of the families as their models write them, and what they mean; shared by the tests of parsers and grammars."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from adapter.chat import Chat, Message, Role, Tool

TEMPLATES = Path(__file__).resolve().parent.parent / "data" / "templates"

WEATHER = Tool(
    "get_weather",
    "Weather of a place.",
    '{"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"},'
    ' "unit": {"type": "string", "enum": ["C", "F"]}, "sure": {"type": "boolean"}}, "required": ["city"]}',
)
NOTE = Tool(
    "notes.add",
    "Keep a note.",
    '{"type": "object", "properties": {"text": {"type": "string"}, "tags": {"type": "array", "items": {"type": "string"}},'
    ' "at": {"type": "object", "properties": {"hour": {"type": "integer"}}, "required": ["hour"]}},'
    ' "required": ["text"]}',
)
NOW = Tool("now", "The time.", '{"type": "object", "properties": {}}')
TOOLS = (WEATHER, NOTE, NOW)
HI = Message(Role.USER, "hi")

QWEN25, QWEN3, CODER, QWEN35 = "Qwen-Qwen2.5-7B-Instruct", "Qwen-Qwen3-0.6B", "Qwen3-Coder", "Qwen3.5-4B"
HERMES = "NousResearch-Hermes-3-Llama-3.1-8B-tool_use"
LLAMA31, LLAMA32 = "meta-llama-Llama-3.1-8B-Instruct", "meta-llama-Llama-3.2-3B-Instruct"
NEMO, SMALL, MINISTRAL = (
    "mistralai-Mistral-Nemo-Instruct-2407",
    "Mistral-Small-3.2-24B-Instruct-2506",
    "mistralai-Ministral-3-14B-Reasoning-2512",
)
GEMMA2, GEMMA4 = "google-gemma-2-2b-it", "google-gemma-4-31B-it"
PHI35 = "microsoft-Phi-3.5-mini-instruct"
GRANITE33, GRANITE4 = "ibm-granite-granite-3.3-2B-Instruct", "ibm-granite-granite-4.0"
GPT_OSS = "openai-gpt-oss-120b"
R1, V31 = "deepseek-ai-DeepSeek-R1-Distill-Qwen-32B", "deepseek-ai-DeepSeek-V3.1"
LFM2, LFM25 = "LFM2.5-Instruct", "LFM2.5-8B-A1B"
PHI4 = "phi4-mini"  # not among llama.cpp's; as its model card has it
PHI4_SOURCE = (
    "{% for message in messages %}{% if message['role'] == 'system' and 'tools' in message and message['tools'] is not none %}"
    "{{ '<|' + message['role'] + '|>' + message['content'] + '<|tool|>' + message['tools'] + '<|/tool|>' + '<|end|>' }}"
    "{% else %}{{ '<|' + message['role'] + '|>' + message['content'] + '<|end|>' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% else %}{{ eos_token }}{% endif %}"
)
ALL = (
    QWEN25, QWEN3, CODER, QWEN35, HERMES, LLAMA31, LLAMA32, NEMO, SMALL, MINISTRAL, GEMMA2, GEMMA4, PHI35, PHI4, GRANITE33,
    GRANITE4, GPT_OSS, R1, V31, LFM2, LFM25,
)  # fmt: skip


def source_of(name: str) -> str:
    return PHI4_SOURCE if name == PHI4 else (TEMPLATES / f"{name}.jinja").read_text(encoding="utf-8")


def asked(**changes: object) -> Chat:
    return Chat(**{"model": "m", "messages": (HI,), "tools": TOOLS, **changes})  # type: ignore[arg-type]


@dataclass(frozen=True)
class Answer:
    """parts: ("text", ...), ("thought", ...), ("call", name, arguments) or ("cut", name, arguments so far). whole: as in `flush`.
    fits: the calls in it are such as the grammar makes."""

    template: str
    raw: str
    parts: tuple[tuple[str, ...], ...]
    whole: bool = True
    fits: bool = True


W = ("call", "get_weather")
ZURICH = '{"city": "Zürich", "days": 2}'
NESTED = '{"text": "a \\"b\\" {c} \\\\ \\u00e9 😀\\n</x>", "tags": ["x", "]}"], "at": {"hour": 9}}'
TC, TCE = "<tool_call>", "</tool_call>"


def hermes(name: str, arguments: str) -> str:
    return f'{TC}\n{{"name": "{name}", "arguments": {arguments}}}\n{TCE}'


ANSWERS = [
    # Hermes and Qwen
    Answer(QWEN25, "Just text.\n", (("text", "Just text.\n"),)),
    Answer(QWEN25, hermes("get_weather", ZURICH), ((*W, ZURICH),)),
    Answer(QWEN25, "I look.\n" + hermes("get_weather", ZURICH), (("text", "I look."), (*W, ZURICH))),
    Answer(
        QWEN3,
        "<think>\nwhich one?\n</think>\n\n" + hermes("get_weather", ZURICH) + "\n" + hermes("now", "{}"),
        (("thought", "which one?"), (*W, ZURICH), ("call", "now", "{}")),
    ),
    Answer(HERMES, hermes("notes.add", NESTED), (("call", "notes.add", NESTED),)),
    Answer(GRANITE4, hermes("now", "{}") + "\n", (("call", "now", "{}"),)),
    Answer(PHI35, hermes("now", "{}"), (("call", "now", "{}"),)),
    Answer(QWEN25, f'{TC}{{"name": "now"}}{TCE}', (("call", "now", "{}"),), fits=False),
    Answer(QWEN25, f'{TC}{{"arguments": {ZURICH}, "name": "get_weather"}}{TCE}', ((*W, ZURICH),), fits=False),
    Answer(
        QWEN25,
        f'{TC}{{"type": "function", "function": {{"name": "now", "arguments": "{{}}"}}, "id": "1"}}{TCE}',
        (("call", "now", "{}"),),
        fits=False,
    ),
    Answer(
        QWEN25,
        f'{TC}\n{{"name": "now", "arguments": {{}}}}\n{{"name": "get_weather", "arguments": {ZURICH}}}\n{TCE} ok',
        (("call", "now", "{}"), (*W, ZURICH), ("text", " ok")),
        fits=False,
    ),
    Answer(QWEN25, 'a <tool_call> is {"x": 1}', (("text", 'a <tool_call> is {"x": 1}'),)),
    Answer(QWEN25, hermes("rm", "{}"), (("text", hermes("rm", "{}")),)),
    Answer(QWEN25, "x < y <tool", (("text", "x < y <tool"),)),
    Answer(
        QWEN25, '<tool_call>{"name": "get_weather", "arguments": {"city": "Zü',
        (("cut", "get_weather", '{"city": "Zü'),), whole=False,
    ),
    Answer(QWEN25, '<tool_call>{"name": "get_wea', (("text", '<tool_call>{"name": "get_wea'),), whole=False),
    Answer(
        QWEN25,
        '<tool_call>{"name": "notes.add", "arguments": {"text": "two\nlines"}}</tool_call>',
        (("call", "notes.add", '{"text": "two\\nlines"}'),),
        fits=False,
    ),
    Answer(
        QWEN25,
        '<tool_call>{"name": "now", "arguments": {"a": ]}}</tool_call>',
        (("cut", "now", '{"a": '), ("text", "]}}</tool_call>")),
        fits=False,
    ),
    # tags of Qwen3-Coder and Qwen3.5
    Answer(
        CODER,
        "<tool_call>\n<function=get_weather>\n<parameter=city>\nZürich\n</parameter>\n<parameter=days>\n2\n</parameter>\n"
        "</function>\n</tool_call>",
        ((*W, ZURICH),),
    ),
    Answer(
        QWEN35,
        "what\n</think>\n\nI look.\n\n<tool_call>\n<function=now>\n</function>\n</tool_call>\n<tool_call>\n<function=notes.add>\n"
        '<parameter=text>\n  two\n"lines" </x>\n\n</parameter>\n<parameter=tags>\n["x", "]"]\n</parameter>\n<parameter=at>\n{"hour": 9}\n'
        "</parameter>\n</function>\n</tool_call>",
        (
            ("thought", "what"),
            ("text", "I look."),
            ("call", "now", "{}"),
            ("call", "notes.add", '{"text": "  two\\n\\"lines\\" </x>\\n", "tags": ["x", "]"], "at": {"hour": 9}}'),
        ),
    ),
    Answer(
        CODER,
        "<function=get_weather>\n<parameter=city>\n8000\n</parameter>\n<parameter=sure>\nTrue\n</parameter>\n</function>",
        ((*W, '{"city": "8000", "sure": true}'),),
        fits=False,
    ),
    Answer(
        QWEN35, "I call <tool_call> now\n<tool_call>\n<function=now>\n</function>\n</tool_call>",
        (("thought", "I call <tool_call> now"), ("call", "now", "{}")),
    ),
    Answer(
        CODER,
        "<function=get_weather>\n<parameter=days>\n2\n</parameter>\n<parameter=city>\nBern\n</parameter>\n</function>",
        ((*W, '{"days": 2, "city": "Bern"}'),),
    ),
    Answer(CODER, "<function=rm>x</function>", (("text", "<function=rm>x</function>"),)),
    Answer(
        CODER,
        "<tool_call>\n<function=get_weather>\n<parameter=city>\nZü",
        (("cut", "get_weather", '{"city": "\\nZü'),),
        whole=False,
    ),
    # Llama 3
    Answer(LLAMA31, f'{{"name": "get_weather", "parameters": {ZURICH}}}', ((*W, ZURICH),)),
    Answer(
        LLAMA32, f'{{"type": "function", "name": "get_weather", "parameters": {ZURICH}}}', ((*W, ZURICH),)
    ),
    Answer(LLAMA31, f'<|python_tag|>{{"name": "get_weather", "parameters": {ZURICH}}}', ((*W, ZURICH),)),
    Answer(
        LLAMA31,
        f'{{"name": "now", "parameters": {{}}}}; {{"name": "get_weather", "parameters": {ZURICH}}}\n',
        (("call", "now", "{}"), (*W, ZURICH)),
    ),
    Answer(LLAMA31, '{"name": "Bern", "population": 1}', (("text", '{"name": "Bern", "population": 1}'),)),
    Answer(LLAMA31, '{"name": "now"}', (("text", '{"name": "now"}'),)),
    Answer(
        LLAMA31, 'So: {"name": "now", "parameters": {}}', (("text", 'So: {"name": "now", "parameters": {}}'),)
    ),
    # Mistral
    Answer(
        NEMO,
        f'[TOOL_CALLS][{{"name": "get_weather", "arguments": {ZURICH}, "id": "abcdef123"}},'
        ' {"name": "now", "arguments": {}}]',
        ((*W, ZURICH), ("call", "now", "{}")),
    ),
    Answer(NEMO, '[{"name": "now", "arguments": {}}]', (("call", "now", "{}"),)),
    Answer(NEMO, "[1, 2]", (("text", "[1, 2]"),)),
    Answer(
        SMALL,
        f"Yes.[TOOL_CALLS]get_weather[CALL_ID]abcdef123[ARGS]{ZURICH}[TOOL_CALLS]now[ARGS]{{}}",
        (("text", "Yes."), (*W, ZURICH), ("call", "now", "{}")),
    ),
    Answer(
        MINISTRAL,
        f"[THINK]Hm.\n[/THINK][TOOL_CALLS]get_weather[ARGS]{ZURICH}",
        (("thought", "Hm."), (*W, ZURICH)),
    ),
    Answer(MINISTRAL, "[TOOL_CALLS]rm[ARGS]{}", (("text", "[TOOL_CALLS]rm[ARGS]{}"),)),
    # Gemma
    Answer(GEMMA2, hermes("now", "{}"), (("call", "now", "{}"),)),
    Answer(
        GEMMA2,
        "Sure:\n```tool_code\nprint(get_weather(city='Zürich', days=2))\n```",
        (("text", "Sure:"), (*W, ZURICH)),
        fits=False,
    ),
    Answer(
        GEMMA2, '```tool_code\nget_weather("Zürich", days=2)\nnow()\n```', ((*W, ZURICH), ("call", "now", "{}")), fits=False
    ),
    Answer(GEMMA2, "```tool_code\nimport os\n```", (("text", "```tool_code\nimport os\n```"),)),
    Answer(
        GEMMA4,
        '<|channel>thought\nHm.\n<channel|><|tool_call>call:get_weather{city:<|"|>Zürich<|"|>,days:2}<tool_call|>'
        "<|tool_call>call:now{}<tool_call|><|tool_response>",
        (("thought", "Hm."), (*W, ZURICH), ("call", "now", "{}")),
    ),
    Answer(
        GEMMA4,
        '<|tool_call>call:notes.add{at:{hour:9},tags:[<|"|>x<|"|>,<|"|>"}<|"|>],text:<|"|>a "b" {c}<|"|>}<tool_call|>',
        (("call", "notes.add", '{"at": {"hour": 9}, "tags": ["x", "\\"}"], "text": "a \\"b\\" {c}"}'),),
    ),
    Answer(
        GEMMA4, "A<|channel>thought\nHm.<channel|>B", (("text", "A"), ("thought", "Hm."), ("text", "B")),
    ),
    Answer(
        GEMMA4, '<|tool_call>call:get_weather{days:2,city:<|"|>Zü',
        (("cut", "get_weather", '{"days": 2, city:<|"|>Zü'),), whole=False,
    ),
    Answer(GEMMA4, "<|tool_call>call:rm{}<tool_call|>", (("text", "<|tool_call>call:rm{}<tool_call|>"),)),
    # Phi, Granite
    Answer(
        PHI4,
        f'<|tool_call|>[{{"name": "get_weather", "arguments": {ZURICH}}}]<|/tool_call|>',
        ((*W, ZURICH),),
    ),
    Answer(PHI4, 'functools[{"name": "now", "arguments": {}}]', (("call", "now", "{}"),)),
    Answer(
        GRANITE33,
        f'<|tool_call|>[{{"name": "get_weather", "arguments": {ZURICH}}}, {{"name": "now", "arguments": {{}}}}]',
        ((*W, ZURICH), ("call", "now", "{}")),
    ),
    # gpt-oss
    Answer(
        GPT_OSS,
        "<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>final<|message|>Hello\nyou",
        (("thought", "Hm."), ("text", "Hello\nyou")),
    ),
    Answer(
        GPT_OSS,
        "<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>commentary<|message|>I look.<|end|>"
        f"<|start|>assistant<|channel|>commentary to=functions.get_weather <|constrain|>json<|message|>{ZURICH}",
        (("thought", "Hm."), ("text", "I look."), (*W, ZURICH)),
    ),
    Answer(
        GPT_OSS, f" to=functions.get_weather<|channel|>commentary json<|message|>{ZURICH}<|call|>", ((*W, ZURICH),)
    ),
    Answer(
        GPT_OSS,
        "<|channel|>commentary to=functions.rm<|message|>{}",
        (("text", "<|channel|>commentary to=functions.rm<|message|>{}"),),
    ),
    Answer(GPT_OSS, "Hello", (("text", "Hello"),)),
    Answer(GPT_OSS, "<|channel|>analysis<|message|>Hm", (("thought", "Hm"),), whole=False),
    Answer(GPT_OSS, "<|channel|>anal", (), whole=False),
    # DeepSeek
    Answer(
        R1,
        "<think>\nHm.\n</think>\n\n<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>get_weather\n```json\n"  # noqa: RUF001
        f"{ZURICH}\n```<｜tool▁call▁end｜>\n<｜tool▁call▁begin｜>function<｜tool▁sep｜>now\n```json\n{{}}\n```"  # noqa: RUF001
        "<｜tool▁call▁end｜><｜tool▁calls▁end｜>",  # noqa: RUF001
        (("thought", "Hm."), (*W, ZURICH), ("call", "now", "{}")),
    ),
    Answer(
        V31,
        "I look.<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>get_weather<｜tool▁sep｜>"  # noqa: RUF001
        f"{ZURICH}<｜tool▁call▁end｜><｜tool▁calls▁end｜>",  # noqa: RUF001
        (("text", "I look."), (*W, ZURICH)),
    ),
    # LFM2
    Answer(
        LFM2,
        '<|tool_call_start|>[get_weather(city="Zürich", days=2), now()]<|tool_call_end|>',
        ((*W, ZURICH), ("call", "now", "{}")),
    ),
    Answer(
        LFM25,
        "<|tool_call_start|>[get_weather(city='Zürich', sure=true)]<|tool_call_end|>Checking.",
        ((*W, '{"city": "Zürich", "sure": true}'), ("text", "Checking.")),
        fits=False,
    ),
]
