"""What the fake can do wrong, and whom that breaks (`protocols/clients.md` 5 and 7, and what upstreams are known for). Pure."""

from __future__ import annotations

from collections.abc import Collection

CONTEXT_KINDS = ("openai", "vllm", "vllm_old", "llama-server", "ollama", "lmstudio", "lmstudio_old", "litellm")

QUIRKS = {
    # Usage
    "no_usage": "never sends usage, not even when asked; harmless in every client",
    "zero_usage": "usage of zeros; harmless, but a lie",
    "usage_every_chunk": "usage so far on every chunk; harmless",
    # The shape of an answer
    "eos_finish": "`finish_reason` is `eos`: OpenClaw and Clawdbot break, Vercel does not run the tools",
    "no_role": "no `role`: the JS helper (stream), LangChain and Pydantic AI (plain) break",
    "no_index": "no `choices[].index`: Python helper, JS helper, Pydantic AI break",
    "no_tool_index": "no `tool_calls[].index` in chunks: Python and JS helpers break",
    "no_tool_id": "no `tool_calls[].id`: Pydantic AI and LiteLLM's stream builder break",
    "no_tool_type": "no `tool_calls[].type`: JS helper and Pydantic AI break",
    "arguments_object": "`arguments` is an object instead of a string: everyone breaks",
    "empty_arguments": '`arguments` is "": whoever parses it as JSON breaks',
    "bad_arguments": "`arguments` is JSON cut short: everyone breaks",
    "content_list": "`content` is a list of parts: LiteLLM, ADK and structured output break",
    "content_null": "`content` is null and there are no calls: Pydantic AI asks again, ADK gives up",
    "float_created": "`created` is a float: Pydantic AI breaks",
    "no_id": "no `id`, `object`, `model`: Pydantic AI breaks",
    "no_choices": "`choices` is empty in a plain answer, absent in chunks: everyone breaks",
    "think_in_text": "reasoning stands in the text, between <think> and </think>",
    "n_is_one": "`n` has no effect",
    # The shape of a stream
    "json_for_stream": "a JSON answer although `stream` is true: everyone breaks",
    "stream_as_json_type": "a stream with content type application/json; harmless",
    "crlf": "lines of the stream end with CRLF; harmless",
    "no_space_after_data": "`data:{`; harmless",
    "comments": "a comment before every event; harmless, and keeps only some clients alive",
    "event_lines": "`event:` and `id:` lines; harmless",
    "no_done": "no `[DONE]`; harmless",
    "no_finish": "no chunk has a `finish_reason`, the end is clean: most clients take it as a full answer",
    "split_utf8": "characters are cut between TCP segments (and words have characters to cut)",
    "byte_by_byte": "every byte of the body is a write of its own",
    "huge_line": "every event is a line of 300 kB: beyond the line limit of many readers",
    "gzip": "plain answers are compressed where the client takes it; understood by all",
    "one_segment": "the whole stream, head included, leaves in one write",
    # Fields it does not heed
    "ignores_max_tokens": "goes on beyond `max_tokens` and `max_completion_tokens`",
    "max_tokens_only": "does not know `max_completion_tokens`",
    "ignores_stop": "goes on beyond stop strings",
    "no_tools": "answers prose even where a tool is forced (llama-server with a template that knows no tools)",
    "ignores_tools": "answers with text that looks like a call",
    "ignores_schema": "answers prose where a form was asked for: every structured-output call breaks",
    "keeps_going": "never ends",
    # Refusals of fields
    "max_completion_tokens_only": "400 for `max_tokens`",
    "rejects_stream_options": "400 for `stream_options`",
    "rejects_tools": "400 for `tools`, in the kind's words",
    "rejects_schema": "400 for `response_format`",
    "schema_500": "500 for `response_format` of type json_schema, with a validator's text (python -m llama_cpp.server)",
    "no_json_object": "400 for `response_format` of type json_object (LM Studio)",
    "no_embeddings": "501 or 404 for embeddings, in the kind's words",
    "base64_embeddings": "vectors always base64: Vercel and LiteLLM break",
    # Whole answers that are errors
    "empty_stream": "a stream of 200 and not a byte (python -m llama_cpp.server with a prompt that is too long)",
    "error_200": "status 200 with `error` and no `choices`: everyone breaks, with a useless message",
    "html_error": "502 with a page of HTML, as a proxy in between sends it: the text is lost in every SDK",
    "text_error": "500 with plain text: the text is lost in Python and Vercel",
    "error_string": '500 with {"error": "text"}: as above',
    "detail_error": '422 with {"detail": [...]}, as FastAPI sends it: as above',
    "error_field": "an error in a stream is a line `error: {...}` instead of `data:` (llama-server before 2025): readers of `data:` miss it",
    "model_404": "no model is found",
    "busy_429": "429 with Retry-After: 7",
    "loading_503": "503, the model is being loaded",
    **{f"context_400:{kind}": f"the prompt is too long, in {kind}'s words" for kind in CONTEXT_KINDS},
    # Time and connections
    "slow_head": "the head comes `head_delay_s` late",
    "connection_close": "closes the connection after every answer, and says so",
    "drops_idle": "closes a kept-alive connection without a word when the next request comes: the client must ask again",
}


def check(quirks: Collection[str]) -> frozenset[str]:
    """A misspelt quirk would make a test that tests nothing."""
    unknown = [word for word in quirks if word not in QUIRKS]
    if unknown:
        raise ValueError(f"no such quirk: {', '.join(unknown)}")
    return frozenset(quirks)


def context_kind(quirks: Collection[str]) -> str | None:
    """The wording that a `context_400:` quirk asks for."""
    return next((word.partition(":")[2] for word in quirks if word.startswith("context_400:")), None)
