"""GBNF read back and looked through before llama.cpp gets it. Pure.

llama.cpp refuses some grammars with a line on standard error only, and others let it run for ever: its search for left recursion
walks every path along first symbols, and misses rules that are empty only through others. So both are found here first.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from adapter.constrain import bounds
from adapter.errors import BadRequest


@dataclass(frozen=True, slots=True)
class Terminal:
    """One character, or a token by its name or number; its own text."""

    text: str


@dataclass(frozen=True, slots=True)
class Ref:
    rule: str


Symbol = Terminal | Ref
Alternative = tuple[Symbol, ...]
Rules = dict[str, tuple[Alternative, ...]]

# What llama.cpp takes for one, as far as can be told from text.
_TOKEN = re.compile(
    r"""(?P<space>[ \t]+|\#[^\r\n]*)|(?P<line>[\r\n]+)|(?P<is>::=)|(?P<name>[a-zA-Z0-9-]+)
    |"(?P<literal>(?:[^"\\]|\\(?:x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[tnr\\"\[\]-]))*)"
    |(?P<set>\[(?:[^\]\\]|\\(?:x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[tnr\\"\[\]-]))*\])
    |(?P<any>\.)|(?P<open>\()|(?P<close>\))|(?P<or>\|)|(?P<token>!?<(?:\[\d{1,9}\]|[^>\r\n]+)>)
    |(?P<times>[*+?]|\{[ \t]*\d+[ \t]*(?:,[ \t]*\d*[ \t]*)?\})""",
    re.VERBOSE,
)
_CHAR = re.compile(r"\\(?:x..|u.{4}|U.{8}|.)|.", re.DOTALL)
MAX_WALKS = 100_000
_MAX_DEEP = 200


class GrammarError(ValueError):
    """What is wrong with it, as a clause that ends a sentence."""


def check(text: str, *, param: str | None) -> None:
    """Raises `BadRequest` for a grammar that llama.cpp would refuse, that would make it run for ever, or that no text matches."""
    if len(text) > bounds.MAX_GRAMMAR_CHARS:
        raise bounds.too_large("characters of grammar", bounds.MAX_GRAMMAR_CHARS, "Make it smaller.", param)
    try:
        rules = parse(text)
        _all_defined(rules)
        _no_left_recursion(rules)
        _can_end(rules)
    except GrammarError as error:
        raise BadRequest(f"This grammar cannot be used: {error}.", param=param) from None


def parse(text: str) -> Rules:
    """Repetitions and groups become rules of their own, as llama.cpp does it. Raises `GrammarError`."""
    return _Parser(text).rules()


_NAME = re.compile(r'"(?:[^"\\]|\\.)*"|\[(?:[^\]\\]|\\.)*\]|\{[^}]*\}|([a-zA-Z0-9-]+)', re.DOTALL)


def names_in(body: str) -> list[str]:
    """The rules that a well-formed body without comments and tokens refers to."""
    return [name for name in _NAME.findall(body) if name]


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens = self._scan(text)
        self._at = 0
        self._rules: Rules = {}
        self._deep = 0
        self._made = 0  # rules that llama.cpp makes of groups and repetitions

    def _scan(self, text: str) -> list[tuple[str, str]]:
        tokens = []
        at = 0
        while at < len(text):
            match = _TOKEN.match(text, at)
            if match is None:
                line = text.count("\n", 0, at) + 1
                raise GrammarError(f"line {line} cannot be read from {text[at : at + 20]!r} on")
            kind = str(match.lastgroup)
            if kind != "space":
                tokens.append((kind, match[kind]))
            at = match.end()
        return tokens

    def rules(self) -> Rules:
        self._lines()
        while self._kind():
            name = self._expect("name", "a rule's name")
            self._expect("is", "'::='")
            self._lines()
            alternatives = self._alternatives(nested=False)
            if self._kind() not in ("", "line"):
                raise GrammarError(f"in the rule {name!r} there is a {self._tokens[self._at][1]!r} too much")
            self._rules[name] = alternatives
            self._lines()
        return self._rules

    def _kind(self) -> str:
        return self._tokens[self._at][0] if self._at < len(self._tokens) else ""

    def _expect(self, kind: str, what: str) -> str:
        if self._kind() != kind:
            found = repr(self._tokens[self._at][1]) if self._kind() else "its end"
            raise GrammarError(f"{what} is missing before {found}")
        self._at += 1
        return self._tokens[self._at - 1][1]

    def _lines(self) -> None:
        while self._kind() == "line":
            self._at += 1

    def _alternatives(self, *, nested: bool) -> tuple[Alternative, ...]:
        found = [self._sequence(nested)]
        while self._kind() == "or":
            self._at += 1
            self._lines()
            found.append(self._sequence(nested))
        return tuple(found)

    def _sequence(self, nested: bool) -> Alternative:
        symbols: list[Symbol] = []
        last: list[Symbol] | None = None
        weight = 1
        while True:
            kind = self._kind()
            if nested and kind == "line":
                self._lines()
                continue
            if kind == "times":
                if last is None:
                    raise GrammarError(f"there is nothing before {self._tokens[self._at][1]!r} to repeat")
                weight *= self._repeat(symbols, last, weight)
                continue
            made_before = self._made
            atom = self._atom(kind)
            if atom is None:
                return tuple(symbols)
            weight = max(1, self._made - made_before)
            last = atom
            symbols += atom

    def _atom(self, kind: str) -> list[Symbol] | None:
        if kind not in ("literal", "set", "any", "token", "name", "open"):
            return None
        text = self._tokens[self._at][1]
        self._at += 1
        if kind == "literal":
            return [Terminal(char) for char in _CHAR.findall(text)]
        if kind == "name":
            return [Ref(text)]
        if kind != "open":
            if text in ("[]", "[^]"):
                raise GrammarError(f"the class {text} is empty")
            return [Terminal(text)]
        self._deep += 1
        if self._deep > _MAX_DEEP:
            raise GrammarError(f"more than {_MAX_DEEP} groups are inside each other")
        self._lines()
        name = self._name()
        self._made += 1
        self._rules[name] = ()
        self._rules[name] = self._alternatives(nested=True)
        self._expect("close", "')'")
        self._deep -= 1
        return [Ref(name)]

    def _name(self) -> str:
        return f"_{len(self._rules)}"  # no name of the text's own has that character

    def _repeat(self, symbols: list[Symbol], last: list[Symbol], weight: int) -> int:
        text = self._tokens[self._at][1]
        self._at += 1
        least, most = _times(text)
        count = most or least or 1
        if least > bounds.MAX_REPEAT or weight * count > bounds.MAX_REPEAT:
            raise GrammarError(f"{text!r} makes more than {bounds.MAX_REPEAT} repetitions, counted with those inside it")
        part = tuple(last)
        self._made += 1 if most is None else most - least
        if self._made > 10 * bounds.MAX_RULES:
            raise GrammarError("it has too many repetitions")
        del symbols[len(symbols) - len(part) :]
        symbols += part * least
        if most is None or most > least:
            # S{m,n}: n - m rules in llama.cpp; for what is asked here one that may recur says the same
            name = self._name()
            self._rules[name] = ((*part, Ref(name)), ()) if most is None or most > least + 1 else (part, ())
            symbols.append(Ref(name))
        return count


def _times(text: str) -> tuple[int, int | None]:
    simple = {"*": (0, None), "+": (1, None), "?": (0, 1)}.get(text)
    if simple is not None:
        return simple
    low, comma, high = text.strip("{}").partition(",")
    if len(low.strip()) > 9 or len(high.strip()) > 9:
        raise GrammarError(f"{text!r} has too many digits")
    least = int(low)
    most = (int(high) if high.strip() else None) if comma else least
    if most is not None and most < least:
        raise GrammarError(f"the bounds of {text!r} are out of order")
    return least, None if most is not None and most > bounds.MAX_REPEAT else most


def _all_defined(rules: Rules) -> None:
    if "root" not in rules:
        raise GrammarError("it has no rule 'root'")
    for name, alternatives in rules.items():
        for symbol in (symbol for alternative in alternatives for symbol in alternative):
            if isinstance(symbol, Ref) and symbol.rule not in rules:
                raise GrammarError(f"the rule {symbol.rule!r}, which {name!r} needs, is missing")


def _growing(rules: Rules, start: set[str], *, terminals: bool) -> set[str]:
    """All rules with an alternative of nothing but rules already found (and terminals, if they count)."""
    found = set(start)
    users: dict[str, list[tuple[str, Alternative]]] = {}
    todo: list[tuple[str, Alternative]] = []
    for name, alternatives in rules.items():
        for alternative in alternatives:
            todo.append((name, alternative))
            for symbol in alternative:
                if isinstance(symbol, Ref):
                    users.setdefault(symbol.rule, []).append((name, alternative))
    while todo:
        name, alternative = todo.pop()
        if name not in found and all(
            symbol.rule in found if isinstance(symbol, Ref) else terminals for symbol in alternative
        ):
            found.add(name)
            todo += users.get(name, [])
    return found


def _no_left_recursion(rules: Rules) -> None:
    """Neither a rule that begins with itself, nor so many ways along first symbols that looking for one takes for ever."""
    empty = _growing(rules, set(), terminals=False)
    firsts: dict[str, list[str]] = {}
    for name, alternatives in rules.items():
        firsts[name] = []
        for alternative in alternatives:
            for symbol in alternative:
                if not isinstance(symbol, Ref):
                    break
                firsts[name].append(symbol.rule)
                if symbol.rule not in empty:
                    break
    walks: dict[str, int] = {}
    total = 0
    visited: set[str] = set()
    for name in rules:
        if name in visited:
            continue
        total += _walks(name, firsts, walks)
        if total > 10 * MAX_WALKS:
            raise GrammarError("too many rules begin with other rules")
        todo = [name]
        while todo:
            one = todo.pop()
            if one not in visited:
                visited.add(one)
                todo += firsts[one]


def _walks(start: str, firsts: dict[str, list[str]], walks: dict[str, int]) -> int:
    """How many steps a walk along all first symbols takes."""
    open_: list[tuple[str, int]] = [(start, 0)]
    inside = {start}
    while open_ and start not in walks:
        name, done = open_.pop()
        nexts = firsts[name]
        while done < len(nexts) and nexts[done] in walks:
            done += 1
        if done < len(nexts):
            if nexts[done] in inside:
                raise GrammarError(f"the rule {nexts[done]!r} begins with itself")
            if len(open_) > 10 * _MAX_DEEP:
                raise GrammarError("too many rules begin with one another")
            open_ += [(name, done), (nexts[done], 0)]
            inside.add(nexts[done])
            continue
        walks[name] = 1 + sum(walks[one] for one in nexts)
        inside.discard(name)
        if walks[name] > MAX_WALKS:
            raise GrammarError("too many rules begin with other rules")
    return walks[start]


def _can_end(rules: Rules) -> None:
    ending = _growing(rules, set(), terminals=True)
    seen = {"root"}
    todo = ["root"]
    while todo:
        name = todo.pop()
        if name not in ending:
            raise GrammarError(f"the rule {name!r} needs itself again and again, so that no text can ever match it")
        for alternative in rules[name]:
            for symbol in alternative:
                if isinstance(symbol, Ref) and symbol.rule not in seen:
                    seen.add(symbol.rule)
                    todo.append(symbol.rule)
