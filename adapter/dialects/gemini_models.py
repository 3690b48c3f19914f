"""Models, vectors and counts in Gemini's form. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from adapter.dialects.openai_render import Json, dump


def render_gemini_list(models: Sequence[Json]) -> Json:
    """All on one page: there is no `nextPageToken`."""
    return {"models": [render_gemini_model(model) for model in models]}


def render_gemini_model(model: Json) -> Json:
    """A model object of `GET /v1/models` -> Gemini's. Sizes that nobody knows are left out."""
    can = set(model["farmhand"]["can"])
    methods = ["generateContent", "streamGenerateContent"] if "chat" in can else []
    methods += ["embedContent", "batchEmbedContents"] if "embeddings" in can else []
    found: Json = {
        "name": f"models/{model['id']}",
        "version": "1",
        "displayName": model["id"],
        "description": f"{model['farmhand']['model']} by {model['farmhand']['engine']}",
        "supportedGenerationMethods": [*methods, "countTokens"],
    }
    sizes = {"inputTokenLimit": model["max_input_tokens"], "outputTokenLimit": model["max_output_tokens"]}
    return found | {name: size for name, size in sizes.items() if size} | {"farmhand": model["farmhand"]}


def render_gemini_vectors(vectors: Sequence[Sequence[float]], head: Json, *, batch: bool) -> Iterator[bytes]:
    """The body in pieces, one a vector, since thousands of them keep a phone busy for seconds. head: further keys."""
    opening, closing = (b'{"embeddings":[', b"],") if batch else (b'{"embedding":', b",")
    for index, vector in enumerate(vectors):
        yield (opening if index == 0 else b",") + dump({"values": list(vector)})
    yield closing + dump(head)[1:]


def render_gemini_count(tokens: int, extension: Json) -> Json:
    return {"totalTokens": tokens, "farmhand": extension}
