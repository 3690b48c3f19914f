"""Headers -> what a download does next."""

from __future__ import annotations

import pytest

from adapter.models.failures import ModelsError, Passing
from adapter.models.refusals import refusal
from adapter.models.replies import (
    CHANGED,
    IGNORES_RANGE,
    Reply,
    Step,
    Validators,
    decide,
    parse_reply,
    range_headers,
)
from adapter.models.sources import parse_source

SHA, OTHER = "a" * 64, "b" * 64
HUB_HOP = {"x-linked-etag": f'"{SHA}"', "x-linked-size": "900", "x-repo-commit": "c0ffee"}


@pytest.mark.parametrize(
    ("status", "hops", "expected"),
    [
        (
            200,
            [HUB_HOP, {"content-length": "900", "etag": '"cdn"', "last-modified": "Mon"}],
            Reply(200, 0, Validators(900, SHA, '"cdn"', "Mon"), "c0ffee"),
        ),
        (200, [HUB_HOP, {}], Reply(200, 0, Validators(900, SHA), "c0ffee")),
        (200, [{"etag": 'W/"weak"'}], Reply(200, 0, Validators(), None)),
        (200, [{"x-linked-etag": '"no-digest"'}], Reply(200, 0, Validators(), None)),
        (200, [{"content-length": "-5"}], Reply(200, 0, Validators(), None)),
        (206, [{"content-range": "bytes 5-9/10", "content-length": "5"}], Reply(206, 5, Validators(10), None)),
        (206, [{"content-range": "bytes 5-9/*"}], Reply(206, 5, Validators(), None)),
        (206, [{"content-range": "nonsense"}], Reply(206, None, Validators(), None)),
        (206, [{}], Reply(206, None, Validators(), None)),
        (416, [{"content-range": "bytes */10"}], Reply(416, None, Validators(10), None)),
    ],
)
def test_headers_are_read(status: int, hops: list[dict[str, str]], expected: Reply) -> None:
    assert parse_reply(status, hops) == expected


KNOWN = Validators(10, None, '"v1"')


@pytest.mark.parametrize(
    ("have", "known", "reply", "step", "why"),
    [
        (0, Validators(), Reply(200, 0, Validators(10), None), Step.OVERWRITE, ""),
        (5, KNOWN, Reply(200, 0, Validators(10, None, '"v1"'), None), Step.OVERWRITE, IGNORES_RANGE),
        (5, KNOWN, Reply(200, 0, Validators(10, None, '"v2"'), None), Step.OVERWRITE, CHANGED),
        (5, KNOWN, Reply(206, 5, Validators(10, None, '"v1"'), None), Step.APPEND, ""),
        (5, KNOWN, Reply(206, 5, Validators(10), None), Step.APPEND, ""),
        (5, KNOWN, Reply(206, 4, Validators(10), None), Step.AGAIN, IGNORES_RANGE),
        (5, KNOWN, Reply(206, None, Validators(), None), Step.AGAIN, IGNORES_RANGE),
        (5, KNOWN, Reply(206, 5, Validators(11), None), Step.AGAIN, CHANGED),
        (5, KNOWN, Reply(206, 5, Validators(10, None, '"v2"'), None), Step.AGAIN, CHANGED),
        (5, Validators(10, SHA, '"x"'), Reply(206, 5, Validators(10, SHA, '"y"'), None), Step.APPEND, ""),
        (5, Validators(10, SHA), Reply(206, 5, Validators(10, OTHER), None), Step.AGAIN, CHANGED),
        (10, KNOWN, Reply(416, None, Validators(10), None), Step.COMPLETE, ""),
        (12, KNOWN, Reply(416, None, Validators(10), None), Step.AGAIN, IGNORES_RANGE),
        (10, KNOWN, Reply(416, None, Validators(9), None), Step.AGAIN, CHANGED),
        (10, KNOWN, Reply(416, None, Validators(), None), Step.AGAIN, IGNORES_RANGE),
    ],
)
def test_what_to_do_with_an_answer(have: int, known: Validators, reply: Reply, step: Step, why: str) -> None:
    found = decide(have, known, reply)
    assert (found.step, found.why) == (step, why)


@pytest.mark.parametrize(
    ("have", "known", "expected"),
    [
        (0, KNOWN, {}),
        (5, KNOWN, {"Range": "bytes=5-", "If-Range": '"v1"'}),
        (5, Validators(10, last_modified="Mon"), {"Range": "bytes=5-", "If-Range": "Mon"}),
        (5, Validators(10, SHA, '"v1"'), {"Range": "bytes=5-"}),
    ],
)
def test_how_the_rest_is_asked_for(have: int, known: Validators, expected: dict[str, str]) -> None:
    assert range_headers(have, known) == expected


@pytest.mark.parametrize(
    ("status", "headers", "token", "says"),
    [
        (401, {}, False, "no such repository, or it is private or gated"),
        (401, {"x-error-code": "GatedRepo"}, False, "set HF_TOKEN"),
        (403, {"x-error-code": "GatedRepo"}, True, "the account that HF_TOKEN belongs to"),
        (404, {"x-error-code": "EntryNotFound"}, False, "tree/main for what there is"),
        (404, {"x-error-code": "RevisionNotFound"}, False, "no such revision"),
        (418, {}, False, "status 418"),
    ],
)
def test_refusals_of_the_hub(status: int, headers: dict[str, str], token: bool, says: str) -> None:
    found = refusal(parse_source("hf:a/b/c.gguf"), "huggingface.co", status, headers, token_given=token)
    assert isinstance(found, ModelsError)
    assert says in str(found)


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_busy_server_is_asked_again(status: int) -> None:
    source = parse_source("https://x/y.gguf")
    found = refusal(source, "x", status, {"retry-after": "7"}, token_given=False)
    assert isinstance(found, Passing)
    assert found.retry_after_s == 7
    dated = refusal(source, "x", status, {"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, token_given=False)
    assert isinstance(dated, Passing)
    assert dated.retry_after_s is None


@pytest.mark.parametrize("status", [401, 403])
def test_a_token_is_no_help_elsewhere(status: int) -> None:
    """A plain URL never gets the token, so the sentence does not send anybody for one."""
    found = refusal(parse_source("https://x/y.gguf"), "x", status, {}, token_given=True)
    assert "HF_TOKEN" not in str(found) and "log-in" in str(found)
