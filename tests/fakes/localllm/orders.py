"""Failures that a test orders for the next answer."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.fakes.localllm import gson
from tests.fakes.localllm.errors import PassedOn, Refused
from tests.fakes.localllm.exchange import JSON_TYPE

_BEFORE_THE_QUEUE = (400, 401, 404, 405, 406, 413, 429)


@dataclass(frozen=True, slots=True)
class Order:
    """One error reply; `body` is passed on as it is, else the envelope is built of the rest."""

    status: int
    type: str
    code: int | str | None
    message: str
    body: str | bytes | None
    content_type: str

    @property
    def is_early(self) -> bool:
        """Of the kind that comes before the queue, and so without the headers of section 9 (5.1)."""
        return self.status in _BEFORE_THE_QUEUE

    def failure(self) -> Exception:
        if self.body is not None or self.content_type != JSON_TYPE:
            body = self.message if self.body is None else self.body
            return PassedOn(self.status, self.content_type, gson.encode(body) if isinstance(body, str) else body)
        error = {"message": self.message, "type": self.type, "code": self.status if self.code is None else self.code}
        headers = {"Retry-After": "5"} if self.status == 429 else {}
        return Refused(self.status, {"error": error}, headers)


@dataclass(slots=True)
class Ordered:
    """The orders that wait, first come first served."""

    orders: list[Order] = field(default_factory=list)

    def take(self, *, early: bool) -> Order | None:
        if self.orders and self.orders[0].is_early == early:
            return self.orders.pop(0)
        return None
