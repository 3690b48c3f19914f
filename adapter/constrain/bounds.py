"""How large what a client asks for may be; over a bound is a `BadRequest` that names it. Pure.

The bounds keep a compile well under a second on a phone, and keep within what llama.cpp's grammar engine takes.
"""

from __future__ import annotations

from adapter.errors import BadRequest

MAX_GRAMMAR_CHARS = 512 * 1024  # an agent with 54 tools needs half of it
MAX_RULES = 16_000
MAX_NESTING = 64
MAX_PROPERTIES = 1000  # of one object
MAX_SCHEMA_NODES = 4000
MAX_SCHEMA_CHARS = 256 * 1024
MAX_COMBINATIONS = 10_000  # looks at a schema
MAX_ENUM = 2000
MAX_BRANCHES = 64  # of anyOf groups that are multiplied out with what stands beside them
MAX_REPEAT = 2000  # llama.cpp reads a larger upper bound as "no bound", and refuses a larger lower one
MAX_REPEATS = 40_000  # of all in one grammar; llama.cpp makes a rule of each
MAX_PATTERN_CHARS = 2000
MAX_HARD_PATTERNS = 16  # of one schema that take more than a few milliseconds
MAX_NFA_STATES = 4000
MAX_DFA_STATES = 2000
MAX_DIGITS = 100  # of a numeric bound, before the point and after it
MAX_UNTIL_CHARS = 1000


def too_large(what: str, bound: int, remedy: str, param: str | None) -> BadRequest:
    """`what` names the thing in the plural or with its unit: "rules", "characters of grammar"."""
    return BadRequest(f"At most {bound} {what} can be compiled. {remedy}", param=param)
