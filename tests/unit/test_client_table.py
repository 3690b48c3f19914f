"""The table that the client tests end with."""

from __future__ import annotations

from tests.live.client_table import table


def test_a_row_for_each_client_and_a_column_for_each_check() -> None:
    lines = table(
        [("llm", "stream", "passed"), ("aider", "plain", "passed"), ("aider", "plain", "passed"), ("aider", "stream", "failed")]
    )
    assert lines == [
        "| client | plain | stream   |",
        "|--------|-------|----------|",
        "| aider  | ok 2  | 1 FAILED |",
        "| llm    |       | ok 1     |",
    ]


def test_one_failure_is_not_hidden_by_others_that_passed() -> None:
    assert "1 FAILED" in table([("llm", "tools", "passed"), ("llm", "tools", "failed")])[-1]


def test_what_only_some_have_stands_behind() -> None:
    assert table([("LiteLLM", "plain", "passed"), ("LiteLLM", "farm: one killed", "failed"), ("llm", "plain", "passed")]) == [
        "| client  | plain | besides                    |",
        "|---------|-------|----------------------------|",
        "| LiteLLM | ok 1  | farm: one killed: 1 FAILED |",
        "| llm     | ok 1  |                            |",
    ]
