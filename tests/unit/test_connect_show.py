"""How a connection is shown: our part of each file, and no key in full unless asked for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from adapter.connect import show
from adapter.connect.parts import (
    Connection,
    Default,
    Document,
    EnvFile,
    Generate,
    Put,
    PutEntries,
    Secret,
    Snippet,
)
from adapter.connect.values import mask

KEY = "sk-fh1.eyJpIjoiNWQ.WWXYZ-0123456789"
WHOLE = Connection(
    (
        Document(Path("/x/c.yaml"), "yaml", (Put(("a", "url"), "http://h/v1"), PutEntries(("l",), ({"key": Secret(KEY)},), lambda entry: False)), private=True),
        Document(Path("/x/c.json"), "json", (Put(("b",), 1),), head="never shown in JSON"),
        EnvFile(Path("/x/.env"), (("K", Secret(KEY)), ("OWN", Generate()), ("T", Default("30"))), export=True),
        Snippet("In Python", "python", f"client = OpenAI(api_key='{KEY}')\n\nprint()"),
    ),
    (f"Use {KEY} well.", "A note that is long enough to be put on more lines than one when the terminal is as narrow as this."),
)


def test_shown_to_a_person() -> None:
    text = "\n".join(show.lines(WHOLE, key=KEY, show_key=False, width=60))
    assert KEY not in text and "0123456789" not in text
    assert text.startswith('In /x/c.yaml, which is made private (mode 0600):\n    a:\n      url: http://h/v1\n    l:\n      - key: "sk-fh1.eyJp…"\n\n')
    assert 'In /x/c.json:\n    {\n      "b": 1\n    }\n' in text
    assert "    export K=sk-fh1.eyJp…\n    export OWN=(made by --write, where there is none yet)\n    export T=30\n" in text
    assert "In Python:\n    client = OpenAI(api_key='sk-fh1.eyJp…')\n\n    print()\n" in text
    assert "- Use sk-fh1.eyJp… well.\n- A note that is long enough to be put on more lines than\n  one when" in text
    assert KEY in "\n".join(show.lines(WHOLE, key=KEY, show_key=True, width=60))


def test_after_writing_only_what_is_left_to_do() -> None:
    text = "\n".join(show.lines(WHOLE, key=KEY, show_key=False, snippets_only=True))
    assert "c.yaml" not in text and ".env" not in text and text.startswith("In Python:") and "- Use" in text


def test_for_programs() -> None:
    told = show.for_programs(WHOLE, key=KEY, show_key=False)
    assert KEY not in json.dumps(told)
    assert told["parts"][0] == {
        "kind": "document", "path": "/x/c.yaml", "syntax": "yaml", "private": True,
        "content": {"a": {"url": "http://h/v1"}, "l": [{"key": "sk-fh1.eyJp…"}]},
    }  # fmt: skip
    assert told["parts"][2]["variables"] == {"K": "sk-fh1.eyJp…", "OWN": None, "T": "30"}
    assert show.for_programs(WHOLE, key=KEY, show_key=True)["parts"][2]["variables"]["K"] == KEY


@pytest.mark.parametrize(("key", "shown"), [("", ""), ("none", "…"), ("sk-local-farm", "sk-l…"), ("sk-farm-abcdefgh", "sk-f…"), (KEY, "sk-fh1.eyJp…")])
def test_masks(key: str, shown: str) -> None:
    assert mask(key) == shown


def test_words_that_are_no_key_are_not_hidden() -> None:
    assert show.hide("none of it", "none", show_key=False) == "none of it"
    assert show.hide("paste\n   sk-1234\n", "sk-1234", show_key=False) == "paste\n   …\n"  # the key in LiteLLM's own examples
