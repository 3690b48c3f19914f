"""Which tool a model means by a name that is nearly right. Pure."""

from __future__ import annotations

import re
from collections import Counter

from adapter.calls.tools import Spec, ToolBox

# What models put before names, from the ways in which tools were shown to them elsewhere.
PREFIXES = ("functions.", "function.", "tools.", "tool.", "default_api.", "multi_tool_use.")
_MAX_NAME_CHARS = 140


class Names(ToolBox):
    """The tools under their names, and under what can only be meant as one of them: with a usual prefix, in other case, with
    hyphens for underscores. A readers' `ToolBox`: `name in names` and `names[name]` take both."""

    def __init__(self, tools: ToolBox) -> None:
        super().__init__(list(tools))
        self._tools = tools
        plain = Counter(plain_name(spec.name) for spec in tools)
        self._plain = {plain_name(spec.name): spec.name for spec in tools if plain[plain_name(spec.name)] == 1}

    def resolve(self, name: str) -> str | None:
        """The tool's own name; `None` if none is meant, or one of several."""
        name = name.strip().removesuffix("()")
        if name in self._tools:
            return name
        for prefix in PREFIXES:
            if name.startswith(prefix) and name.removeprefix(prefix) in self._tools:
                return name.removeprefix(prefix)
        bare = name[:_MAX_NAME_CHARS]
        for prefix in PREFIXES:
            bare = bare.removeprefix(prefix)
        return self._plain.get(plain_name(bare))

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self.resolve(name) is not None

    def __getitem__(self, name: str) -> Spec:
        found = self.resolve(name)
        return self._tools[name if found is None else found]


def plain_name(name: str) -> str:
    """What names have in common that are taken for the same."""
    return re.sub(r"[_\-\s]", "", name).casefold()
