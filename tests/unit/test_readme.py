"""What the README promises is what the code does: its example loads, its tables are complete."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from adapter.configuration import load
from adapter.errors import AdapterError
from adapter.settings import (
    AuthSettings,
    EchoSettings,
    InferrlmSettings,
    KeySettings,
    LlamaSettings,
    LocalllmSettings,
    LogSettings,
    ModelSettings,
    OpenaiSettings,
    ResponsesSettings,
    RouterSettings,
    SearchSettings,
    ServerSettings,
    StoreSettings,
)
from phone import settings as phone

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
SECTIONS: tuple[type[BaseModel], ...] = (
    ServerSettings, AuthSettings, LogSettings, EchoSettings, InferrlmSettings, LlamaSettings, ModelSettings,
    StoreSettings, RouterSettings, KeySettings, LocalllmSettings, OpenaiSettings, ResponsesSettings, SearchSettings,
    phone.SupervisorSettings, phone.ProxySettings, phone.GatewaySettings, phone.WakeLockSettings, phone.GovernorSettings,
    phone.NotificationSettings,
)  # fmt: skip
# Said on the key's own row in words, because no short value would be right.
WORDED = {"by version", "by cores", ""}


def rows() -> dict[str, set[str]]:
    """Key -> its defaults, from the configuration table: kinds of engines may differ. Rows may name several keys."""
    found: dict[str, set[str]] = {}
    table = TEXT.partition("| key | default | meaning |")[2].partition("\n\n")[0]
    for line in table.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        names = re.findall(r"`([a-z_]+)`", cells[0]) if cells[0:] else []
        defaults = re.findall(r"`([^`]*)`", cells[1]) if len(cells) > 1 else []
        for index, name in enumerate(names):
            default = defaults[index] if index < len(defaults) else (cells[1] if len(cells) > 1 else "")
            found.setdefault(name, set()).add(default.replace('"', "'").lower())
    return found


def test_the_example_configuration_loads(tmp_path: Path) -> None:
    blocks = re.findall(r"```toml\n(.*?)```", TEXT, re.DOTALL)
    file = tmp_path / "config.toml"
    file.write_text("\n".join(blocks), encoding="utf-8")
    settings = load({"HOME": str(tmp_path)}, config=file)
    assert sorted(engine.name for engine in settings.engine) == ["desk", "inferrlm", "local"]
    assert settings.model[0].name == "gpt-4o-mini"
    assert [key.name for key in settings.key] == ["pitwall", "titles"]


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.__name__)
def test_the_table_has_every_key_with_its_default(section: type[BaseModel]) -> None:
    table = rows()
    named = {field.alias or name: field for name, field in section.model_fields.items()}
    assert set(named) - set(table) == set()
    for name, field in named.items():
        default = list(field.default) if isinstance(field.default, tuple) else field.default
        default = str(default) if isinstance(default, str) else default  # a word of an enum
        if not field.is_required() and not table[name] & WORDED:
            assert repr(default).lower() in table[name], name


def test_the_table_of_errors_has_every_code() -> None:
    """Except what only a bug of ours or a wrong path can bring."""
    codes = {kind.code for kind in subclasses(AdapterError)}
    unlisted = {"internal_error", "not_found", "method_not_allowed", "endpoint_not_built"}
    assert {code for code in codes - unlisted if f"`{code}`" not in TEXT} == set()


def subclasses(kind: type[AdapterError]) -> set[type[AdapterError]]:
    below = set(kind.__subclasses__())
    return below.union(*(subclasses(sub) for sub in below)) if below else below


def test_what_it_links_to_and_runs_is_there() -> None:
    linked = re.findall(r"\]\(([^)#:]+)\)", TEXT) + re.findall(r"\bsh (scripts/\w+)", TEXT)
    linked += re.findall(r"\.venv/bin/python (scripts/\S+\.py)", TEXT)
    assert linked
    assert [name for name in linked if not (ROOT / name).exists()] == []
